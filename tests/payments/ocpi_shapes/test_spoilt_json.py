"""JSON of which a part is spoilt: the rest is read, and the part is nothing that anybody takes for a value."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.exact_json import (
    MAX_DEPTH,
    UnreadableJson,
    dumps,
    first_unreadable,
    loads,
    loads_leniently,
)
from payments.ocpi.confirmations import parse_confirmation
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b'["a\tb"]', ["a\tb"]),
        (b'["a\r\nb"]', ["a\r\nb"]),
        (rb'["a\r\nb\u0007"]', ["a\r\nb\x07"]),
        (rb'["a\u0000b"]', ["a\ufffdb"]),
        (b'["a\0b"]', ["a\ufffdb"]),
        (rb'["\ud83d"]', ["\ufffd"]),
        (rb'["\ud83d\udd0c"]', ["\U0001f50c"]),
        (b'["K\xf6ln"]', ["K\ufffdln"]),
        (rb'{"a\u0000": 1}', {"a\ufffd": 1}),
        (b'{"a": 0.10, "b": 2, "c": null}', {"a": Decimal("0.10"), "b": 2, "c": None}),
    ],
)
def test_text_is_kept_as_far_as_a_database_stores_it(raw: bytes, read: Any) -> None:
    assert loads_leniently(raw) == read
    assert first_unreadable(read) == ""


@pytest.mark.parametrize(
    "spoilt",
    [
        b"NaN",
        b"-Infinity",
        b"1e1000000",
        b"1e99999999999999999999",
        b"9" * 5000,
        b'{"a": 1, "a": 2}',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
    ],
)
def test_a_spoilt_part_takes_none_of_the_others_along(spoilt: bytes) -> None:
    read = loads_leniently(b'{"good": 1, "bad": ' + spoilt + b"}")

    assert read["good"] == 1
    assert first_unreadable(read["bad"])
    with pytest.raises(TypeError):
        dumps(read)
    with pytest.raises(UnreadableJson):
        loads(b'{"good": 1, "bad": ' + spoilt + b"}")


@pytest.mark.parametrize("raw", [b"", b"{", b"[1,]", b"[" * 100_000, b'{"a" 1}', b"x" * 300_000])
def test_what_is_no_json_at_all_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableJson):
        loads_leniently(raw)


@given(st.binary(max_size=200))
def test_whatever_is_read_strictly_is_read_the_same(raw: bytes) -> None:
    with contextlib.suppress(UnreadableJson):
        assert loads_leniently(raw) == loads(raw)
    with contextlib.suppress(UnreadableJson):
        assert "\0" not in str(loads_leniently(raw))


@pytest.mark.parametrize(
    ("name", "value", "path", "code"),
    [
        ("total_costs", b"NaN", "total_costs", "invalid"),
        ("total_costs", b'{"excl_vat": NaN}', "total_costs.excl_vat", "invalid"),
        ("total_costs", b'{"excl_vat": 4, "incl_vat": 1e1000}', "total_costs.incl_vat", "invalid"),
        ("total_costs", b'{"excl_vat": 4, "excl_vat": 5}', "total_costs.excl_vat", "invalid"),
        ("authorization_reference", rb'"hold\u0000"', "authorization_reference", "invalid"),
        ("id", b'"fac\t1"', "id", "invalid"),
        ("capture_status_code", b"Infinity", "capture_status_code", "invalid"),
        ("eft_data", b"NaN", "eft_data", "invalid"),
        ("eft_data", b'["VISA", NaN]', "eft_data[1]", "invalid"),
        ("last_updated", b"NaN", "last_updated", "invalid"),
    ],
)
def test_a_confirmation_with_a_spoilt_field_that_counts_is_refused(
    name: str, value: bytes, path: str, code: str
) -> None:
    assert faults(parse_confirmation, _sent(name, value)) == [(path, code)]


@pytest.mark.parametrize("value", [b"NaN", b'{"a": 1, "a": 2}', rb'"\u0000"', b"[" * 30 + b"]" * 30])
def test_a_spoilt_field_that_nobody_reads_keeps_no_confirmation_back(value: bytes) -> None:
    assert parse_confirmation(_sent("x_theirs", value)) == cast.confirmation()


def _sent(name: str, value: bytes) -> Any:
    """A confirmation as its bytes are read, with this text for the value of a field."""
    fields = {of: dumps(told).encode() for of, told in cast.confirmation_sent().items()} | {name: value}
    return loads_leniently(b"{%s}" % b",".join(json.dumps(of).encode() + b":" + fields[of] for of in fields))
