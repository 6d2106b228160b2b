"""What happens at a charger between two drivers: the tap, the charge, its end."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tests.chaos.fleet import Charger

BEGINS_WITHIN_SECONDS = 45.0  # then the start was lost, and the driver drives on
BEGINS_AT_LAST_SECONDS = 5.0  # as much is left when everybody is asked to end
STOPS_WITHIN_SECONDS = 25.0  # then the driver takes the cable out


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much happens; times in seconds."""

    sessions: int
    ramp_seconds: float  # over which the first drivers come
    charges_seconds: tuple[float, float]  # how long one charges
    ends_seconds: float  # over which all end when they are asked to


class Kind(StrEnum):
    """How a life goes; the share of each stands in `SHARES`."""

    STOP = "stop"  # the driver presses Stop at the terminal
    UNPLUG = "unplug"  # the driver takes the cable out
    LOCAL = "local"  # somebody presses Stop at the charger
    FULL = "full"  # the vehicle takes nothing more, and the server ends it
    NO_CABLE = "no cable"  # nobody plugs in


SHARES = {Kind.STOP: 40, Kind.UNPLUG: 35, Kind.LOCAL: 8, Kind.FULL: 12, Kind.NO_CABLE: 5}
BATTERY_WH = 250.0


@dataclass(slots=True)
class Life:
    """One payment as its driver and its PTP see it."""

    kind: Kind
    charger: Charger
    door: str
    reference: str
    charges_seconds: float
    ends_seconds: float  # over which all end who are asked to
    session_id: str = ""
    held: bool = False
    starting: bool = False  # from the tap until the charger charges or the driver gives up
    began_at: float = field(default_factory=time.monotonic)
    story: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Write down what happened, for a report of what went wrong."""
        self.story.append(f"{time.monotonic() - self.began_at:.1f} {what}")


class Door(Protocol):
    """A PTP, through whichever door it comes; each call returns when the server has answered, however long."""

    name: str

    async def tap(self, life: Life) -> bool:
        """Hold a card and ask for the session; returns whether there is one that may charge."""

    async def stop(self, life: Life) -> None:
        """Press Stop; it may be answered or not."""


def draw(rng: random.Random, charger: Charger, door: str, size: Size) -> Life:
    """Return how the next life goes."""
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    reference = f"{rng.getrandbits(128):032x}"
    return Life(kind, charger, door, reference, rng.uniform(*size.charges_seconds), size.ends_seconds)


async def live(life: Life, door: Door, rng: random.Random, closing: asyncio.Event) -> None:
    """Live it until the driver is gone; the settlement goes its own way."""
    charger = life.charger
    charger.connector.battery_wh = BATTERY_WH if life.kind is Kind.FULL else None
    plugs_first = life.kind is not Kind.NO_CABLE and rng.random() < 0.5
    if plugs_first:
        charger.plug()
    life.starting = True
    if await door.tap(life):
        if not plugs_first and life.kind is not Kind.NO_CABLE:
            await asyncio.sleep(rng.uniform(0, 2))
            charger.plug()
        if life.kind is not Kind.NO_CABLE:
            await _charge(life, door, rng, closing)
    life.starting = False
    charger.leave()
    life.note("leaves")


async def _charge(life: Life, door: Door, rng: random.Random, closing: asyncio.Event) -> None:
    charger, count = life.charger, len(life.charger.log.transactions)

    def begun() -> bool:
        return charger.connector.transaction is not None or len(charger.log.transactions) > count

    await _until(begun, closing, BEGINS_WITHIN_SECONDS)
    if not await charger.until(begun, timeout_seconds=BEGINS_AT_LAST_SECONDS):
        life.note("never charged")
        return
    life.starting = False
    life.note("charges")
    over = _over(charger)
    await _until(over, closing, life.charges_seconds)
    await asyncio.sleep(rng.uniform(0, life.ends_seconds) if closing.is_set() else 0)
    if over():
        return
    if life.kind is Kind.STOP:
        life.note("presses stop")
        stopping = asyncio.ensure_future(door.stop(life))
        await charger.until(over, timeout_seconds=STOPS_WITHIN_SECONDS)
        stopping.cancel()
    elif life.kind is Kind.LOCAL:
        charger.press_stop()


async def _until(happened: Callable[[], bool], closing: asyncio.Event, seconds: float) -> None:
    """Wait until something is so, for so long, or until everybody is asked to end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not happened() and not closing.is_set():
        await asyncio.sleep(0.5)


def _over(charger: Charger) -> Callable[[], bool]:
    return lambda: charger.connector.transaction is None
