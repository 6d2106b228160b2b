"""What staff decide about money: refund, write off, book or match by hand, close a review; each with who and why.

Every decision is one event of the pure table, one line of the journal and its documents, in one transaction.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from payments import outbox, settlement, states
from payments.errors import WrongState
from payments.models import Confirmation, Payment
from payments.receipts import issue
from payments.settlement import lane_of, locked, move
from payments.states import CaptureStatus
from sessions_app import credit
from sessions_app.models import CDR

# The subject of both is the credit CDR.
REFUND_DUE = "refund.due"
OCPI_CREDIT = "ocpi.credit"


def refund(payment_id: uuid.UUID, amount_minor: int, *, actor: str, reason: str, now: datetime) -> CDR:
    """Give back a part or all of what was captured: a credit CDR and a credit note, told to the PTP.

    One refund at a time. Raises WrongState, and NothingToCredit for more than is left.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        data = {"amount_minor": amount_minor, "reason": reason}
        move(payment, states.RefundAsked(amount_minor), now=now, actor=actor, data=data)
        cdr = CDR.objects.get(session=payment.session, credit_of=None)
        credited = credit.issue(cdr, amount_minor, now=now)
        issue.issue_credit_note(payment, credited, actor=actor, reason=reason, now=now)
        _tell_refund(payment, credited, now)
    return credited


def _tell_refund(payment: Payment, credited: CDR, now: datetime) -> None:
    topic = REFUND_DUE if payment.connection_id is None else OCPI_CREDIT
    if payment.connection_id is not None or payment.ptp.webhook_url:
        outbox.tell(ptp=payment.ptp, topic=topic, subject=str(credited.pk), lane=lane_of(payment), now=now)


def acknowledge_refund(
    payment_id: uuid.UUID,
    *,
    now: datetime,
    actor: str = "",
    reason: str = "",
    credit_id: uuid.UUID | None = None,
) -> Payment:
    """The PTP took the credit; a repeat changes nothing. Raises WrongState where none is on its way.

    Where the PTP does not say so itself, a person does, with a reason. With `credit_id`, which is one of this
    payment's, word of an earlier credit does not acknowledge the one that is on its way now.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        if credit_id is not None and credit_id != _newest_credit(payment):
            return payment
        data = {"reason": reason} if reason else None
        move(payment, states.RefundAcknowledged(), now=now, actor=actor or payment.ptp.name, data=data)
    return payment


def _newest_credit(payment: Payment) -> uuid.UUID:
    """One refund at a time: the newest credit is the only one that may still be on its way."""
    credits = CDR.objects.filter(session=payment.session, credit_of__isnull=False)
    return credits.latest("credit_number").pk


def write_off(payment_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> Payment:
    """Give up what is open (B26, B27). Raises WrongState where nothing is."""
    with transaction.atomic():
        payment = locked(payment_id)
        move(payment, states.WriteOffAsked(), now=now, actor=actor, data={"reason": reason})
    return payment


def accept_capture(
    payment_id: uuid.UUID,
    amount_minor: int,
    *,
    actor: str,
    reason: str,
    now: datetime,
    data: dict[str, Any] | None = None,
) -> Payment:
    """Book what was captured in all, before refunds (B28, B29): up to what is due; the rest the PTP owes back.

    Raises WrongState for less than is booked, and before anything is due.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        event = states.CaptureAccepted(amount_minor)
        facts = {"amount_minor": amount_minor, "reason": reason, **(data or {})}
        move(payment, event, now=now, actor=actor, data=facts)
    return payment


def excess_returned(
    payment_id: uuid.UUID, owed_minor: int, *, actor: str, reason: str, now: datetime
) -> Payment:
    """The PTP gave back what it took too much: `owed_minor`, as whoever says so saw it.

    Raises WrongState where it took nothing too much, or owes another amount by now.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        if payment.account.owed_minor != owed_minor:
            raise WrongState(payment.state)
        data = {"amount_minor": owed_minor, "reason": reason}
        move(payment, states.ExcessReturned(), now=now, actor=actor, data=data)
    return payment


def hold_is_gone(payment_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> Payment:
    """A person found that the PTP dropped the hold. Raises WrongState where nothing is to release."""
    with transaction.atomic():
        payment = locked(payment_id)
        move(payment, states.ReleaseAcknowledged(), now=now, actor=actor, data={"reason": reason})
    return payment


def flag(payment_id: uuid.UUID, review: states.Review, *, now: datetime, why: str = "") -> Payment:
    """Ask staff to look at a payment; a reason that stands already is kept."""
    with transaction.atomic():
        payment = locked(payment_id)
        move(payment, states.Flagged(review), now=now, data={"reason": why} if why else None)
    return payment


def close_review(payment_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> Payment:
    """Staff looked at it and are done."""
    with transaction.atomic():
        payment = locked(payment_id)
        move(payment, states.ReviewClosed(), now=now, actor=actor, data={"reason": reason})
    return payment


def match_orphan(
    confirmation_id: int, payment_id: uuid.UUID, *, actor: str, reason: str, now: datetime
) -> Payment:
    """Book an orphan confirmation on the payment that staff say it is of (B29).

    Raises WrongState where it is no orphan any more, or the payment is another PTP's.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        orphan = Confirmation.objects.select_for_update().get(pk=confirmation_id)
        if orphan.payment_id is not None or orphan.ptp_id != payment.ptp_id:
            raise WrongState(payment.state)
        orphan.payment = payment
        orphan.save(update_fields=["payment"])
        event = states.Confirmed(
            CaptureStatus(orphan.status),
            orphan.amount_minor,
            same_currency=orphan.currency == payment.currency,
            first=settlement.is_first(payment, orphan),
        )
        data = {"confirmation": orphan.confirmation_id, "reason": reason}
        move(payment, event, now=now, actor=actor, data=data)
    return payment


def tell_refund_again(payment_id: uuid.UUID, *, now: datetime) -> None:
    """Tell the PTP once more of the credit that is on its way. Raises WrongState where none is."""
    with transaction.atomic():
        payment = locked(payment_id)
        if payment.state != states.PaymentState.REFUNDING:
            raise WrongState(payment.state)
        _tell_refund(payment, CDR.objects.get(pk=_newest_credit(payment)), now)


def send_again(payment_id: uuid.UUID, *, now: datetime) -> None:
    """Tell the PTP once more what is due; it knows it by its id, so a repeat does no harm.

    Raises WrongState where nothing is due.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        settlement.tell_due_again(payment, now=now)
