"""Meter numbers and times as chargers write them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chargers.ocpp.numbers import read_integer, read_number, read_register_wh, read_time

RECEIVED = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("-1", "-1"),
        ("1234.567891", "1234.567891"),
        ("1234.5670166015625", "1234.5670166015625"),
        ("1.2E3", "1200"),
        (" 7 ", "7"),
        (12, "12"),
        (12.5, "12.5"),
    ],
)
def test_numbers_are_read_exactly(text: object, value: str) -> None:
    assert read_number(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "Infinity",
        "1,5",
        "1e5000000",
        "1e400000",
        "1e10",
        "+1",
        "1_000",
        "0x10",
        "١٢",
        "1" * 13,
        "--1",
        "1.",
        ".5",
        True,
        None,
        [],
        {},
    ],
)
def test_everything_else_is_no_number(text: object) -> None:
    assert read_number(text) is None


def test_registers_are_whole_wh_in_either_unit() -> None:
    assert read_register_wh("1500") == (1500, "")
    assert read_register_wh("1.5", "kWh") == (1500, "")
    assert read_register_wh("12.3456", "kWh") == (12346, "")


@pytest.mark.parametrize(
    ("value", "unit", "problem"),
    [
        ("-1", "Wh", "negative"),
        ("x", "Wh", "not a number"),
        ("5", "W", "unknown unit"),
        ("5", 7, "unknown unit"),
        ("999999999999", "kWh", "out of range"),
    ],
)
def test_registers_that_cannot_be_used_say_why(value: str, unit: object, problem: str) -> None:
    register_wh, why = read_register_wh(value, unit)

    assert register_wh is None
    assert problem in why


def test_times_keep_their_moment() -> None:
    assert read_time("2026-05-01T14:00:00+02:00", RECEIVED) == (RECEIVED, "")
    assert read_time("2026-05-01T12:00:00.000Z", RECEIVED) == (RECEIVED, "")
    assert read_time("1970-01-01T00:00:00Z", RECEIVED)[0] == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_time_without_a_zone_is_taken_as_utc_and_said() -> None:
    assert read_time("2026-05-01T12:00:00", RECEIVED) == (RECEIVED, "timestamp has no zone")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "x",
        7,
        "not a date at all",
        "2026-13-01T00:00:00Z",
        # What an unset field of a date type looks like; adding a skew to it would leave the calendar.
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_an_unreadable_time_is_the_time_of_receipt(text: object) -> None:
    moment, problem = read_time(text, RECEIVED + timedelta(seconds=1))

    assert moment == RECEIVED + timedelta(seconds=1)
    assert problem


def test_integers_are_exact() -> None:
    assert read_integer(7) == 7
    assert read_integer("7") == 7
    assert read_integer(7.0) == 7
    assert [read_integer(value) for value in (7.5, "x", None, True, 2**60, "1e9")] == [
        None,
        None,
        None,
        None,
        None,
        10**9,
    ]
