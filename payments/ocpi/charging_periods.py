"""What a session used, read from an OCPI CDR: its charging periods as segments for the pricing engine.

OCPI 2.3.0 mod_cdrs, ChargingPeriod: a period ends when the next one starts, the last with the session.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Final

from payments.ocpi.countries import ONE_CLOCK
from payments.ocpi.reading import Reader
from tariffs.engine.errors import InvalidUsage, UnknownTimeZone
from tariffs.engine.usage import EPOCH, MAX_SEGMENT, Segment, SegmentState, Usage
from tariffs.engine.wall_clock import find_zone

# A day of samples each second; more is no session, and would keep a machine busy for long.
MAX_PERIODS: Final = 100_000
MAX_DIMENSIONS: Final = 50
MAX_KWH: Final = Decimal(10**9)
# Far from the ends of the calendar, where local times cannot be calculated.
FIRST_AT: Final = EPOCH
LAST_AT: Final = datetime(2200, 1, 1, tzinfo=UTC)
# CDR volumes have four decimals of an hour, and times whole seconds.
TOLERANCE: Final = timedelta(seconds=5)

Volumes = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class CdrUsage:
    """The usage of a CDR, `None` where the reader noted faults, and what had to be assumed."""

    usage: Usage | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Period:
    """One ChargingPeriod with its end."""

    reader: Reader
    start_at: datetime
    end_at: datetime
    volumes: Volumes


def read_cdr(reader: Reader, *, time_zone: str | None = None) -> CdrUsage:
    """Read the usage of a CDR; faults are noted in the reader.

    A CDR names no time zone: it is `time_zone`, else a field `time_zone`, else the clock of the CDR's
    country where that has one, else UTC; notes tell which. Time of a reservation is no part of the session.
    """
    periods = _periods(reader)
    zone, notes = _time_zone(reader, time_zone)
    charged = [period for period in periods if "RESERVATION_TIME" not in period.volumes]
    segments = tuple(segment for period in charged for segment in _segments(period))
    if not segments and not reader.errors:
        reader.fault("charging_periods", "required", "At least one period of charging is required.")
    started_at = reader.moment("start_date_time")
    if reader.errors:
        return CdrUsage(None)
    if len(charged) < len(periods) or started_at is None or started_at > segments[0].start_at:
        started_at = None
    return CdrUsage(checked_usage(reader, zone, segments, started_at), notes)


def checked_moment(reader: Reader, name: str) -> datetime | None:
    """A required time within the calendar that tariffs can be evaluated in."""
    at = reader.moment(name, required=True)
    if at is not None and not FIRST_AT <= at < LAST_AT:
        reader.fault(name, "invalid", f"The time lies between {FIRST_AT.year} and {LAST_AT.year}.")
        return None
    return at


def checked_zone(reader: Reader, name: str, value: str) -> str:
    """The name of a time zone; a fault of the field where there is none of that name."""
    try:
        find_zone(value)
    except UnknownTimeZone as error:
        reader.fault(name, "unknown_time_zone", str(error))
    return value


def checked_usage(
    reader: Reader, zone: str, segments: tuple[Segment, ...], started_at: datetime | None = None
) -> Usage | None:
    """The usage, or a fault where the whole is longer than any session."""
    if segments[-1].end_at - (started_at or segments[0].start_at) > MAX_SEGMENT:
        reader.fault("", "invalid", f"A session lasts at most {MAX_SEGMENT.days} days.")
        return None
    return Usage(zone, segments, started_at)


# --- Periods --------------------------------------------------------------------------------------


def _periods(reader: Reader) -> list[_Period]:
    """Each period once, in order of time, whatever order the CDR lists them in."""
    found: dict[str, tuple[datetime, Reader, Volumes]] = {}
    for item in reader.items("charging_periods", most=MAX_PERIODS, least=1):
        start_at, volumes = checked_moment(item, "start_date_time"), _volumes(item)
        if start_at is not None:
            found.setdefault(json.dumps(item.fields, sort_keys=True, default=str), (start_at, item, volumes))
    end_at = checked_moment(reader, "end_date_time")
    if reader.errors or end_at is None:
        return []
    ordered = sorted(found.values(), key=lambda entry: entry[0])
    if ordered and ordered[-1][0] > end_at:
        reader.fault("end_date_time", "invalid", "The session ends after its last period has started.")
        return []
    ends = [later[0] for _, later in pairwise(ordered)] + [end_at]
    return [
        _Period(item, start_at, end_at, volumes)
        for (start_at, item, volumes), end_at in zip(ordered, ends, strict=True)
    ]


def _volumes(item: Reader) -> Volumes:
    volumes: dict[str, Decimal] = defaultdict(Decimal)
    for dimension in item.items("dimensions", most=MAX_DIMENSIONS, least=1):
        kind = dimension.text("type", longest=40, required=True)
        volume = dimension.measure("volume", most=MAX_KWH, required=True)
        if kind is not None and volume is not None:
            volumes[kind] += volume
    return dict(volumes)


def _segments(period: _Period) -> Iterator[Segment]:
    """One segment; two where a period holds both charging and parking, which then comes last."""
    volumes, start_at, end_at = period.volumes, period.start_at, period.end_at
    hours, parked_hours = volumes.get("TIME", Decimal(0)), volumes.get("PARKING_TIME", Decimal(0))
    try:
        if not (hours and parked_hours):
            state = SegmentState.PARKED if parked_hours else SegmentState.CHARGING
            yield _segment(period, start_at, end_at, state)
            return
        charging, parking = (timedelta(seconds=round(part * 3600)) for part in (hours, parked_hours))
        if abs(end_at - start_at - charging - parking) > TOLERANCE:
            period.reader.fault("dimensions", "invalid", "TIME and PARKING_TIME do not fill the period.")
            return
        turn_at = min(start_at + charging, end_at)
        yield _segment(period, start_at, turn_at, SegmentState.CHARGING)
        yield Segment(turn_at, end_at, 0, SegmentState.PARKED)
    except (InvalidUsage, OverflowError) as error:
        period.reader.fault("dimensions", "invalid", f"The period cannot be priced: {error}")


def _segment(period: _Period, start_at: datetime, end_at: datetime, state: SegmentState) -> Segment:
    volumes = period.volumes
    energy_wh = volumes.get("ENERGY", volumes.get("ENERGY_IMPORT", Decimal(0))) * 1000
    return Segment(
        start_at,
        end_at,
        Fraction(energy_wh),
        state,
        _current_a(volumes),
        _power_w(volumes, Fraction(energy_wh), end_at - start_at),
    )


def _current_a(volumes: Volumes) -> Fraction | None:
    """The average, or what lies between the least and the greatest: a period does not cross a restriction."""
    if "CURRENT" in volumes:
        return Fraction(volumes["CURRENT"])
    known = [Fraction(volumes[name]) for name in ("MIN_CURRENT", "MAX_CURRENT") if name in volumes]
    return sum(known, start=Fraction(0)) / len(known) if known else None


def _power_w(volumes: Volumes, energy_wh: Fraction, length: timedelta) -> Fraction | None:
    """The average, held within the least and the greatest; `None` where nothing is known."""
    if "POWER" in volumes:
        return Fraction(volumes["POWER"]) * 1000
    low, high = (
        None if name not in volumes else Fraction(volumes[name]) * 1000 for name in ("MIN_POWER", "MAX_POWER")
    )
    seconds = Fraction(length // timedelta(microseconds=1), 1_000_000)
    power_w = energy_wh * 3600 / seconds if seconds else None
    if low is not None and (power_w is None or power_w < low):
        power_w = low
    return high if high is not None and (power_w is None or power_w > high) else power_w


def _time_zone(reader: Reader, given: str | None) -> tuple[str, tuple[str, ...]]:
    named = given or reader.text("time_zone", longest=255)
    if named:
        return checked_zone(reader, "time_zone", named), ()
    place = reader.fields.get("cdr_location")
    country = place.get("country") if isinstance(place, Mapping) else None
    zone = ONE_CLOCK.get(country, "UTC") if isinstance(country, str) else "UTC"
    return zone, (f"A CDR names no time zone; {zone} is used. Another one: --time-zone NAME.",)
