"""The chargers: simulated stations that forget nothing, and the log of what each of them delivered."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chargers.simulator import connector, station
from chargers.simulator.options import Options
from chargers.simulator.station import SimulatedStation
from tests.campaigns.witnesses import Delivered
from tests.chaos.clock import Clock
from tests.chaos.network import PASSWORD, POWER_W, identity

LOOK_SECONDS = 0.25
TICK_SECONDS = 1.0  # of the meter; five hundred stations at ten ticks a second would be half a core
CONNECTION_TIMEOUT_SECONDS = 40.0  # how long a charger waits for the cable after a remote start
LONGEST_PAUSE_SECONDS = (
    8.0  # between two attempts to reconnect: calm is shorter than the minute of a patient one
)
REMEMBERED = 60  # events of each charger, for the story of what went wrong


@dataclass(slots=True)
class Log:
    """What a charger remembers of its life."""

    transactions: list[Delivered] = field(default_factory=list)
    start_commands: Counter[str] = field(default_factory=Counter)  # remote starts by id tag
    events: list[str] = field(default_factory=list)


def follow(clock: Clock) -> None:
    """Let the stations of this process live by the campaign's clock, tick slowly and reconnect soon."""
    connector.now = station.now = clock.now  # type: ignore[attr-defined]
    station.TICK_SECONDS = TICK_SECONDS
    station.LONGEST_PAUSE_SECONDS = LONGEST_PAUSE_SECONDS


class Charger:
    """One station with one connector, whom a driver drives up to."""

    def __init__(self, number: int, url: str) -> None:
        self.number, self.identity = number, identity(number)
        self.log = Log()
        self.station = SimulatedStation(
            Options(
                identity=self.identity,
                url=url,
                password=PASSWORD,
                power_w=POWER_W,
                connection_timeout_seconds=CONNECTION_TIMEOUT_SECONDS,
                leave_after_seconds=1.0,
                register_wh=1_000_000.0 + 1000.0 * number,
            ),
            self._note,
        )
        self.connector = self.station.connectors[1]

    def _note(self, happened: dict[str, Any]) -> None:
        self._remember(happened)
        match happened["event"]:
            case "command" if happened["action"] == "RemoteStartTransaction":
                self.log.start_commands[happened["payload"]["idTag"]] += 1
            case "started":
                self.log.transactions.append(Delivered(happened["id_tag"]))
            case "stopped":
                self.log.transactions[-1].energy_wh = happened["energy_wh"]
            case "start_answered":
                # The outbox delivers in order, and the next one starts after it is empty.
                self.log.transactions[-1].accepted = happened["status"] == "Accepted"

    def _remember(self, happened: dict[str, Any]) -> None:
        told = {name: value for name, value in happened.items() if name not in ("at", "identity", "event")}
        self.log.events.append(f"{happened['at']} {happened['event']} {told or ''}".rstrip())
        del self.log.events[:-REMEMBERED]

    @property
    def is_free(self) -> bool:
        """Whether nobody is there, and the server has been told so."""
        busy = self.connector.transaction or self.connector.plugged or self.connector.waiting_tag
        told = self.connector.told_status == self.connector.status == "Available"
        return not busy and told and not len(self.station.outbox) and self.station.online.is_set()

    @property
    def is_done(self) -> bool:
        """Whether it has told all that it knows."""
        return self.connector.transaction is None and not len(self.station.outbox)

    def plug(self) -> None:
        """The driver puts the cable in."""
        self.station.plug(1)

    def leave(self) -> None:
        """The driver takes the cable out, whatever runs."""
        if self.connector.plugged:
            self.station.unplug(1)

    def press_stop(self) -> None:
        """Somebody presses Stop at the charger."""
        self.station.stop(1)

    async def until(self, happened: Callable[[], object], *, timeout_seconds: float) -> bool:
        """Wait until something is so; returns whether it came to that in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not happened():
            if loop.time() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True
