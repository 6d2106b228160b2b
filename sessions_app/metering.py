"""From meter samples to billable energy: resets, jumps, gaps, duplicates and wrong clocks. Pure.

Two views of the same samples: `take` follows a running session sample by sample (live cost), `settle`
judges the whole story once at its end (the CDR). A charger's figures are evidence, not truth: energy that
the connector could not have delivered is never billed (OCPP.md section 3, plausibility gate).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

PLAUSIBILITY_FACTOR = 1.1  # meters and clocks differ a little; ten percent more is a different story
SLACK_WH = 50  # the register's resolution and the first second's rounding
MAX_CLOCK_SKEW_SECONDS = 300.0  # beyond this a live frame's time is wrong, not late (B34)
CLOCK_TOLERANCE_SECONDS = 2.0  # chargers write whole seconds, and a frame takes its time


@dataclass(frozen=True, slots=True)
class Point:
    """One register value at one moment. `parked`: no energy was taken since the point before."""

    at: datetime
    register_wh: int
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Energy between two points, at constant rate."""

    start_at: datetime
    end_at: datetime
    energy_wh: int
    parked: bool


def mean_power_w(step: Step) -> int:
    """Return the mean power of a step in W, 0 for one without duration."""
    seconds = (step.end_at - step.start_at).total_seconds()
    return round(step.energy_wh * 3600 / seconds) if seconds > 0 else 0


@dataclass(frozen=True, slots=True)
class Track:
    """Where the meter of a running session stands.

    `suspect` is a point that did not fit; when the next one fits to it, the register was reset or replaced
    and counting goes on from there.
    """

    last: Point
    energy_wh: int = 0
    suspect: Point | None = None
    resets: int = 0
    dropped: int = 0

    def to_json(self) -> dict[str, Any]:
        state = asdict(self)
        for key in ("last", "suspect"):
            if state[key]:
                state[key]["at"] = state[key]["at"].isoformat()
        return state

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "Track":
        return cls(**{**state, "last": _point(state["last"]), "suspect": _point(state["suspect"])})


