"""A simulated charger in a process of its own: we speak to it as people at a charger do, and read its log."""

import json
import subprocess
import threading
import time
from typing import Any

from emabler.journeys import processes
from emabler.journeys.errors import Mismatch

WAIT_SECONDS = 30.0


class Charger:
    """A running `manage.py simulate_charger`; end it with `close`."""

    def __init__(
        self, identity: str, *, url: str, password: str, options: tuple[str, ...], env: dict[str, str]
    ) -> None:
        words = ("simulate_charger", identity, "--url", url, f"--password={password}", *options)
        self._process: subprocess.Popen[str] = processes.start(processes.manage(*words), env=env, talks=True)
        self._log: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def say(self, words: str) -> None:
        """Do something at the charger: `plug 1`, `unplug 1`, `reboot 1.5`, `offline 60`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()

    def events(self, name: str) -> list[dict[str, Any]]:
        """What its log says under this name."""
        with self._news:
            return [line for line in self._log if line.get("event") == name]

    def wait_for(self, name: str, *, times: int = 1, timeout_seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Return the n-th event of this name. Raises `Mismatch` when it does not come."""
        deadline = time.monotonic() + timeout_seconds
        while len(found := self.events(name)) < times:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or (self._process.poll() is not None and not self._reader.is_alive()):
                raise Mismatch(f"the charger never said `{name}` ({times}); it said {self._summary()}")
            with self._news:
                self._news.wait(min(remaining, 0.2))
        return found[times - 1]

    @property
    def remote_starts(self) -> int:
        """How many remote starts reached it, by its own log."""
        return sum(line.get("action") == "RemoteStartTransaction" for line in self.events("command"))

    @property
    def delivered_wh(self) -> int:
        """The energy of its last transaction, by its own log."""
        return int(self.wait_for("stopped", times=max(1, len(self.events("stopped"))))["energy_wh"])

    def last_words(self) -> str:
        """What it did and whether it still lives, for a report of what went wrong."""
        status = self._process.poll()
        lives = "runs" if status is None else f"ended with {status}"
        with self._news:
            tail = [str(line) for line in self._log[-5:]]
        return f"the charger {lives}; it said {self._summary()}; last: {'; '.join(tail)[-600:]}"

    def close(self) -> None:
        """End it."""
        processes.end(self._process)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # not a line of its log
            with self._news:
                self._log.append(said)
                self._news.notify_all()

    def _summary(self) -> str:
        return ", ".join(dict.fromkeys(str(line.get("event")) for line in self._log)) or "nothing"
