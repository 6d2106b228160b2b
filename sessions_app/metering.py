"""From meter samples to energy, sample by sample: resets, jumps, gaps, duplicates and wrong clocks. Pure.

Two views of the same samples: `take` follows a running session (live cost), `meter_story.settle` judges the
whole story once at its end (the CDR). A charger's figures are evidence, not truth: energy that the connector
could not have delivered is never billed (OCPP.md section 3, plausibility gate).
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

PLAUSIBILITY_FACTOR = 1.1  # meters and clocks differ a little; ten percent more is a different story
SLACK_WH = 50  # the register's resolution and the first second's rounding
TELLING = timedelta(seconds=9)  # the mean power over a shorter time is mostly the rounding of figures
MAX_CLOCK_SKEW_SECONDS = 300.0  # beyond this a live frame's time is wrong, not late (B34)
TELLING_STEP = timedelta(
    seconds=9
)  # samples come each ten seconds or more, and one that was asked for between
CLOCK_TOLERANCE_SECONDS = 2.0  # chargers write whole seconds, and a frame takes its time

# Why a point is not counted; stored with its sample and, in sum, with the CDR.
NOT_NEWER = "not newer than the last sample"
WENT_BACK = "register went back"
TOO_MUCH = "more than the connector can give"


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


@dataclass(frozen=True, slots=True)
class Power:
    """The mean power over the last stretch of time that was long enough to tell it, and where the next began.

    `mean_w` is None before the first one. `least_w` is what the register proves: it shows whole Wh, and so up to
    one too many.
    """

    since_at: datetime
    since_wh: int = 0
    mean_w: int | None = None
    least_w: int = 0

    def at(self, at: datetime, energy_wh: int) -> "Power":
        """Return it after a value; energy since the start of the session."""
        if at - self.since_at < TELLING:
            return self
        seconds, delta_wh = (at - self.since_at).total_seconds(), energy_wh - self.since_wh
        least_w = round(max(0, delta_wh - 1) * 3600 / seconds)
        return Power(at, energy_wh, mean_w=round(delta_wh * 3600 / seconds), least_w=least_w)


@dataclass(frozen=True, slots=True)
class Track:
    """Where the meter of a running session stands.

    `suspect` is a point that did not fit; when the next one fits to it, the register was reset or replaced
    and counting goes on from there. `began_at` bounds the whole: steps that are each just possible must not
    add up to what is not. `power` is what the register says of it, None before it says anything.
    """

    last: Point
    energy_wh: int = 0
    suspect: Point | None = None
    resets: int = 0
    dropped: int = 0
    began_at: datetime | None = None
    power: "Power | None" = None

    @classmethod
    def begin(cls, start: Point) -> "Track":
        return cls(last=start, began_at=start.at, power=Power(start.at))

    def to_json(self) -> dict[str, Any]:
        state = asdict(self)
        for key in ("last", "suspect"):
            if state[key]:
                state[key]["at"] = state[key]["at"].isoformat()
        state["began_at"] = self.began_at and self.began_at.isoformat()
        if self.power:
            state["power"]["since_at"] = self.power.since_at.isoformat()
        return state

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "Track":
        began_at = state.get("began_at")
        told = {"last": _point(state["last"]), "suspect": _point(state["suspect"]), "power": None}
        if power := state.get("power"):
            told["power"] = Power(**{**power, "since_at": datetime.fromisoformat(power["since_at"])})
        return cls(**{**state, **told, "began_at": began_at and datetime.fromisoformat(began_at)})


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
        return Taken(replace(track, dropped=track.dropped + 1), None, NOT_NEWER)
    known = [before for before in (track.last, track.suspect) if before is not None]
    fitting = [before for before in known if _can_follow(track, before, point, max_power_w)]
    if fitting:
        # Where it fits to both, the one that tells of less energy: nobody pays for a value that was in doubt.
        return _counted(track, max(fitting, key=lambda before: before.register_wh), point)
    reason = misfit(track.last, point)
    return Taken(replace(track, suspect=point, dropped=track.dropped + 1), None, reason)


def fits(before: Point, after: Point, max_power_w: int) -> bool:
    """Whether the connector can have delivered what lies between two points."""
    delta_wh = after.register_wh - before.register_wh
    seconds = (after.at - before.at).total_seconds()
    return seconds >= 0 and 0 <= delta_wh <= plausible_wh(seconds=seconds, max_power_w=max_power_w)


def misfit(before: Point, after: Point) -> str:
    """Return why a point does not fit to one before it."""
    return WENT_BACK if after.register_wh < before.register_wh else TOO_MUCH


def _can_follow(track: Track, before: Point, point: Point, max_power_w: int) -> bool:
    """Whether a point fits to one before it, and the session as a whole can have had that much.

    The slack is one for the session, not one for each step.
    """
    if not fits(before, point, max_power_w):
        return False
    if track.began_at is None:
        return True
    energy_wh = track.energy_wh + point.register_wh - before.register_wh
    seconds = (point.at - track.began_at).total_seconds()
    return energy_wh <= plausible_wh(seconds=seconds, max_power_w=max_power_w)


def _counted(track: Track, before: Point, point: Point) -> Taken:
    delta_wh = point.register_wh - before.register_wh
    step = Step(track.last.at, point.at, delta_wh, point.parked and delta_wh == 0)
    restarted = before is not track.last
    energy_wh = track.energy_wh + delta_wh
    after = replace(
        track,
        last=point,
        energy_wh=energy_wh,
        suspect=None,
        resets=track.resets + restarted,
        power=(track.power or Power(track.last.at, track.energy_wh)).at(point.at, energy_wh),
    )
    return Taken(after, step)


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
