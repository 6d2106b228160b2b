"""Processes of a journey: each a child that ends with us, whatever ends us."""

import contextlib
import ctypes
import itertools
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

from django.conf import settings

END_SECONDS = 10.0
FIRST_PORT, PORTS = 20_000, 12_000
_PR_SET_PDEATHSIG = 1
_draws = itertools.count(os.getpid() * 997)  # a thousand ports from those of the process that started next


def free_port() -> int:
    """Return a port of the loopback that nobody listens on, for a child that binds it seconds from now.

    The kernel gives ports from 32768 on to whoever calls somebody, so one of those may be gone by then. What is
    below is dealt out here: each process begins at a place of its own and goes round.
    """
    while True:
        port = FIRST_PORT + next(_draws) % PORTS
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def manage(*words: str) -> list[str]:
    """The command line of one of our commands."""
    return [sys.executable, "manage.py", *words]


def start(
    command: list[str], *, env: dict[str, str], output: Path | None = None, talks: bool = False
) -> "subprocess.Popen[str]":
    """Start a child in a process group of its own.

    Its output goes to a file; or, when it `talks`, its lines and ours go through pipes.
    """
    log: IO[str] | int = subprocess.PIPE if output is None else output.open("a", encoding="utf-8")
    try:
        return subprocess.Popen(  # noqa: S603  (our own command)
            command,
            cwd=settings.BASE_DIR,
            env={**os.environ, **env, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.DEVNULL if talks else subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    finally:
        if not isinstance(log, int):
            log.close()


def end(process: "subprocess.Popen[str]", *, with_signal: int = signal.SIGTERM) -> None:
    """End a child and all that it has started; by force when it does not obey."""
    _tell(process, with_signal)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    _tell(process, signal.SIGKILL)  # also what is left of its group
    process.wait()


def _tell(process: "subprocess.Popen[str]", with_signal: int) -> None:
    try:
        os.killpg(process.pid, with_signal)
    except (ProcessLookupError, PermissionError):  # the whole group is gone
        return


def _die_with_parent() -> None:
    """Have the kernel kill this child when we end, even by `kill -9` (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
