"""What staff do about items of the review inbox, beyond what payments.decisions does to a payment's account.

Each act leaves who did it and why: in the payment's or session's journal where that moves, else as a Decision.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from payments import decisions, outbox, settlement
from payments.errors import PaymentError
from payments.models import Confirmation, Decision, OutboxMessage, Payment, SettlementLine
from payments.reconciliation import comparing
from payments.reconciliation.inbox import GIVEN_UP_BY
from payments.states import PaymentState
from sessions_app import review

REASON_LENGTH = 200


class NoOrphan(PaymentError):
    """Somebody has dealt with it already, or it is another PTP's."""


def subject_of(row: Confirmation | SettlementLine | OutboxMessage) -> str:
    """Return how a Decision names what it is about."""
    kinds = {Confirmation: "confirmation", SettlementLine: "line", OutboxMessage: "message"}
    return f"{kinds[type(row)]}:{row.pk}"


def note(
    act: Decision.Act,
    subject: str,
    *,
    actor: str,
    now: datetime,
    reason: str = "",
    payment: Payment | None = None,
    data: dict[str, Any] | None = None,
) -> Decision:
    """Write one line of the journal, inside the caller's transaction."""
    return Decision.objects.create(
        at=now,
        act=act,
        actor=actor,
        reason=reason[:REASON_LENGTH],
        subject=subject,
        payment=payment,
        data=data or {},
    )


# --- Tell again -----------------------------------------------------------------------------------


def tell_again(payment_id: uuid.UUID, *, actor: str, now: datetime) -> None:
    """Tell the PTP once more what it has not answered: a capture, a release or a refund. Raises WrongState."""
    with transaction.atomic():
        payment = settlement.locked(payment_id)
        data: dict[str, Any] = {"state": payment.state}
        if payment.state == PaymentState.REFUNDING:
            decisions.tell_refund_again(payment_id, now=now)
            data["refunded_minor"] = payment.refunded_minor  # before it: tells one refund from the next
        else:
            decisions.send_again(payment_id, now=now)
        note(
            Decision.Act.SENT_AGAIN,
            f"payment:{payment.pk}",
            actor=actor,
            now=now,
            payment=payment,
            data=data,
        )


def send_message_again(
    message_id: uuid.UUID, *, actor: str, now: datetime, payment: Payment | None = None
) -> OutboxMessage:
    """Send a message that was given up once more. Raises OutboxMessage.DoesNotExist."""
    with transaction.atomic():
        message = OutboxMessage.objects.select_related("ptp").get(pk=message_id)
        outbox.replay(message, now=now)
        data = {"topic": message.topic, "about": message.subject, "error": message.last_error}
        note(
            Decision.Act.SENT_AGAIN,
            subject_of(message),
            actor=actor,
            now=now,
            payment=payment,
            data=data,
        )
    return message


def close_message(message_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> OutboxMessage:
    """Say that a message which was given up need not be sent. Raises OutboxMessage.DoesNotExist.

    News of the same thing is sent all the same.
    """
    with transaction.atomic():
        rows = OutboxMessage.objects.select_for_update(of=("self",)).select_related("ptp")
        message = rows.get(pk=message_id, state=OutboxMessage.State.GIVEN_UP)
        data = {"topic": message.topic, "about": message.subject, "error": message.last_error}
        message.last_error = f"{GIVEN_UP_BY}{actor}: {reason}"[:300]
        message.save(update_fields=["last_error"])
        note(Decision.Act.CLOSED, subject_of(message), actor=actor, now=now, reason=reason, data=data)
    return message


# --- Reviews --------------------------------------------------------------------------------------


def close_review(payment_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> Payment:
    """Close a payment's review, and that of its session, which is the same story."""
    payment = decisions.close_review(payment_id, actor=actor, reason=reason, now=now)
    if payment.session_id is not None:
        review.close_review(payment.session_id, actor=actor, reason=reason, now=now)
    return payment


# --- Orphans --------------------------------------------------------------------------------------


def match_confirmation(
    confirmation_id: int, payment_id: uuid.UUID, *, actor: str, reason: str, now: datetime
) -> Payment:
    """Book an orphan confirmation on the payment that staff say it is of (B29). Raises WrongState."""
    with transaction.atomic():
        payment = decisions.match_orphan(confirmation_id, payment_id, actor=actor, reason=reason, now=now)
        orphan = Confirmation.objects.get(pk=confirmation_id)
        _matched(orphan, payment, actor=actor, reason=reason, now=now)
    return payment


def match_line(line_id: int, payment_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> Payment:
    """Give an orphan line of a settlement file to the payment that staff say it is of. Raises NoOrphan."""
    with transaction.atomic():
        payment = settlement.locked(payment_id)
        line = _locked_line(line_id)
        if line.payment_id is not None or line.file.ptp_id != payment.ptp_id:
            raise NoOrphan
        line.payment = payment
        line.save(update_fields=["payment"])
        _matched(line, payment, actor=actor, reason=reason, now=now)
        comparing.again(Q(pk=line.pk))
    return payment


def _matched(
    orphan: Confirmation | SettlementLine, payment: Payment, *, actor: str, reason: str, now: datetime
) -> None:
    data = {"amount_minor": orphan.amount_minor, "currency": orphan.currency}
    subject = subject_of(orphan)
    note(Decision.Act.MATCHED, subject, actor=actor, now=now, reason=reason, payment=payment, data=data)


def close_confirmation(confirmation_id: int, *, actor: str, reason: str, now: datetime) -> None:
    """Say that an orphan confirmation is of no payment of ours. Raises NoOrphan."""
    with transaction.atomic():
        _close(Confirmation.objects.select_for_update().get(pk=confirmation_id), actor, reason, now)


def close_line(line_id: int, *, actor: str, reason: str, now: datetime) -> None:
    """Say that an orphan line of a settlement file is of no payment of ours. Raises NoOrphan."""
    with transaction.atomic():
        _close(_locked_line(line_id), actor, reason, now)


def _close(orphan: Confirmation | SettlementLine, actor: str, reason: str, now: datetime) -> None:
    if orphan.payment_id is not None or orphan.closed_at is not None:
        raise NoOrphan
    orphan.closed_at = now
    orphan.save(update_fields=["closed_at"])
    data = {"amount_minor": orphan.amount_minor, "currency": orphan.currency}
    note(Decision.Act.CLOSED, subject_of(orphan), actor=actor, now=now, reason=reason, data=data)


def _locked_line(line_id: int) -> SettlementLine:
    return SettlementLine.objects.select_for_update(of=("self",)).select_related("file").get(pk=line_id)
