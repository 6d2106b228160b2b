"""Timers between two samples: the desk is asked again at the moment it named, to stop at the paid limit in time.

They are a convenience in memory; the moment itself is a row of the room above, and its sweep is the second line.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from typing import Any

from django.utils import timezone

from chargers.desk import current_desk
from chargers.ocpp import database
from chargers.ocpp.presence import Link, fenced_station

logger = logging.getLogger(__name__)

SHORTEST_SECONDS = 0.05  # a desk that says "now" again and again must not spin the loop
ONCE_MORE_SECONDS = 0.001  # a timer that came too early by less than the clocks tell
LONGEST_SECONDS = 24 * 3600.0


class LookAgain:
    """One connection's timers, one per transaction; the newest moment wins."""

    def __init__(self, link: Link, spawn: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        self._link = link
        self._spawn = spawn
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def arm(self, transaction_pk: int, at: datetime | None) -> None:
        """Ask the desk at `at`; None: not any more."""
        timer = self._timers.pop(transaction_pk, None)
        if timer is not None:
            timer.cancel()
        if at is not None:
            self._wait(transaction_pk, at, SHORTEST_SECONDS)

    def cancel(self) -> None:
        """Forget all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _wait(self, transaction_pk: int, at: datetime, at_least_seconds: float) -> None:
        delay = min(max(at_least_seconds, (at - timezone.now()).total_seconds()), LONGEST_SECONDS)
        loop = asyncio.get_running_loop()
        self._timers[transaction_pk] = loop.call_later(delay, self._fire, transaction_pk, at)

    def _fire(self, transaction_pk: int, at: datetime) -> None:
        if timezone.now() < at:
            # The loop counts on another clock than the one that the moment is written in, and waits a day at most.
            self._wait(transaction_pk, at, ONCE_MORE_SECONDS)
            return
        del self._timers[transaction_pk]
        self._spawn(self._ask(transaction_pk))

    async def _ask(self, transaction_pk: int) -> None:
        next_at = await database.in_transaction(partial(_look, self._link, transaction_pk))
        if transaction_pk not in self._timers:  # a sample that came meanwhile knows better
            self.arm(transaction_pk, next_at)


def _look(link: Link, transaction_pk: int) -> datetime | None:
    fenced_station(link)
    return current_desk().look_again(transaction_pk=transaction_pk, at=timezone.now())
