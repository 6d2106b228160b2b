"""Live cost: equal to the full computation at every step, stored and read back, never falling."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings

from tariffs.engine.document import from_document, to_document
from tariffs.engine.errors import InvalidState, InvalidUsage
from tariffs.engine.live import LiveCost
from tariffs.engine.money import minor_digits, round_half_up
from tariffs.engine.pricing import price
from tariffs.engine.terms import PriceLimit
from tariffs.engine.usage import Segment, Usage

from .cast import MONDAY, charging, component, element, parked, session, tariff
from .strategies import tariffs, usages

TERMS = tariff(
    element(component("FLAT", "0.50", "24"), component("ENERGY", "0.39", "24"), max_kwh=Decimal(10)),
    element(component("ENERGY", "0.59", "24"), component("PARKING_TIME", "6.00", "24", 60)),
)


@settings(max_examples=60)
@given(tariffs(), usages())
def test_live_cost_equals_the_full_computation_at_every_step(terms, usage):
    live = LiveCost.begin(terms, usage.time_zone, usage.begins_at)

    for count, segment in enumerate(usage.segments, start=1):
        stored = json.loads(json.dumps(live.to_state()))
        live = LiveCost.from_state(terms, usage.time_zone, stored).advance(segment)
        full = price(terms, Usage(usage.time_zone, usage.segments[:count]))

        assert live.cost() == full
        assert live.total_incl_minor() == full.total_incl_minor


@settings(max_examples=60)
@given(tariffs(), usages())
def test_lines_sum_to_the_totals_and_net_and_vat_to_gross(terms, usage):
    cost = price(terms, usage)

    for bill in (cost, cost.capped(cost.total_incl_minor // 2)):
        scale = 10 ** minor_digits(bill.currency)
        assert bill.total_incl_minor == round_half_up(bill.total_incl * scale)
        assert bill.total_excl_minor == round_half_up(bill.total_excl * scale)
        assert 0 <= bill.total_excl <= bill.total_incl
        assert sum((line.incl for line in bill.lines), start=Fraction(0)) == bill.total_incl
        assert sum((line.excl for line in bill.lines), start=Fraction(0)) == bill.total_excl
        assert sum(line.incl_minor for line in bill.lines) == bill.total_incl_minor
        assert sum(line.excl_minor for line in bill.lines) == bill.total_excl_minor
        assert sum(group.gross_minor for group in bill.vat_groups()) == bill.total_incl_minor
        assert sum(group.net_minor for group in bill.vat_groups()) == bill.total_excl_minor
        assert all(
            g.net_minor + g.vat_minor == g.gross_minor and g.gross_minor >= 0 for g in bill.vat_groups()
        )


@settings(max_examples=60)
@given(tariffs(steps=(0,)), usages())
def test_cost_never_falls_while_a_session_grows(terms, usage):
    live = LiveCost.begin(terms, usage.time_zone, usage.begins_at)
    so_far = Fraction(0)

    for segment in usage.segments:
        live = live.advance(segment)
        assert live.totals().incl >= so_far
        so_far = live.totals().incl


@settings(max_examples=60)
@given(tariffs(steps=(0, 1)), usages())
def test_with_steps_of_one_it_never_falls_by_more_than_a_started_wh_and_second(terms, usage):
    """OCPI bills 115.2 Wh as 116: a fraction that a dear price had rounded up may end at a cheap one."""
    prices = [terms.unit_price(component)[1] for _, component in terms.session_components()]
    slack = max(prices, default=Fraction(0)) * (Fraction(1, 1000) + Fraction(1, 3600))
    live = LiveCost.begin(terms, usage.time_zone, usage.begins_at)
    so_far = Fraction(0)

    for segment in usage.segments:
        live = live.advance(segment)
        assert live.totals().incl >= so_far - slack
        so_far = max(so_far, live.totals().incl)


EVERYTHING = element(*(component(kind, "0.10", "24") for kind in ("ENERGY", "TIME", "PARKING_TIME")))


@settings(max_examples=80)
@given(tariffs(steps=(0, 1)), usages())
def test_with_whole_wh_and_seconds_and_no_gap_in_the_prices_it_never_falls(terms, usage):
    complete = replace(terms, elements=(*terms.elements, EVERYTHING))
    live = LiveCost.begin(complete, usage.time_zone, usage.begins_at)
    so_far = Fraction(0)

    for segment in usage.segments:
        live = live.advance(segment)
        assert live.totals().incl >= so_far
        so_far = live.totals().incl


@settings(max_examples=40)
@given(tariffs(), usages())
def test_cutting_segments_changes_no_cost(terms, usage):
    halves = [half for segment in usage.segments for half in _halves(segment)]

    assert price(terms, Usage(usage.time_zone, tuple(halves))) == price(terms, usage)


def _halves(segment: Segment) -> list[Segment]:
    """Two parts at the same rate; the power is named, as it may decide the price."""
    seconds = int((segment.end_at - segment.start_at).total_seconds())
    middle = segment.start_at + timedelta(seconds=seconds // 2)
    if middle == segment.start_at:
        return [segment]
    first_wh = Fraction(segment.energy_wh) * (seconds // 2) / seconds
    rest_wh = segment.energy_wh - first_wh
    fields = (segment.state, segment.current_a, segment.power_w)
    return [
        Segment(segment.start_at, middle, first_wh, *fields),
        Segment(middle, segment.end_at, rest_wh, *fields),
    ]


@settings(max_examples=60)
@given(tariffs())
def test_a_tariff_survives_its_document(terms):
    document = json.loads(json.dumps(to_document(terms)))

    assert from_document(document) == terms


def test_a_session_owes_its_start_fee_from_the_beginning():
    begun = LiveCost.begin(TERMS, "UTC", MONDAY)

    assert begun.total_incl_minor() == 62
    assert begun.cost().total_incl_minor == 62


def test_a_session_owes_the_minimum_price_from_the_beginning():
    terms = tariff(element(component("ENERGY", "1.00")), min_price=PriceLimit(Decimal(3)))

    assert LiveCost.begin(terms, "UTC", MONDAY).total_incl_minor() == 300


def test_advancing_leaves_the_earlier_cost_as_it_was():
    begun = LiveCost.begin(TERMS, "UTC", MONDAY)

    begun.advance(charging(MONDAY, 60, 20_000))

    assert begun.to_state() == LiveCost.begin(TERMS, "UTC", MONDAY).to_state()


def test_the_state_does_not_grow_with_the_samples():
    live = LiveCost.begin(TERMS, "UTC", MONDAY)
    sizes = set()

    for number in range(500):
        live = live.advance(charging(MONDAY + timedelta(seconds=15 * number), 0.25, 100))
        sizes.add(len(live.to_state()["volumes"]))

    assert sizes == {1, 2}
    assert live.energy_wh == 50_000


def test_a_segment_that_goes_back_in_time_is_refused():
    live = LiveCost.begin(TERMS, "UTC", MONDAY).advance(charging(MONDAY, 60, 1_000))

    with pytest.raises(InvalidUsage):
        live.advance(charging(MONDAY + timedelta(minutes=59), 5, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"volumes": {"9": "1"}},
        {"volumes": {"0": "much"}},
        {"volumes": []},
        {"flat": 7},
        {"energy_wh": None},
        {"energy_wh": "1/0"},
        {"started_us": "now"},
    ],
)
def test_a_state_of_another_tariff_is_refused(change):
    state = LiveCost.begin(TERMS, "UTC", MONDAY).advance(charging(MONDAY, 60, 1_000)).to_state()

    with pytest.raises(InvalidState):
        LiveCost.from_state(TERMS, "UTC", state | change)


def test_with_large_steps_the_cost_may_fall_when_parking_begins():
    terms = tariff(element(component("TIME", "6.00", step_size=3600), component("PARKING_TIME", "0.10")))
    charged = session(MONDAY, charge=(10, 0))

    growing = (
        price(terms, charged).total_incl,
        price(terms, session(MONDAY, charge=(10, 0), park=1)).total_incl,
    )

    assert growing == (6, 1 + Fraction("0.10") / 60)
    assert parked(MONDAY, 1).energy_wh == 0
