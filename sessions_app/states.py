"""The life of a charging session: a pure table of legal moves and one pure function over it (MONEY.md).

`apply(life, event, now, timers)` answers the next life and the effects to carry out. No framework, no
clock, no randomness: the caller brings them, so millions of lives can be played in a test.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sessions_app.errors import IllegalMove
from sessions_app.events import (
    Alert,
    CloseAsked,
    DeadlinePassed,
    EnergyFlows,
    EnergyPaused,
    Event,
    EvseTaken,
    Heard,
    StartAnswered,
    StartOutcome,
    StartRefused,
    StopAnswered,
    StopAsked,
    StopReason,
    TransactionClosed,
    TransactionDoubted,
    TransactionOpened,
)

# The table's vocabulary is one: whoever imports the states speaks of its events too.
__all__ = [
    "FINAL",
    "LEGAL",
    "LIVE",
    "NEVER_STARTED",
    "RUNNING",
    "Alert",
    "CloseAsked",
    "DeadlinePassed",
    "Effect",
    "EnergyFlows",
    "EnergyPaused",
    "Event",
    "EvseTaken",
    "Heard",
    "Life",
    "Outcome",
    "SessionState",
    "StartAnswered",
    "StartOutcome",
    "StartRefused",
    "StopAnswered",
    "StopAsked",
    "StopReason",
    "Timers",
    "TransactionClosed",
    "TransactionDoubted",
    "TransactionOpened",
    "apply",
    "begin",
    "open_transaction",
]


class SessionState(StrEnum):
    REQUESTED = "REQUESTED"  # an approved preauthorisation asked for it; the start is not answered yet
    STARTING = "STARTING"  # the charger accepted the start; no transaction yet
    CHARGING = "CHARGING"  # the charger reported the transaction
    SUSPENDED = "SUSPENDED"  # cable in, no energy
    STOPPING = "STOPPING"  # a stop was asked for
    ENDED = "ENDED"  # final meter value known or inferred
    REJECTED = "REJECTED"  # the charger could not or would not start
    EXPIRED = "EXPIRED"  # nobody plugged in, or the charger never answered
    CANCELLED = "CANCELLED"  # stopped before it started


FINAL = frozenset({SessionState.ENDED, SessionState.REJECTED, SessionState.EXPIRED, SessionState.CANCELLED})
LIVE = frozenset(SessionState) - FINAL
NEVER_STARTED = FINAL - {SessionState.ENDED}
RUNNING = frozenset({SessionState.CHARGING, SessionState.SUSPENDED, SessionState.STOPPING})

LEGAL: dict[SessionState, frozenset[SessionState]] = {
    SessionState.REQUESTED: frozenset(
        {SessionState.STARTING, SessionState.REJECTED, SessionState.EXPIRED, SessionState.CANCELLED}
    ),
    SessionState.STARTING: frozenset(
        {SessionState.CHARGING, SessionState.REJECTED, SessionState.EXPIRED, SessionState.CANCELLED}
    ),
    SessionState.CHARGING: frozenset({SessionState.SUSPENDED, SessionState.STOPPING, SessionState.ENDED}),
    SessionState.SUSPENDED: frozenset({SessionState.CHARGING, SessionState.STOPPING, SessionState.ENDED}),
    SessionState.STOPPING: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
    SessionState.REJECTED: frozenset(),
    SessionState.EXPIRED: frozenset(),
    SessionState.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Timers:
    """Durations in seconds; MONEY.md names them T_*."""

    command_seconds: float
    start_seconds: float
    stop_seconds: float
    final_meter_seconds: float
    full_battery_grace_seconds: float
    stale_seconds: float
    review_seconds: float
    reboot_grace_seconds: float
    stop_retry_max_seconds: float = 600.0  # a charger that ignores stops is asked again this often at least


@dataclass(frozen=True, slots=True)
class Life:
    """What the machine needs to know of one session.

    `deadline_at` is set in every live state: the moment at which the sweep must look at it again.
    """

    state: SessionState
    deadline_at: datetime | None
    stop_reason: StopReason = StopReason.NONE
    stop_attempts: int = 0
    stale: bool = False  # running, but not heard of for a while
    doubted: bool = False  # the charger speaks as if it had forgotten the transaction
    vehicle_full: bool = (
        False  # SUSPENDED because the vehicle takes nothing, not because the charger gives nothing
    )


class Effect(StrEnum):
    """What the caller must carry out, in the same database transaction."""

    SEND_STOP = "SEND_STOP"  # a stop command row
    CUT_POWER = "CUT_POWER"  # the second line: ask for zero power, where the charger can do that (B14)
    CLOSE_BOOKS = "CLOSE_BOOKS"  # final energy, price, CDR
    INFER_END = "INFER_END"  # close the charger's transaction at its last known meter value
    ASK_REVIEW = "ASK_REVIEW"  # staff must look: the charger does not obey or is gone for long


Outcome = tuple[Life, tuple[Effect, ...]]

STOP_ATTEMPTS_BEFORE_REVIEW = 3  # MONEY.md B14: alert after 3


def apply(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    """Return the next life and the effects of `event`.

    An event that changes nothing (a repeat, news of a session that is over) returns the same life and no
    effects. Raises IllegalMove for an event that has no place in this state: a fault of the caller.
    """
    if life.state in FINAL:
        return life, ()
    after, effects = _HANDLERS[type(event)](life, event, now, timers)
    if after.state != life.state and after.state not in LEGAL[life.state]:
        raise IllegalMove(life.state, event)
    return after, effects


def begin(now: datetime, timers: Timers) -> Life:
    """Return the life of a session that was just asked for."""
    return Life(state=SessionState.REQUESTED, deadline_at=_after(now, timers.command_seconds))


def open_transaction(life: Life, now: datetime, timers: Timers) -> Outcome:
    """Apply TransactionOpened; a start that the charger never answered counts as accepted by it.

    StartTransaction may overtake the answer to the remote start (OCPP.md section 3, order of messages).
    """
    if life.state is SessionState.REQUESTED:
        life, _ = apply(life, StartAnswered(StartOutcome.ACCEPTED), now, timers)
    return apply(life, TransactionOpened(), now, timers)


def _after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def _over(life: Life, state: SessionState) -> Life:
    return replace(life, state=state, deadline_at=None, stale=False, doubted=False)


def _start_refused(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.state is not SessionState.REQUESTED:
        raise IllegalMove(life.state, event)
    return _over(life, SessionState.REJECTED), ()


_START_ENDS = {
    StartOutcome.REJECTED: SessionState.REJECTED,
    StartOutcome.UNSENT: SessionState.REJECTED,
    StartOutcome.UNANSWERED: SessionState.EXPIRED,
}


def _start_answered(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, StartAnswered)
    if life.state is not SessionState.REQUESTED:
        return life, ()  # the transaction was faster than the answer
    if event.outcome is StartOutcome.ACCEPTED:
        deadline = _after(now, timers.start_seconds)
        return replace(life, state=SessionState.STARTING, deadline_at=deadline), ()
    return _over(life, _START_ENDS[event.outcome]), ()


def _transaction_opened(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.state in RUNNING:
        return life, ()
    if life.state is not SessionState.STARTING:
        raise IllegalMove(life.state, event)
    return replace(life, state=SessionState.CHARGING, deadline_at=_after(now, timers.stale_seconds)), ()


def _evse_taken(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.state in RUNNING:
        return life, ()
    return _over(life, SessionState.EXPIRED), ()


def _energy_paused(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, EnergyPaused)
    if life.state not in (SessionState.CHARGING, SessionState.SUSPENDED):
        return _believed(life, now, timers), ()
    if life.state is SessionState.SUSPENDED and life.vehicle_full == event.by_vehicle:
        return _believed(life, now, timers), ()
    full = event.by_vehicle and timers.full_battery_grace_seconds
    deadline = _after(now, timers.full_battery_grace_seconds if full else timers.stale_seconds)
    paused = replace(life, state=SessionState.SUSPENDED, deadline_at=deadline, vehicle_full=event.by_vehicle)
    return _believed(paused, now, timers), ()


def _energy_flows(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.state not in (SessionState.CHARGING, SessionState.SUSPENDED):
        return _believed(life, now, timers), ()
    deadline = _after(now, timers.stale_seconds)
    return replace(_believed(life, now, timers), state=SessionState.CHARGING, deadline_at=deadline), ()


def _believed(life: Life, now: datetime, timers: Timers) -> Life:
    """A charger that tells how energy goes is neither silent nor has it forgotten the transaction.

    After a restart it reports the EVSE free first and goes on charging then (B16); without this the session
    would be closed by inference while energy flows.
    """
    if life.state not in RUNNING:
        return life
    believed = replace(life, stale=False, doubted=False)
    if life.state is SessionState.STOPPING and life.doubted:
        # It had the long grace of a doubt; now it waits for its stop as before.
        return replace(believed, deadline_at=_stop_deadline(believed, now, timers))
    return believed


def _heard(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.state not in RUNNING:
        return life, ()
    life = _believed(life, now, timers)
    if life.state is SessionState.CHARGING or _pause_is_unlimited(life, timers):
        life = replace(life, deadline_at=_after(now, timers.stale_seconds))
    return life, ()


def _pause_is_unlimited(life: Life, timers: Timers) -> bool:
    unlimited = not life.vehicle_full or not timers.full_battery_grace_seconds
    return life.state is SessionState.SUSPENDED and unlimited


def _transaction_doubted(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.state not in RUNNING or life.doubted:
        return life, ()
    return replace(life, doubted=True, deadline_at=_after(now, timers.reboot_grace_seconds)), ()


def _stop_asked(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, StopAsked)
    if life.state is SessionState.STOPPING:
        return life, ()
    if life.state not in RUNNING:
        return replace(_over(life, SessionState.CANCELLED), stop_reason=event.reason), ()
    return _send_stop(replace(life, state=SessionState.STOPPING, stop_reason=event.reason), now, timers)


def _send_stop(life: Life, now: datetime, timers: Timers) -> Outcome:
    deadline = _stop_deadline(life, now, timers)
    after = replace(life, stop_attempts=life.stop_attempts + 1, deadline_at=deadline)
    return after, (Effect.SEND_STOP,)


def _stop_deadline(life: Life, now: datetime, timers: Timers) -> datetime:
    return _not_sooner(life, _after(now, timers.stop_seconds + timers.final_meter_seconds))


def _not_sooner(life: Life, deadline: datetime) -> datetime:
    """A doubted transaction keeps its grace, whatever else is waited for.

    Its deadline closes the books by inference: with a sooner one the stop that a charger still has in its queue
    would come too late (B17, B20).
    """
    return max(deadline, life.deadline_at) if life.doubted and life.deadline_at is not None else deadline


def _stop_answered(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, StopAnswered)
    if life.state is not SessionState.STOPPING:
        return life, ()
    if event.accepted:
        deadline = _not_sooner(life, _after(now, timers.final_meter_seconds))
        return replace(life, deadline_at=deadline), ()
    # A charger may be away for weeks: 2.0 ** 1024 is beyond what a float holds.
    wait_seconds = min(2.0 ** min(life.stop_attempts, 20), timers.stop_retry_max_seconds)
    effects = (Effect.CUT_POWER, *_review_if_stubborn(life))
    return replace(life, deadline_at=_not_sooner(life, _after(now, wait_seconds))), effects


def _review_if_stubborn(life: Life) -> tuple[Effect, ...]:
    return (Effect.ASK_REVIEW,) if life.stop_attempts == STOP_ATTEMPTS_BEFORE_REVIEW else ()


def _transaction_closed(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, TransactionClosed)
    if life.state not in RUNNING:
        raise IllegalMove(life.state, event)
    reason = life.stop_reason or event.reason
    return replace(_over(life, SessionState.ENDED), stop_reason=reason), (Effect.CLOSE_BOOKS,)


def _close_asked(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.state not in RUNNING:
        raise IllegalMove(life.state, event)
    return _closed_by_us(life, StopReason.OPERATOR)


def _closed_by_us(life: Life, reason: StopReason) -> Outcome:
    ended = replace(_over(life, SessionState.ENDED), stop_reason=life.stop_reason or reason)
    return ended, (Effect.INFER_END, Effect.CLOSE_BOOKS)


def _deadline_passed(life: Life, event: Event, now: datetime, timers: Timers) -> Outcome:
    if life.deadline_at is None or life.deadline_at > now:
        return life, ()  # someone was faster, or the deadline moved
    if life.state not in RUNNING:
        return _over(life, SessionState.EXPIRED), ()
    if life.doubted:
        return _closed_by_us(life, StopReason.FORGOTTEN)
    if life.state is SessionState.STOPPING:
        after, effects = _send_stop(life, now, timers)
        return after, (*effects, Effect.CUT_POWER, *_review_if_stubborn(after))
    if life.state is SessionState.SUSPENDED and not _pause_is_unlimited(life, timers) and not life.stale:
        return _stop_asked(life, StopAsked(StopReason.BATTERY_FULL), now, timers)
    return _gone_silent(life, now, timers)


def _gone_silent(life: Life, now: datetime, timers: Timers) -> Outcome:
    """Not heard of (B18): mark stale first, ask staff when it stays so, keep the money where it is."""
    if not life.stale:
        return replace(life, stale=True, deadline_at=_after(now, timers.review_seconds)), ()
    return replace(life, deadline_at=_after(now, timers.review_seconds)), (Effect.ASK_REVIEW,)


_HANDLERS: dict[type, Callable[[Life, Event, datetime, Timers], Outcome]] = {
    StartRefused: _start_refused,
    StartAnswered: _start_answered,
    TransactionOpened: _transaction_opened,
    EvseTaken: _evse_taken,
    EnergyPaused: _energy_paused,
    EnergyFlows: _energy_flows,
    Heard: _heard,
    TransactionDoubted: _transaction_doubted,
    StopAsked: _stop_asked,
    StopAnswered: _stop_answered,
    TransactionClosed: _transaction_closed,
    CloseAsked: _close_asked,
    DeadlinePassed: _deadline_passed,
}
