"""Random tariffs and sessions out of one seed, aimed at where prices are hard.

A session is drawn first, so that thresholds of the tariff can fall exactly on its borders.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

from tariffs.engine.terms import (
    DayOfWeek,
    Dimension,
    PriceComponent,
    PriceLimit,
    Reservation,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.engine.usage import Segment, SegmentState, Usage

# Zones with a moment at which their clocks change: by an hour, by half of one, at midnight, from odd offsets.
CLOCK_CHANGES = (
    ("Europe/Helsinki", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Helsinki", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("America/St_Johns", datetime(2026, 3, 8, 5, 30, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
)
STEADY_ZONES = ("UTC", "Asia/Kathmandu", "Europe/Helsinki", "Asia/Tokyo", "Asia/Kuwait")
ALWAYS = Restrictions()


def random_case(seed: int) -> tuple[Tariff, Usage]:
    """The case of that seed, the same on every machine."""
    dice = random.Random(seed)  # reproducible, not secret
    usage = _usage(dice)
    return _tariff(dice, usage), usage


# --- Sessions -------------------------------------------------------------------------------------


def _usage(dice: random.Random) -> Usage:
    zone, begin_at = _somewhen(dice)
    at, segments = begin_at, []
    for _ in range(dice.choice((1, 1, 2, 3, 4, 6, 9))):
        if dice.random() < 0.1:
            at += timedelta(seconds=dice.choice((1, 60, 600)))  # a gap
        segment = _segment(dice, at, parked=dice.random() < (0.45 if segments else 0.1))
        segments.append(segment)
        at = segment.end_at
    early = timedelta(seconds=dice.choice((0, 30, 900))) if dice.random() < 0.1 else None
    return Usage(zone, tuple(segments), None if early is None else begin_at - early)


def _somewhen(dice: random.Random) -> tuple[str, datetime]:
    if dice.random() < 0.4:
        zone, change_at = dice.choice(CLOCK_CHANGES)
        at = change_at - timedelta(minutes=dice.randint(-30, 600))
    else:
        zone = dice.choice(STEADY_ZONES)
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(525_600))
    return zone, at + dice.choice((timedelta(0), timedelta(seconds=dice.randrange(60)), _odd(dice)))


def _odd(dice: random.Random) -> timedelta:
    return timedelta(microseconds=dice.randrange(60_000_000))


def _segment(dice: random.Random, at: datetime, *, parked: bool) -> Segment:
    end_at = at + _length(dice)
    seconds = int((end_at - at).total_seconds())
    power_w = dice.choice((0, 1_400, 3_700, 11_000, 22_000, 50_000, 149_000))
    energy_wh: int | Decimal | Fraction = power_w * seconds // 3600
    if at == end_at:
        energy_wh = dice.choice((0, 500, 5_000))  # a register that was read twice in one instant
    if parked and dice.random() < 0.95:
        energy_wh = 0
    if energy_wh and dice.random() < 0.2:
        energy_wh += dice.choice((Decimal("0.2"), Decimal("0.5"), Fraction(1, 3)))
    return Segment(
        at,
        end_at,
        energy_wh,
        SegmentState.PARKED if parked else SegmentState.CHARGING,
        dice.choice((None, None, 6, 16, 32, 48, Decimal("31.9"))),
        dice.choice((None, None, power_w, 16_000, 50_000)),
    )


def _length(dice: random.Random) -> timedelta:
    kind = dice.random()
    if kind < 0.03:
        return timedelta(0)
    if kind < 0.25:
        return timedelta(seconds=dice.randint(1, 90))
    if kind < 0.3:
        return _odd(dice)
    if kind < 0.93:
        return timedelta(minutes=dice.choice((1, 5, 7, 15, 21, 30, 42, 60, 90)))
    return timedelta(minutes=dice.randint(91, 900))


# --- Tariffs --------------------------------------------------------------------------------------


def _tariff(dice: random.Random, usage: Usage) -> Tariff:
    elements = [_element(dice, usage) for _ in range(dice.randint(1, 5))]
    return Tariff(
        country_code="FI",
        party_id="DEM",
        id="random",
        currency=dice.choice(("EUR", "EUR", "JPY", "KWD")),
        elements=tuple(elements),
        tax_included=dice.choice(tuple(TaxIncluded)),
        min_price=_limit(dice, 8) if dice.random() < 0.2 else None,
        max_price=_limit(dice, 60) if dice.random() < 0.2 else None,
    )


def _element(dice: random.Random, usage: Usage) -> TariffElement:
    components = [
        PriceComponent(
            type=dice.choice(tuple(Dimension)),
            price=dice.choice((Decimal(0), Decimal(dice.randrange(100_000)).scaleb(-4), Decimal("0.59"))),
            vat=dice.choice((None, Decimal(0), Decimal(10), Decimal("25.5"), Decimal("5.2"))),
            step_size=dice.choice((0, 1, 1, 1, 60, 100, 300, 500, 900, 3600)),
        )
        for _ in range(dice.randint(1, 3))
    ]
    return TariffElement(tuple(components), ALWAYS if dice.random() < 0.3 else _restrictions(dice, usage))


def _restrictions(dice: random.Random, usage: Usage) -> Restrictions:
    fields: dict[str, object] = {}
    for _ in range(dice.choice((1, 1, 2, 3))):
        fields |= dice.choice(_KINDS)(dice, usage)
    return Restrictions(**fields)  # type: ignore[arg-type]


def _times(dice: random.Random, _usage: Usage) -> dict[str, object]:
    start, end = (time(dice.randrange(24), dice.choice((0, 0, 30, 59))) for _ in range(2))
    return dice.choice(
        (
            {"start_time": start, "end_time": end},
            {"start_time": start},
            {"end_time": end},
            _until_midnight(start),
        )
    )


def _until_midnight(start: time) -> dict[str, object]:
    return {"start_time": start, "end_time": time(0)}


def _dates(dice: random.Random, usage: Usage) -> dict[str, object]:
    first: date = usage.begins_at.date() + timedelta(days=dice.randint(-1, 1))
    last = first + timedelta(days=dice.randint(0, 2))
    return dice.choice(({"start_date": first, "end_date": last}, {"start_date": first}, {"end_date": last}))


def _days(dice: random.Random, usage: Usage) -> dict[str, object]:
    near = DayOfWeek((usage.begins_at.weekday() + dice.randint(-1, 1)) % 7)
    return {"day_of_week": tuple({near, *dice.sample(tuple(DayOfWeek), dice.randint(0, 3))})}


def _energy(dice: random.Random, usage: Usage) -> dict[str, object]:
    reached = [Fraction(0)]
    for segment in usage.segments:
        reached.append(reached[-1] + Fraction(segment.energy_wh))
    border = [Decimal(int(wh)).scaleb(-3) for wh in reached]
    return _range(dice, "kwh", [*border, *map(Decimal, ("0.5", "1", "5", "10", "33.3"))])


def _duration(dice: random.Random, usage: Usage) -> dict[str, object]:
    borders = [int((s.end_at - usage.begins_at).total_seconds()) for s in usage.segments]
    fields = _range(dice, "duration", [*borders, 0, 60, 900, 1800, 3600, 7200])
    return {f"{name}_seconds": value for name, value in fields.items()}


def _current(dice: random.Random, _usage: Usage) -> dict[str, object]:
    fields = _range(dice, "current", [Decimal(a) for a in ("0", "6", "16", "31.9", "32", "48")])
    return {f"{name}_a": value for name, value in fields.items()}


def _power(dice: random.Random, _usage: Usage) -> dict[str, object]:
    fields = _range(dice, "power", [Decimal(kw) for kw in ("0", "3.7", "11", "16", "22", "50", "100")])
    return {f"{name}_kw": value for name, value in fields.items()}


def _reservation(dice: random.Random, _usage: Usage) -> dict[str, object]:
    return {"reservation": dice.choice(tuple(Reservation))} if dice.random() < 0.5 else {}


def _range(dice: random.Random, name: str, values: Sequence[object]) -> dict[str, object]:
    low, high = dice.choice(values), dice.choice(values)
    both = {f"min_{name}": low, f"max_{name}": high}
    return dice.choice(({f"min_{name}": low}, {f"max_{name}": high}, both))


def _limit(dice: random.Random, most: int) -> PriceLimit:
    before = Decimal(dice.randrange(most * 100)).scaleb(-2)
    after = None if dice.random() < 0.3 else before + Decimal(dice.randrange(most * 25)).scaleb(-2)
    return PriceLimit(before, after)


_KINDS = (_times, _times, _dates, _days, _energy, _energy, _duration, _current, _power, _reservation)
