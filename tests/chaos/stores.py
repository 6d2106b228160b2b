"""PostgreSQL and Redis as processes that can be taken away and given back, on the same port each time."""

import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

import psycopg
import redis

from tests import servers

READY_SECONDS = 30.0
PAUSE_SECONDS = 0.05
# Two web processes with a pool of 20 each, ten of Celery's, and the dead ones' for a moment.
CONNECTIONS = 200


class Store(ABC):
    """A server process with a directory and a port of its own."""

    name = ""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / self.name
        self.directory.mkdir()
        self.port = servers.free_port()
        self._user: str | None = None
        self._command: list[str | Path] = []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, also again after it was killed, and wait until it answers."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.directory,
                user=self._user,
                stdout=log,
                stderr=log,
                preexec_fn=servers.die_with_parent,
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n{self._tail()}")
            time.sleep(PAUSE_SECONDS)

    def end(self, with_signal: signal.Signals) -> None:
        """Send it a signal and wait until it is gone."""
        self.signal(with_signal)
        if self._process is not None:
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it takes work."""

    def _tail(self) -> str:
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")[-2000:]


class Postgres(Store):
    """Durable: fsync and synchronous_commit are on, as they are by default."""

    name = "postgres"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._user = servers.postgres_user()
        command = servers.postgres_command(self.directory, self.port)
        self._command = [*command, "-c", f"max_connections={CONNECTIONS}"]
        self.url = f"postgres://tests@127.0.0.1:{self.port}/postgres"

    def stop_at_once(self) -> None:
        """Immediate shutdown: no checkpoint, no goodbye to clients; the next start recovers from the log."""
        self.end(signal.SIGQUIT)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False


class Redis(Store):
    """Keeps nothing on disk: what it is asked to lose is gone."""

    name = "redis"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._command = [servers.redis_binary(), "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--save", "", "--appendonly", "no", "--dir", self.directory]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """Take it away with all that it holds."""
        self.end(signal.SIGKILL)

    def flush(self) -> None:
        """Let it forget everything while it goes on."""
        with suppress(redis.RedisError):
            redis.Redis(port=self.port, socket_timeout=2).flushall()

    def _answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(redis.Redis(port=self.port, socket_timeout=2).ping())
        return False


def scratch(parent: Path) -> Path:
    """Return a directory that PostgreSQL's own user may enter."""
    parent.chmod(0o755)
    user = servers.postgres_user()
    if user:
        shutil.chown(parent, user)
    return parent
