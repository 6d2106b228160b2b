"""Usage: what a session used, as segments at a constant rate. Input of the pricing engine."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tariffs.engine.errors import InvalidUsage
from tariffs.engine.money import Exact

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# A segment is the time between two samples. More than a year is a broken clock, and would make the
# engine walk through every day of it.
MAX_SEGMENT: Final = timedelta(days=366)

# A terawatt-hour, and as many decimals: far from any charger, and small enough to calculate with.
MAX_VALUE: Final = 10**12
MAX_VALUE_DIGITS: Final = 12


class SegmentState(enum.StrEnum):
    """What the vehicle did during a segment."""

    CHARGING = "CHARGING"  # energy may flow: priced by TIME
    PARKED = "PARKED"  # connected, not charging: priced by PARKING_TIME


def microseconds(at: datetime) -> int:
    """An aware time as whole microseconds since 1970 (exact, unlike `timestamp()`)."""
    return (at - EPOCH) // _MICROSECOND


def exact(value: int | Decimal | Fraction) -> Exact:
    """The same number as an `int` where it is whole, else as a `Fraction`."""
    if isinstance(value, int):
        return value
    fraction = value if isinstance(value, Fraction) else Fraction(value)
    return fraction.numerator if fraction.denominator == 1 else fraction


def _bounded(name: str, value: int | Decimal | Fraction) -> Exact:
    if isinstance(value, bool | float) or (isinstance(value, Decimal) and not value.is_finite()):
        raise InvalidUsage(f"{name} of a segment is an exact number.")
    if not 0 <= value <= MAX_VALUE:
        raise InvalidUsage(f"{name} of a segment lies between 0 and {MAX_VALUE}.")
    if isinstance(value, Decimal) and value.adjusted() < -MAX_VALUE_DIGITS:
        raise InvalidUsage(f"{name} of a segment has too many decimals.")
    return exact(value)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a session at a constant rate.

    `energy_wh` may be an `int`, `Decimal` or `Fraction` and is kept exact. `current_a` is the sum over
    all phases (OCPI). `power_w` is derived from energy and duration where it is not given. A segment
    without duration carries energy that arrived at one instant. Raises `InvalidUsage`.
    """

    start_at: datetime
    end_at: datetime
    energy_wh: Exact
    state: SegmentState = SegmentState.CHARGING
    current_a: Exact | None = None
    power_w: Exact | None = None

    def __post_init__(self) -> None:
        if self.start_at.tzinfo is None or self.end_at.tzinfo is None:
            raise InvalidUsage("A segment needs times with a time zone.")
        if not timedelta(0) <= self.end_at - self.start_at <= MAX_SEGMENT:
            raise InvalidUsage(f"A segment ends after it starts and within {MAX_SEGMENT.days} days.")
        for name in ("energy_wh", "current_a", "power_w"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _bounded(name, value))


@dataclass(frozen=True, slots=True)
class Usage:
    """A session: its segments in order of time, and the time zone of the site (IANA name).

    Segments may leave gaps, which count for the session's duration alone. The session starts with its
    first segment unless `started_at` says earlier. Raises `InvalidUsage`.
    """

    time_zone: str
    segments: tuple[Segment, ...]
    started_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.segments:
            raise InvalidUsage("A usage has at least one segment.")
        for earlier, later in zip(self.segments, self.segments[1:], strict=False):
            if later.start_at < earlier.end_at:
                raise InvalidUsage("Segments are in order of time and do not overlap.")
        if self.started_at is not None and self.started_at > self.segments[0].start_at:
            raise InvalidUsage("A session starts no later than its first segment.")

    @property
    def begins_at(self) -> datetime:
        """When the session started."""
        return self.started_at or self.segments[0].start_at
