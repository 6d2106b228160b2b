"""A tariff prepared for pricing: which component applies when, and its price as integers.

Prepared once per tariff, so that one more meter value costs a few dictionary look-ups and additions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tariffs.engine.money import Exact
from tariffs.engine.terms import Dimension, PriceComponent, Restrictions, Tariff
from tariffs.engine.usage import exact
from tariffs.engine.wall_clock import ClockRule, WallClock

HOUR_US: Final = 3_600_000_000

# Base units per unit of the price: Wh per kWh, µs per hour.
BASE_UNITS: Final = {
    Dimension.ENERGY: 1000,
    Dimension.TIME: HOUR_US,
    Dimension.PARKING_TIME: HOUR_US,
    Dimension.FLAT: 1,
}
# Base units per unit of step_size: Wh, seconds.
_STEP_UNITS: Final = {Dimension.ENERGY: 1, Dimension.TIME: 1_000_000, Dimension.PARKING_TIME: 1_000_000}


@dataclass(frozen=True, slots=True)
class FlowRule:
    """The restrictions of one element that the session decides, in base units: min ≤ value < max."""

    min_wh: Exact | None
    max_wh: Exact | None
    min_us: int | None
    max_us: int | None
    min_current_a: Exact | None
    max_current_a: Exact | None
    min_power_w: Exact | None
    max_power_w: Exact | None

    @classmethod
    def of(cls, restrictions: Restrictions) -> FlowRule:
        """The session's part of an element's restrictions."""
        return cls(
            min_wh=_scaled(restrictions.min_kwh, 1000),
            max_wh=_scaled(restrictions.max_kwh, 1000),
            min_us=_whole(restrictions.min_duration_seconds),
            max_us=_whole(restrictions.max_duration_seconds),
            min_current_a=_scaled(restrictions.min_current_a, 1),
            max_current_a=_scaled(restrictions.max_current_a, 1),
            min_power_w=_scaled(restrictions.min_power_kw, 1000),
            max_power_w=_scaled(restrictions.max_power_kw, 1000),
        )

    def matches(self, moment: Moment) -> bool:
        """Whether the element applies from that moment on, as far as the session decides."""
        return (
            _within(moment.energy_wh, self.min_wh, self.max_wh)
            and _within(moment.duration_us, self.min_us, self.max_us)
            and _within(moment.current_a, self.min_current_a, self.max_current_a)
            and _within(moment.power_w, self.min_power_w, self.max_power_w)
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """What restrictions are checked against, at the beginning of a stretch at constant rate.

    An unknown current or power matches no restriction on it: nobody is billed for a guess.
    """

    clock: tuple[bool, ...]
    energy_wh: Exact
    duration_us: Exact
    current_a: Exact | None
    power_w: Exact | None


@dataclass(frozen=True, slots=True)
class PlannedComponent:
    """A component with its price per base unit as integers over the plan's denominators."""

    index: int
    element: int
    component: PriceComponent
    step: int
    excl: int
    incl: int


@dataclass(frozen=True, eq=False)
class Plan:
    """A tariff prepared for pricing. Elements that price reservations are left out."""

    tariff: Tariff
    components: tuple[PlannedComponent, ...]
    by_dimension: dict[Dimension, tuple[PlannedComponent, ...]]
    clock_rules: tuple[ClockRule, ...]
    flow_rules: tuple[FlowRule | None, ...]
    turns_wh: tuple[Exact, ...]
    turns_us: tuple[int, ...]
    excl_denominator: int
    incl_denominator: int
    _wall_clocks: dict[str, WallClock] = field(default_factory=dict, repr=False)

    def wall_clock(self, time_zone: str) -> WallClock:
        """The tariff's clock at a site in that time zone. Raises `UnknownTimeZone`."""
        if time_zone not in self._wall_clocks:
            self._wall_clocks[time_zone] = WallClock(self.clock_rules, time_zone)
        return self._wall_clocks[time_zone]

    def select(self, dimension: Dimension, moment: Moment) -> PlannedComponent | None:
        """The first component of that dimension, in order of the list, whose element applies."""
        for planned in self.by_dimension[dimension]:
            rule = self.flow_rules[planned.element]
            if moment.clock[planned.element] and (rule is None or rule.matches(moment)):
                return planned
        return None


NO_RULE: Final = FlowRule(None, None, None, None, None, None, None, None)


# Snapshots of running sessions are equal values read again and again: prepare each once per process.
@functools.lru_cache(maxsize=1024)
def plan_for(tariff: Tariff) -> Plan:
    """Prepare a tariff for pricing."""
    elements = [element for element in tariff.elements if element.restrictions.reservation is None]
    restrictions = [element.restrictions for element in elements]
    listed = [
        (number, component)
        for number, element in enumerate(elements)
        for component in element.price_components
    ]
    excl_denominator, excl = _over_one_denominator([_base_price(tariff, c, 0) for _, c in listed])
    incl_denominator, incl = _over_one_denominator([_base_price(tariff, c, 1) for _, c in listed])
    components = tuple(
        PlannedComponent(index, number, component, _step(component), excl[index], incl[index])
        for index, (number, component) in enumerate(listed)
    )
    rules = [FlowRule.of(restriction) for restriction in restrictions]
    return Plan(
        tariff=tariff,
        components=components,
        by_dimension={
            dimension: tuple(p for p in components if p.component.type is dimension)
            for dimension in Dimension
        },
        clock_rules=tuple(ClockRule.of(restriction) for restriction in restrictions),
        flow_rules=tuple(None if rule == NO_RULE else rule for rule in rules),
        turns_wh=tuple(sorted(set(_thresholds(rules, "min_wh", "max_wh")))),
        turns_us=tuple(int(at) for at in sorted(set(_thresholds(rules, "min_us", "max_us")))),
        excl_denominator=excl_denominator,
        incl_denominator=incl_denominator,
    )


def _scaled(value: Decimal | None, factor: int) -> Exact | None:
    return None if value is None else exact(Fraction(value) * factor)


def _whole(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1_000_000


def _within(value: Exact | None, low: Exact | None, high: Exact | None) -> bool:
    if value is None:
        return low is None and high is None
    return (low is None or low <= value) and (high is None or value < high)


def _step(component: PriceComponent) -> int:
    return component.step_size * _STEP_UNITS.get(component.type, 0)


def _base_price(tariff: Tariff, component: PriceComponent, side: int) -> Fraction:
    return tariff.unit_price(component)[side] / BASE_UNITS[component.type]


def _over_one_denominator(prices: list[Fraction]) -> tuple[int, list[int]]:
    denominator = math.lcm(*(price.denominator for price in prices))
    return denominator, [price.numerator * (denominator // price.denominator) for price in prices]


def _thresholds(rules: list[FlowRule], *names: str) -> Iterator[Exact]:
    for rule in rules:
        for name in names:
            value = getattr(rule, name)
            if value:
                yield value
