"""Money: minor units, the one rounding rule, strict amounts, largest remainder."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.engine.errors import InvalidAmount, UnknownCurrency
from tariffs.engine.money import (
    exact_string,
    from_minor,
    largest_remainder,
    minor_digits,
    money_string,
    parse_amount,
    round_half_up,
    split_in_proportion,
    to_minor,
)


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4), ("ISK", 0)])
def test_currencies_have_the_digits_of_iso_4217(currency, digits):
    assert minor_digits(currency) == digits


@pytest.mark.parametrize("currency", ["", "eur", "XAU", "EURO", None, 978, "Ｅ"])
def test_an_unknown_currency_is_refused(currency):
    with pytest.raises(UnknownCurrency):
        minor_digits(currency)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (Decimal("0.005"), "EUR", 1),
        (Decimal("0.0049999"), "EUR", 0),
        (Decimal("2.675"), "EUR", 268),
        (Fraction(1, 2), "JPY", 1),
        (Decimal("0.0005"), "KWD", 1),
        (Decimal("-0.005"), "EUR", -1),
        (Fraction(1, 3), "EUR", 33),
    ],
)
def test_amounts_are_rounded_half_up_away_from_zero(amount, currency, minor):
    assert to_minor(amount, currency) == minor


def test_an_amount_is_written_with_the_digits_of_its_currency():
    written = [money_string(1230, currency) for currency in ("EUR", "JPY", "KWD")]

    assert written == ["12.30", "1230", "1.230"]
    assert money_string(-5, "EUR") == "-0.05"
    assert from_minor(1230, "EUR") == Decimal("12.30")


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12", "EUR", 1200),
        ("12.3", "EUR", 1230),
        ("12.30", "EUR", 1230),
        ("0", "EUR", 0),
        ("1500", "JPY", 1500),
        ("007.50", "EUR", 750),
        ("0.001", "KWD", 1),
        ("999999999.99", "EUR", 99_999_999_999),
    ],
)
def test_an_exact_amount_is_read(text, currency, minor):
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "code"),
    [
        (12.3, "EUR", "not_text"),
        (12, "EUR", "not_text"),
        (None, "EUR", "not_text"),
        (True, "EUR", "not_text"),
        ("-1", "EUR", "invalid"),
        ("+1", "EUR", "invalid"),
        ("1e3", "EUR", "invalid"),
        ("NaN", "EUR", "invalid"),
        ("", "EUR", "invalid"),
        (" 1", "EUR", "invalid"),
        ("1\n", "EUR", "invalid"),
        (".5", "EUR", "invalid"),
        ("5.", "EUR", "invalid"),
        ("1,50", "EUR", "invalid"),
        ("١٢", "EUR", "invalid"),
        ("12.345", "EUR", "scale"),
        ("12.0", "JPY", "scale"),
        ("1000000000", "EUR", "too_large"),
        ("9" * 1_000_000, "EUR", "too_large"),
        ("1e400000", "EUR", "invalid"),
    ],
)
def test_anything_but_an_exact_amount_gets_a_typed_error(text, currency, code):
    with pytest.raises(InvalidAmount) as caught:
        parse_amount(text, currency)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(11, 4), "2.75"),
        (Fraction(-1, 8), "-0.125"),
        (Fraction(1, 3), "1/3"),
        (7, "7"),
        (Fraction(1, 1000), "0.001"),
        (Fraction(47200, 251), "47200/251"),
        (0, "0"),
    ],
)
def test_an_exact_number_is_a_decimal_where_it_ends(value, text):
    assert exact_string(value) == text


@settings(max_examples=100)
@given(st.lists(st.fractions(-50, 50, max_denominator=1000), min_size=1, max_size=8))
def test_parts_keep_their_sum_and_move_less_than_one_unit(parts):
    total = round_half_up(sum(parts))

    shares = largest_remainder(parts, total)

    assert sum(shares) == total
    assert all(abs(share - part) < 1 for share, part in zip(shares, parts, strict=True))


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 500), min_size=1, max_size=6).filter(sum))
def test_a_split_in_proportion_loses_nothing(total, weights):
    shares = split_in_proportion(total, weights)

    assert sum(shares) == total
    assert all(share == 0 for share, weight in zip(shares, weights, strict=True) if weight == 0)
