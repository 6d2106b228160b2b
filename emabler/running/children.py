"""Processes that belong to this one: they end with it, whatever ends it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import IO

from django.conf import settings

_PR_SET_PDEATHSIG = 1


def start(*words: str, output: IO[bytes] | int) -> "subprocess.Popen[bytes]":
    """Start one of our commands; from the main thread, whose end is the signal for the child's.

    What it says goes to `output`, a file or `subprocess.PIPE`.
    """
    return subprocess.Popen(  # noqa: S603  (our own command, arguments from our own file)
        [sys.executable, "manage.py", *words],
        cwd=settings.BASE_DIR,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,  # nobody writes; the simulated charger also takes words from there
        stdout=output,
        stderr=subprocess.STDOUT,
        preexec_fn=_end_with_parent,
    )


def end(children: Iterable["subprocess.Popen[bytes]"], *, timeout_seconds: float) -> None:
    """End all of them, by force after `timeout_seconds`."""
    children = list(children)
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _end_with_parent() -> None:
    """Have the kernel end this child when its parent dies, even by `kill -9` (Linux only).

    Left over, it would fight the next demo's for the same charger, or for the same memory of holds.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
