"""Limits: when a running session will have used up its hold, and how much to hold in the first place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from tariffs.engine.errors import InvalidUsage
from tariffs.engine.live import LiveCost
from tariffs.engine.money import Exact, minor_digits, to_minor
from tariffs.engine.plan import HOUR_US
from tariffs.engine.terms import Tariff
from tariffs.engine.totals import limit_totals
from tariffs.engine.usage import EPOCH, Segment, SegmentState, exact, microseconds

_MILLISECOND_US: Final = 1000


@dataclass(frozen=True, slots=True)
class Reach:
    """When a cost meets a limit (first whole millisecond) and at which energy of the session (whole Wh)."""

    at: datetime
    energy_wh: int


@dataclass(frozen=True, slots=True)
class _Pace:
    """The session as it is now, and a course it is assumed to keep."""

    live: LiveCost
    power_w: Exact
    current_a: Exact | None
    state: SegmentState
    limit: Fraction

    def until(self, start_us: int, end_us: int) -> Segment:
        energy_wh = exact(Fraction(self.power_w * (end_us - start_us)) / HOUR_US)
        return Segment(
            EPOCH + timedelta(microseconds=start_us),
            EPOCH + timedelta(microseconds=end_us),
            energy_wh,
            self.state,
            self.current_a,
            self.power_w,
        )


def reach(
    live: LiveCost,
    *,
    limit_minor: int,
    power_w: Exact,
    from_at: datetime,
    horizon: timedelta,
    current_a: Exact | None = None,
    state: SegmentState = SegmentState.CHARGING,
) -> Reach | None:
    """When the cost including VAT will meet `limit_minor` if the session goes on like this.

    `None`: not within the horizon. The unrounded cost is compared, so up to that moment the rounded
    one does not exceed the limit. Raises `InvalidUsage` when `from_at` is before the last sample.
    """
    start_us = microseconds(from_at)
    if start_us < live.ended_us:
        raise InvalidUsage("The forecast begins after the last sample.")
    limit = Fraction(limit_minor, 10 ** minor_digits(live.plan.tariff.currency))
    pace = _Pace(live, exact(power_w), current_a, state, limit)
    if live.totals().incl >= limit:
        return Reach(from_at, math.ceil(live.energy_wh))
    horizon_us = start_us + horizon // timedelta(microseconds=1)
    return _search(pace, start_us, horizon_us)


def _search(pace: _Pace, start_us: int, horizon_us: int) -> Reach | None:
    """Walk from turn to turn. Between two turns the cost only grows, so its end tells for the stretch."""
    live, at_us = pace.live, start_us
    for piece in list(live.pieces(pace.until(start_us, horizon_us))):
        end_us = min(math.ceil(piece.start_us + piece.length_us), horizon_us)
        if end_us <= at_us:
            continue
        after = live.advance(pace.until(at_us, end_us))
        if after.totals().incl >= pace.limit:
            return _within_stretch(pace, live, at_us, end_us)
        live, at_us = after, end_us
    return None


def _within_stretch(pace: _Pace, live: LiveCost, start_us: int, end_us: int) -> Reach:
    """The first millisecond and the whole Wh at which the limit is met, known to lie in the stretch."""
    steps = math.ceil((end_us - start_us) / _MILLISECOND_US)

    def after(step: int) -> int:
        return min(start_us + step * _MILLISECOND_US, end_us)

    def met(step: int) -> bool:
        return live.advance(pace.until(start_us, after(step))).totals().incl >= pace.limit

    step = _first(met, steps, guess=_guess(pace, live, start_us, end_us, steps))
    earlier, later = pace.until(start_us, after(step - 1)), pace.until(start_us, after(step))
    low_wh, high_wh = live.energy_wh + earlier.energy_wh, live.energy_wh + later.energy_wh
    return Reach(EPOCH + timedelta(microseconds=after(step)), _whole_wh(pace, live, low_wh, high_wh))


def _guess(pace: _Pace, live: LiveCost, start_us: int, end_us: int, steps: int) -> int:
    """Where the limit would be met if the cost grew evenly; exact but for step sizes and limits."""
    before = live.totals().incl
    after = live.advance(pace.until(start_us, end_us)).totals().incl
    return math.ceil(steps * (pace.limit - before) / (after - before)) if after > before else steps


def _first(met: Callable[[int], bool], last: int, *, guess: int) -> int:
    """The first step that meets the limit, given that `last` does: gallop from the guess, then bisect."""
    low, high = 0, last
    at, stride = min(max(guess, 1), last), 1
    while low < at < high:
        if met(at):
            high, at = at, at - stride
        else:
            low, at = at, at + stride
        stride *= 4
    while high - low > 1:
        middle = (low + high) // 2
        if met(middle):
            high = middle
        else:
            low = middle
    return high


def _whole_wh(pace: _Pace, live: LiveCost, low_wh: Exact, high_wh: Exact) -> int:
    """The first whole Wh at which the limit is met, between two energies one millisecond apart."""
    candidate = math.floor(high_wh)
    if candidate <= low_wh or not pace.power_w:
        return math.ceil(high_wh)
    needed_us = Fraction((candidate - live.energy_wh) * HOUR_US) / pace.power_w
    at = live.ended_us + math.floor(needed_us)
    piece = replace(pace.until(live.ended_us, at), energy_wh=exact(candidate - live.energy_wh))
    return candidate if live.advance(piece).totals().incl >= pace.limit else math.ceil(high_wh)


def preauthorize_minor(tariff: Tariff, default_minor: int) -> int:
    """How much to hold for a session with this tariff, in minor units.

    The tariff's own amount; else the default, but not more than the tariff's maximum price, which no
    session can exceed.
    """
    if tariff.preauthorize_amount is not None:
        return to_minor(tariff.preauthorize_amount, tariff.currency)
    if tariff.max_price is None:
        return default_minor
    return min(default_minor, to_minor(limit_totals(tariff, tariff.max_price).incl, tariff.currency))
