"""Clock, queue and network of one simulated payment; while `faulty`, the network loses, doubles and delays.

Everything random comes from one generator, so a seed plays the same life again.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86_400.0
MAX_EVENTS = 20_000  # of one life; more is a loop, and a break


class Broken(AssertionError):
    """An invariant does not hold; the message says which."""


def must(holds: bool, what: str) -> None:
    """Raise Broken unless it holds."""
    if not holds:
        raise Broken(what)


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the world of one life is; each is a probability for one message."""

    lost: float
    doubled: float
    late: float  # arrives minutes later, overtaken by others
    crash: float  # the server is killed while it works on the message
    clock: float  # the server's clock is set forward or back
    meter: float  # what the charger tells does not add up


def weather_of(rng: random.Random) -> Weather:
    """A quarter of all lives are fair; the others have one or several kinds of faults."""
    if rng.random() < 0.25:
        return Weather(0, 0, 0, 0, 0, 0)
    bad = (0.0, 0.0, 0.0, 0.02, 0.1, 0.4)
    return Weather(
        rng.choice(bad),
        rng.choice(bad),
        rng.choice(bad),
        rng.choice((0.0, 0.0, 0.02, 0.1)),
        rng.choice((0.0, 0.0, 0.0, 0.05)),
        rng.choice((0.0, 0.0, 0.2)),
    )


class World:
    """A queue of what happens next."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.weather = weather_of(rng)
        self.faulty = True
        self.seconds = 0.0
        self.clock_error = 0.0  # of the server's clock, in seconds
        self.events = 0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    @property
    def now(self) -> datetime:
        """The server's clock."""
        return EPOCH + timedelta(seconds=self.seconds + self.clock_error)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen later."""
        self._number += 1
        heapq.heappush(self._queue, (self.seconds + max(0.0, seconds), self._number, act))

    def at(self, moment: datetime, act: Callable[[], None]) -> None:
        """Let something happen at a moment, at once when that is past."""
        self.after((moment - self.now).total_seconds(), act)

    def carry(self, act: Callable[[], None]) -> None:
        """A message on the network: it arrives once, in fair weather."""
        rng, weather = self.rng, self.weather
        if not self.faulty:
            self.after(rng.uniform(0.01, 0.2), act)
            return
        if rng.random() < weather.lost:
            return
        delay = rng.uniform(10, 900) if rng.random() < weather.late else rng.uniform(0.01, 1.5)
        self.after(delay, act)
        if rng.random() < weather.doubled:
            self.after(delay + rng.uniform(0, 60), act)

    def happens(self, probability: float) -> bool:
        """Whether a fault strikes now."""
        return self.faulty and self.rng.random() < probability

    def run(self, until: float, *, done: Callable[[], bool] = lambda: False) -> None:
        """Let things happen until a time, or until `done`."""
        while self._queue and self._queue[0][0] <= until and not done():
            self.seconds, _, act = heapq.heappop(self._queue)
            self.events += 1
            if self.happens(self.weather.clock):
                self.clock_error = self.rng.choice((-3600.0, -90.0, 0.0, 90.0, 3600.0))
            must(self.events < MAX_EVENTS, "the world does not come to rest")
            act()
        self.seconds = max(self.seconds, until if not done() else self.seconds)
