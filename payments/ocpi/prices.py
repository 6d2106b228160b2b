"""Costs on the wire: OCPI's Price, read in the shape of either version and written in that of 2.3.0.

Amounts are Decimal in major units of the currency, never rounded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from payments.ocpi.reading import Reader
from tariffs.engine.money import from_minor

# As many digits before the point as our own amounts have.
MAX_AMOUNT: Final = Decimal(10**9)
MAX_TAXES: Final = 20
TAX_NAME: Final = "VAT"


@dataclass(frozen=True, slots=True)
class Tax:
    """One tax of a price (OCPI 2.3.0 types, TaxAmount); `percentage` is `None` where nobody named it."""

    amount: Decimal
    percentage: Decimal | None = None
    name: str = TAX_NAME


@dataclass(frozen=True, slots=True)
class Price:
    """A cost before and after taxes; `incl` is `None` where a 2.2.1 peer left it out."""

    excl: Decimal
    incl: Decimal | None
    taxes: tuple[Tax, ...] = ()


def price_of(
    excl_minor: int, incl_minor: int, currency: str, *, vat_groups: Iterable[Mapping[str, Any]] = ()
) -> Price:
    """The price of amounts in minor units.

    `vat_groups` are a CDR's (`rate` as text or `None`, `vat_minor`): one tax per rate, those of nothing
    left out. Where they do not explain the difference, or there are none, it is one tax without a rate.
    """
    by_rate: dict[str | None, int] = {}
    for group in vat_groups:
        by_rate[group["rate"]] = by_rate.get(group["rate"], 0) + group["vat_minor"]
    if sum(by_rate.values()) != incl_minor - excl_minor:
        by_rate = {None: incl_minor - excl_minor}
    taxes = tuple(
        Tax(from_minor(minor, currency), None if rate is None else Decimal(rate))
        for rate, minor in by_rate.items()
        if minor
    )
    return Price(from_minor(excl_minor, currency), from_minor(incl_minor, currency), taxes)


def price_document(price: Price) -> dict[str, Any]:
    """Write a Price in 2.3.0 shape; `dialects` turns it into that of 2.2.1."""
    taxes = [_tax_document(tax) for tax in price.taxes]
    if not taxes and price.incl is not None and price.incl != price.excl:
        taxes = [_tax_document(Tax(price.incl - price.excl))]
    return {"before_taxes": price.excl, "taxes": taxes}


def _tax_document(tax: Tax) -> dict[str, Any]:
    percentage = {} if tax.percentage is None else {"percentage": tax.percentage}
    return {"name": tax.name, **percentage, "amount": tax.amount}


def read_price(reader: Reader | None, *, signed: bool = False) -> Price | None:
    """Read a Price, whatever version its shape is of; `None` where it is absent or faulty.

    2.2.1: `excl_vat`, `incl_vat`. 2.3.0: `before_taxes`, `taxes`, of a limit `after_taxes`. Both are taken
    on every version: the spec's own 2.3.0 confirmations carry 2.2.1 prices. `signed` takes the negative
    total of a credit.
    """
    if reader is None:
        return None
    faults, least = len(reader.errors), -MAX_AMOUNT if signed else Decimal(0)
    old = "excl_vat" in reader.fields and "before_taxes" not in reader.fields
    before_name = "excl_vat" if old else "before_taxes"
    after_name = "after_taxes" if "after_taxes" in reader.fields else "incl_vat"
    before = reader.number(before_name, most=MAX_AMOUNT, least=least, required=True)
    after = reader.number(after_name, most=MAX_AMOUNT, least=least)
    taxes = tuple(_tax(item, least) for item in reader.items("taxes", most=MAX_TAXES))
    if len(reader.errors) > faults or before is None:
        return None
    if not old and after is None:
        after = before + sum((tax.amount for tax in taxes), start=Decimal(0))
    if after is not None and abs(after) < abs(before):
        reader.fault(after_name, "invalid", "After taxes is not below before taxes.")
        return None
    return Price(before, after, taxes)


def _tax(reader: Reader, least: Decimal) -> Tax:
    return Tax(
        amount=reader.number("amount", most=MAX_AMOUNT, least=least, required=True) or Decimal(0),
        percentage=reader.number("percentage", most=Decimal(1000)),
        name=reader.text("name", longest=255) or TAX_NAME,
    )
