"""How long a charger takes from a stop to the end of energy, learned from its sessions (MONEY.md B13).

The paid limit is met as exactly as this is known. Each session brings one observation; a single odd one moves
the estimate little, and nothing moves it out of its bounds.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from chargers.models import ChargingStation, Transaction
from chargers.prepared import update
from sessions_app.models import Session, SessionEvent
from sessions_app.states import SessionState

LONGEST_SECONDS: Final = 30.0  # a charger that needs longer does not stop, it is being waited for
FIRST_MOST_SECONDS: Final = 8.0  # that the first observation alone may make it
WEIGHT: Final = 0.5  # of a new observation
LARGEST_STEP_SECONDS: Final = 2.0  # that one observation may move the estimate
# A second is at least ten of the meter's Wh at this power: the register tells the end more exactly than clocks.
METER_TELLS_BETTER_W: Final = 36_000


def learned(before_seconds: float | None, observed_seconds: float) -> float:
    """Return the next estimate after one observation; None before the first, which counts alone. Pure."""
    observed = min(max(0.0, observed_seconds), LONGEST_SECONDS)
    if before_seconds is None:
        return min(observed, FIRST_MOST_SECONDS)
    step = WEIGHT * (observed - before_seconds)
    return before_seconds + min(max(-LARGEST_STEP_SECONDS, step), LARGEST_STEP_SECONDS)


@dataclass(frozen=True, slots=True)
class LastSample:
    """What the meter told last before the end, on the charger's clock."""

    at: datetime
    energy_wh: int
    power_w: int

    @classmethod
    def of(cls, session: Session) -> "LastSample | None":
        """Return the last sample of a running session; None while it stands still, which teaches nothing."""
        if not session.power_w or session.metered_at is None:
            return None
        return cls(session.metered_at, session.energy_wh, session.power_w)


def observed_seconds(last: LastSample, *, asked_at: datetime, ended_at: datetime, final_wh: int) -> float:
    """Return how long energy went on after the stop was asked for, at constant power. Pure.

    Where power is high, what went through the meter tells; where it is low, the charger's time of the end does.
    Both are on the charger's clock, as the forecast is: what its clock is wrong is learned too, and cancels out.
    """
    if last.power_w < METER_TELLS_BETTER_W:
        return (ended_at - asked_at).total_seconds()
    until_asked = (asked_at - last.at).total_seconds()
    return (final_wh - last.energy_wh) * 3600 / last.power_w - until_asked


def assumed(session: Session) -> float:
    """Return the latency to reckon with."""
    known = session.stop_latency_seconds
    return float(settings.STOP_LATENCY_SECONDS if known is None else known)


def learn(session: Session, transaction: Transaction, last: LastSample | None) -> None:
    """Take what a session that ended by our stop teaches; the caller holds the station's row.

    Sessions that were asked more than once, ended by themselves, or whose meter is doubtful teach nothing.
    """
    told = session.stop_attempts == 1 and transaction.stop_reason == "Remote" and not session.needs_review
    if last is None or not told or session.ended_at is None:
        return
    asked = SessionEvent.objects.filter(session=session, state_after=SessionState.STOPPING).first()
    if asked is None:
        return
    observed = observed_seconds(
        last, asked_at=asked.at, ended_at=session.ended_at, final_wh=session.energy_wh
    )
    station = ChargingStation.objects.get(pk=transaction.station_id)
    station.stop_latency_seconds = learned(station.stop_latency_seconds, observed)
    update(station, ["stop_latency_seconds"])