def _point(state: dict[str, Any] | None) -> Any:
    return state and Point(datetime.fromisoformat(state["at"]), state["register_wh"], state["parked"])


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one point: the next track, the step it closed (None when dropped), and why dropped."""

    track: Track
    step: Step | None
    dropped: str = ""


def clock_skew_seconds(*, started_at: datetime, asked_at: datetime, received_at: datetime) -> float:
    """Return what to add to this charger's times, 0 when its clock is good enough.

    A start that we asked for must lie between our asking and our hearing of it. Where the charger's own time
    does not, its clock is wrong by at least the difference (B34); frames that were queued while it was
    offline lie inside, and are told apart by that. A small error counts too: with a clock four minutes ahead
    the forecast of the paid limit would be four minutes late, and a short session would end before it began.
    """
    early = (asked_at - started_at).total_seconds()
    late = (started_at - received_at).total_seconds()
    if late > CLOCK_TOLERANCE_SECONDS or early > MAX_CLOCK_SKEW_SECONDS:
        return (received_at - started_at).total_seconds()
    # The start may have been queued: only the part of the error that is proved is corrected.
    return early if early > CLOCK_TOLERANCE_SECONDS else 0.0


def plausible_wh(*, seconds: float, max_power_w: int) -> float:
    """Return the most energy, in Wh, that the connector can have delivered in that time."""
    return max_power_w * max(0.0, seconds) / 3600 * PLAUSIBILITY_FACTOR + SLACK_WH


def take(track: Track, point: Point, *, max_power_w: int) -> Taken:
    """Judge the next point of a running session."""
    if point.at <= track.last.at:
        return Taken(replace(track, dropped=track.dropped + 1), None, "not newer than the last sample")
    if _fits(track.last, point, max_power_w):
        return _counted(track, track.last, point)
    if track.suspect and _fits(track.suspect, point, max_power_w):
        return _counted(replace(track, resets=track.resets + 1), track.suspect, point)
    reason = (
        "register went back"
        if point.register_wh < track.last.register_wh
        else "more than the connector can give"
    )
    return Taken(replace(track, suspect=point, dropped=track.dropped + 1), None, reason)


def _fits(before: Point, after: Point, max_power_w: int) -> bool:
    delta_wh = after.register_wh - before.register_wh
    seconds = (after.at - before.at).total_seconds()
    return seconds >= 0 and 0 <= delta_wh <= plausible_wh(seconds=seconds, max_power_w=max_power_w)


def _counted(track: Track, before: Point, point: Point) -> Taken:
    delta_wh = point.register_wh - before.register_wh
    step = Step(track.last.at, point.at, delta_wh, point.parked and delta_wh == 0)
    after = replace(track, last=point, energy_wh=track.energy_wh + delta_wh, suspect=None)
    return Taken(after, step)


@dataclass(frozen=True, slots=True)
class Story:
    """The judged whole: steps that cover start to end, and what is doubtful about it.

    `doubts` that concern money (`review`) send the payment to staff; dropped periodic samples alone do not,
    when start and stop value agree with time and power.
    """

    steps: tuple[Step, ...]
    energy_wh: int
    doubts: tuple[str, ...]
    review: bool


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
    if stop_register_wh is not None:
        stop = Point(ended_at, stop_register_wh, parked=_ends_parked(points, stop_register_wh))
        if _fits(start, stop, max_power_w):
            return _between(start, points, stop, max_power_w)
        points = [*points, stop]
    return _by_segments(start, points, ended_at, max_power_w, stop_known=stop_register_wh is not None)


def _in_order(start: Point, samples: Iterable[Point], ended_at: datetime) -> list[Point]:
    unique = {(p.at, p.register_wh): p for p in samples if start.at < p.at <= ended_at}
    return [unique[key] for key in sorted(unique)]


def _ends_parked(points: Sequence[Point], stop_register_wh: int) -> bool:
    return bool(points) and points[-1].parked and points[-1].register_wh == stop_register_wh


def _between(start: Point, points: Sequence[Point], stop: Point, max_power_w: int) -> Story:
    """Start and stop agree: use the samples that fit between them for the course of time."""
    steps: list[Step] = []
    dropped = 0
    last = start
    for point in points:
        if point.at < stop.at and _fits(last, point, max_power_w) and _fits(point, stop, max_power_w):
            steps.append(_step(last, point))
            last = point
        elif point.register_wh != stop.register_wh or point.at < stop.at:
            dropped += 1
    if stop.at > last.at or stop.register_wh > last.register_wh:
        steps.append(_step(last, stop))
    went_back = any(b.register_wh < a.register_wh for a, b in pairwise(points))
    doubts = _doubts(dropped=dropped, went_back=went_back)
    return Story(tuple(steps), stop.register_wh - start.register_wh, doubts, review=went_back)


def _by_segments(
    start: Point, points: Sequence[Point], ended_at: datetime, max_power_w: int, *, stop_known: bool
) -> Story:
    """Start and stop do not agree: count the plausible segments, and let staff look."""
    track = Track(last=start)
    steps: list[Step] = []
    for point in points:
        taken = take(track, point, max_power_w=max_power_w)
        track = taken.track
        if taken.step:
            steps.append(taken.step)
    if ended_at > track.last.at:
        steps.append(Step(track.last.at, ended_at, 0, parked=track.last.parked))
    doubts = _doubts(dropped=track.dropped, resets=track.resets)
    if not stop_known:
        doubts = (*doubts, "no final meter value: counted up to the last sample")
    return Story(
        tuple(steps), track.energy_wh, doubts, review=stop_known or track.resets > 0 or track.dropped > 0
    )


def _step(before: Point, after: Point) -> Step:
    energy_wh = after.register_wh - before.register_wh
    return Step(before.at, after.at, energy_wh, after.parked and energy_wh == 0)


def _doubts(*, dropped: int = 0, resets: int = 0, went_back: bool = False) -> tuple[str, ...]:
    said = []
    if dropped:
        said.append(f"{dropped} meter value(s) dropped as implausible")
    if resets:
        said.append(f"meter register restarted {resets} time(s)")
    if went_back:
        said.append("meter register went back between samples")
    return tuple(said)


def corrected(at: datetime, skew_seconds: float) -> datetime:
    """Return a charger's time on our clock."""
    return at + timedelta(seconds=skew_seconds) if skew_seconds else at


def moment_of_sample(sampled_at: datetime, *, skew_seconds: float, received_at: datetime) -> datetime:
    """Return when a sample was taken, on our clock; never after we heard of it.

    One sample from the future would outdate all that follow: cost would stand still, and the paid limit with it.
    """
    at = corrected(sampled_at, skew_seconds)
    ahead_seconds = (at - received_at).total_seconds()
    return received_at if ahead_seconds > CLOCK_TOLERANCE_SECONDS else at
