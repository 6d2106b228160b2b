"""The chargers of a lane: simulated stations that survive the server, and the log of what each one saw."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chargers.simulator.options import Fault, Options
from chargers.simulator.station import SimulatedStation
from tests.campaigns.witnesses import Delivered
from tests.crash.network import PASSWORD, POWER_W, identity

LOOK_SECONDS = 0.03
CONNECTION_TIMEOUT_SECONDS = 2.0  # how long a charger waits for the cable after a remote start


_TOLD = ("event", "action", "status", "reason", "energy_wh", "id_tag", "transaction_id", "error", "payload")


class Charger:
    """One station with one connector, whom a driver drives up to."""

    def __init__(self, number: int, url: str, *, asks_first: bool) -> None:
        self.identity = identity(number)
        self.station = SimulatedStation(
            Options(
                identity=self.identity,
                url=url,
                password=PASSWORD,
                power_w=POWER_W,
                connection_timeout_seconds=CONNECTION_TIMEOUT_SECONDS,
                meter_interval_seconds=0.4,
                reconnect_seconds=0.02,
                leave_after_seconds=0.1,
                register_wh=1_000_000.0 * (number + 1),
            ),
            self._note,
        )
        self.connector = self.station.connectors[1]
        self.start_commands: Counter[str] = Counter()  # remote starts by id tag
        self.transactions: list[Delivered] = []
        self.witness: Callable[[str], None] = lambda _: None  # hears what happens, for a life's story
        said = "true" if asks_first else "false"
        self.station.configuration.change({"key": "AuthorizeRemoteTxRequests", "value": said})

    def _note(self, happened: dict[str, Any]) -> None:
        self.witness(" ".join(str(happened[name]) for name in _TOLD if name in happened))
        match happened["event"]:
            case "command" if happened["action"] == "RemoteStartTransaction":
                self.start_commands[happened["payload"]["idTag"]] += 1
            case "started":
                self.transactions.append(Delivered(happened["id_tag"]))
            case "stopped":
                self.transactions[-1].energy_wh = happened["energy_wh"]
            case "start_answered":
                # The outbox delivers in order, and the next one starts after the driver has left.
                self.transactions[-1].accepted = happened["status"] == "Accepted"

    @property
    def is_free(self) -> bool:
        """Whether nobody is there, and the server has been told so."""
        connector = self.connector
        busy = connector.transaction or connector.plugged or connector.waiting_tag
        told = connector.told_status == connector.status == "Available"
        return not busy and told and not len(self.station.outbox) and self.station.online.is_set()

    async def until(self, happened: Callable[[], object], *, timeout_seconds: float) -> bool:
        """Wait until something is so; returns whether it came to that in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not happened():
            if loop.time() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    def misbehave(self, *, fault: Fault = Fault.NONE, battery_wh: float | None = None) -> None:
        """Be another charger or vehicle for the next driver."""
        self.station.options = replace(self.station.options, fault=fault)
        self.connector.battery_wh = battery_wh

    def plug(self) -> None:
        self.station.plug(1)

    def leave(self) -> None:
        """The driver takes the cable out, whatever runs."""
        if self.connector.plugged:
            self.station.unplug(1)
