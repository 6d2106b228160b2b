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
from payments.errors import IdempotencyConflict, WrongState
from payments.idempotency import fingerprint
from payments.models import Confirmation, Payment, PaymentEvent, Ptp
from payments.receipts import issue
from payments.states import CaptureStatus, Effect, PaymentState, Timers
from sessions_app.models import CDR, Session
from sessions_app.states import SessionState

SETTLEMENT_DUE = "settlement.due"
SESSION_UPDATED = "session.updated"
# What a payment that came by OCPI is told by; its subject is the payment.
OCPI_SESSION = "ocpi.session"
OCPI_CDR = "ocpi.cdr"


@dataclass(frozen=True, kw_only=True)
class CaptureReport:
    """What a PTP says of a capture; the amount in minor units."""

    confirmation_id: str
    status: CaptureStatus
    amount_minor: int
    currency: str
    eft_data: list[str] = field(default_factory=list)
    message: str = ""
    document: dict[str, Any] = field(default_factory=dict)  # the OCPI object as it came


def timers() -> Timers:
    """Return the timers in force."""
    return Timers(
        confirmation_warn_seconds=settings.CONFIRMATION_WARN_SECONDS,
        confirmation_alert_seconds=settings.CONFIRMATION_ALERT_SECONDS,
        hold_warn_seconds=settings.HOLD_WARN_SECONDS,
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


def confirm(
    payment_id: uuid.UUID, report: CaptureReport, *, now: datetime, amendable: bool = False
) -> Payment:
    """Book what the PTP captured; a repeat of the same confirmation changes nothing.

    With `amendable` (OCPI, where a SUCCESS after FAILED may bear the same id) another content is one more
    confirmation; without, it raises IdempotencyConflict.
    """
    with transaction.atomic():
        payment = locked(payment_id)
        stored = _store_confirmation(payment, report, now, amendable=amendable)
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
        first=is_first(payment, confirmation),
    )
    data = {"confirmation": confirmation.confirmation_id}
    move(payment, event, now=now, actor=payment.ptp.name, data=data)


def is_first(payment: Payment, confirmation: Confirmation) -> bool:
    """Whether nothing else was confirmed: then a payment that is booked was booked by hand."""
    if payment.state in (PaymentState.AUTHORIZED, *states.CONFIRMABLE):
        return False  # there it makes no difference, and costs no query
    return not Confirmation.objects.filter(payment=payment).exclude(pk=confirmation.pk).exists()


def store_orphan(
    ptp: Ptp, authorization_reference: str, report: CaptureReport, *, now: datetime
) -> Confirmation:
    """Keep a confirmation of a hold that we do not know (B29): money facts are never dropped."""
    request_hash = fingerprint({"reference": authorization_reference, **_told(report)})
    orphan, _ = Confirmation.objects.get_or_create(
        ptp=ptp,
        confirmation_id=report.confirmation_id,
        request_hash=request_hash,
        defaults={
            **vars(report),
            "payment": None,
            "authorization_reference": authorization_reference,
            "received_at": now,
        },
    )
    return orphan


def _store_confirmation(
    payment: Payment, report: CaptureReport, now: datetime, *, amendable: bool
) -> Confirmation | None:
    """Store and return it; None when the same one is stored already. The payment's row is locked."""
    request_hash = fingerprint({"payment": payment.pk, **_told(report)})
    known = Confirmation.objects.filter(ptp=payment.ptp, confirmation_id=report.confirmation_id)
    if known.filter(request_hash=request_hash).exists():
        return None
    if not amendable and known.exists():
        raise IdempotencyConflict
    try:
        with transaction.atomic():
            return Confirmation.objects.create(
                ptp=payment.ptp,
                payment=payment,
                request_hash=request_hash,
                received_at=now,
                authorization_reference=payment.authorization_reference,
                **vars(report),
            )
    except IntegrityError:
        return None  # the same one, told twice at once about two payments: one of them has it


def _told(report: CaptureReport) -> dict[str, Any]:
    """What tells two confirmations apart: all but the document, whose time stamp is another at each sending."""
    return {name: value for name, value in vars(report).items() if name != "document"}


def acknowledge_release(payment_id: uuid.UUID, *, now: datetime) -> Payment:
    """The PTP dropped the hold; a repeat changes nothing. Raises WrongState where nothing is to release."""
    with transaction.atomic():
        payment = locked(payment_id)
        move(payment, states.ReleaseAcknowledged(), now=now, actor=payment.ptp.name)
    return payment


def sweep_one(payment_id: uuid.UUID, *, now: datetime) -> None:
    """Look at one payment whose deadline has come, or whose session ended unheard."""
    try:
        settle(payment_id, now=now)
    except Exception:
        # A fault of ours: staff see it while the hold still stands, and the next sweep tries again.
        with transaction.atomic():
            payment = locked(payment_id)
            is_due = payment.session is not None and payment.session.is_over
            if is_due and payment.state == states.PaymentState.AUTHORIZED:
                move(payment, states.Flagged(states.Review.UNSETTLED), now=now, actor="sweep")
        raise
    with transaction.atomic():
        move(locked(payment_id), states.DeadlinePassed(), now=now, actor="sweep")


def _tell_due(payment: Payment, now: datetime) -> None:
    """Tell by the door that the payment came through, what is to be captured or released."""
    subject = str(payment.pk)
    if payment.connection_id is not None:
        lane = lane_of(payment)
        outbox.tell(ptp=payment.ptp, topic=OCPI_SESSION, subject=subject, lane=lane, now=now)
        outbox.tell(ptp=payment.ptp, topic=OCPI_CDR, subject=subject, lane=lane, now=now)
    elif payment.ptp.webhook_url:
        outbox.tell(ptp=payment.ptp, topic=SETTLEMENT_DUE, subject=subject, now=now)


def tell_session_updated(payment: Payment, *, now: datetime) -> None:
    """Let the PTP know that there is news of a session; the newest state is what it will be told."""
    subject = str(payment.pk)
    with transaction.atomic():
        if payment.connection_id is not None:
            outbox.tell(ptp=payment.ptp, topic=OCPI_SESSION, subject=subject, lane=lane_of(payment), now=now)
        elif payment.ptp.webhook_url:
            outbox.tell(ptp=payment.ptp, topic=SESSION_UPDATED, subject=subject, now=now)


def tell_due_again(payment: Payment, *, now: datetime) -> None:
    """Tell a locked payment's PTP once more what is to be captured or released. Raises WrongState."""
    if payment.state not in (PaymentState.CAPTURING, PaymentState.RELEASING):
        raise WrongState(payment.state)
    _tell_due(payment, now)


def lane_of(payment: Payment) -> str:
    """Return the lane in which a session's messages leave: the Session before its CDR."""
    return f"session:{payment.session_id}"


def _issue_receipt(payment: Payment, now: datetime) -> None:
    issue.issue(payment, CDR.objects.get(session=payment.session, credit_of=None), now)


def _nothing(payment: Payment, now: datetime) -> None:
    """A refund is told with its credit CDR, which decisions.refund has at hand."""


_EFFECTS = {
    Effect.ISSUE_RECEIPT: _issue_receipt,
    Effect.TELL_DUE: _tell_due,
    Effect.TELL_REFUND: _nothing,
}
