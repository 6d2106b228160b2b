"""Cost: what a session costs, exactly and in minor units, with lines a receipt can print."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Final

from tariffs.engine.money import largest_remainder, minor_digits, round_half_up, split_in_proportion


class LineKind(enum.StrEnum):
    """What a line of a cost is for."""

    ENERGY = "ENERGY"  # volume in kWh
    TIME = "TIME"  # volume in hours, charging
    PARKING_TIME = "PARKING_TIME"  # volume in hours, connected and not charging
    FLAT = "FLAT"  # once per session
    ADJUSTMENT = "ADJUSTMENT"  # the tariff's minimum or maximum price
    WRITE_OFF = "WRITE_OFF"  # what goes beyond the hold and is never billed


UNITS: Final = {
    LineKind.ENERGY: "kWh",
    LineKind.TIME: "h",
    LineKind.PARKING_TIME: "h",
    LineKind.FLAT: "session",
    LineKind.ADJUSTMENT: "session",
    LineKind.WRITE_OFF: "session",
}
_CORRECTIONS: Final = (LineKind.ADJUSTMENT, LineKind.WRITE_OFF)


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line. `price` is as the tariff writes it; `vat` is a percentage, `None` where none is named.

    `excl` and `incl` are exact and in major units; `excl_minor`, `vat_minor` and `incl_minor` are the
    line's share of the rounded totals, so that the lines of a cost sum to its totals.
    """

    dimension: LineKind
    volume: Fraction
    price: Decimal | None
    vat: Decimal | None
    excl: Fraction
    incl: Fraction
    excl_minor: int = 0
    incl_minor: int = 0

    @property
    def unit(self) -> str:
        """kWh, h or session."""
        return UNITS[self.dimension]

    @property
    def vat_minor(self) -> int:
        """The VAT in this line, in minor units."""
        return self.incl_minor - self.excl_minor


@dataclass(frozen=True, slots=True)
class VatGroup:
    """What a receipt prints per VAT rate, in minor units: net + VAT = gross."""

    rate: Decimal | None
    net_minor: int
    vat_minor: int
    gross_minor: int


@dataclass(frozen=True)
class Cost:
    """Cost of a session: exact totals in major units, rounded once, half up, to minor units."""

    currency: str
    lines: tuple[CostLine, ...]
    total_excl: Fraction
    total_incl: Fraction
    taxes_unknown: bool = False

    @cached_property
    def total_excl_minor(self) -> int:
        """The net total in minor units."""
        return round_half_up(self.total_excl * 10 ** minor_digits(self.currency))

    @cached_property
    def total_incl_minor(self) -> int:
        """The gross total in minor units: what the driver pays."""
        return round_half_up(self.total_incl * 10 ** minor_digits(self.currency))

    @property
    def total_vat_minor(self) -> int:
        """The VAT total in minor units."""
        return self.total_incl_minor - self.total_excl_minor

    def vat_groups(self) -> tuple[VatGroup, ...]:
        """The total per VAT rate, in order of the lines; groups sum to the totals.

        A minimum or maximum price and a write-off carry no rate of their own: they are spread over the
        rates in proportion to what each contributed.
        """
        return _vat_groups(self)

    def capped(self, limit_incl_minor: int) -> Cost:
        """The same cost, not above the limit: what goes beyond becomes a `WRITE_OFF` line.

        Net falls in proportion to gross, so the VAT rate of the bill stays what it was.
        """
        limit_minor = max(limit_incl_minor, 0)
        if self.total_incl_minor <= limit_minor:
            return self
        limit = Fraction(limit_minor, 10 ** minor_digits(self.currency))
        excl = self.total_excl * limit / self.total_incl
        return build_cost(
            currency=self.currency,
            lines=(*self.lines, correction(LineKind.WRITE_OFF, self, excl, limit)),
            total_excl=excl,
            total_incl=limit,
            taxes_unknown=self.taxes_unknown,
        )


def correction(kind: LineKind, before: Cost, excl: Fraction, incl: Fraction) -> CostLine:
    """The line that takes a cost to other totals."""
    excl_change, incl_change = excl - before.total_excl, incl - before.total_incl
    return CostLine(kind, Fraction(1), None, None, excl_change, incl_change)


def build_cost(
    *,
    currency: str,
    lines: Sequence[CostLine],
    total_excl: Fraction,
    total_incl: Fraction,
    taxes_unknown: bool,
) -> Cost:
    """A cost whose lines got their share of the rounded totals, by largest remainder."""
    cost = Cost(currency, (), total_excl, total_incl, taxes_unknown)
    scale = 10 ** minor_digits(currency)
    incl = largest_remainder([line.incl * scale for line in lines], cost.total_incl_minor)
    # VAT is not more than the line's gross, so that no net is negative; and a line that bears none is the last to get
    # a cent of it, after corrections.
    vat = largest_remainder(
        [(line.incl - line.excl) * scale for line in lines],
        cost.total_vat_minor,
        ceilings=[0 if line.incl == line.excl else gross for line, gross in zip(lines, incl, strict=True)],
    )
    shared = tuple(
        replace(line, incl_minor=gross, excl_minor=gross - tax)
        for line, gross, tax in zip(lines, incl, vat, strict=True)
    )
    return replace(cost, lines=shared)


def _vat_groups(cost: Cost) -> tuple[VatGroup, ...]:
    gross: dict[Decimal | None, int] = {}
    vat: dict[Decimal | None, int] = {}
    for line in cost.lines:
        if line.dimension not in _CORRECTIONS:
            gross[line.vat] = gross.get(line.vat, 0) + line.incl_minor
            vat[line.vat] = vat.get(line.vat, 0) + line.vat_minor
    gross_shares = _spread(list(gross.values()), cost.total_incl_minor)
    vat_shares = _spread(list(vat.values()), cost.total_vat_minor)
    if gross_shares is None or (vat_shares is None and cost.total_vat_minor):
        total = VatGroup(None, cost.total_excl_minor, cost.total_vat_minor, cost.total_incl_minor)
        return (total,) if cost.total_incl_minor else ()
    vat_shares = vat_shares or [0] * len(gross_shares)
    return tuple(
        VatGroup(rate, amount - tax, tax, amount)
        for rate, amount, tax in zip(gross, gross_shares, vat_shares, strict=True)
    )


def _spread(weights: list[int], total: int) -> list[int] | None:
    """The total in proportion to the weights; the weights themselves where they sum to it."""
    if sum(weights) == total:
        return weights
    return split_in_proportion(total, weights) if sum(weights) > 0 else None
