"""Faults planted in the product, which the campaign must catch, or its zero breaks prove nothing.

Each replaces one line of care: a key that stays the same over retries, a message stored with its fact, a state
that is looked at before money is let go.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from celery import shared_task
from django.db import transaction
from django.utils import timezone

TELL_TASK: Final = "tests.crash.tell_due"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One planted fault: how, where to kill so that it shows, and what the check must say then."""

    plant: Callable[[], None]
    wanted: dict[str, int]
    shows: str
    linger_seconds: float = field(default=0.0)  # how much longer drivers charge


def _key_per_attempt() -> None:
    """The CDR that asks for the capture gets a new id each time it is sent."""
    from payments import webhooks

    statement = webhooks.settlement_statement

    def with_new_key(*arguments: Any, **more: Any) -> dict[str, Any]:
        told = statement(*arguments, **more)
        return {**told, "cdr": told["cdr"] and {**told["cdr"], "id": str(uuid.uuid4())}}

    webhooks.settlement_statement = with_new_key


def _message_after_commit() -> None:
    """What is due is stored as a message by a task that the commit wakes, not by the commit."""
    from payments import settlement
    from payments.models import Payment
    from payments.states import Effect
    from sessions_app.wakeups import wake

    tell_due = settlement._tell_due

    @shared_task(name=TELL_TASK)  # type: ignore[untyped-decorator]
    def tell(payment_id: str) -> None:
        with transaction.atomic():
            tell_due(Payment.objects.get(pk=payment_id), timezone.now())

    def later(payment: Payment, now: datetime) -> None:
        wake(TELL_TASK, str(payment.pk))

    settlement._EFFECTS[Effect.TELL_DUE] = later


def _release_unseen() -> None:
    """A start that was never answered ends its session, whatever became of it meanwhile; so its hold goes."""
    from sessions_app import states
    from sessions_app.states import Life, Outcome, SessionState, StartOutcome, Timers

    answered = states._HANDLERS[states.StartAnswered]
    for running in states.RUNNING:
        states.LEGAL[running] |= {SessionState.EXPIRED}

    def unseen(life: Life, event: states.Event, now: datetime, timers: Timers) -> Outcome:
        assert isinstance(event, states.StartAnswered)
        if event.outcome is StartOutcome.UNANSWERED:
            return replace(life, state=SessionState.EXPIRED, deadline_at=None), ()
        return answered(life, event, now, timers)

    states._HANDLERS[states.StartAnswered] = unseen


MUTANTS: Final = {
    "no idempotency key": Mutant(
        plant=_key_per_attempt, wanted={"F20": 60, "F21": 60}, shows="'capture', 'capture'"
    ),
    "message after commit": Mutant(
        plant=_message_after_commit, wanted={"F26": 40}, shows="0 messages tell what is due"
    ),
    "release without a look at the state": Mutant(
        plant=_release_unseen,
        wanted={"F06": 20, "F07": 20},
        shows="but the charger was allowed to charge",
        linger_seconds=2.5,
    ),
}


def plant(name: str) -> None:
    """Plant one; no name, no fault."""
    if name:
        MUTANTS[name].plant()
