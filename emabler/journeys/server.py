"""The server of a journey: `manage.py up` on a free port, with storage of its own and short timers."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from emabler.journeys import processes
from emabler.journeys.errors import ServerTrouble

READY_SECONDS = 60.0  # generous: a loaded machine must not turn a slow start into a failure

# The timers of a payment, in seconds, unless the environment says otherwise. Only waiting is shortened:
# energy flows in real time.
TIMERS = {
    "SWEEP_INTERVAL_SECONDS": "0.5",
    "COMMAND_TIMEOUT_SECONDS": "6",
    "STOP_TIMEOUT_SECONDS": "10",
    "START_TIMEOUT_PLUGGED_SECONDS": "8",
    "START_TIMEOUT_UNPLUGGED_SECONDS": "8",
    "START_TIMEOUT_MARGIN_SECONDS": "2",
    "FINAL_METER_TIMEOUT_SECONDS": "10",
    "FULL_BATTERY_GRACE_SECONDS": "3",
    "REBOOT_GRACE_SECONDS": "20",
    "OCPP_METER_INTERVAL_SECONDS": "1",
    # A stop that leaves one second early is nothing at the end of an hour, and much of a charge of seconds.
    "STOP_LATENCY_SECONDS": "0.05",
    "LIVE_UPDATE_SECONDS": "1",
}
PLACE = {
    "REDIS_URL": "",
    "DEBUG": "0",
    "EMABLER_DEMO": "0",  # no demo network beside ours
    "ALLOW_LOOPBACK_PEERS": "1",  # the PTP is another process of this machine
    "HTTPS": "0",
    "BEHIND_PROXY": "0",
    "OCPP_SECURITY_PROFILE": "1",
    "ALLOWED_HOSTS": "127.0.0.1",
    "MINIMUM_HOLD": "0.50",  # so that a hold is used up within seconds
    "LOG_LEVEL": "WARNING",
    "DJANGO_SETTINGS_MODULE": "emabler.settings",  # also when a test suite calls
    "SELLER_NAME": "Journey CPO",
    "SELLER_ADDRESS": "Satamakatu 1, 20100 Turku",
    "SELLER_VAT_ID": "FI00000000",
    "SELLER_SUPPORT": "support@example.org",
}


class Server:
    """Use it as a context: it is up inside, and everything of it is gone after.

    `env` goes over the defaults (another database, say).
    """

    def __init__(self, env: dict[str, str] | None = None) -> None:
        self._place = tempfile.TemporaryDirectory(prefix="emabler-journey-")
        self.directory = Path(self._place.name)
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **{name: os.environ.get(name, value) for name, value in TIMERS.items()},
            **PLACE,
            "EMABLER_VAR_DIR": str(self.directory),
            "DATABASE_URL": f"sqlite:///{self.directory / 'emabler.sqlite3'}",
            "PUBLIC_URL": self.url,
            **(env or {}),
        }
        self._process: subprocess.Popen[str] | None = None

    @property
    def ocpp_url(self) -> str:
        """Where chargers connect, without their identity."""
        return f"ws://127.0.0.1:{self.port}/ocpp"

    @property
    def log(self) -> Path:
        """What the server has printed."""
        return self.directory / "up.log"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._clear()

    def start(self) -> None:
        """Start it, also again after `kill`, and wait until it is ready. Raises `ServerTrouble`."""
        command = processes.manage("up", "--host", "127.0.0.1", "--port", str(self.port))
        self._process = processes.start(command, env=self.env, output=self.log)
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerTrouble(f"the server did not get ready:\n{self.tail()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it in the midst of everything (`kill -9`)."""
        assert self._process is not None
        processes.end(self._process, with_signal=signal.SIGKILL)

    def import_network(self, network: dict[str, Any]) -> list[dict[str, str]]:
        """Import a network file and return the secrets that were generated. Raises `ServerTrouble`."""
        file = self.directory / "network.json"
        file.write_text(json.dumps(network), encoding="utf-8")
        child = processes.start(processes.manage("import_network", str(file)), env=self.env, talks=True)
        lines, _ = child.communicate()
        if child.returncode != 0:
            raise ServerTrouble(f"the network was not imported:\n{lines[-2000:]}")
        return [json.loads(line) for line in lines.splitlines()]

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def tail(self) -> str:
        """The last of what the server has printed, to look for a cause."""
        return self.log.read_text(encoding="utf-8")[-2000:]

    def _clear(self) -> None:
        if self._process is not None:
            processes.end(self._process)
        self._place.cleanup()
