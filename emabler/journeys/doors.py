"""The doors that a PTP may come by; every scenario is played through each of them."""

from typing import Any, Protocol

from emabler.journeys.charger import Charger
from emabler.journeys.native_play import NativePlay
from emabler.journeys.network import PTP, TERMINAL, network
from emabler.journeys.ocpi_play import OcpiPlay
from emabler.journeys.play import Play
from emabler.journeys.ptp import PtpProcess
from emabler.journeys.report import Report
from emabler.journeys.server import Server
from emabler.journeys.terminal import TerminalApi

NATIVE = "native"
OCPI_VERSIONS = {"ocpi-2.2.1": "2.2.1", "ocpi-2.3.0": "2.3.0"}
DOORS = (NATIVE, *OCPI_VERSIONS)
TOKEN_A = "journey-token-a-0123456789"  # noqa: S105  (of a server that lives for minutes, on the loopback)
PARTY = ("DE", "PTP")

Secrets = list[dict[str, str]]


class Door(Protocol):
    """What a stage needs of a door."""

    passwords: dict[str, str]

    def play(self, scenario: str, charger: Charger, report: Report) -> Play:
        """Return a play through this door."""

    def last_words(self) -> str:
        """What the other side said last."""

    def close(self) -> None:
        """Shut it."""


def open_door(name: str, server: Server, scenarios: list[str]) -> Door:
    """Provision the server for a door and open it. Raises ServerTrouble."""
    if name == NATIVE:
        return NativeDoor(server, scenarios)
    return OcpiDoor(server, scenarios, OCPI_VERSIONS[name])


class NativeDoor:
    """The native API; this process is the PTP."""

    def __init__(self, server: Server, scenarios: list[str]) -> None:
        generated = server.import_network(network(scenarios))
        self.passwords = _passwords(generated)
        self._server = server
        self._api_key = next(each["api_key"] for each in generated if each.get("name") == PTP)

    def play(self, scenario: str, charger: Charger, report: Report) -> Play:
        api = TerminalApi(self._server.url, api_key=self._api_key, terminal_id=TERMINAL)
        return NativePlay(scenario=scenario, server=self._server, charger=charger, report=report, api=api)

    def last_words(self) -> str:
        return ""

    def close(self) -> None:
        """Each play hangs up by itself."""


class OcpiDoor:
    """OCPI; the PTP is a process of its own that shakes hands with the server first."""

    def __init__(self, server: Server, scenarios: list[str], version: str) -> None:
        file = network(scenarios, holds_by_tariff=True)
        self.passwords = _passwords(server.import_network(file | {"ocpi_parties": [_party()]}))
        self._server, self._version = server, version
        self._ptp = PtpProcess(
            server, version=version, token=TOKEN_A, terminal=TERMINAL, party="-".join(PARTY)
        )

    def play(self, scenario: str, charger: Charger, report: Report) -> Play:
        return OcpiPlay(
            scenario=scenario,
            server=self._server,
            charger=charger,
            report=report,
            driver=self._ptp.driver,
            version=self._version,
        )

    def last_words(self) -> str:
        return self._ptp.last_words()

    def close(self) -> None:
        self._ptp.close()


def _party() -> dict[str, Any]:
    country_code, party_id = PARTY
    return {
        "name": PTP,
        "country_code": country_code,
        "party_id": party_id,
        "role": "PTP",
        "token_a": TOKEN_A,
    }


def _passwords(generated: Secrets) -> dict[str, str]:
    return {each["identity"]: each["password"] for each in generated if "identity" in each}
