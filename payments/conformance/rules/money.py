"""Prices and limits of prices in both dialects (OCPI types, Price; mod_tariffs, PriceLimit)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from payments.conformance.registry import V221
from payments.conformance.rules.language import Aspect, Fault, Field, Kind, number, shape, string

_TAX: Final = shape(
    {
        "name": Field(string(255), "1"),
        "account_number": Field(string(255)),
        "percentage": Field(number),
        "amount": Field(number, "1"),
    }
)
_PRICE_221: Final = {"excl_vat": Field(number, "1"), "incl_vat": Field(number)}
_PRICE_230: Final = {"before_taxes": Field(number, "1"), "taxes": Field(_TAX, "*")}
_LIMIT_230: Final = {"before_taxes": Field(number, "1"), "after_taxes": Field(number)}


def price(version: str) -> Kind:
    """A Price."""
    return shape(_PRICE_221 if version == V221 else _PRICE_230)


def price_limit(version: str) -> Kind:
    """A limit of a price; a limit with taxes is not below the one without."""
    return shape(_PRICE_221 if version == V221 else _LIMIT_230, _limit_grows)


def _limit_grows(value: Any, path: str) -> Iterator[Fault]:
    for net, gross in (("excl_vat", "incl_vat"), ("before_taxes", "after_taxes")):
        low, high = value.get(net), value.get(gross)
        if isinstance(low, int | Decimal) and isinstance(high, int | Decimal) and high < low:
            yield Fault(path, Aspect.SENSE, f"{gross} {high} is below {net} {low}")


def net(value: Any) -> Decimal | None:
    """What a Price says without taxes, in either dialect; None where it does not say."""
    if not isinstance(value, dict):
        return None
    return _decimal(value.get("excl_vat", value.get("before_taxes")))


def gross(value: Any) -> Decimal | None:
    """What a Price says with taxes, in either dialect; None where it does not say."""
    if not isinstance(value, dict):
        return None
    if "incl_vat" in value:
        return _decimal(value["incl_vat"])
    before, taxes = _decimal(value.get("before_taxes")), value.get("taxes")
    if before is None or not isinstance(taxes, list):
        return None
    amounts = [_decimal(tax.get("amount")) if isinstance(tax, dict) else None for tax in taxes]
    if None in amounts:
        return None
    return before + sum((amount for amount in amounts if amount is not None), Decimal(0))


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)
