"""Price a finished session."""

from __future__ import annotations

from tariffs.engine.cost import Cost
from tariffs.engine.live import LiveCost
from tariffs.engine.terms import Tariff
from tariffs.engine.usage import Usage

__all__ = ["Cost", "price"]


def price(tariff: Tariff, usage: Usage) -> Cost:
    """What the usage costs under the tariff.

    Exact inside, rounded once on the totals. Raises `UnknownTimeZone`.
    """
    live = LiveCost.begin(tariff, usage.time_zone, usage.begins_at)
    for segment in usage.segments:
        live = live.advance(segment)
    return live.cost()
