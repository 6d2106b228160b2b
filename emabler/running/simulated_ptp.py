"""The demo's payment terminal provider over OCPI: a process of its own, registered at this server.

It keeps its holds in a file, so that a restart forgets none. Where its registration and ours do not match any
more (another database or port, an answer lost in a crash), it is invited anew and still keeps the holds.
"""

import contextlib
import json
import logging
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from django.conf import settings
from django.utils import timezone

from emabler.running import children
from emabler.running.demo import DemoPtp
from payments.models import OcpiConnection
from payments.ocpi import connections
from payments.ocpi.push import watch
from payments.simulator import credentials
from payments.simulator.ocpi.memory import Memory, Registration

PATIENCE_SECONDS: Final = 60.0  # for a server that is up but has a slow machine
# Ctrl-C ends us and it at the same time, and we take a moment longer.
STOP_NOTICE_SECONDS: Final = 5.0
NOWHERE: Final = "http://127.0.0.1:0"  # nothing listens there: the terminal's page is out of order until then

logger = logging.getLogger(__name__)


class SimulatedPtp:
    """Call `prepare` before the server starts, `start` when it does."""

    def __init__(self, ptp: DemoPtp, *, base_url: str) -> None:
        self._ptp, self._versions_url = ptp, f"{base_url}/ocpi/versions"
        self._memory = settings.VAR_DIR / "simulated-ptp.json"
        self._log = settings.VAR_DIR / "simulated-ptp.log"
        self._token = ""
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Invite it where no registration stands, and let its terminals be out of order until it is there."""
        memory = _opened(self._memory)
        if not _stands(self._ptp.name, memory):
            with memory.changed() as state:
                state.registration = Registration()
            ptp = self._ptp
            connection, self._token = connections.invite(
                name=ptp.name,
                country_code=ptp.country_code,
                party_id=ptp.party_id,
                role=ptp.role,
                now=timezone.now(),
            )
            watch.forget(connection)  # its memory may be new, or from another database
        self._buttons_at(NOWHERE)

    def start(self, *, on_end: Callable[[str], None]) -> None:
        """Start it, from the main thread; `on_end` hears, from another one, that it ended before `stop`."""
        options = {
            "--cpo-versions-url": self._versions_url,
            "--token": self._token,
            "--party": f"{self._ptp.country_code}-{self._ptp.party_id}",
            "--role": self._ptp.role,
            "--memory": self._memory,
            "--patience-seconds": PATIENCE_SECONDS,
        }
        words = [f"{name}={value}" for name, value in options.items()]
        words += [f"--terminal={terminal_id}" for terminal_id in self._ptp.terminal_ids]
        try:
            self._process = children.start("simulate_ptp", *words, output=subprocess.PIPE)
        except OSError as problem:
            on_end(f"The simulated PTP did not start: {problem}.")
            return
        threading.Thread(target=self._follow, args=(self._process, on_end), daemon=True).start()

    def stop(self, *, timeout_seconds: float) -> None:
        """End it, by force after `timeout_seconds`."""
        self._stopping.set()
        if self._process is not None:
            children.end([self._process], timeout_seconds=timeout_seconds)

    def _follow(self, process: "subprocess.Popen[bytes]", on_end: Callable[[str], None]) -> None:
        """Write down what it says; once it is registered its terminals work."""
        assert process.stdout is not None
        with self._log.open("wb") as log:
            for line in process.stdout:
                _write(log, line)
                if control_url := _ready_at(line):
                    self._buttons_at(control_url)
        self._buttons_at(NOWHERE)
        if not self._stopping.wait(STOP_NOTICE_SECONDS):
            on_end(f"The simulated PTP over OCPI has ended; {self._log} says why.")

    def _buttons_at(self, control_url: str) -> None:
        for terminal_id in self._ptp.terminal_ids:
            credentials.save_ocpi(terminal_id, control_url)


def _opened(path: Path) -> Memory:
    """The PTP's memory; one that cannot be read, of another version say, is put aside, and it begins anew."""
    try:
        return Memory(path)
    except (OSError, TypeError, ValueError, LookupError, AttributeError):
        logger.warning("%s cannot be read and is put aside", path)
        path.replace(path.with_suffix(".unreadable"))
        return Memory(path)


def _stands(name: str, memory: Memory) -> bool:
    """Whether both sides know of the same registration, at the address that we have now."""
    with memory.look() as state:
        theirs = state.registration
    if not theirs.client_token or theirs.versions_url != connections.versions_url():
        return False
    ours = OcpiConnection.objects.filter(ptp__name=name, state=OcpiConnection.State.REGISTERED)
    return ours.filter(server_token_hash=connections.hash_of(theirs.client_token)).exists()


def _write(log: IO[bytes], line: bytes) -> None:
    with contextlib.suppress(OSError):  # a full disk is no reason to stop listening
        log.write(line)
        log.flush()


def _ready_at(line: bytes) -> str:
    """Where its buttons are, once it says so."""
    try:
        said = json.loads(line)
    except ValueError:  # a traceback, a warning
        return ""
    is_ready = isinstance(said, dict) and said.get("event") == "ready"
    return str(said["control_url"]) if is_ready else ""
