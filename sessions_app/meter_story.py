"""The meter's story of a whole session, judged once at its end: what is billed, what is doubtful, and why. Pure.

Start and stop register decide where the samples between them agree. Where they do not (a register that began
anew, a placeholder for the start, a jump), the segments that the samples witness are billed, and staff look:
what is doubtful is never billed above the last plausible value (OCPP.md section 3).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from sessions_app.metering import NOT_NEWER, SLACK_WH, Point, Step, Track, fits, misfit, plausible_wh, take

LIFETIME_KWH = 10  # a counter beyond it did not begin at 0 with the session
NO_FINAL_VALUE = "no final meter value: counted up to the last sample"
UNLIKE_FINAL_VALUE = "does not lead to the final value"
KWH_AS_WH = "kWh figures sent as Wh"


@dataclass(frozen=True, slots=True)
class Story:
    """The judged whole: steps that cover start to end, and what is doubtful about it.

    `doubts` that concern money (`review`) send the payment to staff; dropped periodic samples alone do not,
    when start and stop value agree with time, power and the rest of the samples.
    """

    steps: tuple[Step, ...]
    energy_wh: int
    doubts: tuple[str, ...]
    review: bool

    def doubted(self, *doubts: str, review: bool = False) -> "Story":
        """Return the story with more doubts."""
        return replace(self, doubts=(*self.doubts, *doubts), review=self.review or review)


@dataclass(frozen=True, slots=True)
class _Drop:
    point: Point
    why: str


@dataclass(frozen=True, slots=True)
class _Segments:
    """What consecutive samples witness of each other; `blind_wh` may have flowed where they witness nothing."""

    track: Track
    steps: tuple[Step, ...]
    drops: tuple[_Drop, ...]
    blind_wh: float


def settle(
    *,
    start: Point,
    samples: Sequence[Point],
    stop_register_wh: int | None,
    ended_at: datetime,
    max_power_w: int,
) -> Story:
    """Judge the samples of a whole session, in any order and with duplicates.

    The result depends on the set of samples only. `stop_register_wh` None means the charger never told a
    final value: the last plausible one counts.
    """
    ended_at = max(ended_at, start.at)
    points = _in_order(start, samples, ended_at)
    if stop_register_wh is None:
        told = _by_segments(_segments(start, points, ended_at, max_power_w), ended_at)
        return told.doubted(NO_FINAL_VALUE)
    stop = Point(ended_at, stop_register_wh, parked=_ends_parked(points, stop_register_wh))
    before = [point for point in points if (point.at, point.register_wh) != (stop.at, stop.register_wh)]
    witnessed = _segments(start, [*before, stop], ended_at, max_power_w)
    told_wh = stop.register_wh - start.register_wh
    if fits(start, stop, max_power_w) and told_wh <= witnessed.track.energy_wh + witnessed.blind_wh:
        return _between(start, before, stop, max_power_w, seen_wh=witnessed.track.energy_wh)
    if fits(start, stop, max_power_w) and _are_kwh(before, start, stop):
        drops = _said(_Drop(point, KWH_AS_WH) for point in before)
        return _between(start, (), stop, max_power_w, seen_wh=0).doubted(*drops, review=True)
    # Start and stop do not agree with time, power or the samples: what these witness counts.
    told = _by_segments(witnessed, ended_at)
    return replace(told, review=True)


def _are_kwh(points: Sequence[Point], start: Point, stop: Point) -> bool:
    """Whether all values between are the whole kWh of the lifetime counter that start and stop tell in Wh.

    Not of a counter near 0: there they may be right, and the stop be wrong.
    """
    told = [point.register_wh for point in points]
    lowest, highest = start.register_wh // 1000, stop.register_wh // 1000
    within = all(lowest <= wh <= highest for wh in told)
    return (
        lowest >= LIFETIME_KWH
        and within
        and told == sorted(told)
        and max(told, default=lowest) < start.register_wh
    )


def _in_order(start: Point, samples: Iterable[Point], ended_at: datetime) -> list[Point]:
    """Return each point once, by time; it is parked only if every sample says so."""
    parked: dict[tuple[datetime, int], bool] = {}
    for sample in samples:
        if start.at < sample.at <= ended_at:
            key = (sample.at, sample.register_wh)
            parked[key] = parked.get(key, True) and sample.parked
    return [Point(*key, parked[key]) for key in sorted(parked)]


def _ends_parked(points: Sequence[Point], stop_register_wh: int) -> bool:
    return bool(points) and points[-1].parked and points[-1].register_wh == stop_register_wh


def _segments(start: Point, points: Sequence[Point], ended_at: datetime, max_power_w: int) -> _Segments:
    """Follow the points as a running session does, and add up what may have flowed unseen."""
    track = Track.begin(start)
    steps: list[Step] = []
    drops: list[_Drop] = []
    blind_wh = 0.0
    for point in points:
        taken = take(track, point, max_power_w=max_power_w)
        if taken.step is None:
            drops.append(_Drop(point, taken.dropped))
        else:
            steps.append(taken.step)
            if taken.track.resets > track.resets and track.suspect is not None:
                unseen = (track.suspect.at - track.last.at).total_seconds()
                blind_wh += plausible_wh(seconds=unseen, max_power_w=max_power_w)
        track = taken.track
    if ended_at > track.last.at:
        unseen = (ended_at - track.last.at).total_seconds()
        blind_wh += plausible_wh(seconds=unseen, max_power_w=max_power_w)
        steps.append(Step(track.last.at, ended_at, 0, parked=track.last.parked))
    return _Segments(track, tuple(steps), tuple(drops), blind_wh)


def _between(start: Point, points: Sequence[Point], stop: Point, max_power_w: int, *, seen_wh: int) -> Story:
    """Start and stop agree: use the samples that fit between them for the course of time."""
    steps: list[Step] = []
    drops: list[_Drop] = []
    last = start
    for point in points:
        if point.at < stop.at and fits(last, point, max_power_w) and fits(point, stop, max_power_w):
            steps.append(_step(last, point))
            last = point
        else:
            why = UNLIKE_FINAL_VALUE if fits(last, point, max_power_w) else misfit(last, point)
            drops.append(_Drop(point, why))
    if stop.at > last.at or stop.register_wh > last.register_wh:
        steps.append(_step(last, stop))
    energy_wh = stop.register_wh - start.register_wh
    story = Story(tuple(steps), energy_wh, _said(drops), review=False)
    if _went_back(points):
        story = story.doubted("meter register went back between samples", review=True)
    if seen_wh > energy_wh + SLACK_WH:
        # The display showed more than the bill says; that is in the driver's favour, and strange.
        story = story.doubted(f"the samples show {seen_wh} Wh, the final value {energy_wh} Wh", review=True)
    return story


def _went_back(points: Sequence[Point]) -> bool:
    return any(b.register_wh < a.register_wh for a, b in pairwise(points))


def _by_segments(segments: _Segments, ended_at: datetime) -> Story:
    """Count what the samples witness; staff look where a register restarted or values were dropped."""
    track = segments.track
    doubts = _said(segments.drops)
    if track.resets:
        doubts = (*doubts, f"meter register restarted {track.resets} time(s)")
    strange = any(drop.why != NOT_NEWER for drop in segments.drops)
    return Story(segments.steps, track.energy_wh, doubts, review=track.resets > 0 or strange)


def _step(before: Point, after: Point) -> Step:
    energy_wh = after.register_wh - before.register_wh
    return Step(before.at, after.at, energy_wh, after.parked and energy_wh == 0)


def _said(drops: Iterable[_Drop]) -> tuple[str, ...]:
    """Return one sentence per reason, with the first value that was dropped for it."""
    by_reason: dict[str, list[Point]] = defaultdict(list)
    for drop in drops:
        by_reason[drop.why].append(drop.point)
    return tuple(
        f"{len(points)} meter value(s) dropped, {why}: {points[0].register_wh} Wh at {points[0].at:%H:%M:%S} UTC"
        for why, points in by_reason.items()
    )
