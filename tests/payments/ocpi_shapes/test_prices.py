"""Prices of either shape, on every version."""

from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.prices import Price, Tax, price_document, price_of, read_price
from payments.ocpi.reading import Reader
from tests.payments.ocpi_shapes import cast


def read(price: Any, *, signed: bool = False) -> Price | None:
    reader = Reader(cast.as_sent({"cost": price}), "")
    found = read_price(reader.part("cost"), signed=signed)
    assert (found is None) == bool(reader.errors) or price is None
    return found


def faults(price: Any, *, signed: bool = False) -> list[tuple[str, str]]:
    reader = Reader({"cost": price}, "")
    assert read_price(reader.part("cost"), signed=signed) is None
    return [(error.path, error.code) for error in reader.errors]


@pytest.mark.parametrize(
    ("price", "excl", "incl"),
    [
        ({"excl_vat": Decimal("4.00"), "incl_vat": Decimal("4.40")}, "4.00", "4.40"),
        ({"excl_vat": 4}, "4", None),
        ({"before_taxes": 4, "taxes": [{"name": "VAT", "amount": Decimal("0.4")}]}, "4", "4.4"),
        ({"before_taxes": 4, "taxes": []}, "4", "4"),
        ({"before_taxes": 4}, "4", "4"),
        ({"before_taxes": 4, "after_taxes": 5}, "4", "5"),
        ({"before_taxes": 4, "incl_vat": 5}, "4", "5"),
        ({"excl_vat": 0, "incl_vat": 0}, "0", "0"),
    ],
)
def test_both_shapes_are_read(price: Any, excl: str, incl: str | None) -> None:
    found = read(price)

    assert found is not None
    assert (found.excl, found.incl) == (Decimal(excl), None if incl is None else Decimal(incl))


def test_taxes_keep_their_names_and_rates() -> None:
    taxes = [{"name": "GST", "percentage": 5, "amount": 1}, {"name": "QST", "amount": 2}]

    found = read({"before_taxes": 20, "taxes": taxes})

    assert found == Price(
        Decimal(20), Decimal(23), (Tax(Decimal(1), Decimal(5), "GST"), Tax(Decimal(2), None, "QST"))
    )


def test_an_absent_price_is_none() -> None:
    assert read(None) is None


@pytest.mark.parametrize(
    ("price", "path", "code"),
    [
        ({}, "cost.before_taxes", "required"),
        ({"incl_vat": 4}, "cost.before_taxes", "required"),
        ({"excl_vat": -1}, "cost.excl_vat", "invalid"),
        ({"excl_vat": True}, "cost.excl_vat", "invalid"),
        ({"excl_vat": "4.00"}, "cost.excl_vat", "invalid"),
        ({"excl_vat": 4.0}, "cost.excl_vat", "invalid"),
        ({"excl_vat": Decimal("NaN")}, "cost.excl_vat", "invalid"),
        ({"excl_vat": Decimal("Infinity")}, "cost.excl_vat", "invalid"),
        ({"excl_vat": Decimal("1e-13")}, "cost.excl_vat", "too_large"),
        ({"excl_vat": Decimal("1e400")}, "cost.excl_vat", "too_large"),
        ({"excl_vat": 5, "incl_vat": 4}, "cost.incl_vat", "invalid"),
        ({"before_taxes": 5, "taxes": [{"name": "VAT"}]}, "cost.taxes[0].amount", "required"),
        ({"before_taxes": 5, "taxes": [{"amount": -1}]}, "cost.taxes[0].amount", "invalid"),
        ({"before_taxes": 5, "taxes": {}}, "cost.taxes", "invalid"),
        ([], "cost", "invalid"),
    ],
)
def test_a_price_that_is_none_is_refused(price: Any, path: str, code: str) -> None:
    assert faults(price) == [(path, code)]


def test_only_a_signed_price_may_be_negative() -> None:
    found = read({"excl_vat": -4, "incl_vat": Decimal("-4.4")}, signed=True)

    assert found == Price(Decimal(-4), Decimal("-4.4"))
    assert faults({"excl_vat": -5, "incl_vat": -4}, signed=True) == [("cost.incl_vat", "invalid")]


class TestWriting:
    def test_each_rate_is_one_tax(self) -> None:
        groups = [
            {"rate": "25.5", "vat_minor": 200},
            {"rate": "10", "vat_minor": 30},
            {"rate": "25.5", "vat_minor": 4},
            {"rate": None, "vat_minor": 0},
        ]

        document = price_document(price_of(1000, 1234, "EUR", vat_groups=groups))

        assert cast.as_sent(document) == {
            "before_taxes": Decimal("10.00"),
            "taxes": [
                {"name": "VAT", "percentage": Decimal("25.5"), "amount": Decimal("2.04")},
                {"name": "VAT", "percentage": Decimal(10), "amount": Decimal("0.30")},
            ],
        }

    @pytest.mark.parametrize("groups", [[], [{"rate": "25.5", "vat_minor": 1}]])
    def test_vat_that_no_group_explains_is_one_tax_without_a_rate(self, groups: Any) -> None:
        document = price_document(price_of(1000, 1255, "EUR", vat_groups=groups))

        assert document["taxes"] == [{"name": "VAT", "amount": Decimal("2.55")}]

    def test_a_currency_keeps_its_digits(self) -> None:
        assert str(price_of(1000, 1255, "JPY").incl) == "1255"
        assert str(price_of(1000, 1255, "KWD").incl) == "1.255"
