"""Rules of a price that the OCPI text states without an example."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from tariffs.engine.cost import LineKind
from tariffs.engine.errors import InvalidTariff, InvalidUsage, UnknownTimeZone
from tariffs.engine.pricing import price
from tariffs.engine.terms import DayOfWeek, PriceLimit, TaxIncluded
from tariffs.engine.usage import Segment, Usage

from .cast import MONDAY, charging, component, element, parked, session, tariff

FREE = component("PARKING_TIME", "0")
HELSINKI = "Europe/Helsinki"


def hours(terms, usage) -> list[tuple[str, Fraction]]:
    return [(str(line.price), line.volume) for line in price(terms, usage).lines]


def test_a_gross_price_stays_what_it_is_at_400_kwh():
    terms = tariff(element(component("ENERGY", "0.59", "25.5")), tax_included=TaxIncluded.YES)

    cost = price(terms, session(MONDAY, charge=(200, 400_000)))

    assert cost.total_incl == 236
    assert cost.total_excl == Fraction("47200/251")
    assert (cost.total_incl_minor, cost.total_excl_minor, cost.total_vat_minor) == (23_600, 18_805, 4_795)


def test_no_tax_applies_whatever_rate_a_component_names():
    terms = tariff(element(component("ENERGY", "0.50", "24")), tax_included=TaxIncluded.NOT_APPLICABLE)

    cost = price(terms, session(MONDAY, charge=(60, 10_000)))

    assert cost.total_incl == cost.total_excl == 5
    assert cost.lines[0].vat is None


def test_taxes_are_unknown_only_where_they_come_on_top_and_nobody_says_how_much():
    unknown = tariff(element(component("TIME", "2.00")))
    known = tariff(element(component("TIME", "2.00"), component("ENERGY", "0.2", "24")))
    included = tariff(element(component("TIME", "2.00")), tax_included=TaxIncluded.YES)

    found = [
        price(terms, session(MONDAY, charge=(60, 0))).taxes_unknown for terms in (unknown, known, included)
    ]

    assert found == [True, False, False]


def test_the_first_matching_element_wins_for_each_dimension_on_its_own():
    terms = tariff(
        element(component("ENERGY", "0.10"), max_kwh=Decimal(2)),
        element(component("ENERGY", "0.50"), component("TIME", "1.00")),
        element(component("TIME", "9.00")),
    )

    assert hours(terms, session(MONDAY, charge=(60, 10_000))) == [
        ("0.10", Fraction(2)),
        ("0.50", Fraction(8)),
        ("1.00", Fraction(1)),
    ]


def test_a_dimension_without_a_matching_element_is_free():
    terms = tariff(element(component("ENERGY", "0.50"), min_kwh=Decimal(5)))

    assert hours(terms, session(MONDAY, charge=(60, 8_000))) == [("0.50", Fraction(3))]


def test_time_turns_at_the_moment_the_energy_threshold_is_crossed():
    terms = tariff(
        element(component("TIME", "1.00", step_size=0), max_kwh=Decimal(3)),
        element(component("TIME", "5.00", step_size=0)),
    )

    assert hours(terms, session(MONDAY, charge=(70, 7_000))) == [
        ("1.00", Fraction(1, 2)),
        ("5.00", Fraction(2, 3)),
    ]


def test_a_start_fee_is_charged_once_however_often_its_element_matches():
    terms = tariff(element(component("FLAT", "1.00"), end_time=time(9)), element(component("FLAT", "2.00")))

    cost = price(terms, session(MONDAY, charge=(120, 0)))

    assert cost.total_excl == 1


def test_a_fee_that_applies_later_is_charged_when_its_moment_comes():
    terms = tariff(element(component("FLAT", "4.00"), min_duration_seconds=3600))

    before, after = (price(terms, session(MONDAY, charge=(minutes, 0))).total_excl for minutes in (60, 61))

    assert (before, after) == (0, 4)


def test_unknown_current_matches_no_restriction_on_it():
    terms = tariff(
        element(component("TIME", "9.00"), min_current_a=Decimal(32)), element(component("TIME", "1.00"))
    )

    assert price(terms, session(MONDAY, charge=(60, 9_000))).total_excl == 1
    assert price(terms, session(MONDAY, charge=(60, 9_000), current_a=32)).total_excl == 9


def test_reported_power_wins_over_the_average_of_the_segment():
    terms = tariff(element(component("ENERGY", "1"), min_power_kw=Decimal(50)))

    averaged, reported = (
        price(terms, Usage("UTC", (charging(MONDAY, 60, 10_000, power_w=power),))).total_excl
        for power in (None, 50_000)
    )

    assert (averaged, reported) == (0, 10)


def test_a_period_that_wraps_over_midnight_matches_on_both_sides():
    terms = tariff(element(component("TIME", "1.00"), start_time=time(22), end_time=time(6)))
    evening = MONDAY.replace(hour=21)

    assert hours(terms, session(evening, charge=(12 * 60, 0))) == [("1.00", Fraction(8))]


@pytest.mark.parametrize("fields", [{"start_time": time(21)}, {"end_time": time(3)}])
def test_a_lone_start_lasts_until_midnight_and_a_lone_end_begins_there(fields):
    # From 18:00 to 06:00 local time; in Helsinki midnight falls inside a UTC day.
    terms = tariff(element(component("TIME", "1.00"), **fields))
    night = session(MONDAY.replace(hour=16), time_zone=HELSINKI, charge=(12 * 60, 0))

    assert hours(terms, night) == [("1.00", Fraction(3))]


def test_the_day_of_a_wrapping_period_is_the_day_of_the_moment_itself():
    terms = tariff(
        element(
            component("TIME", "1.00"), start_time=time(22), end_time=time(6), day_of_week=(DayOfWeek.MONDAY,)
        )
    )

    assert hours(terms, session(MONDAY.replace(hour=21), charge=(12 * 60, 0))) == [("1.00", Fraction(2))]


def test_dates_are_local_start_inclusive_end_exclusive():
    terms = tariff(
        element(component("TIME", "1.00"), start_date=date(2026, 11, 2), end_date=date(2026, 11, 3))
    )
    three_days = Usage(HELSINKI, (charging(datetime(2026, 11, 1, tzinfo=UTC), 3 * 24 * 60),))

    assert hours(terms, three_days) == [("1.00", Fraction(24))]


def test_local_time_follows_the_clock_when_an_hour_is_skipped():
    # 29 March 2026, Helsinki: 03:00 becomes 04:00 at 01:00 UTC, so 02:30 to 04:30 lasts one hour.
    terms = tariff(element(component("TIME", "1.00"), start_time=time(2, 30), end_time=time(4, 30)))
    night = Usage(HELSINKI, (charging(datetime(2026, 3, 28, 22, tzinfo=UTC), 8 * 60),))

    assert hours(terms, night) == [("1.00", Fraction(1))]


def test_a_border_inside_the_skipped_hour_falls_on_the_jump():
    terms = tariff(element(component("TIME", "1.00"), start_time=time(3, 30), end_time=time(5)))
    night = Usage(HELSINKI, (charging(datetime(2026, 3, 28, 22, tzinfo=UTC), 8 * 60),))

    assert hours(terms, night) == [("1.00", Fraction(1))]


def test_local_time_follows_the_clock_when_an_hour_is_repeated():
    # 25 October 2026, Helsinki: 04:00 becomes 03:00 at 01:00 UTC, so 03:00 to 04:00 happens twice.
    terms = tariff(element(component("TIME", "1.00"), start_time=time(3, 30), end_time=time(4)))
    night = Usage(HELSINKI, (charging(datetime(2026, 10, 24, 21, tzinfo=UTC), 8 * 60),))

    assert hours(terms, night) == [("1.00", Fraction(1))]


def test_time_is_rounded_when_charging_resumes_after_parking():
    terms = tariff(
        element(component("TIME", "1.00", step_size=600), component("PARKING_TIME", "2.00", step_size=600))
    )
    first = charging(MONDAY, 7)
    pause = parked(first.end_at, 7)

    usage = Usage("UTC", (first, pause, charging(pause.end_at, 7)))

    assert hours(terms, usage) == [("1.00", Fraction(20, 60)), ("2.00", Fraction(7, 60))]


def test_step_size_zero_rounds_nothing():
    terms = tariff(element(component("ENERGY", "1", step_size=0), component("TIME", "1", step_size=0)))

    cost = price(terms, session(MONDAY, charge=(0.5, Decimal("0.4"))))

    assert [line.volume for line in cost.lines] == [Fraction("0.0004"), Fraction(1, 120)]


def test_gaps_count_for_the_duration_and_for_nothing_else():
    terms = tariff(
        element(component("TIME", "1.00"), max_duration_seconds=3600), element(component("TIME", "3.00"))
    )
    usage = Usage("UTC", (charging(MONDAY, 30), charging(MONDAY + timedelta(minutes=90), 30)))

    assert hours(terms, usage) == [("1.00", Fraction(1, 2)), ("3.00", Fraction(1, 2))]


def test_energy_that_arrives_at_one_instant_is_priced_up_to_its_thresholds():
    terms = tariff(element(component("ENERGY", "1"), max_kwh=Decimal(1)), element(component("ENERGY", "2")))

    cost = price(terms, Usage("UTC", (Segment(MONDAY, MONDAY, 3_000),)))

    assert cost.total_excl == 5


def test_limits_bind_on_their_own_and_one_line_says_so():
    terms = tariff(
        element(component("FLAT", "1.00", "0"), component("ENERGY", "1.00", "20")),
        max_price=PriceLimit(Decimal(10), Decimal(11)),
    )

    cost = price(terms, session(MONDAY, charge=(60, 20_000)))

    adjustment = cost.lines[-1]
    assert (cost.total_excl, cost.total_incl) == (10, 11)
    assert (adjustment.dimension, adjustment.excl, adjustment.incl) == (LineKind.ADJUSTMENT, -11, -14)
    assert sum(line.incl_minor for line in cost.lines) == 1_100


@pytest.mark.parametrize(("vat", "incl"), [("20", 12), (None, 10)])
def test_a_limit_without_taxes_follows_the_lowest_rate(vat, incl):
    terms = tariff(
        element(component("ENERGY", "1.00", "20"), component("TIME", "1.00", vat)),
        min_price=PriceLimit(Decimal(10)),
    )

    assert price(terms, session(MONDAY, charge=(1, 1))).total_incl == incl


def test_the_maximum_wins_over_a_larger_minimum():
    terms = tariff(
        element(component("ENERGY", "1.00")),
        min_price=PriceLimit(Decimal(9)),
        max_price=PriceLimit(Decimal(5)),
    )

    assert price(terms, session(MONDAY, charge=(60, 1_000))).total_incl == 5


def test_a_cost_is_capped_at_the_hold_and_the_rest_written_off():
    terms = tariff(element(component("FLAT", "1.00", "10"), component("ENERGY", "0.50", "24")))
    cost = price(terms, session(MONDAY, charge=(60, 100_000)))

    capped = cost.capped(5_000)

    assert (cost.total_incl_minor, capped.total_incl_minor) == (6_310, 5_000)
    assert capped.lines[-1].dimension is LineKind.WRITE_OFF
    assert capped.lines[-1].incl_minor == -1_310
    assert sum(line.incl_minor for line in capped.lines) == 5_000
    assert sum(line.excl_minor for line in capped.lines) == capped.total_excl_minor
    assert sum(group.gross_minor for group in capped.vat_groups()) == 5_000
    assert cost.capped(6_310) is cost


def test_a_line_that_bears_no_vat_gets_none_when_a_limit_takes_money_off():
    terms = tariff(element(component("FLAT", "1.00"), component("ENERGY", "0.4701", "25.5")))
    usage = session(MONDAY, charge=(60, 30_000))
    limits = range(1_001, 1_500, 10)

    capped = [price(terms, usage).capped(limit) for limit in limits]
    most = [PriceLimit(Decimal(limit) / 125, Decimal(limit) / 100) for limit in limits]
    adjusted = [price(replace(terms, max_price=limit), usage) for limit in most]

    flat = [line for cost in capped + adjusted for line in cost.lines if line.dimension is LineKind.FLAT]
    assert {(line.excl_minor, line.incl_minor) for line in flat} == {(100, 100)}


def test_a_cap_of_nothing_leaves_nothing():
    cost = price(tariff(element(component("ENERGY", "1", "24"))), session(MONDAY, charge=(60, 1_000)))

    nothing = cost.capped(0)

    assert (nothing.total_incl_minor, nothing.total_excl_minor) == (0, 0)
    assert sum(line.incl_minor for line in nothing.lines) == 0


def test_a_receipt_shows_net_vat_and_gross_for_each_rate():
    terms = tariff(element(component("FLAT", "1.00", "10"), component("ENERGY", "0.50", "24"), FREE))

    groups = price(terms, session(MONDAY, charge=(60, 10_000), park=5)).vat_groups()

    assert [(str(g.rate), g.net_minor, g.vat_minor, g.gross_minor) for g in groups] == [
        ("24", 500, 120, 620),
        ("None", 0, 0, 0),
        ("10", 100, 10, 110),
    ]


@pytest.mark.parametrize(
    ("currency", "excl", "incl"), [("JPY", 53, 59), ("KWD", 53_355, 58_691), ("EUR", 5_336, 5_869)]
)
def test_totals_are_rounded_to_the_currency_s_own_minor_unit(currency, excl, incl):
    terms = tariff(element(component("ENERGY", "5.3355", "10")), currency=currency)

    cost = price(terms, session(MONDAY, charge=(60, 10_000)))

    assert (cost.total_excl_minor, cost.total_incl_minor) == (excl, incl)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: Segment(MONDAY, MONDAY - timedelta(seconds=1), 1),
        lambda: Segment(MONDAY.replace(tzinfo=None), MONDAY, 1),
        lambda: Segment(MONDAY, MONDAY + timedelta(hours=1), -1),
        lambda: Segment(MONDAY, MONDAY + timedelta(days=400), 1),
        lambda: Segment(MONDAY, MONDAY + timedelta(hours=1), 1, power_w=-1),
        lambda: Segment(MONDAY, MONDAY + timedelta(hours=1), Decimal("NaN")),
        lambda: Segment(MONDAY, MONDAY + timedelta(hours=1), Decimal("Infinity")),
        lambda: Segment(MONDAY, MONDAY + timedelta(hours=1), Decimal("1e400000")),
        lambda: Segment(MONDAY, MONDAY + timedelta(hours=1), Decimal("1e-400000")),
        lambda: Segment(MONDAY, MONDAY + timedelta(hours=1), 0.1),
        lambda: Usage("UTC", ()),
        lambda: Usage("UTC", (charging(MONDAY, 60), charging(MONDAY, 60))),
        lambda: Usage("UTC", (charging(MONDAY, 60),), started_at=MONDAY + timedelta(minutes=1)),
    ],
)
def test_an_impossible_usage_is_refused(broken):
    with pytest.raises(InvalidUsage):
        broken()


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Europe/Helsinki\0", "x" * 5000]
)
def test_an_unknown_time_zone_is_refused(name):
    with pytest.raises(UnknownTimeZone):
        price(tariff(element(component("TIME", "1"))), session(MONDAY, time_zone=name, charge=(1, 0)))


@pytest.mark.parametrize(
    "broken",
    [
        lambda: component("ENERGY", "-0.01"),
        lambda: component("ENERGY", "NaN"),
        lambda: component("ENERGY", "1", "-1"),
        lambda: component("ENERGY", "1", None, -5),
        lambda: element(),
        lambda: tariff(),
        lambda: PriceLimit(Decimal(5), Decimal(4)),
        lambda: element(component("TIME", "1"), min_kwh=Decimal(-1)),
    ],
)
def test_terms_that_could_make_a_cost_negative_cannot_exist(broken):
    with pytest.raises(InvalidTariff):
        broken()
