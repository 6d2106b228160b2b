"""What happens at a charger between two drivers: the tap, the charge, its end, the settlement."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from chargers.simulator.options import Fault
from tests.crash.fleet import Charger

BEGINS_WITHIN_SECONDS = 10.0
ENDS_WITHIN_SECONDS = 12.0  # then the driver takes the cable out
BATTERY_WH = 40.0
SMALL_HOLD = Decimal("0.12")  # two seconds of charging


class Kind(StrEnum):
    """How a life goes; the share of each stands in `SHARES`."""

    STOP = "stop"  # the driver presses Stop at the terminal
    UNPLUG = "unplug"  # the driver takes the cable out
    LOCAL = "local"  # somebody presses Stop at the charger
    LIMIT = "limit"  # the hold is used up
    FULL = "full"  # the vehicle takes nothing more
    NO_CABLE = "no cable"  # nobody plugs in
    CANCEL = "cancel"  # Stop is pressed before the cable is in
    LATE = "late"  # and then the cable is put in all the same
    REJECT = "reject"  # the charger says no


SHARES = {
    Kind.STOP: 38,
    Kind.UNPLUG: 20,
    Kind.LOCAL: 6,
    Kind.LIMIT: 8,
    Kind.FULL: 8,
    Kind.NO_CABLE: 8,
    Kind.CANCEL: 4,
    Kind.LATE: 4,
    Kind.REJECT: 4,
}
_NO_ENERGY = (Kind.NO_CABLE, Kind.CANCEL, Kind.LATE, Kind.REJECT)


@dataclass(slots=True)
class Life:
    """One payment as its driver and its PTP see it."""

    kind: Kind
    charger: Charger
    door: str
    reference: str
    hold: Decimal | None = None  # None: what the price asks for
    session_id: str = ""
    linger_seconds: float = 0.0
    began_at: float = field(default_factory=time.monotonic)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    story: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Write down what happened, for a report of what went wrong."""
        self.story.append(f"{time.monotonic() - self.began_at:.2f} {what}")


class Door(Protocol):
    """A PTP, through whichever door it comes; each call returns when the server has answered, however long."""

    name: str
    holds_what_it_likes: bool  # whether the PTP chooses the amount of a hold

    async def tap(self, life: Life) -> bool:
        """Hold a card and ask for the session; returns whether there is one that may charge."""

    async def stop(self, life: Life) -> None:
        """Press Stop."""


def draw(rng: random.Random) -> Kind:
    """Return how the next life goes."""
    return rng.choices(list(SHARES), list(SHARES.values()))[0]


async def live(life: Life, door: Door, rng: random.Random) -> None:
    """Live it until the hold is settled and the driver is gone."""
    charger = life.charger
    await charger.until(lambda: charger.is_free, timeout_seconds=ENDS_WITHIN_SECONDS)
    charger.witness = life.note
    _prepare(life, door)
    plugs_first = life.kind not in _NO_ENERGY and rng.random() < 0.5
    if plugs_first:
        charger.plug()
    if await door.tap(life):
        if life.kind in _NO_ENERGY:
            await _waste_time(life, door, rng)
        else:
            if not plugs_first:
                await asyncio.sleep(rng.uniform(0, 0.3))
                charger.plug()
            await _charge(life, door, rng)
    await charger.until(life.settled.is_set, timeout_seconds=ENDS_WITHIN_SECONDS)
    charger.leave()
    await life.settled.wait()
    life.note("settled")
    await charger.until(lambda: not charger.connector.transaction, timeout_seconds=ENDS_WITHIN_SECONDS)
    charger.misbehave()


def _prepare(life: Life, door: Door) -> None:
    if life.kind is Kind.LIMIT and not door.holds_what_it_likes:
        life.kind = Kind.STOP  # with the hold that the tariff asks for it would take a quarter of an hour
    if life.kind is Kind.LIMIT:
        life.hold = SMALL_HOLD
    life.charger.misbehave(
        fault=Fault.REJECT_START if life.kind is Kind.REJECT else Fault.NONE,
        battery_wh=BATTERY_WH if life.kind is Kind.FULL else None,
    )


async def _waste_time(life: Life, door: Door, rng: random.Random) -> None:
    if life.kind in (Kind.CANCEL, Kind.LATE):
        await asyncio.sleep(rng.uniform(0, 0.3))
        await door.stop(life)
    if life.kind is Kind.LATE:
        life.charger.plug()


async def _charge(life: Life, door: Door, rng: random.Random) -> None:
    charger = life.charger

    def begun() -> bool:
        return charger.connector.transaction is not None or life.settled.is_set()

    if not await charger.until(begun, timeout_seconds=BEGINS_WITHIN_SECONDS) or life.settled.is_set():
        life.note("never charged")
        return  # the start was lost with the server; its deadline releases the hold
    life.note("charges")
    if life.kind in (Kind.LIMIT, Kind.FULL):
        await charger.until(_over(life), timeout_seconds=ENDS_WITHIN_SECONDS)
        return
    await asyncio.sleep(rng.uniform(0.3, 1.2) + life.linger_seconds)
    if life.kind is Kind.STOP:
        await door.stop(life)
        await charger.until(_over(life), timeout_seconds=ENDS_WITHIN_SECONDS)
    elif life.kind is Kind.LOCAL:
        charger.station.stop(1)
    charger.leave()


def _over(life: Life) -> Callable[[], bool]:
    return lambda: life.charger.connector.transaction is None or life.settled.is_set()
