"""What staff do to messages of the outbox: send again, give up. Each act leaves who did it, and why."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from emabler.portal.ocpi import words
from emabler.portal.ocpi.changes import journal
from payments import circuit, outbox
from payments.models import Decision, OutboxMessage, Ptp
from payments.reconciliation.acts import note, subject_of


def send_again(message_pk: uuid.UUID, *, user: Any, now: datetime) -> OutboxMessage:
    """Make a message due with its newest content. Raises OutboxMessage.DoesNotExist."""
    message = OutboxMessage.objects.select_related("ptp").get(pk=message_pk)
    with transaction.atomic():
        _let_ask(message.ptp, now)
        outbox.replay(message, now=now)
        _note(Decision.Act.SENT_AGAIN, message, user=user, now=now)
        journal(message, user, f"Sent again: {words.topic(message.topic)} {message.subject}.")
    return message


def send_all_again(ptp_pk: int, *, user: Any, now: datetime) -> tuple[Ptp, int]:
    """Make due what waits for a PTP and what was given up; returns how many. Raises Ptp.DoesNotExist."""
    ptp = Ptp.objects.get(pk=ptp_pk)
    with transaction.atomic():
        _let_ask(ptp, now)
        count = outbox.replay_all(ptp, now=now)
        journal(ptp, user, f"All undelivered messages sent again: {count}.")
    return ptp, count


def give_up(message_pk: uuid.UUID, reason: str, *, user: Any, now: datetime) -> bool:
    """Send a message no more, unless there is news of its subject or somebody sends it again.

    Returns False where it is being sent right now, was delivered or given up meanwhile.
    Raises OutboxMessage.DoesNotExist.
    """
    message = OutboxMessage.objects.get(pk=message_pk)
    said = f"given up by {user.get_username()}: {reason}"[:300]
    with transaction.atomic():
        # A worker that has it would write down how it went over what is said here.
        free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
        waiting = OutboxMessage.objects.filter(free, pk=message_pk, state=OutboxMessage.State.DUE)
        if not waiting.update(state=OutboxMessage.State.GIVEN_UP, last_error=said):
            return False
        _note(Decision.Act.CLOSED, message, user=user, now=now, reason=reason)
        journal(message, user, f"Given up, {words.topic(message.topic)} {message.subject}: {reason}")
    return True


def _note(act: Decision.Act, message: OutboxMessage, *, user: Any, now: datetime, reason: str = "") -> None:
    """Keep it also where nobody can take it away: a message may be what a PTP captures by."""
    data = {"topic": message.topic, "about": message.subject, "error": message.last_error}
    note(act, subject_of(message), actor=user.get_username(), now=now, reason=reason, data=data)


def _let_ask(ptp: Ptp, now: datetime) -> None:
    """A PTP that is taken for down is asked at once: a person may know that it is back."""
    circuit.give_probe_back(ptp.pk, now=now)
