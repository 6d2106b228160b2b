"""Settle once: tell the PTP what to capture or to release, book what it confirms.

Every move locks the payment's row, asks the pure table in states.py, and writes state, journal, receipt and
message in one database transaction. Lock order, everywhere: payment, station,
transaction, session, command.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from chargers.failpoints import failpoint
from payments import outbox, states
from payments.errors import IdempotencyConflict
from payments.idempotency import fingerprint
from payments.models import Confirmation, Payment, PaymentEvent
from payments.receipts import issue
from payments.states import CaptureStatus, Effect, Timers
from sessions_app.models import CDR, Session
from sessions_app.states import SessionState

SETTLEMENT_DUE = "settlement.due"
SESSION_UPDATED = "session.updated"


@dataclass(frozen=True, kw_only=True)
class CaptureReport:
    """What a PTP says of a capture; the amount in minor units."""

    confirmation_id: str
    status: CaptureStatus
    amount_minor: int
    currency: str
    eft_data: list[str] = field(default_factory=list)


def timers() -> Timers:
    """Return the timers in force."""
    return Timers(
        confirmation_warn_seconds=settings.CONFIRMATION_WARN_SECONDS,
        confirmation_alert_seconds=settings.CONFIRMATION_ALERT_SECONDS,
    )


def locked(payment_id: uuid.UUID) -> Payment:
    """Return the payment with its row locked until the transaction ends. Raises Payment.DoesNotExist."""
    return (
        Payment.objects.select_for_update(of=("self",)).select_related("ptp", "terminal").get(pk=payment_id)
    )


def settle(payment_id: uuid.UUID, *, now: datetime) -> Payment:
    """Settle a payment whose session is over; settling twice is settling once."""
    with transaction.atomic():
        payment = locked(payment_id)
        session = payment.session
        if session is not None and session.is_over:
            settle_locked(payment, session, now=now)
    return payment


def settle_locked(payment: Payment, session: Session, *, now: datetime) -> None:
    """Settle inside the caller's transaction; the payment's row is locked or not yet visible to others."""
    if payment.state != states.PaymentState.AUTHORIZED:
        return
    cdr = CDR.objects.filter(session=session, credit_of=None).first()
    # A meter that cannot be believed may hide a whole charge behind "nothing to charge" (OCPP.md section 3).
    doubtful = bool(session.needs_review) and session.state == SessionState.ENDED
    if cdr is None:
        move(payment, states.NothingToCharge(doubtful), now=now)
    else:
        move(payment, states.CdrIssued(cdr.total_incl_minor, doubtful), now=now, data={"cdr": str(cdr.pk)})
    for parked in Confirmation.objects.filter(payment=payment):
        _book(payment, parked, now)  # it came before the session's end was known to us (B30)


def move(
    payment: Payment,
    event: states.Event,
    *,
    now: datetime,
    actor: str = "",
    data: dict[str, Any] | None = None,
) -> None:
    """Apply one event to a locked payment, write what changed, and carry out the effects."""
    account, effects = states.apply(payment.account, event, now, timers())
    if account == payment.account and not effects:
        return
    before = payment.state
    payment.account = account
    payment.changed_at = now
    payment.event_count += 1
    if payment.settled_at is None and payment.state != states.PaymentState.AUTHORIZED:
        payment.settled_at = now
    payment.save()
    PaymentEvent.objects.create(
        payment=payment,
        number=payment.event_count,
        at=now,
        kind=type(event).__name__,
        state_before=before,
        state_after=payment.state,
        actor=actor,
        data={**(data or {}), "review": payment.review},
    )
    for effect in effects:
        _EFFECTS[effect](payment, now)


def confirm(payment_id: uuid.UUID, report: CaptureReport, *, now: datetime) -> Payment:
    """Book what the PTP captured; a repeat of the same confirmation changes nothing.

    Raises IdempotencyConflict when the same confirmation id comes with another content.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        stored = _store_confirmation(payment, report, now)
        if stored is None:
            return payment
        failpoint("F23_confirmation_in_tx")
        _book(payment, stored, now)
    failpoint("F24_confirmation_after_tx")
    return payment


def _book(payment: Payment, confirmation: Confirmation, now: datetime) -> None:
    event = states.Confirmed(
        CaptureStatus(confirmation.status),
        confirmation.amount_minor,
        same_currency=confirmation.currency == payment.currency,
    )
    data = {"confirmation": confirmation.confirmation_id}
    move(payment, event, now=now, actor=payment.ptp.name, data=data)


def _store_confirmation(payment: Payment, report: CaptureReport, now: datetime) -> Confirmation | None:
    """Store and return it; None when the same one is stored already."""
    request_hash = fingerprint({"payment": payment.pk, **vars(report)})
    try:
        with transaction.atomic():
            return Confirmation.objects.create(
                ptp=payment.ptp,
                payment=payment,
                confirmation_id=report.confirmation_id,
                status=report.status,
                amount_minor=report.amount_minor,
                currency=report.currency,
                eft_data=report.eft_data,
                request_hash=request_hash,
                received_at=now,
            )
    except IntegrityError:
        known = Confirmation.objects.get(ptp=payment.ptp, confirmation_id=report.confirmation_id)
        if known.request_hash != request_hash:
            raise IdempotencyConflict from None
        return None


def acknowledge_release(payment_id: uuid.UUID, *, now: datetime) -> Payment:
    """The PTP dropped the hold; a repeat changes nothing. Raises WrongState where nothing is to release."""
    with transaction.atomic():
        payment = locked(payment_id)
        move(payment, states.ReleaseAcknowledged(), now=now, actor=payment.ptp.name)
    return payment


def sweep_one(payment_id: uuid.UUID, *, now: datetime) -> None:
    """Look at one payment whose deadline has come, or whose session ended unheard."""
    settle(payment_id, now=now)
    with transaction.atomic():
        move(locked(payment_id), states.DeadlinePassed(), now=now, actor="sweep")


def _tell_due(payment: Payment, now: datetime) -> None:
    if payment.ptp.webhook_url:
        outbox.tell(ptp=payment.ptp, topic=SETTLEMENT_DUE, subject=str(payment.pk), now=now)


def tell_session_updated(payment: Payment, *, now: datetime) -> None:
    """Let the PTP know that there is news of a session; the newest state is what it will be told."""
    with transaction.atomic():
        outbox.tell(ptp=payment.ptp, topic=SESSION_UPDATED, subject=str(payment.pk), now=now)


def _issue_receipt(payment: Payment, now: datetime) -> None:
    issue.issue(payment, CDR.objects.get(session=payment.session, credit_of=None), now)


_EFFECTS = {Effect.ISSUE_RECEIPT: _issue_receipt, Effect.TELL_DUE: _tell_due}
