"""A cost as the JSON that `manage.py price` prints: every number a decimal string."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from tariffs.engine.cost import Cost, CostLine
from tariffs.engine.document import decimal_string
from tariffs.engine.money import exact_string, money_string, round_half_up

VOLUME_DECIMALS: Final = 12  # a µWh and less than a µs; only what does not end is rounded at all


def report(cost: Cost) -> dict[str, Any]:
    """The totals rounded and exact, and the lines, which sum to the rounded totals."""
    found: dict[str, Any] = {
        "currency": cost.currency,
        "total_excl_vat": money_string(cost.total_excl_minor, cost.currency),
        "total_incl_vat": money_string(cost.total_incl_minor, cost.currency),
        "exact_excl_vat": exact_string(cost.total_excl),
        "exact_incl_vat": exact_string(cost.total_incl),
        "lines": [_line(line, cost.currency) for line in cost.lines],
    }
    return found | ({"taxes_unknown": True} if cost.taxes_unknown else {})


def _line(line: CostLine, currency: str) -> dict[str, str | None]:
    return {
        "dimension": str(line.dimension),
        "volume": _volume(line.volume),
        "unit": line.unit,
        "price": None if line.price is None else f"{line.price:f}",
        "vat": None if line.vat is None else f"{line.vat:f}",
        "excl_vat": money_string(line.excl_minor, currency),
        "incl_vat": money_string(line.incl_minor, currency),
    }


def _volume(volume: Fraction) -> str:
    """20 minutes are 0.333333333333 h: a volume is for reading, the exact totals are for checking."""
    return decimal_string(Decimal(round_half_up(volume * 10**VOLUME_DECIMALS)).scaleb(-VOLUME_DECIMALS))
