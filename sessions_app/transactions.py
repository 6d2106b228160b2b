"""The seat at the chargers' desk: what a transaction's facts mean for the session behind it.

Every method runs inside the database transaction that stores the charger's message.
"""

import uuid
from datetime import datetime, timedelta

from django.db.models import QuerySet

from chargers.facts import (
    CommandAction,
    CommandOutcome,
    CommandSettled,
    EvseStatus,
    EvseStatusChanged,
    MessageLost,
    StartAnswer,
    StationBooted,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)
from chargers.prepared import Prepared, update
from sessions_app import following, late_stop, lifecycle, states, stop_latency, strays
from sessions_app.metering import (
    CLOCK_TOLERANCE_SECONDS,
    MAX_CLOCK_SKEW_SECONDS,
    clock_skew_seconds,
    corrected,
)
from sessions_app.models import Session
from sessions_app.states import LIVE, RUNNING, Alert, SessionState, StartOutcome, StopReason

INFERRED = "Inferred"  # what the chargers' room writes where the charger named no reason

# OCPP 1.6 §7.34 stop reasons that say who ended it; every other one is the charger's own doing.
STOP_REASONS = {
    "EVDisconnected": StopReason.UNPLUGGED,
    "Remote": StopReason.OPERATOR,
    INFERRED: StopReason.FORGOTTEN,  # closed because the charger began another one there
}

# EVSE states in which no transaction can be running there (B17).
NO_TRANSACTION = frozenset({EvseStatus.AVAILABLE, EvseStatus.PREPARING})
PAUSED = frozenset({EvseStatus.SUSPENDED_EV, EvseStatus.SUSPENDED_EVSE})
CHARGING = PAUSED | {EvseStatus.CHARGING}  # there is a transaction, for its charger


