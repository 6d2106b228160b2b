"""Random tariffs and usages for property tests."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from hypothesis import strategies as st

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

ZONES = ("UTC", "Europe/Helsinki", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns")
# Sessions lie around changes of the clock, where local time is hardest.
STARTS = (datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC))

_prices = st.decimals(0, 20, places=4)
_rates = st.sampled_from([None, Decimal(0), Decimal(10), Decimal("25.5")])
_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
_dates = st.dates(date(2026, 3, 27), date(2026, 3, 31)) | st.dates(date(2026, 10, 23), date(2026, 10, 27))


def _maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | st.none() | st.none() | values


def _components(steps: tuple[int, ...]) -> st.SearchStrategy[PriceComponent]:
    return st.builds(PriceComponent, st.sampled_from(Dimension), _prices, _rates, st.sampled_from(steps))


_restrictions = st.builds(
    Restrictions,
    start_time=_maybe(_times),
    end_time=_maybe(_times),
    start_date=_maybe(_dates),
    end_date=_maybe(_dates),
    day_of_week=st.just(()) | st.lists(st.sampled_from(DayOfWeek), max_size=4).map(tuple),
    min_kwh=_maybe(st.decimals(0, 20, places=1)),
    max_kwh=_maybe(st.decimals(0, 20, places=1)),
    min_current_a=_maybe(st.decimals(0, 40, places=0)),
    max_current_a=_maybe(st.decimals(0, 40, places=0)),
    min_power_kw=_maybe(st.decimals(0, 60, places=0)),
    max_power_kw=_maybe(st.decimals(0, 60, places=0)),
    min_duration_seconds=_maybe(st.integers(0, 10_000)),
    max_duration_seconds=_maybe(st.integers(0, 10_000)),
    reservation=_maybe(st.just(Reservation.RESERVATION)),
)


@st.composite
def _limits(draw: st.DrawFn) -> PriceLimit:
    before = draw(st.decimals(0, 50, places=2))
    return PriceLimit(before, draw(st.none() | st.decimals(before, before + 10, places=2)))


def tariffs(steps: tuple[int, ...] = (0, 1, 60, 900)) -> st.SearchStrategy[Tariff]:
    """Any tariff that can be stored, with step sizes out of `steps`."""
    elements = st.builds(
        TariffElement,
        st.lists(_components(steps), min_size=1, max_size=3).map(tuple),
        st.just(Restrictions()) | _restrictions,
    )
    return st.builds(
        Tariff,
        country_code=st.just("FI"),
        party_id=st.just("DEM"),
        id=st.just("any"),
        currency=st.sampled_from(["EUR", "JPY", "KWD"]),
        elements=st.lists(elements, min_size=1, max_size=4).map(tuple),
        tax_included=st.sampled_from(TaxIncluded),
        min_price=_maybe(_limits()),
        max_price=_maybe(_limits()),
        preauthorize_amount=_maybe(st.decimals(0, 100, places=2)),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A session of a few segments with whole seconds and Wh, some gaps, some parking."""
    at, segments = draw(st.sampled_from(STARTS)) + timedelta(seconds=draw(st.integers(0, 40_000))), []
    for _ in range(draw(st.integers(1, 6))):
        at += timedelta(seconds=draw(st.sampled_from([0, 0, 0, 600])))
        end_at = at + timedelta(seconds=draw(st.integers(1, 7_200)))
        state = draw(st.sampled_from(SegmentState))
        energy_wh = draw(st.integers(0, 30_000)) if state is SegmentState.CHARGING else 0
        current_a = draw(st.none() | st.integers(0, 40))
        segments.append(Segment(at, end_at, energy_wh, state, current_a))
        at = end_at
    return Usage(draw(st.sampled_from(ZONES)), tuple(segments))
