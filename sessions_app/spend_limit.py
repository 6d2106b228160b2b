"""When must a session stop so that its cost meets the hold: pure (MONEY.md B13)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from tariffs.engine.limit import reach
from tariffs.engine.live import LiveCost
from tariffs.engine.usage import SegmentState

HORIZON = timedelta(hours=24)  # beyond a day the present power says nothing; each sample asks anew


@dataclass(frozen=True, slots=True)
class Forecast:
    """When and at which energy the cost meets the hold at the present power; when to send the stop."""

    reached_at: datetime
    energy_wh: int
    stop_at: datetime


def forecast(
    live: LiveCost,
    *,
    limit_minor: int,
    power_w: int,
    parked: bool,
    at: datetime,
    stop_latency_seconds: float,
) -> Forecast | None:
    """Return the forecast, or None when the hold will not be met within a day, or never be exceeded.

    `parked` reckons with parking fees instead of energy. `at` is the moment up to which `live` is priced. The
    stop is sent earlier than the cost meets the hold by what the charger needs to obey.
    """
    when = partial(
        reach,
        live,
        power_w=0 if parked else power_w,
        state=SegmentState.PARKED if parked else SegmentState.CHARGING,
        from_at=at,
        horizon=HORIZON,
    )
    found = when(limit_minor=limit_minor)
    if found is None:
        return None
    # A flat fee or a maximum price may equal the hold: a cost that meets it and stays there is paid for, and
    # the driver may go on charging.
    may_stay = found.at <= at or live.plan.tariff.max_price is not None
    if may_stay and when(limit_minor=limit_minor + 1) is None:
        return None
    stop_at = found.at - timedelta(seconds=stop_latency_seconds)
    return Forecast(reached_at=found.at, energy_wh=int(found.energy_wh), stop_at=max(stop_at, at))
