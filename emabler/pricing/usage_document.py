"""Read the usage of one session: our own USAGE.json, or an OCPI CDR. Pure; faults carry their paths."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

from payments.ocpi.charging_periods import (
    MAX_KWH,
    MAX_PERIODS,
    CdrUsage,
    checked_moment,
    checked_usage,
    checked_zone,
    read_cdr,
)
from payments.ocpi.reading import Reader
from tariffs.engine.errors import InvalidInput, InvalidUsage
from tariffs.engine.usage import MAX_SEGMENT, Segment, SegmentState, Usage

MAX_CURRENT_A: Final = Decimal(10**9)


def read_usage(document: object, *, time_zone: str | None = None) -> CdrUsage:
    """Read either shape; `time_zone` stands in for the one that a CDR does not name.

    Segments may come in any order, and more than once. Raises `InvalidInput` with every fault.
    """
    reader = Reader(document, "")
    if "charging_periods" in reader.fields and "segments" not in reader.fields:
        read = read_cdr(reader, time_zone=time_zone)
    else:
        read = CdrUsage(_usage(reader))
    if reader.errors:
        raise InvalidInput(reader.errors)
    return read


def _usage(reader: Reader) -> Usage | None:
    zone = reader.text("time_zone", longest=255, required=True)
    if zone:
        checked_zone(reader, "time_zone", zone)
    found: dict[Segment, str] = {}
    for item in reader.items("segments", most=MAX_PERIODS, least=1):
        if (segment := _segment(item)) is not None:
            found.setdefault(segment, item.path)
    if reader.errors or not zone:
        return None
    segments = sorted(found, key=lambda segment: (segment.start_at, segment.end_at))
    for path in _overlaps(segments, found):
        reader.fault(f"{path}.start", "invalid", "The segment starts before the one before it has ended.")
    return None if reader.errors else checked_usage(reader, zone, tuple(segments))


def _overlaps(segments: list[Segment], paths: dict[Segment, str]) -> Iterator[str]:
    for earlier, later in itertools.pairwise(segments):
        if later.start_at < earlier.end_at:
            yield paths[later]


def _segment(item: Reader) -> Segment | None:
    before = len(item.errors)
    start_at, end_at = checked_moment(item, "start"), checked_moment(item, "end")
    energy_kwh = item.measure("energy_kwh", most=MAX_KWH, required=True)
    state = item.choice("state", SegmentState, required=True)
    current_a = item.measure("current_a", most=MAX_CURRENT_A)
    power_kw = item.measure("power_kw", most=MAX_KWH)
    if len(item.errors) > before or start_at is None or end_at is None or energy_kwh is None or state is None:
        return None
    if not start_at <= end_at <= start_at + MAX_SEGMENT:
        item.fault("end", "invalid", f"A segment ends after it starts and within {MAX_SEGMENT.days} days.")
        return None
    power_w = None if power_kw is None else Fraction(power_kw) * 1000
    current = None if current_a is None else Fraction(current_a)
    try:
        return Segment(start_at, end_at, Fraction(energy_kwh) * 1000, state, current, power_w)
    except InvalidUsage as error:
        item.fault("energy_kwh", "invalid", str(error))
        return None
