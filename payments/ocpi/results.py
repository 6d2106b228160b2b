"""The one CommandResult of each command: what came of it at the charger, told once it is known.

OCPI 2.3.0 mod_commands. ACCEPTED says that the charger took the command, not that anything charges. The
result is a conditional update of the command's row, written with the message that carries it; whoever comes
second finds it decided.
"""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from chargers.facts import CommandAction
from chargers.models import Command
from payments import outbox
from payments.models import OcpiCommand, OcpiConnection
from payments.ocpi import refusals
from payments.ocpi.commands import CommandResultType, StartSessionBody
from payments.ocpi.holds import payment_of
from sessions_app import lifecycle
from sessions_app.models import Session, SessionEvent
from sessions_app.states import FINAL, NEVER_STARTED, SessionState

logger = logging.getLogger(__name__)

TOPIC: Final = "ocpi.command_result"
BATCH: Final = 500  # commands a sweep looks at; the next one comes in seconds

Result = CommandResultType
_STARTED: Final = frozenset(SessionState) - NEVER_STARTED - {SessionState.REQUESTED}
# Why a session never started, as its row says it (MONEY.md B2–B10), in OCPI's words. A charger that answers a
# remote start with Rejected is FAILED in OCPI's own picture of START_SESSION.
_REFUSALS: Final = {
    "occupied": Result.EVSE_OCCUPIED,
    "reserved": Result.EVSE_OCCUPIED,
    "evse_taken": Result.EVSE_OCCUPIED,
    "removed": Result.EVSE_INOPERATIVE,
    "no_station": Result.EVSE_INOPERATIVE,
    "not_reported": Result.EVSE_INOPERATIVE,
    "faulted": Result.EVSE_INOPERATIVE,
    "out_of_use": Result.EVSE_INOPERATIVE,
    "offline": Result.TIMEOUT,
    "charger_offline": Result.TIMEOUT,
    "charger_did_not_answer": Result.TIMEOUT,
    "rejected_by_charger": Result.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the result of a command depends on."""

    kind: str
    session_state: str
    refusal: str = ""
    start_accepted: bool = False  # the session was STARTING or beyond at some time
    stop_answers: frozenset[str] = frozenset()  # states of the stop commands to the charger
    overdue: bool = False


def result_of(facts: Facts) -> Result | None:
    """Return the result of a command, None while there is none."""
    return _start_result(facts) if facts.kind == OcpiCommand.Kind.START else _stop_result(facts)


def _start_result(facts: Facts) -> Result | None:
    """A start has no time-out of its own: it is over when its session is, lest a session start after it."""
    if facts.start_accepted or facts.session_state in _STARTED:
        return Result.ACCEPTED
    if facts.session_state == SessionState.REQUESTED:
        return None
    if facts.refusal in _REFUSALS:
        return _REFUSALS[facts.refusal]
    # EXPIRED without a reason: the answer never came (B5); CANCELLED: stopped before it came (B37).
    return Result.TIMEOUT if facts.session_state == SessionState.EXPIRED else Result.FAILED


def _stop_result(facts: Facts) -> Result | None:
    """A charger that refuses is asked again (B14); what stands at the deadline is told."""
    if facts.session_state in FINAL or Command.State.ACCEPTED in facts.stop_answers:
        return Result.ACCEPTED
    if not facts.overdue:
        return None
    return Result.REJECTED if Command.State.REJECTED in facts.stop_answers else Result.TIMEOUT


def decide(command: OcpiCommand, now: datetime) -> str:
    """Return the CommandResultType that a command has earned, "" while there is none."""
    session = command.payment.session
    if session is None:
        return ""
    facts = Facts(
        kind=command.kind,
        session_state=session.state,
        refusal=session.refusal,
        start_accepted=_was_accepted(command, session),
        stop_answers=_stop_answers(command, session),
        overdue=command.deadline_at <= now,
    )
    return str(result_of(facts) or "")


def _was_accepted(command: OcpiCommand, session: Session) -> bool:
    """Whether the charger took the start; looked up only where the session's state does not tell."""
    if command.kind != OcpiCommand.Kind.START or session.state not in NEVER_STARTED:
        return False
    return SessionEvent.objects.filter(session=session, state_after__in=sorted(_STARTED)).exists()


def _stop_answers(command: OcpiCommand, session: Session) -> frozenset[str]:
    if command.kind != OcpiCommand.Kind.STOP or session.is_over:
        return frozenset()
    asked = Command.objects.filter(
        # By station, as that has an index.
        station=session.evse.station_id,
        action=CommandAction.STOP,
        reference=str(session.pk),
    )
    return frozenset(asked.values_list("state", flat=True))


def settle_command(command_id: uuid.UUID, *, now: datetime) -> bool:
    """Decide one command if it can be decided, and tell its result; returns whether this call did it."""
    command = (
        OcpiCommand.objects.select_related("connection__ptp", "payment__session__evse")
        .filter(pk=command_id, result="")
        .first()
    )
    result = decide(command, now) if command is not None else ""
    if command is None or not result:
        return False
    with transaction.atomic():
        command.result = result
        text = next(iter(messages_of(command).values()), "")
        won = OcpiCommand.objects.filter(pk=command.pk, result="").update(
            result=result, message=text[:255], decided_at=now
        )
        if won:
            _tell(command, now)
    return bool(won)


def _tell(command: OcpiCommand, now: datetime) -> None:
    outbox.tell(ptp=command.connection.ptp, topic=TOPIC, subject=str(command.pk), now=now)


def decide_for(session_id: uuid.UUID, *, now: datetime) -> int:
    """Look at the commands of a session that changed; returns how many were decided."""
    undecided = OcpiCommand.objects.filter(payment__session=session_id, result="")
    return sum(settle_command(pk, now=now) for pk in undecided.values_list("pk", flat=True))


def decide_due(*, now: datetime) -> int:
    """Look at every command without a result, so that a lost wake-up loses nothing; returns how many were decided.

    A start that is overdue ends its session first: the PTP must not hear TIMEOUT of one that may still start.
    """
    undecided = OcpiCommand.objects.filter(result="").order_by("deadline_at")
    rows = undecided.values_list("pk", "deadline_at", "payment__session", "payment__session__state")[:BATCH]
    decided = 0
    for command_id, deadline_at, session_id, state in rows:
        try:
            if deadline_at <= now and state == SessionState.REQUESTED:
                lifecycle.sweep_one(session_id, now=now)
            decided += settle_command(command_id, now=now)
        except Exception:
            # One broken row must not keep the others waiting; it is found again by the next sweep.
            logger.exception("the result of OCPI command %s cannot be decided", command_id)
    return decided


def messages_of(command: OcpiCommand) -> refusals.Texts:
    """Return what to say beside a result, by language, the driver's own first; nothing beside ACCEPTED."""
    session = command.payment.session
    if command.result in ("", Result.ACCEPTED) or session is None:
        return {}
    languages = refusals.spoken(command.payment.language, command.connection.languages)
    if command.kind == OcpiCommand.Kind.STOP:
        return refusals.why_not_stopped(command.result, languages)
    return refusals.why_not_started(session.refusal, languages, state=session.state)


def tell_again(
    connection: OcpiConnection, body: StartSessionBody, correlation_id: str, *, now: datetime
) -> None:
    """Send the result of a START_SESSION that was asked for again to where it is awaited now.

    A command that was REJECTED at once has no result; one that is not decided will be.
    """
    with transaction.atomic():
        command = (
            OcpiCommand.objects.select_for_update(of=("self",))
            .select_related("connection__ptp")
            .filter(
                connection=connection,
                kind=OcpiCommand.Kind.START,
                payment=payment_of(connection, body.authorization_reference or ""),
            )
            .first()
        )
        if command is None:
            return
        command.response_url = body.response_url
        command.correlation_id = correlation_id[:64]
        command.save(update_fields=["response_url", "correlation_id"])
        if command.result:
            _tell(command, now)
