"""When a hold is reached, and how much to hold."""

import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.engine.errors import InvalidUsage
from tariffs.engine.limit import preauthorize_minor, reach
from tariffs.engine.live import LiveCost
from tariffs.engine.terms import PriceLimit, TaxIncluded
from tariffs.engine.usage import Segment

from .cast import MONDAY, charging, component, element, tariff
from .strategies import STARTS, ZONES, tariffs

DAY = timedelta(hours=24)
GROSS = tariff(element(component("ENERGY", "0.59", "25.5")), tax_included=TaxIncluded.YES)


def forecast(terms, *, limit_minor, power_w, zone="UTC", at=MONDAY, horizon=DAY):
    live = LiveCost.begin(terms, zone, at)
    return reach(live, limit_minor=limit_minor, power_w=power_w, from_at=at, horizon=horizon)


def test_a_price_per_kwh_reaches_the_hold_at_the_exact_wh_and_millisecond():
    unrounded = tariff(element(component("ENERGY", "0.59", "25.5", 0)), tax_included=TaxIncluded.YES)

    found = forecast(unrounded, limit_minor=5_000, power_w=150_000)

    needed_wh = Fraction(5_000, 59) * 1000
    assert found.energy_wh == math.ceil(needed_wh) == 84_746
    assert found.at == MONDAY + timedelta(milliseconds=math.ceil(needed_wh * 3_600_000 / 150_000))


def test_a_price_per_started_wh_reaches_the_hold_when_the_last_wh_begins():
    found = forecast(GROSS, limit_minor=5_000, power_w=3_600)

    assert found.energy_wh == 84_746
    assert found.at == MONDAY + timedelta(seconds=84_745, milliseconds=1)


def test_a_whole_wh_that_meets_the_hold_exactly_is_found():
    terms = tariff(element(component("ENERGY", "0.50")))

    found = forecast(terms, limit_minor=2_500, power_w=350_001)

    assert found.energy_wh == 50_000


def test_a_price_per_hour_reaches_the_hold_without_power():
    terms = tariff(element(component("TIME", "6.00")))

    found = forecast(terms, limit_minor=300, power_w=0)

    assert (found.at, found.energy_wh) == (MONDAY + timedelta(seconds=1799, milliseconds=1), 0)


def test_a_later_price_is_foreseen():
    terms = tariff(
        element(component("ENERGY", "0.25", step_size=0), max_kwh=Decimal(20)),
        element(component("ENERGY", "0.50", step_size=0)),
    )

    found = forecast(terms, limit_minor=1_000, power_w=20_000)

    assert (found.at, found.energy_wh) == (MONDAY + timedelta(hours=1, minutes=30), 30_000)


def test_a_fee_that_will_fall_due_is_foreseen():
    terms = tariff(element(component("FLAT", "5.00"), min_duration_seconds=3600))

    found = forecast(terms, limit_minor=500, power_w=11_000)

    assert timedelta(hours=1) < found.at - MONDAY <= timedelta(hours=1, milliseconds=1)


@pytest.mark.parametrize(
    "terms",
    [
        tariff(element(component("FLAT", "0"))),
        tariff(element(component("ENERGY", "0.50")), max_price=PriceLimit(Decimal(10))),
        tariff(element(component("PARKING_TIME", "9.00"))),
    ],
)
def test_a_hold_that_cannot_be_reached_gives_none(terms):
    assert forecast(terms, limit_minor=5_000, power_w=150_000) is None


def test_beyond_the_horizon_gives_none():
    assert forecast(GROSS, limit_minor=5_000, power_w=11_000, horizon=timedelta(hours=1)) is None


def test_a_hold_that_is_reached_already_is_reached_now():
    live = LiveCost.begin(GROSS, "UTC", MONDAY).advance(charging(MONDAY, 60, 100_000))
    now = MONDAY + timedelta(hours=2)

    found = reach(live, limit_minor=5_000, power_w=150_000, from_at=now, horizon=DAY)

    assert (found.at, found.energy_wh) == (now, 100_000)


def test_a_forecast_from_before_the_last_sample_is_refused():
    live = LiveCost.begin(GROSS, "UTC", MONDAY).advance(charging(MONDAY, 60, 1_000))

    with pytest.raises(InvalidUsage):
        reach(live, limit_minor=5_000, power_w=1, from_at=MONDAY, horizon=DAY)


@settings(max_examples=60)
@given(
    tariffs(),
    st.sampled_from(STARTS),
    st.sampled_from(ZONES),
    st.integers(1, 4_000),
    st.sampled_from([0, 3_700, 11_000, 149_999]),
)
def test_the_cost_meets_the_hold_then_and_not_a_millisecond_before(terms, start, zone, limit_minor, power_w):
    live = LiveCost.begin(terms, zone, start)
    limit = Fraction(limit_minor, 10 ** {"EUR": 2, "JPY": 0, "KWD": 3}[terms.currency])

    def cost_at(at):
        energy_wh = Fraction(power_w) * ((at - start) // timedelta(microseconds=1)) / 3_600_000_000
        return live.advance(Segment(start, at, energy_wh, power_w=power_w)).totals().incl

    found = forecast(terms, limit_minor=limit_minor, power_w=power_w, zone=zone, at=start)

    if found is None:
        assert cost_at(start + DAY) < limit
    elif found.at > start:
        assert cost_at(found.at) >= limit
        assert cost_at(max(found.at - timedelta(milliseconds=1), start)) < limit


@pytest.mark.parametrize(
    ("fields", "minor"),
    [
        ({}, 5_000),
        ({"preauthorize_amount": Decimal("60.5")}, 6_050),
        ({"max_price": PriceLimit(Decimal(10), Decimal("12.40"))}, 1_240),
        ({"max_price": PriceLimit(Decimal(10))}, 1_240),
        ({"max_price": PriceLimit(Decimal(900), Decimal(1_000))}, 5_000),
        ({"max_price": PriceLimit(Decimal(10)), "preauthorize_amount": Decimal(20)}, 2_000),
    ],
)
def test_the_amount_to_hold_comes_from_the_tariff_or_the_default(fields, minor):
    terms = tariff(element(component("ENERGY", "0.5", "24")), **fields)

    assert preauthorize_minor(terms, 5_000) == minor
