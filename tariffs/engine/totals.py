"""From volumes to money: step sizes, exact totals, minimum and maximum price, and the lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tariffs.engine.cost import Cost, CostLine, LineKind, build_cost, correction
from tariffs.engine.money import Exact
from tariffs.engine.plan import BASE_UNITS, Plan, PlannedComponent
from tariffs.engine.terms import Dimension, PriceLimit, Tariff, TaxIncluded

# AFIR's order of a price: per kWh, per minute, per session.
_LINE_ORDER = (Dimension.ENERGY, Dimension.TIME, Dimension.PARKING_TIME, Dimension.FLAT)


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact totals in major units."""

    excl: Fraction
    incl: Fraction


def billed_volumes(
    plan: Plan, *, volumes: Mapping[int, Exact], flat: int | None, last: tuple[int | None, ...]
) -> dict[int, Exact]:
    """Volume to bill per component, in base units: the volumes used, step sizes applied.

    A step size counts once for ENERGY and once for TIME and PARKING_TIME together: that of the last
    component that priced any, on the session's total of that component's dimension; what is added is
    priced by that component (OCPI 2.3.0 mod_cdrs, step_size).
    """
    billed = dict(volumes)
    for index in last:
        if index is not None:
            billed[index] += _remainder(plan, plan.components[index], volumes)
    if flat is not None:
        billed[flat] = 1
    return billed


def _remainder(plan: Plan, chosen: PlannedComponent, volumes: Mapping[int, Exact]) -> Exact:
    if not chosen.step:
        return 0
    same = (planned.index for planned in plan.by_dimension[chosen.component.type])
    total = sum((volumes.get(index, 0) for index in same), start=Fraction(0))
    return -total % chosen.step


def totals_of(plan: Plan, billed: Mapping[int, Exact]) -> Totals:
    """Exact totals of the volumes to bill, minimum and maximum price applied."""
    return _limited(plan.tariff, _summed(plan, billed))


def _summed(plan: Plan, billed: Mapping[int, Exact]) -> Totals:
    excl: Exact = 0
    incl: Exact = 0
    for index, volume in billed.items():
        excl += volume * plan.components[index].excl
        incl += volume * plan.components[index].incl
    return Totals(Fraction(excl, plan.excl_denominator), Fraction(incl, plan.incl_denominator))


def _limited(tariff: Tariff, sums: Totals) -> Totals:
    """Both limits bind before and after taxes independently; the maximum wins over the minimum."""
    excl, incl = sums.excl, sums.incl
    if tariff.min_price is not None:
        least = limit_totals(tariff, tariff.min_price)
        excl, incl = max(excl, least.excl), max(incl, least.incl)
    if tariff.max_price is not None:
        most = limit_totals(tariff, tariff.max_price)
        excl, incl = min(excl, most.excl), min(incl, most.incl)
    return Totals(excl, incl)


def limit_totals(tariff: Tariff, limit: PriceLimit) -> Totals:
    """A price limit before and after taxes.

    Where the limit after taxes is not written, it follows from the tariff's lowest VAT rate: one fixed
    amount, so that a growing session never becomes cheaper, and in doubt the lower one.
    """
    before = Fraction(limit.before_taxes)
    if tariff.tax_included is TaxIncluded.NOT_APPLICABLE:
        return Totals(before, before)
    if limit.after_taxes is not None:
        return Totals(before, Fraction(limit.after_taxes))
    rates = [tariff.vat_rate(component) for _, component in tariff.session_components()]
    return Totals(before, before * (1 + Fraction(min(rates, default=Decimal(0))) / 100))


def cost_of(plan: Plan, billed: Mapping[int, Exact]) -> Cost:
    """The cost of the volumes to bill, with lines."""
    sums, totals = _summed(plan, billed), totals_of(plan, billed)
    lines = _lines(plan, billed)
    unknown = plan.tariff.taxes_unknown()
    if totals != sums:
        before = Cost(plan.tariff.currency, (), sums.excl, sums.incl)
        lines.append(correction(LineKind.ADJUSTMENT, before, totals.excl, totals.incl))
    return build_cost(
        currency=plan.tariff.currency,
        lines=lines,
        total_excl=totals.excl,
        total_incl=totals.incl,
        taxes_unknown=unknown,
    )


def _lines(plan: Plan, billed: Mapping[int, Exact]) -> list[CostLine]:
    """One line per dimension, price and VAT rate, in AFIR's order, then in the order of the tariff."""
    merged: dict[tuple[Dimension, Decimal, Decimal | None], CostLine] = {}
    for dimension in _LINE_ORDER:
        for planned in plan.by_dimension[dimension]:
            if planned.index in billed:
                line = _line(plan, planned, billed[planned.index])
                key = (dimension, planned.component.price, line.vat)
                merged[key] = _joined(merged[key], line) if key in merged else line
    return list(merged.values())


def _line(plan: Plan, planned: PlannedComponent, volume: Exact) -> CostLine:
    component = planned.component
    untaxed = plan.tariff.tax_included is TaxIncluded.NOT_APPLICABLE
    return CostLine(
        dimension=LineKind(component.type.value),
        volume=Fraction(volume, BASE_UNITS[component.type]),
        price=component.price,
        vat=None if untaxed else component.vat,
        excl=Fraction(volume * planned.excl, plan.excl_denominator),
        incl=Fraction(volume * planned.incl, plan.incl_denominator),
    )


def _joined(first: CostLine, second: CostLine) -> CostLine:
    return CostLine(
        dimension=first.dimension,
        volume=first.volume + second.volume,
        price=first.price,
        vat=first.vat,
        excl=first.excl + second.excl,
        incl=first.incl + second.incl,
    )
