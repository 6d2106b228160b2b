"""The product's processes as an operator runs them, each started again when it ends, as a supervisor does."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests import servers

LOOK_SECONDS = 0.3


class Supervised:
    """One process of the product, in a process group of its own."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name = name
        self._command, self._env, self._log = command, env, log
        self._process: subprocess.Popen[bytes] | None = None
        self._held = False
        self.killed = 0
        self.own_ends: list[int] = []  # statuses with which it ended unasked

    def start(self) -> None:
        """Start it now."""
        self._held = False
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command],
                cwd=servers.ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=servers.die_with_parent,
            )

    def kill(self, *, whole_group: bool = True) -> None:
        """`kill -9`, and keep it down until `start`; without its group, its children are left behind."""
        self._held = True
        self.killed += 1
        self._signal(signal.SIGKILL, whole_group=whole_group)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """Stop it in the midst of everything; it knows nothing of the time until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End it and all that it has started, for good."""
        self._held = True
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    async def supervise(self) -> None:
        """Start it again whenever it ends without being killed."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            ended = None if self._held or self._process is None else self._process.poll()
            if ended is not None:
                self.own_ends.append(ended)
                self.start()

    def tail(self) -> str:
        """The last of what it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def _signal(self, number: signal.Signals, *, whole_group: bool = True) -> None:
        if self._process is None:
            return
        send = os.killpg if whole_group else os.kill
        with suppress(ProcessLookupError):
            send(self._process.pid, number)


def web(name: str, port: int, env: dict[str, str], directory: Path) -> Supervised:
    """A web process: HTTP and the chargers' sockets."""
    command = ["manage.py", "up", "--host", "127.0.0.1", "--port", str(port)]
    return Supervised(name, command, env, directory / f"{name}.log")


def worker(name: str, env: dict[str, str], directory: Path) -> Supervised:
    """A worker, as docs/how-to/deploy.md starts it."""
    command = ["-m", "celery", "-A", "emabler", "worker", "--concurrency", "4", "--loglevel", "WARNING"]
    return Supervised(name, [*command, "-n", f"{name}@localhost"], env, directory / f"{name}.log")


def beat(env: dict[str, str], directory: Path) -> Supervised:
    """The one that plans sweeps."""
    schedule = str(directory / "celerybeat-schedule")
    command = ["-m", "celery", "-A", "emabler", "beat", "--loglevel", "WARNING", "--schedule", schedule]
    return Supervised("beat", [*command, "--pidfile="], env, directory / "beat.log")


def ptp(env: dict[str, str], directory: Path, *arguments: str) -> Supervised:
    """The PTP that speaks OCPI (tests.chaos.ptp)."""
    return Supervised("ptp", ["-m", "tests.chaos.ptp", *arguments], env, directory / "ptp.log")


def run_once(env: dict[str, str], *words: str) -> None:
    """Run a command of the product to its end. Raises CalledProcessError."""
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=servers.ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        check=True,
    )
