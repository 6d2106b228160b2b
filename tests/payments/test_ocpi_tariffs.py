"""OCPI Tariff objects: both versions in, one value inside, both versions out; every fault is named."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.ocpi.tariffs import parse_tariff, tariff_document
from tariffs.engine.errors import InputError, InvalidTariff
from tariffs.engine.terms import (
    AltText,
    DayOfWeek,
    Dimension,
    PriceLimit,
    Reservation,
    Restrictions,
    TariffType,
    TaxIncluded,
)

BASE: dict[str, Any] = {
    "country_code": "FI",
    "party_id": "DEM",
    "id": "day",
    "currency": "EUR",
    "elements": [
        {"price_components": [{"type": "ENERGY", "price": Decimal("0.59"), "vat": 24, "step_size": 1}]}
    ],
    "last_updated": "2026-11-02T08:00:00Z",
}
FULL = """
{
  "country_code": "FI", "party_id": "DEM", "id": "all-of-it", "currency": "EUR", "type": "AD_HOC_PAYMENT",
  "tariff_alt_text": [{"language": "fi", "text": "Aurinkosähköä."}],
  "tariff_alt_url": "https://cpo.example/price",
  "min_price": {"before_taxes": 1.00, "after_taxes": 1.24},
  "max_price": {"before_taxes": 50},
  "preauthorize_amount": 60.00,
  "tax_included": "YES",
  "elements": [{
    "price_components": [{"type": "PARKING_TIME", "price": 6.00, "vat": 25.5, "step_size": 60}],
    "restrictions": {
      "start_time": "22:00", "end_time": "06:00", "start_date": "2026-11-01", "end_date": "2026-12-01",
      "min_kwh": 1, "max_kwh": 50.5, "min_current": 6, "max_current": 32, "min_power": 3.7, "max_power": 150,
      "min_duration": 60, "max_duration": 7200, "day_of_week": ["SUNDAY", "MONDAY"]
    }
  }, {
    "price_components": [{"type": "FLAT", "price": 2, "step_size": 1}],
    "restrictions": {"reservation": "RESERVATION_EXPIRES"}
  }],
  "energy_mix": {"is_green_energy": true}, "something_new": [1, 2],
  "start_date_time": "2026-11-01T00:00:00Z", "end_date_time": "2027-01-01T00:00:00",
  "last_updated": "2026-10-31T12:30:15.250Z"
}
"""


def load(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def faults(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidTariff) as caught:
        parse_tariff({**BASE, **changes}, path="tariffs[0]")
    return [(error.path, error.code) for error in caught.value.errors]


def component(**changes: Any) -> list[dict[str, Any]]:
    return [{"price_components": [{"type": "ENERGY", "price": 1, "step_size": 1, **changes}]}]


def restricted(**restrictions: Any) -> list[dict[str, Any]]:
    return [
        {"price_components": [{"type": "TIME", "price": 1, "step_size": 1}], "restrictions": restrictions}
    ]


def test_every_field_is_read():
    terms = parse_tariff(load(FULL))

    assert (terms.type, terms.tax_included) == (TariffType.AD_HOC_PAYMENT, TaxIncluded.YES)
    assert terms.alt_texts == (AltText("fi", "Aurinkosähköä."),)
    assert terms.min_price == PriceLimit(Decimal("1.00"), Decimal("1.24"))
    assert terms.max_price == PriceLimit(Decimal(50))
    assert terms.preauthorize_amount == 60
    assert terms.start_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert terms.end_at == datetime(2027, 1, 1, tzinfo=UTC)
    assert terms.last_updated_at == datetime(2026, 10, 31, 12, 30, 15, 250_000, tzinfo=UTC)
    assert terms.elements[0].price_components[0].type is Dimension.PARKING_TIME
    assert terms.elements[0].restrictions == Restrictions(
        start_time=time(22),
        end_time=time(6),
        start_date=date(2026, 11, 1),
        end_date=date(2026, 12, 1),
        day_of_week=(DayOfWeek.MONDAY, DayOfWeek.SUNDAY),
        min_kwh=Decimal(1),
        max_kwh=Decimal("50.5"),
        min_current_a=Decimal(6),
        max_current_a=Decimal(32),
        min_power_kw=Decimal("3.7"),
        max_power_kw=Decimal(150),
        min_duration_seconds=60,
        max_duration_seconds=7200,
    )
    assert terms.elements[1].restrictions.reservation is Reservation.RESERVATION_EXPIRES


def test_a_tariff_without_tax_included_is_of_2_2_1_and_excludes_vat():
    assert parse_tariff(BASE).tax_included is TaxIncluded.NO


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"excl_vat": 10, "incl_vat": 12}, PriceLimit(Decimal(10), Decimal(12))),
        ({"excl_vat": 10}, PriceLimit(Decimal(10))),
        ({"before_taxes": 10, "after_taxes": 12}, PriceLimit(Decimal(10), Decimal(12))),
        ({"before_taxes": 10, "taxes": [{"name": "VAT", "amount": 2}]}, PriceLimit(Decimal(10), Decimal(12))),
        (None, None),
    ],
)
def test_price_limits_are_read_in_every_shape(limit, expected):
    assert parse_tariff({**BASE, "max_price": limit}).max_price == expected


def test_what_is_written_reads_as_the_same_value():
    terms = parse_tariff(load(FULL))

    written = tariff_document(terms)

    assert parse_tariff(written) == parse_tariff({**written, "unknown": 1})
    assert written["last_updated"] == "2026-10-31T12:30:15Z"
    assert written["max_price"] == {"before_taxes": Decimal(50)}
    assert tariff_document(parse_tariff(written)) == written


def test_2_2_1_gets_net_prices_with_four_decimals_and_its_own_names():
    terms = parse_tariff(load(FULL.replace('"price": 6.00', '"price": 0.59')))

    written = tariff_document(terms, version="2.2.1")

    assert written["elements"][0]["price_components"][0]["price"] == Decimal("0.4701")
    assert written["min_price"] == {"excl_vat": Decimal("1.00"), "incl_vat": Decimal("1.24")}
    assert {"tax_included", "preauthorize_amount"}.isdisjoint(written)


@pytest.mark.parametrize("missing", ["country_code", "party_id", "id", "currency", "elements"])
def test_a_missing_field_is_named(missing):
    assert faults(**{missing: None}) == [(f"tariffs[0].{missing}", "required")]


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"currency": "eur"}, "currency", "unknown_currency"),
        ({"currency": "EURO"}, "currency", "too_large"),
        ({"currency": 978}, "currency", "invalid"),
        ({"id": "x" * 37}, "id", "too_large"),
        ({"id": " "}, "id", "invalid"),
        ({"id": "a\nb"}, "id", "invalid"),
        ({"type": "SOMETIMES"}, "type", "invalid"),
        ({"type": ["REGULAR"]}, "type", "invalid"),
        ({"tax_included": True}, "tax_included", "invalid"),
        ({"elements": []}, "elements", "required"),
        ({"elements": {}}, "elements", "invalid"),
        ({"elements": [7]}, "elements[0]", "invalid"),
        ({"elements": component() * 101}, "elements", "too_large"),
        ({"elements": [{"price_components": []}]}, "elements[0].price_components", "required"),
        ({"elements": component(type="ENRGY")}, "elements[0].price_components[0].type", "invalid"),
        ({"elements": component(price=None)}, "elements[0].price_components[0].price", "required"),
        ({"elements": component(price=0.59)}, "elements[0].price_components[0].price", "invalid"),
        ({"elements": component(price="0.59")}, "elements[0].price_components[0].price", "invalid"),
        ({"elements": component(price=True)}, "elements[0].price_components[0].price", "invalid"),
        ({"elements": component(price=-1)}, "elements[0].price_components[0].price", "invalid"),
        ({"elements": component(price=Decimal("NaN"))}, "elements[0].price_components[0].price", "invalid"),
        ({"elements": component(price=Decimal("sNaN"))}, "elements[0].price_components[0].price", "invalid"),
        (
            {"elements": component(price=Decimal("1e400000"))},
            "elements[0].price_components[0].price",
            "too_large",
        ),
        (
            {"elements": component(price=Decimal("1e-400000"))},
            "elements[0].price_components[0].price",
            "too_large",
        ),
        ({"elements": component(price=10**5000)}, "elements[0].price_components[0].price", "too_large"),
        ({"elements": component(vat=101)}, "elements[0].price_components[0].vat", "too_large"),
        (
            {"elements": component(step_size=Decimal("1.5"))},
            "elements[0].price_components[0].step_size",
            "invalid",
        ),
        ({"elements": restricted(start_time="24:00")}, "elements[0].restrictions.start_time", "invalid"),
        ({"elements": restricted(end_time="8:00")}, "elements[0].restrictions.end_time", "invalid"),
        ({"elements": restricted(start_date="2026-02-31")}, "elements[0].restrictions.start_date", "invalid"),
        (
            {"elements": restricted(day_of_week=["FUNDAY"])},
            "elements[0].restrictions.day_of_week[0]",
            "invalid",
        ),
        ({"elements": restricted(day_of_week="MONDAY")}, "elements[0].restrictions.day_of_week", "invalid"),
        ({"elements": restricted(min_kwh=-1)}, "elements[0].restrictions.min_kwh", "invalid"),
        ({"elements": restricted(max_duration=10**9)}, "elements[0].restrictions.max_duration", "too_large"),
        ({"elements": restricted(reservation="MAYBE")}, "elements[0].restrictions.reservation", "invalid"),
        ({"max_price": 10}, "max_price", "invalid"),
        ({"max_price": {}}, "max_price.before_taxes", "required"),
        ({"max_price": {"before_taxes": 5, "after_taxes": 4}}, "max_price.after_taxes", "invalid"),
        ({"min_price": {"excl_vat": 5, "incl_vat": 4}}, "min_price.incl_vat", "invalid"),
        ({"start_date_time": "yesterday"}, "start_date_time", "invalid"),
        ({"start_date_time": "0001-01-01T00:00:00+14:00"}, "start_date_time", "invalid"),
        ({"last_updated": 1762070400}, "last_updated", "invalid"),
        ({"tariff_alt_text": [{"language": "fi"}]}, "tariff_alt_text[0].text", "required"),
    ],
)
def test_a_fault_is_named_with_its_path(changes, path, code):
    assert faults(**changes) == [(f"tariffs[0].{path}", code)]


@pytest.mark.parametrize("value", [None, 7, "tariff", [], Decimal(1)])
def test_what_is_no_object_is_refused(value):
    with pytest.raises(InvalidTariff) as caught:
        parse_tariff(value, path="tariffs[3]")

    assert caught.value.errors[0].as_dict()["path"] == "tariffs[3]"


def test_all_faults_are_listed_at_once():
    found = faults(currency="XXX", id=None, elements=component(price=-1, vat=200))

    assert len(found) == 4


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(load(FULL))), _junk, st.sampled_from(["price", "vat", "step_size", "type"]), _junk
)
def test_any_junk_gets_typed_errors_or_a_tariff(field, value, inner, other):
    document = {**load(FULL), field: value}
    if isinstance(document["elements"], list) and document["elements"] and field != "elements":
        document["elements"][0]["price_components"][0][inner] = other

    faults = _faults_of(document)

    assert all(fault.code and fault.message for fault in faults)


def _faults_of(document: Any) -> tuple[InputError, ...]:
    try:
        parse_tariff(document)
    except InvalidTariff as error:
        return error.errors
    return ()