class SessionDesk:
    """Implements `chargers.desk.TransactionDesk`."""

    def authorize(self, *, station_pk: int, id_tag: str, at: datetime) -> bool:
        """Only the tag of a live session may charge, and only at its own station."""
        return Session.objects.filter(
            id_tag=id_tag, evse__station=station_pk, state__in=sorted(LIVE)
        ).exists()

    def started(self, fact: TransactionStarted) -> StartAnswer:
        """Attach a transaction to its session, or refuse it (B5, B10)."""
        session = _locked_by_tag(fact)
        if session is None:
            _take_evse_from_waiting(fact)
        if session is None or not _is_awaited(session, fact):
            strays.refuse(session, fact)
            return StartAnswer(accepted=False)
        return StartAnswer(accepted=True, look_again_at=_attach(session, fact))

    def metered(self, fact: TransactionMetered) -> datetime | None:
        """Meter values move energy, live cost and the forecast of the paid limit."""
        session = _locked_by_transaction(fact.transaction_pk)
        if session is None or session.is_over:
            strays.metered(fact.transaction_pk, now=fact.received_at)
            return None
        lifecycle.move(session, states.Heard(), now=fact.received_at, save=False)
        following.follow(session, fact.readings, now=fact.received_at)
        return session.stop_at

    def ended(self, fact: TransactionEnded) -> None:
        """The charger closed the transaction: the session ends, its books are closed."""
        session = _BY_ENDED_TRANSACTION.first(pk=fact.transaction_pk)
        if session is None or session.is_over:
            return
        last = stop_latency.LastSample.of(session)
        following.store_samples(session, fact.readings)
        session.ended_at = _end_time(session, fact)
        reason = STOP_REASONS.get(fact.reason, StopReason.CHARGER)
        lifecycle.move(
            session, states.TransactionClosed(reason), now=fact.received_at, data={"reason": fact.reason}
        )
        assert session.transaction is not None
        stop_latency.learn(session, session.transaction, last)

    def ended_late(self, fact: TransactionEnded) -> None:
        """The charger tells its own end of what was settled by inference: compared, never captured again (B20)."""
        session = _BY_ENDED_TRANSACTION.first(pk=fact.transaction_pk)
        if session is None or not session.is_over or fact.meter_stop_wh is None:
            return
        assert session.transaction is not None
        following.store_samples(session, fact.readings)
        late_stop.compare(session, session.transaction, fact, _end_time(session, fact))

    def lost(self, fact: MessageLost) -> None:
        """A message was not applied: the session that it was about lacks what it said."""
        session = _of_lost(fact)
        if session is not None:
            lifecycle.record(
                session,
                "MessageLost",
                now=fact.received_at,
                data={"message": fact.action},
                review=f"{fact.action} of the charger was not applied because of a fault of ours",
                alert=Alert.FAULT,
            )

    def look_again(self, *, transaction_pk: int, at: datetime) -> datetime | None:
        """The forecast moment of the paid limit has come, unless a newer sample moved it."""
        session = _locked_by_transaction(transaction_pk)
        if session is None or session.is_over:
            return None
        next_at = following.stop_if_limit_is_due(session, now=at)
        if next_at is not None:
            following.ask_for_a_sample(session, before=next_at)
        return next_at

    def status_changed(self, fact: EvseStatusChanged) -> None:
        """An EVSE's state pauses, resumes or casts doubt on the session that runs there."""
        session = _locked_live_at(fact.evse_pk)
        if session is None and fact.status in CHARGING:
            strays.charging_at(fact.evse_pk, now=fact.received_at)
        if session is None or session.state not in RUNNING:
            return
        if fact.status in PAUSED:
            by_vehicle = fact.status is EvseStatus.SUSPENDED_EV
            following.note_pause(session, fact.status)
            update(session, ["meter_state"])
            lifecycle.move(
                session, states.EnergyPaused(by_vehicle), now=fact.received_at, data={"status": fact.status}
            )
        elif fact.status is EvseStatus.CHARGING:
            following.note_pause(session, fact.status)
            update(session, ["meter_state"])
            lifecycle.move(session, states.EnergyFlows(), now=fact.received_at)
        elif fact.status in NO_TRANSACTION:
            lifecycle.move(
                session, states.TransactionDoubted(), now=fact.received_at, data={"status": fact.status}
            )

    def booted(self, fact: StationBooted) -> None:
        """A restart alone changes nothing: the statuses that follow tell whether it forgot (B16, B17)."""

    def command_settled(self, fact: CommandSettled) -> None:
        """The answer to a start or stop reaches its session by the command's reference."""
        session = _locked_by_reference(fact.reference)
        if session is None:
            return
        data = {"outcome": fact.outcome, "detail": fact.detail}
        if fact.action is CommandAction.START:
            event: states.Event = states.StartAnswered(StartOutcome(fact.outcome))
            if fact.outcome is not CommandOutcome.ACCEPTED:
                session.refusal = _refusal(fact)
        elif fact.action is CommandAction.STOP:
            event = states.StopAnswered(fact.outcome is CommandOutcome.ACCEPTED)
        else:
            return
        lifecycle.move(session, event, now=fact.settled_at, actor="charger", data=data)


def _refusal(fact: CommandSettled) -> str:
    reasons = {
        CommandOutcome.REJECTED: "rejected_by_charger",
        CommandOutcome.UNANSWERED: "charger_did_not_answer",
        CommandOutcome.UNSENT: "charger_offline",
    }
    return reasons[fact.outcome]


def _locking(*related: str, **lookup: object) -> QuerySet[Session]:
    """The one session that matches, its row locked, with the rows that its callers are about to look at."""
    sessions = Session.objects.select_for_update(of=("self",)).filter(**lookup)
    return sessions.select_related(*related) if related else sessions


_BY_TAG = Prepared(
    lambda id_tag, station_pk: _locking(
        "evse__station", "connector", id_tag=id_tag, evse__station=station_pk
    ),
    id_tag=str,
    station_pk=int,
)
_BY_TRANSACTION = Prepared(lambda pk: _locking("connector", transaction=pk), pk=int)
_BY_ENDED_TRANSACTION = Prepared(lambda pk: _locking("connector", "transaction", transaction=pk), pk=int)
_LIVE_AT = Prepared(lambda evse_pk: _locking(evse=evse_pk, state__in=sorted(LIVE)), evse_pk=int)
_BY_ID = Prepared(lambda pk: _locking("evse__station", pk=pk), pk=uuid.UUID)


