"""The PTP in the box as a process of its own: `manage.py simulate_ptp`, registered at a journey's server."""

import json
import subprocess
import threading
import time

from emabler.journeys import processes
from emabler.journeys.errors import ServerTrouble
from emabler.journeys.server import Server
from payments.simulator.ocpi.driver import PtpDriver

READY_SECONDS = 60.0


class PtpProcess:
    """A running PTP; end it with `close`."""

    def __init__(self, server: Server, *, version: str, token: str, terminal: str, party: str) -> None:
        """Start it and wait for its handshake. Raises ServerTrouble."""
        words = (
            "simulate_ptp",
            f"--cpo-versions-url={server.url}/ocpi/versions",
            f"--token={token}",
            f"--version={version}",
            f"--terminal={terminal}",
            f"--party={party}",
            f"--memory={server.directory / 'ptp.json'}",
        )
        self._lines: list[str] = []
        self._process: subprocess.Popen[str] = processes.start(
            processes.manage(*words), env=server.env, talks=True
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.driver = PtpDriver(self._ready())

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)

    def _ready(self) -> str:
        """Return its control URL, once it says that it is ready."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in list(self._lines):
                said = json.loads(line) if line.startswith("{") else {}
                if said.get("event") == "ready":
                    return str(said["control_url"])
            time.sleep(0.1)
        self.close()
        raise ServerTrouble(f"the PTP did not get ready:\n{''.join(self._lines[-10:])}")

    def last_words(self) -> str:
        """What it said last."""
        return "".join(self._lines[-8:])

    def close(self) -> None:
        """End it."""
        processes.end(self._process)
