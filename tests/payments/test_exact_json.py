"""JSON that is read without surprises and written without floats."""

import contextlib
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.exact_json import MAX_DEPTH, UnreadableJson, dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cc", "Cs"))),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cc", "Cs"))), parts, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_written_is_read_back(value):
    text = dumps(value)

    assert json.loads(text) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_written_digit_by_digit(number):
    assert dumps({"n": number}) == f'{{"n":{number:f}}}'
    assert json.loads(dumps(number), parse_float=Decimal, parse_int=Decimal) == number


@pytest.mark.parametrize("value", [0.1, {"a": [1.0]}, object(), b"bytes", {1, 2}, float("nan")])
def test_what_has_no_exact_form_is_refused(value):
    with pytest.raises(TypeError):
        dumps(value)


def test_depth_is_bounded():
    def nested(depth):
        return b"[" * depth + b"]" * depth

    assert loads(nested(MAX_DEPTH)) is not None
    for depth in (MAX_DEPTH + 1, 500, 100_000):
        with pytest.raises(UnreadableJson):
            loads(nested(depth))


def test_numbers_with_a_fraction_are_decimal():
    assert loads(b'{"a": 0.1, "b": 2}') == {"a": Decimal("0.1"), "b": 2}
    assert isinstance(loads(b"[0.1]")[0], Decimal)


@pytest.mark.parametrize(
    "number", [b"1e1000000", b"1e999999999", b"0e999999999", b"1.5e-999999", b"0." + b"1" * 200]
)
def test_a_number_that_takes_a_minute_to_write_down_is_refused(number):
    with pytest.raises(UnreadableJson):
        loads(b'{"a": ' + number + b"}")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw):
    with contextlib.suppress(UnreadableJson):
        dumps(loads(raw))