def _locked_by_tag(fact: TransactionStarted) -> Session | None:
    return _BY_TAG.first(id_tag=fact.id_tag, station_pk=fact.station_pk)


def _locked_by_transaction(transaction_pk: int) -> Session | None:
    return _BY_TRANSACTION.first(pk=transaction_pk)


def _of_lost(fact: MessageLost) -> Session | None:
    if fact.transaction_pk is not None:
        return _locked_by_transaction(fact.transaction_pk)
    return _BY_TAG.first(id_tag=fact.id_tag, station_pk=fact.station_pk) if fact.id_tag else None


def _locked_live_at(evse_pk: int) -> Session | None:
    return _LIVE_AT.first(evse_pk=evse_pk)


def _locked_by_reference(reference: str) -> Session | None:
    try:
        return _BY_ID.first(pk=uuid.UUID(reference))
    except ValueError:
        return None  # a command that staff gave, not a session


def _take_evse_from_waiting(fact: TransactionStarted) -> None:
    """Someone else charges where a paid session waits for its driver: that session is over (B10)."""
    session = _locked_live_at(fact.evse_pk)
    if session is None or fact.started_at < session.requested_at - timedelta(seconds=MAX_CLOCK_SKEW_SECONDS):
        return  # an old start out of the charger's queue: its end follows, nobody stands there now
    if session.state in (SessionState.REQUESTED, SessionState.STARTING):
        session.refusal = "evse_taken"
        lifecycle.move(session, states.EvseTaken(), now=fact.received_at, data={"id_tag": "another"})


def _is_awaited(session: Session, fact: TransactionStarted) -> bool:
    """Whether the session waits for this transaction, and there."""
    return session.evse_id == fact.evse_pk and not session.is_over and session.transaction_id is None


def _attach(session: Session, fact: TransactionStarted) -> datetime | None:
    session.clock_skew_seconds = clock_skew_seconds(
        started_at=fact.started_at, asked_at=session.requested_at, received_at=fact.received_at
    )
    session.transaction_id = fact.transaction_pk
    assert session.evse.station is not None
    session.stop_latency_seconds = session.evse.station.stop_latency_seconds
    session.started_at = corrected(fact.started_at, session.clock_skew_seconds)
    following.begin(session, meter_start_wh=fact.meter_start_wh)
    lifecycle.move(
        session,
        states.TransactionOpened(),
        now=fact.received_at,
        data={"meter_start_wh": fact.meter_start_wh, "clock_skew_seconds": session.clock_skew_seconds},
    )
    if session.evse.status in PAUSED:
        by_vehicle = session.evse.status == EvseStatus.SUSPENDED_EV
        lifecycle.move(session, states.EnergyPaused(by_vehicle), now=fact.received_at)
        following.note_pause(session, EvseStatus(session.evse.status))
    following.plan_from_start(session)
    update(session, ["stop_at", "limit_energy_wh", "meter_state"])
    return following.half_way(session, now=fact.received_at)


def _end_time(session: Session, fact: TransactionEnded) -> datetime:
    """The end as the charger tells it, inside what is possible: after the start, not in our future.

    A transaction that was closed by inference ended at its last sample: the driver does not pay for the time
    until somebody noticed (B17). An end before the start is a wrong clock, often after a loss of power: ours
    counts then, or the whole charge would be implausible (B34).
    """
    assert session.started_at is not None
    if fact.reason == INFERRED:
        ended_at = session.metered_at or session.started_at
    else:
        ended_at = corrected(fact.ended_at, session.clock_skew_seconds)
    if (session.started_at - ended_at).total_seconds() > CLOCK_TOLERANCE_SECONDS:
        ended_at = fact.received_at
        session.needs_review = "the charger's clock went back during the session"
    return min(max(ended_at, session.started_at), max(fact.received_at, session.started_at))
