"""A second pricer, written from the OCPI text alone and slow: it shares only the engine's input values.

It walks through a session minute by minute, cuts it where anything may change, asks of the middle of each
cut which component applies, keeps a diary of what was priced, and adds the diary up. OCPI 2.3.0 mod_tariffs,
mod_cdrs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from tariffs.engine.terms import PriceComponent, PriceLimit, Restrictions, Tariff
from tariffs.engine.usage import Segment, Usage

MINOR = {"JPY": 0, "EUR": 2, "KWD": 3}
PER_UNIT = {"ENERGY": 1000, "TIME": 3600, "PARKING_TIME": 3600, "FLAT": 1}
Key = tuple[str, str, str]  # dimension, price, VAT rate


@dataclass(frozen=True)
class Cut:
    """A part of a segment; `middle_*` say where the session stood half-way through it."""

    seconds: Fraction
    wh: Fraction
    parked: bool
    local: datetime
    middle_seconds: Fraction
    middle_wh: Fraction
    amperes: Fraction | None
    watts: Fraction | None


@dataclass
class Bill:
    """Exact and rounded totals, and per dimension, price and rate the volume and its exact net and gross."""

    excl: Fraction
    incl: Fraction
    excl_minor: int
    incl_minor: int
    volumes: dict[Key, tuple[Fraction, Fraction, Fraction]] = field(default_factory=dict)


def slow_price(tariff: Tariff, usage: Usage) -> Bill:
    """What the usage costs."""
    energy: list[tuple[PriceComponent, Fraction]] = []
    time: list[tuple[PriceComponent, Fraction]] = []
    flat: PriceComponent | None = None
    for cut in list(_cuts(tariff, usage)) or _instant(usage):
        flat = flat or _applicable(tariff, "FLAT", cut)
        if cut.wh and (component := _applicable(tariff, "ENERGY", cut)):
            energy.append((component, cut.wh))
        kind = "PARKING_TIME" if cut.parked else "TIME"
        if cut.seconds and (component := _applicable(tariff, kind, cut)):
            time.append((component, cut.seconds))
    diary = _rounded_up(energy) + _rounded_up(time) + ([(flat, Fraction(1))] if flat else [])
    return _bill(tariff, diary)


# --- Cuts -----------------------------------------------------------------------------------------


def _cuts(tariff: Tariff, usage: Usage) -> Iterator[Cut]:
    zone, wh_before = ZoneInfo(usage.time_zone), Fraction(0)
    rules = [element.restrictions for element in tariff.elements]
    began = usage.begins_at
    for segment in usage.segments:
        since = _seconds(segment.start_at - began)
        marks = sorted(
            {Fraction(0), Fraction(1), *_marks(segment, rules, zone=zone, since=since, wh_before=wh_before)}
        )
        for low, high in itertools.pairwise(marks):
            cut = _cut(segment, low, high, zone=zone, since=since, wh_before=wh_before)
            if cut.seconds or cut.wh:  # an instant without energy says nothing
                yield cut
        wh_before += Fraction(segment.energy_wh)


def _instant(usage: Usage) -> list[Cut]:
    """A session that was over when it began owes its start fee; nothing is known of current and power."""
    began, nothing = usage.begins_at, Fraction(0)
    if usage.segments[-1].end_at > began:
        return []
    local = began.astimezone(ZoneInfo(usage.time_zone))
    return [Cut(nothing, nothing, False, local, nothing, nothing, None, None)]


def _marks(
    segment: Segment, rules: list[Restrictions], *, zone: ZoneInfo, since: Fraction, wh_before: Fraction
) -> Iterator[Fraction]:
    """Shares of the segment (0 to 1) at which a price may change."""
    length, wh = _seconds(segment.end_at - segment.start_at), Fraction(segment.energy_wh)
    found: list[Fraction] = []
    if wh:
        kwhs = [kwh for rule in rules for kwh in (rule.min_kwh, rule.max_kwh) if kwh is not None]
        found += [(Fraction(kwh) * 1000 - wh_before) / wh for kwh in kwhs]
    if length:
        durations = [d for rule in rules for d in (rule.min_duration_seconds, rule.max_duration_seconds)]
        found += [(duration - since) / length for duration in durations if duration is not None]
        if any(_asks_the_clock(rule) for rule in rules):
            found += [_seconds(at - segment.start_at) / length for at in _turns(segment, rules, zone)]
    yield from (mark for mark in found if 0 < mark < 1)


def _turns(segment: Segment, rules: list[Restrictions], zone: ZoneInfo) -> Iterator[datetime]:
    """Walk minute by minute: midnight, a time that a restriction names, or a clock that has jumped."""
    named = {f"{at:%H:%M}" for rule in rules for at in (rule.start_time, rule.end_time) if at is not None}
    minute = segment.start_at.replace(second=0, microsecond=0)
    before = minute.astimezone(zone).utcoffset()
    while minute < segment.end_at:
        local = minute.astimezone(zone)
        if f"{local:%H:%M}" in named | {"00:00"} or local.utcoffset() != before:
            yield minute
        before = local.utcoffset()
        minute += timedelta(minutes=1)


def _cut(
    segment: Segment, low: Fraction, high: Fraction, *, zone: ZoneInfo, since: Fraction, wh_before: Fraction
) -> Cut:
    length, wh = _seconds(segment.end_at - segment.start_at), Fraction(segment.energy_wh)
    middle, parked = (low + high) / 2, segment.state.value == "PARKED"
    amperes = None if segment.current_a is None else Fraction(segment.current_a)
    watts = None if segment.power_w is None else Fraction(segment.power_w)
    if watts is None and length:
        watts = wh * 3600 / length
    if amperes is None and parked:
        amperes = Fraction(0)
    moment = segment.start_at + timedelta(microseconds=math.floor(length * middle * 1_000_000))
    return Cut(
        seconds=length * (high - low),
        wh=wh * (high - low),
        parked=parked,
        local=moment.astimezone(zone),
        middle_seconds=since + length * middle,
        middle_wh=wh_before + wh * middle,
        amperes=amperes,
        watts=watts,
    )


def _seconds(span: timedelta) -> Fraction:
    return Fraction(span.days * 86_400 + span.seconds) + Fraction(span.microseconds, 1_000_000)


# --- Which component applies ----------------------------------------------------------------------


def _applicable(tariff: Tariff, kind: str, cut: Cut) -> PriceComponent | None:
    """The first element in the list that has the dimension and whose restrictions all match."""
    for element in tariff.elements:
        for component in element.price_components:
            if component.type.value == kind and _match(element.restrictions, cut):
                return component
    return None


def _asks_the_clock(rule: Restrictions) -> bool:
    return bool(rule.start_time or rule.end_time or rule.start_date or rule.end_date or rule.day_of_week)


def _match(rule: Restrictions, cut: Cut) -> bool:
    if rule.reservation is not None:
        return False
    watts = (rule.min_power_kw and rule.min_power_kw * 1000, rule.max_power_kw and rule.max_power_kw * 1000)
    wh = (rule.min_kwh and rule.min_kwh * 1000, rule.max_kwh and rule.max_kwh * 1000)
    return (
        _match_clock(rule, cut.local)
        and _between(cut.middle_seconds, (rule.min_duration_seconds, rule.max_duration_seconds))
        and _between(cut.middle_wh, wh)
        and _between(cut.amperes, (rule.min_current_a, rule.max_current_a))
        and _between(cut.watts, watts)
    )


def _match_clock(rule: Restrictions, local: datetime) -> bool:
    today, now = f"{local:%Y-%m-%d}", f"{local:%H:%M}"
    if rule.start_date and today < rule.start_date.isoformat():
        return False
    if rule.end_date and today >= rule.end_date.isoformat():
        return False
    if rule.day_of_week and f"{local:%A}".upper() not in [day.name for day in rule.day_of_week]:
        return False
    start = f"{rule.start_time:%H:%M}" if rule.start_time else "00:00"
    end = f"{rule.end_time:%H:%M}" if rule.end_time else "00:00"
    if end == "00:00":
        end = "24:00"
    if start == end or (start == "00:00" and end == "24:00"):
        return True
    return start <= now < end if start < end else now >= start or now < end


def _between(value: Fraction | None, limits: tuple[object, object]) -> bool:
    low, high = (None if limit is None else Fraction(limit) for limit in limits)  # type: ignore[call-overload]
    if value is None:
        return low is None and high is None
    return not ((low is not None and value < low) or (high is not None and value >= high))


# --- Money ----------------------------------------------------------------------------------------


def _rounded_up(
    diary: list[tuple[PriceComponent, Fraction]],
) -> list[tuple[PriceComponent, Fraction]]:
    """The diary with what the last component's step adds to the session's total of its dimension."""
    if not diary:
        return diary
    last = diary[-1][0]
    used = sum(volume for component, volume in diary if component.type is last.type)
    if not last.step_size:
        return diary
    return [*diary, (last, math.ceil(used / last.step_size) * last.step_size - used)]


def _bill(tariff: Tariff, diary: list[tuple[PriceComponent, Fraction]]) -> Bill:
    bill = Bill(Fraction(0), Fraction(0), 0, 0)
    for component, quantity in diary:
        volume = quantity / PER_UNIT[component.type.value]
        net, gross = (volume * unit for unit in _unit_prices(tariff, component))
        untaxed = tariff.tax_included.value == "N/A"
        rate = "None" if untaxed or component.vat is None else str(Fraction(component.vat))
        key = (component.type.value, str(Fraction(component.price)), rate)
        before = bill.volumes.get(key, (Fraction(0), Fraction(0), Fraction(0)))
        bill.volumes[key] = (before[0] + volume, before[1] + net, before[2] + gross)
        bill.excl += net
        bill.incl += gross
    _limit(tariff, bill)
    scale = 10 ** MINOR[tariff.currency]
    bill.excl_minor = math.floor(bill.excl * scale + Fraction(1, 2))
    bill.incl_minor = math.floor(bill.incl * scale + Fraction(1, 2))
    return bill


def _rate(tariff: Tariff, component: PriceComponent) -> Fraction:
    if tariff.tax_included.value == "N/A" or component.vat is None:
        return Fraction(0)
    return Fraction(component.vat) / 100


def _unit_prices(tariff: Tariff, component: PriceComponent) -> tuple[Fraction, Fraction]:
    price, rate = Fraction(component.price), _rate(tariff, component)
    if tariff.tax_included.value == "YES":
        return price / (1 + rate), price
    return price, price * (1 + rate)


def _limit(tariff: Tariff, bill: Bill) -> None:
    if tariff.min_price:
        excl, incl = _both_sides(tariff, tariff.min_price)
        bill.excl, bill.incl = max(bill.excl, excl), max(bill.incl, incl)
    if tariff.max_price:
        excl, incl = _both_sides(tariff, tariff.max_price)
        bill.excl, bill.incl = min(bill.excl, excl), min(bill.incl, incl)


def _both_sides(tariff: Tariff, limit: PriceLimit) -> tuple[Fraction, Fraction]:
    """OCPI leaves a limit without `after_taxes` open; ours then follows the lowest rate of the tariff."""
    before = Fraction(limit.before_taxes)
    if tariff.tax_included.value == "N/A":
        return before, before
    if limit.after_taxes is not None:
        return before, Fraction(limit.after_taxes)
    rates = [
        _rate(tariff, component)
        for element in tariff.elements
        if element.restrictions.reservation is None
        for component in element.price_components
    ]
    return before, before * (1 + min(rates, default=Fraction(0)))
