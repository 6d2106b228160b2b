"""Money as OCPI writes it: the hold that a tariff asks for, the total of a CDR, and a Price, by version.

Both shapes of Price are read on every version: the 2.3.0 text itself shows the older one in its examples.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from payments.simulator.ocpi.wire import Json

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Total:
    """An amount before and after taxes."""

    before_taxes: Decimal
    after_taxes: Decimal

    def part(self, amount: Decimal) -> "Total":
        """The same mix of net and tax, of which `amount` after taxes was taken; cents rounded half even."""
        if not self.after_taxes or amount == self.after_taxes:
            return self if amount == self.after_taxes else Total(amount, amount)
        net = self.before_taxes * amount / self.after_taxes
        return Total(net.quantize(amount if amount.as_tuple().exponent else Decimal("0.01")), amount)


NOTHING: Final = Total(ZERO, ZERO)


def number(value: Json) -> Decimal | None:
    """A JSON number as Decimal; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)


def read_price(price: Json) -> Total | None:
    """Read a Price, a PriceLimit or a Price of 2.2.1; None when it is none of them."""
    if not isinstance(price, dict):
        return None
    before = number(price.get("before_taxes", price.get("excl_vat")))
    if before is None:
        return None
    after = number(price.get("after_taxes", price.get("incl_vat")))
    if after is None:
        taxes = [number(tax.get("amount")) for tax in price.get("taxes") or () if isinstance(tax, dict)]
        after = before + sum((tax for tax in taxes if tax is not None), start=ZERO)
    return Total(before, after)


def write_price(total: Total, version: str) -> dict[str, Json]:
    """Write a Price in a version's shape."""
    if version.startswith("2.2"):
        return {"excl_vat": total.before_taxes, "incl_vat": total.after_taxes}
    tax = total.after_taxes - total.before_taxes
    return {"before_taxes": total.before_taxes, "taxes": [{"name": "VAT", "amount": tax}] if tax else []}


def hold_of(tariff: Json, version: str) -> Decimal | None:
    """What a tariff asks to preauthorise: `preauthorize_amount`, in 2.2.1 `max_price` with VAT."""
    if version.startswith("2.2"):
        limit = read_price(tariff.get("max_price"))
        return limit.after_taxes if limit else None
    return number(tariff.get("preauthorize_amount"))
