"""What happens in a session's life: request a start, move it, stop it, close its books.

Every move locks the session's row, asks the pure table, writes state, journal and commands in one database
transaction, and rings the bell after commit. Lock order, everywhere: payment, station,
transaction, session, EVSE, command.
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from chargers import commands
from chargers.availability import UnavailableReason, problem_of, start_timeout_seconds
from chargers.failpoints import failpoint
from chargers.last_updated import evse_changed
from chargers.models import EVSE, Connector
from chargers.models import Transaction as ChargerTransaction
from chargers.prepared import insert, update
from sessions_app import states
from sessions_app.effects import EFFECTS
from sessions_app.errors import NothingToStop
from sessions_app.models import Session, SessionEvent
from sessions_app.place import place_of
from sessions_app.signals import session_changed
from sessions_app.states import Alert, Effect, Life, SessionState, StopReason, Timers
from tariffs.models import TariffVersion

# 20 characters is OCPP 1.6's limit; 19 random ones of 32 letters are 95 bits: nobody guesses a running tag.
ID_TAG_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
ID_TAG_PREFIX = "P"
ID_TAG_RANDOM_LENGTH = 19

LIFE_FIELDS = ("state", "deadline_at", "stop_reason", "stop_attempts", "stale", "doubted", "vehicle_full")
# Frozen at the tap; everything else may change in a move.
_FROZEN_FIELDS = frozenset(
    {
        "id",
        "authorization_id",
        "authorization_reference",
        "connector",
        "evse",
        "id_tag",
        "requested_at",
        "currency",
        "limit_minor",
        "tariff_version",
        "tariff_snapshot",
        "time_zone",
    }
)
MOVING_FIELDS = tuple(f.name for f in Session._meta.concrete_fields if f.name not in _FROZEN_FIELDS)
_OPENING = (states.StartAnswered, states.TransactionOpened)  # events that start the wait for the cable


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """What an approved preauthorisation asks for; the price is frozen here."""

    authorization_id: uuid.UUID
    authorization_reference: str
    connector: Connector
    currency: str
    limit_minor: int
    tariff_version: TariffVersion


def timers_for(evse: EVSE | None = None) -> Timers:
    """Return the timers in force; the start waits as long as this charger itself does."""
    start_seconds = settings.START_TIMEOUT_UNPLUGGED_SECONDS if evse is None else start_timeout_seconds(evse)
    return Timers(
        command_seconds=settings.COMMAND_TIMEOUT_SECONDS,
        start_seconds=start_seconds,
        stop_seconds=settings.STOP_TIMEOUT_SECONDS,
        final_meter_seconds=settings.FINAL_METER_TIMEOUT_SECONDS,
        full_battery_grace_seconds=settings.FULL_BATTERY_GRACE_SECONDS,
        stale_seconds=settings.STALE_AFTER_SECONDS,
        review_seconds=settings.REVIEW_OFFLINE_AFTER_SECONDS,
        reboot_grace_seconds=settings.REBOOT_GRACE_SECONDS,
    )


def request_start(request: StartRequest, *, actor: str, now: datetime) -> Session:
    """Store the session and its start command, inside the caller's transaction.

    A connector that cannot start gives a session that is REJECTED from its first moment, with the reason.
    """
    evse = EVSE.objects.select_related("station__process", "site").get(pk=request.connector.evse_id)
    problem = problem_of(evse)
    if problem is None:
        try:
            with transaction.atomic():
                return _start(request, evse, actor=actor, now=now)
        except IntegrityError:
            # I1: someone else's tap was faster by a moment.
            problem = UnavailableReason.OCCUPIED
    return _reject(request, evse, str(problem), now=now)


def _start(request: StartRequest, evse: EVSE, *, actor: str, now: datetime) -> Session:
    assert evse.station is not None
    session = _new_session(request, evse, states.begin(now, timers_for(evse)), now)
    session.event_count = 1
    session.save(force_insert=True)
    _journal(session, "Requested", "", now=now, actor=actor, data={"limit_minor": request.limit_minor})
    evse_changed(evse.pk, now=now)
    commands.start(
        station=evse.station,
        evse=evse,
        id_tag=session.id_tag,
        reference=str(session.pk),
        actor=actor,
        deadline_at=now + timedelta(seconds=settings.COMMAND_TIMEOUT_SECONDS),
    )
    announce(session)
    return session


def _reject(request: StartRequest, evse: EVSE, reason: str, *, now: datetime) -> Session:
    timers = timers_for(evse)
    life, _ = states.apply(states.begin(now, timers), states.StartRefused(reason), now, timers)
    session = _new_session(request, evse, life, now)
    session.refusal = reason
    session.event_count = 1
    session.save(force_insert=True)
    _journal(session, "Refused", "", now=now, data={"reason": reason})
    announce(session)
    return session


def _new_session(request: StartRequest, evse: EVSE, life: Life, now: datetime) -> Session:
    session = Session(
        authorization_id=request.authorization_id,
        authorization_reference=request.authorization_reference,
        connector=request.connector,
        evse=evse,
        id_tag=new_id_tag(),
        currency=request.currency,
        limit_minor=request.limit_minor,
        tariff_version=request.tariff_version,
        tariff_snapshot=request.tariff_version.document,
        time_zone=evse.site.time_zone,
        place=place_of(evse, request.connector),
        requested_at=now,
        changed_at=now,
    )
    session.life = life
    return session


def new_id_tag() -> str:
    """Return a fresh random id tag: it names one payment session to one charger, once."""
    return ID_TAG_PREFIX + "".join(secrets.choice(ID_TAG_ALPHABET) for _ in range(ID_TAG_RANDOM_LENGTH))


def locked(session_id: uuid.UUID) -> Session:
    """Return the session with its row locked until the transaction ends. Raises Session.DoesNotExist."""
    return (
        Session.objects.select_for_update(of=("self",)).select_related("evse", "connector").get(pk=session_id)
    )


def move(
    session: Session,
    event: states.Event,
    *,
    now: datetime,
    actor: str = "",
    data: dict[str, Any] | None = None,
    save: bool = True,
) -> tuple[Effect, ...]:
    """Apply one event to a locked session, write what changed, and carry out the effects.

    `save=False` leaves a change that moves no state to the caller, who is about to save the row anyway.
    """
    timers = timers_for(session.evse if isinstance(event, _OPENING) else None)
    if isinstance(event, states.TransactionOpened):
        life, effects = states.open_transaction(session.life, now, timers)
    else:
        life, effects = states.apply(session.life, event, now, timers)
    if life == session.life and not effects:
        return ()
    before = session.state
    session.life = life
    if before == session.state and not effects:
        if save:
            update(session, LIFE_FIELDS)
        return ()
    _stamp(session, now)
    session.event_count += 1
    _journal(session, type(event).__name__, before, now=now, actor=actor, data=data)
    for effect in effects:
        EFFECTS[effect](session, now, actor or "system")
    update(session, MOVING_FIELDS)
    if session.is_over:
        evse_changed(session.evse_id, now=now)
    announce(session)
    return effects


def _stamp(session: Session, now: datetime) -> None:
    session.changed_at = now
    if session.state == SessionState.STOPPING:
        session.stop_at = None
    if session.is_over and session.ended_at is None:
        session.ended_at = now
        session.stop_at = None


def request_stop(session_id: uuid.UUID, *, reason: StopReason, actor: str, now: datetime) -> Session:
    """Ask a session to end; asking twice is asking once. Raises NothingToStop when it is over already."""
    with transaction.atomic():
        session = locked(session_id)
        if session.is_over:
            raise NothingToStop(str(session_id))
        move(session, states.StopAsked(reason), now=now, actor=actor, data={"reason": str(reason)})
    return session


def close_in_books(session_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> Session:
    """End a session whose charger will not tell its end any more, at its last plausible meter value.

    Raises NothingToStop when it is over already or has not begun; a session that waits for its start ends by
    its own deadline.
    """
    with transaction.atomic():
        _lock_transaction(session_id)
        session = locked(session_id)
        if session.state not in states.RUNNING:
            raise NothingToStop(str(session_id))
        move(session, states.CloseAsked(), now=now, actor=actor, data={"reason": reason})
    return session


def _lock_transaction(session_id: uuid.UUID) -> None:
    """Lock the charger's transaction before its session, as the charger's own messages do: no dead-lock.

    Not its key: whoever writes a session twice has that checked at its commit, holding the session.
    """
    rows = ChargerTransaction.objects.select_for_update(of=("self",), no_key=True).filter(session=session_id)
    list(rows.values_list("pk", flat=True))


def sweep_one(session_id: uuid.UUID, *, now: datetime) -> None:
    """Look at one session whose deadline has come; harmless when someone was faster."""
    with transaction.atomic():
        _lock_transaction(session_id)
        session = locked(session_id)
        if session.deadline_at is not None and session.deadline_at <= now:
            failpoint("F27_sweep_mid_batch")
            move(session, states.DeadlinePassed(), now=now, actor="sweep")


def record(
    session: Session,
    kind: str,
    *,
    now: datetime,
    data: dict[str, Any],
    review: str = "",
    alert: Alert = Alert.NONE,
) -> None:
    """Write down what moves no state of a locked session, also of one that is over, and ask staff to look
    where there is a `review`; an `alert` concerns its payment.
    """
    session.event_count += 1
    _journal(session, kind, session.state, now=now, actor="charger", data=data)
    if alert and session.alert != Alert.LATE_STOP:  # it names money; nothing that comes later may hide it
        session.alert = alert
    session.needs_review = session.needs_review or review[:200]
    session.changed_at = now
    update(session, ["event_count", "alert", "needs_review", "changed_at"])
    announce(session)


def alert_taken(session: Session) -> None:
    """The rooms above took note, in the caller's transaction, which holds the session's row."""
    session.alert = Alert.NONE
    update(session, ["alert"])


def announce(session: Session) -> None:
    """Ring the bell for the rooms above, after commit."""
    session_id = session.pk
    transaction.on_commit(lambda: session_changed.send_robust(Session, session_id=session_id), robust=True)


def _journal(
    session: Session,
    kind: str,
    before: str,
    *,
    now: datetime,
    actor: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Write line number `event_count`; the caller has counted it and stores the count with the session."""
    event = SessionEvent(
        session=session,
        number=session.event_count,
        at=now,
        kind=kind,
        state_before=before,
        state_after=session.state,
        actor=actor,
        data=data or {},
    )
    insert(event)
