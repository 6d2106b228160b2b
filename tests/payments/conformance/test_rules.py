"""The rules of single values: times, numbers, texts, enumerations, prices."""

from decimal import Decimal
from typing import Any

import pytest

from payments.conformance.rules.language import (
    Aspect,
    cistring,
    faults,
    integer,
    is_url,
    moment_problem,
    number,
    one_of,
    string,
)
from payments.conformance.rules.money import gross, net
from payments.conformance.rules.places import location
from payments.conformance.rules.prices import tariff
from tests.payments.conformance import cpo_objects as objects

WELL = [
    "2015-06-29T20:39:09Z",
    "2015-06-29T20:39:09",
    "2016-12-29T17:45:09.2Z",
    "2018-01-01T01:08:01.123",
]
BAD = [
    "2015-06-29T20:39:09+00:00",
    "2015-06-29 20:39:09Z",
    "2015-06-29",
    "2015-02-30T00:00:00Z",
    "2018-01-01T01:08:01.123456Z",
    "",
    None,
    1234567890,
]


@pytest.mark.parametrize("text", WELL)
def test_a_time_as_the_text_writes_it_is_well(text: str) -> None:
    assert moment_problem(text) == ""


@pytest.mark.parametrize("text", BAD)
def test_a_time_of_another_form_is_told(text: Any) -> None:
    assert moment_problem(text) != ""


@pytest.mark.parametrize(
    ("value", "aspect"),
    [
        ("0.40", Aspect.TYPE),
        (True, Aspect.TYPE),
        (None, None),
        (Decimal("0.4000"), None),
        (Decimal("0.40000"), None),
        (Decimal("0.47012"), Aspect.DECIMALS),
        (17, None),
        (Decimal("1e3"), None),
    ],
)
def test_a_number_is_a_json_number_with_four_decimals(value: Any, aspect: Aspect | None) -> None:
    found = [fault.aspect for fault in number(value, "x")] if value is not None else []

    assert found == ([aspect] if aspect else [])


def test_texts_keep_their_length_and_letters() -> None:
    assert faults(cistring(3), [("a", "abcd"), ("b", "ä"), ("c", "a\n"), ("d", "ok")], Aspect.TEXT) == [
        "a: 4 characters, at most 3 are allowed",
        "b: printable ASCII expected, 'ä' came",
        "c: printable ASCII expected, 'a\\n' came",
    ]
    assert faults(string(3), [("a", "ä"), ("b", "\u0000")], Aspect.TEXT) == [
        "b: printable characters expected, '\\x00' came"
    ]


def test_an_integer_is_no_flag_and_no_fraction() -> None:
    found = faults(integer(least=1), [("a", True), ("b", Decimal("1.5")), ("c", 0), ("d", 1)])

    assert [line.split(":")[0] for line in found] == ["a", "b", "c"]


def test_enumerations_are_open_on_the_newer_version_alone() -> None:
    site = objects.locations()[0]
    site["evses"][0]["connectors"][0]["standard"] = "MCS"

    assert faults(location("2.3.0"), [("site", site)]) == []
    assert faults(location("2.2.1"), [("site", site)], Aspect.ENUM) == [
        "site.evses[0].connectors[0].standard: 'MCS' is no value of this enumeration"
    ]
    assert faults(one_of("A"), [("x", "a")], Aspect.ENUM)


def test_a_limit_in_the_other_version_s_shape_is_told() -> None:
    old, new = objects.tariff("2.2.1", "T", 1), objects.tariff("2.3.0", "T", 1)

    assert faults(tariff("2.2.1"), [("t", old)]) == []
    assert faults(tariff("2.3.0"), [("t", new)]) == []
    assert "t.tax_included: the field is required and missing" in faults(tariff("2.3.0"), [("t", old)])


@pytest.mark.parametrize(
    "text", ["ftp://a.example/", "//a.example", "a.example", "http://", "http://[::1", "", None]
)
def test_what_is_no_address_of_the_web_is_none(text: Any) -> None:
    assert not is_url(text)


def test_a_price_is_read_in_either_dialect() -> None:
    old = {"excl_vat": Decimal("4.00"), "incl_vat": Decimal("4.40")}
    new = {"before_taxes": 4, "taxes": [{"name": "VAT", "amount": Decimal("0.40")}]}

    assert (net(old), gross(old)) == (net(new), gross(new)) == (Decimal(4), Decimal("4.40"))
    assert gross({"excl_vat": 4}) is None
    assert gross({"before_taxes": 4}) is None
    assert gross({"before_taxes": 4, "taxes": [{"name": "VAT", "amount": "0.40"}]}) is None
