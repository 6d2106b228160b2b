"""Confirmations of captures: exact about money, lenient about the lines of the receipt."""

from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.confirmations import CaptureStatusCode, confirmation_document, parse_confirmation
from payments.ocpi.dialects import Version
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults

OLD_PRICE = {"excl_vat": Decimal("9.40"), "incl_vat": Decimal("11.80")}


@pytest.mark.parametrize("version", cast.VERSIONS)
def test_a_confirmation_is_read_as_it_was_written(version: Version) -> None:
    document = confirmation_document(cast.confirmation(), version)

    assert parse_confirmation(cast.as_sent(document)) == cast.confirmation()


def test_prices_of_2_2_1_are_taken_from_everybody() -> None:
    assert parse_confirmation(cast.confirmation_sent(total_costs=OLD_PRICE)) == cast.confirmation()


@pytest.mark.parametrize("status", list(CaptureStatusCode))
def test_every_status_is_known(status: CaptureStatusCode) -> None:
    assert parse_confirmation(cast.confirmation_sent(capture_status_code=status.value)).status is status


def test_a_failure_comes_without_lines_and_without_money() -> None:
    sent = cast.confirmation_sent(
        eft_data=None, total_costs={"excl_vat": 0}, capture_status_code="FAILED", x_theirs=True
    )

    read = parse_confirmation(sent)

    assert (read.total_incl, read.eft_data) == (0, ())


def test_a_price_without_its_vat_and_a_currency_of_nowhere_are_money_facts_too() -> None:
    read = parse_confirmation(
        cast.confirmation_sent(total_costs={"excl_vat": Decimal("9.40")}, currency="XYZ")
    )

    assert (read.total_incl, read.total_excl, read.currency) == (Decimal("9.40"), Decimal("9.40"), "XYZ")


def test_blank_lines_are_no_reason_to_refuse_a_capture() -> None:
    sent = cast.confirmation_sent(eft_data=["VISA", "", "  ", "Köln ****1"])

    assert parse_confirmation(sent).eft_data == ("VISA", "Köln ****1")


def test_an_amount_is_taken_to_its_last_digit() -> None:
    price = {"excl_vat": Decimal("0.1"), "incl_vat": Decimal("0.123456789012")}

    assert parse_confirmation(cast.confirmation_sent(total_costs=price)).total_incl == price["incl_vat"]


@pytest.mark.parametrize(
    "name",
    ["id", "authorization_reference", "total_costs", "currency", "capture_status_code", "last_updated"],
)
def test_a_missing_field_is_named(name: str) -> None:
    assert faults(parse_confirmation, cast.confirmation_sent(**{name: None})) == [(name, "required")]


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"id": "x" * 37}, "id", "too_large"),
        ({"authorization_reference": "a\u00e4"}, "authorization_reference", "invalid"),
        ({"total_costs": {"excl_vat": 4, "incl_vat": -4}}, "total_costs.incl_vat", "invalid"),
        ({"total_costs": {"excl_vat": 4, "incl_vat": Decimal("NaN")}}, "total_costs.incl_vat", "invalid"),
        ({"total_costs": {"excl_vat": 4, "incl_vat": Decimal("4.0000000000001")}}, "total_costs.incl_vat", "too_large"),
        ({"total_costs": {"excl_vat": 4, "incl_vat": Decimal("1e12")}}, "total_costs.incl_vat", "too_large"),
        ({"total_costs": {"excl_vat": 4, "incl_vat": "4.40"}}, "total_costs.incl_vat", "invalid"),
        ({"total_costs": 4}, "total_costs", "invalid"),
        ({"currency": "EURO"}, "currency", "too_large"),
        ({"capture_status_code": "OK"}, "capture_status_code", "invalid"),
        ({"capture_status_code": []}, "capture_status_code", "invalid"),
        ({"eft_data": "VISA"}, "eft_data", "invalid"),
        ({"eft_data": ["VISA", 1]}, "eft_data[1]", "invalid"),
        ({"eft_data": ["x" * 256]}, "eft_data[0]", "too_large"),
        ({"eft_data": ["x"] * 201}, "eft_data", "too_large"),
        ({"capture_status_message": "x" * 256}, "capture_status_message", "too_large"),
    ],
)  # fmt: skip
def test_a_fault_is_named(changes: dict[str, Any], path: str, code: str) -> None:
    assert faults(parse_confirmation, cast.confirmation_sent() | changes) == [(path, code)]
