"""The demo: a small network from a file, with secrets of this installation, and its chargers as processes."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from emabler.running import children
from emabler.secrets import read_secret
from payments.simulator import credentials

NETWORK_FILE = Path(__file__).resolve().parent.parent / "demo" / "network.json"
OCPP_PASSWORD_LENGTH = 40  # OCPP 1.6 security whitepaper §2.4: 16 to 40 bytes
PLUG_AFTER_SECONDS = 4.0  # how long the demo's driver takes from the tap to the cable
LEAVE_AFTER_SECONDS = 8.0  # and from the end of charging to driving off


@dataclass(frozen=True, slots=True)
class DemoCharger:
    """What a simulated charger must know of itself."""

    identity: str
    password: str
    connectors: int
    power_kw: float


@dataclass(frozen=True, slots=True)
class DemoPtp:
    """What the simulated PTP over OCPI must know of itself."""

    name: str
    country_code: str
    party_id: str
    role: str
    terminal_ids: tuple[str, ...]


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
    def native_terminals(self) -> dict[str, dict[str, Any]]:
        """The terminals that speak our native API, with their PTP."""
        ptps = {ptp["name"]: ptp for ptp in self.document["ptps"]}
        listed = self.document["terminals"]
        return {each["terminal_id"]: ptps[each["ptp"]] for each in listed if each["ptp"] in ptps}

    @property
    def ptp_over_ocpi(self) -> DemoPtp:
        """The platform whose terminals speak OCPI."""
        (party,) = self.document["ocpi_parties"]
        terminals = (each for each in self.document["terminals"] if each["ptp"] == party["name"])
        return DemoPtp(**party, terminal_ids=tuple(each["terminal_id"] for each in terminals))


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
    for terminal_id, ptp in network.native_terminals.items():
        credentials.save(terminal_id, ptp["api_key"], ptp["webhook_secret"])


class SimulatedChargers:
    """The demo's chargers, each a process of its own that ends with this one."""

    def __init__(self, network: DemoNetwork, *, base_url: str) -> None:
        self._chargers = network.chargers
        self._ocpp_url = base_url.replace("http", "ws", 1) + "/ocpp"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start all of them, from the main thread."""
        self._processes = [self._start(charger) for charger in self._chargers]

    def stop(self, *, timeout_seconds: float) -> None:
        """End all of them, by force after `timeout_seconds`."""
        children.end(self._processes, timeout_seconds=timeout_seconds)

    def _start(self, charger: DemoCharger) -> "subprocess.Popen[bytes]":
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
            return children.start("simulate_charger", charger.identity, *words, output=output)
