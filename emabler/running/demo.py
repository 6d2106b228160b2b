"""The demo: a small network from a file, with secrets of this installation, and its chargers as processes."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from emabler.secrets import read_secret
from payments.simulator import credentials

NETWORK_FILE = Path(__file__).resolve().parent.parent / "demo" / "network.json"
OCPP_PASSWORD_LENGTH = 40  # OCPP 1.6 security whitepaper §2.4: 16 to 40 bytes
PLUG_AFTER_SECONDS = 4.0  # how long the demo's driver takes from the tap to the cable
LEAVE_AFTER_SECONDS = 8.0  # and from the end of charging to driving off
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class DemoCharger:
    """What a simulated charger must know of itself."""

    identity: str
    password: str
    connectors: int
    power_kw: float


@dataclass(frozen=True, slots=True)
class DemoNetwork:
    """The network file with this installation's generated secrets filled in."""

    document: dict[str, Any]

    @property
    def chargers(self) -> list[DemoCharger]:
        """The simulated chargers; each as strong as its strongest connector."""
        power_w = {
            evse["uid"]: max(
                connector.get("max_electric_power") or 11_000 for connector in evse["connectors"]
            )
            for location in self.document["locations"]
            for evse in location["evses"]
        }
        return [
            DemoCharger(
                identity=station["identity"],
                password=station["password"],
                connectors=len(station["evse_uids"]),
                power_kw=max(power_w[uid] for uid in station["evse_uids"]) / 1000,
            )
            for station in self.document["stations"]
        ]

    @property
    def terminal_ids(self) -> list[str]:
        """The terminals that have a virtual terminal page."""
        return [terminal["terminal_id"] for terminal in self.document["terminals"]]


def demo_network() -> DemoNetwork:
    """Read the demo network; secrets that it leaves out come from this installation's store, made on first use."""
    document: dict[str, Any] = json.loads(NETWORK_FILE.read_text(encoding="utf-8"))
    for station in document["stations"]:
        station.setdefault("password", demo_secret(f"CHARGER_{station['identity']}")[:OCPP_PASSWORD_LENGTH])
    for ptp in document["ptps"]:
        ptp.setdefault("api_key", demo_secret(f"PTP_{ptp['name']}_API_KEY"))
        ptp.setdefault("webhook_secret", demo_secret(f"PTP_{ptp['name']}_WEBHOOK_SECRET"))
        ptp.setdefault("webhook_url", f"{settings.PUBLIC_URL}/terminal/webhook")
    return DemoNetwork(document)


def demo_secret(name: str) -> str:
    """Return the demo's generated secret `name`, the same one at every start."""
    key = "DEMO_" + "".join(letter if letter.isalnum() else "_" for letter in name.upper())
    return read_secret(key, store=settings.SECRETS_STORE)


def seed(network: DemoNetwork) -> None:
    """Import the demo network; a second start changes nothing.

    Raises SystemExit with the import's own error lines printed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(network.document, file)
        file.flush()
        call_command("import_network", file.name, stdout=StringIO())
    ptps = {ptp["name"]: ptp for ptp in network.document["ptps"]}
    for terminal in network.document["terminals"]:
        ptp = ptps[terminal["ptp"]]
        credentials.save(terminal["terminal_id"], ptp["api_key"], ptp["webhook_secret"])


class SimulatedChargers:
    """The demo's chargers, each a process of its own that ends with this one."""

    def __init__(self, network: DemoNetwork, *, base_url: str) -> None:
        self._chargers = network.chargers
        self._ocpp_url = base_url.replace("http", "ws", 1) + "/ocpp"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start all of them; call it from the main thread, whose end is the signal for theirs."""
        self._processes = [self._start(charger) for charger in self._chargers]

    def stop(self, *, timeout_seconds: float) -> None:
        """End all of them, by force after `timeout_seconds`."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, charger: DemoCharger) -> subprocess.Popen[bytes]:
        options = {
            "--url": self._ocpp_url,
            "--password": charger.password,
            "--connectors": charger.connectors,
            "--power-kw": charger.power_kw,
            "--plug-after": PLUG_AFTER_SECONDS,
            "--leave-after": LEAVE_AFTER_SECONDS,
        }
        # In one word: a generated password may begin with a dash, and would pass for an option.
        words = [f"{name}={value}" for name, value in options.items()]
        log = settings.VAR_DIR / f"charger-{charger.identity}.log"
        with log.open("wb") as output:
            return subprocess.Popen(  # noqa: S603  (our own command, arguments from our own file)
                [sys.executable, "manage.py", "simulate_charger", charger.identity, *words],
                cwd=settings.BASE_DIR,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,  # nobody writes; a simulator also takes words from there
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )


def _end_with_parent() -> None:
    """Have the kernel end this child when its parent dies, even by `kill -9` (Linux only).

    Left over, it would fight the restarted demo's charger for the same identity.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
