"""The running cost of a session: the engine's incremental state, carried on the session's row.

Pricing the n-th meter value does not look at the n-1 before it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from sessions_app.metering import Step
from tariffs.engine.document import from_document
from tariffs.engine.live import LiveCost
from tariffs.engine.terms import Tariff
from tariffs.engine.usage import Segment, SegmentState


@dataclass(frozen=True, slots=True)
class Shown:
    """What a display may show: totals in minor units."""

    incl_minor: int
    excl_minor: int


def terms_of(tariff_snapshot: dict[str, Any]) -> Tariff:
    """Return the frozen tariff of a session; the same snapshot is parsed once, not at each meter value."""
    return _parsed(orjson.dumps(tariff_snapshot))


@lru_cache(maxsize=1024)
def _parsed(snapshot: bytes) -> Tariff:
    return from_document(orjson.loads(snapshot))


def begin(terms: Tariff, *, time_zone: str, started_at: datetime) -> LiveCost:
    """Return the cost of a session that starts now and has used nothing."""
    return LiveCost.begin(terms, time_zone, started_at)


def resume(terms: Tariff, *, time_zone: str, state: dict[str, Any]) -> LiveCost:
    """Return the running cost as it was stored with `LiveCost.to_state()`."""
    return LiveCost.from_state(terms, time_zone, state)


def segment_of(step: Step, *, power_w: int | None = None, current_a: Any = None) -> Segment:
    """Return one metered step as the engine's segment at constant rate.

    A reported power is used for tariffs that depend on it; without one the engine takes the step's own.
    """
    return Segment(
        start_at=step.start_at,
        end_at=step.end_at,
        energy_wh=step.energy_wh,
        state=SegmentState.PARKED if step.parked else SegmentState.CHARGING,
        power_w=power_w,
        current_a=current_a,
    )


def shown(cost: LiveCost, *, limit_minor: int, so_far: Shown) -> Shown:
    """Return the totals to show: a running maximum, never beyond the hold.

    With step_size > 1 the exact price of a growing session can fall when parking begins; a display that
    counts backwards is worse than one that waits.
    """
    total = cost.cost().capped(limit_minor)
    if total.total_incl_minor < so_far.incl_minor:
        return so_far
    return Shown(total.total_incl_minor, total.total_excl_minor)
