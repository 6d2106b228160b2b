"""Confirmations of captures: exact about money, lenient about the lines of the receipt."""

from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.confirmations import CaptureStatusCode, confirmation_document, parse_confirmation
from payments.ocpi.dialects import Version
from tariffs.engine.errors import InvalidInput
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


@pytest.mark.parametrize(("written", "read"), [("eur", "EUR"), ("Eur", "EUR"), ("ßßß", "ßßß"), ("€", "€")])
def test_a_currency_is_read_in_any_case_and_never_longer_than_it_came(written: str, read: str) -> None:
    assert parse_confirmation(cast.confirmation_sent(currency=written)).currency == read


def test_blank_lines_are_no_reason_to_refuse_a_capture() -> None:
    sent = cast.confirmation_sent(eft_data=["VISA", "", "  ", "Köln ****1"])

    assert parse_confirmation(sent).eft_data == ("VISA", "Köln ****1")


# Formatters of numbers, line ends of terminals, marks of direction, what an old decoder left.
WRITTEN = [
    ("12,30\u00a0€", "12,30 €"),
    ("12,30\u202f€", "12,30 €"),
    ("1\u2009234,50\u3000€", "1 234,50 €"),
    ("TOTAL\t12.30", "TOTAL 12.30"),
    ("VISA\r\n****1234\r\n", "VISA ****1234 "),
    ("one\u2028two\u2029three\x85four", "one two three four"),
    ("\x1b[1mVISA\x00\x7f", " [1mVISA  "),
    ("\u202e03,21\u202c EUR\u2066\u2069\u200e\u200f\u061c", "03,21 EUR"),
    ("\ufeffVISA\u200b\u00ad", "VISA"),
    ("half \ud800", "half  "),
    ("Köln \ufffd \U0001f50c 灯", "Köln \ufffd \U0001f50c 灯"),
]


@pytest.mark.parametrize(("written", "shown"), WRITTEN)
def test_typography_is_no_reason_to_refuse_a_capture(written: str, shown: str) -> None:
    sent = cast.confirmation_sent() | {"eft_data": ["VISA", written], "capture_status_message": written}

    read = parse_confirmation(sent)

    assert (read.eft_data, read.message) == (("VISA", shown), shown)
    assert "".join((*read.eft_data, read.message)).isprintable()


def test_lines_that_show_nothing_are_left_out() -> None:
    sent = cast.confirmation_sent() | {"eft_data": ["\u00a0", "VISA", "\u200b", "\r\n", "\u202e"]}

    assert parse_confirmation(sent).eft_data == ("VISA",)


def test_what_is_too_long_for_a_receipt_is_cut() -> None:
    sent = cast.confirmation_sent(eft_data=["x" * 256, *["", "y"] * 250], capture_status_message="z" * 256)

    read = parse_confirmation(sent)

    assert read.eft_data == ("x" * 255, *["y"] * 199)
    assert read.message == "z" * 255


@pytest.mark.parametrize("between", ["", " ", "-", "\u00a0", "\u202f", "\u200b", "\t", "\r\n"])
def test_neither_a_cut_nor_a_space_lets_a_card_number_through(between: str) -> None:
    number = between.join(["4111", "1111", "1111", "1111"])
    told = {"eft_data": ["x" * 243 + f" {number}"], "capture_status_message": f"card {number}"}
    sent = cast.confirmation_sent() | told

    read = parse_confirmation(sent)

    assert "4111" not in read.eft_data[0]
    assert "4111" not in read.message


@pytest.mark.parametrize(
    ("reference", "named"), [("hold-1", "hold-1"), ("hold\n2", "a hold that cannot be read")]
)
def test_the_refusal_of_a_confirmation_names_its_hold(reference: str, named: str) -> None:
    sent = cast.confirmation_sent(total_costs=4) | {"authorization_reference": reference}

    with pytest.raises(InvalidInput) as refused:
        parse_confirmation(sent)

    assert str(refused.value).startswith(f"a confirmation for {named} (id {sent['id']}): total_costs: ")


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
        ({"capture_status_message": 7}, "capture_status_message", "invalid"),
    ],
)  # fmt: skip
def test_a_fault_is_named(changes: dict[str, Any], path: str, code: str) -> None:
    assert faults(parse_confirmation, cast.confirmation_sent() | changes) == [(path, code)]
