"""Refunds that staff decide: small ones by one person, larger ones by two, every one with its reason.

What counts is all that goes back of a payment, so that nobody stays below the line by refunding in parts.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from payments import decisions, settlement
from payments.errors import PaymentError, WrongState
from payments.models import CreditNote, Decision, Payment, RefundRequest
from payments.reconciliation.acts import note
from payments.states import REFUNDABLE, PaymentState
from sessions_app.models import CDR
from tariffs.engine.money import to_minor

State = RefundRequest.State


class AskedAlready(PaymentError):
    """A refund of this payment waits for a second person."""


class Changed(PaymentError):
    """The payment is not as it was shown any more."""


class NotDecidable(PaymentError):
    """Somebody has decided it already."""


class SamePerson(PaymentError):
    """Whoever asks for a refund does not approve it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of wanting a refund: the credit, or the request that waits for a second person."""

    credit: CDR | None
    request: RefundRequest | None


def may_refund(payment: Payment) -> bool:
    """Whether anything can go back now."""
    return PaymentState(payment.state) in REFUNDABLE and payment.account.refundable_minor > 0


def needs_two(payment: Payment, amount_minor: int) -> bool:
    """Whether a refund is more than one person decides, together with what went back before."""
    limit_minor = to_minor(settings.REFUND_SECOND_PERSON_ABOVE, payment.currency)
    return payment.refunded_minor + payment.refunding_minor + amount_minor > limit_minor


def refund(
    payment_id: uuid.UUID,
    amount_minor: int,
    *,
    user: Any,
    reason: str,
    now: datetime,
    seen_events: int | None = None,
) -> Outcome:
    """Give back, or ask a second person. Raises WrongState for more than is left, AskedAlready, Changed.

    `seen_events` is the payment's event_count as the person saw it: a form that is sent twice refunds once.
    """
    with transaction.atomic():
        payment = settlement.locked(payment_id)
        if seen_events is not None and seen_events != payment.event_count:
            raise Changed
        if not may_refund(payment) or not 0 < amount_minor <= payment.account.refundable_minor:
            raise WrongState(payment.state)
        if RefundRequest.objects.filter(payment=payment, state=State.ASKED).exists():
            raise AskedAlready
        if needs_two(payment, amount_minor):
            return Outcome(None, _ask(payment, amount_minor, user=user, reason=reason, now=now))
        actor = user.get_username()
        return Outcome(decisions.refund(payment_id, amount_minor, actor=actor, reason=reason, now=now), None)


def _ask(payment: Payment, amount_minor: int, *, user: Any, reason: str, now: datetime) -> RefundRequest:
    try:
        with transaction.atomic():
            request = RefundRequest.objects.create(
                payment=payment, amount_minor=amount_minor, reason=reason, asked_by=user, asked_at=now
            )
    except IntegrityError:
        raise AskedAlready from None
    _note(request, Decision.Act.REFUND_ASKED, user=user, reason=reason, now=now)
    return request


def approve(request_id: int, *, user: Any, now: datetime) -> CDR:
    """Let the money go back as it was asked for. Raises NotDecidable, SamePerson, WrongState.

    The credit note and the journal name both people.
    """
    with transaction.atomic():
        request = _locked(request_id)
        if request.asked_by_id == user.pk:
            raise SamePerson
        actor = f"{request.asked_by.get_username()}, approved by {user.get_username()}"[:150]
        credit = decisions.refund(
            request.payment_id, request.amount_minor, actor=actor, reason=request.reason, now=now
        )
        request.state, request.credit = State.APPROVED, credit
        _decided(request, user=user, now=now)
    return credit


def decline(request_id: int, *, user: Any, reason: str, now: datetime) -> RefundRequest:
    """Say no to a refund; whoever asked takes it back. Raises NotDecidable."""
    with transaction.atomic():
        request = _locked(request_id)
        own = request.asked_by_id == user.pk
        request.state = State.WITHDRAWN if own else State.DECLINED
        request.decided_because = reason
        _decided(request, user=user, now=now)
        act = Decision.Act.REFUND_WITHDRAWN if own else Decision.Act.REFUND_DECLINED
        _note(request, act, user=user, reason=reason, now=now)
    return request


def _locked(request_id: int) -> RefundRequest:
    """Lock the payment, then its request. Raises RefundRequest.DoesNotExist, NotDecidable."""
    settlement.locked(RefundRequest.objects.values_list("payment", flat=True).get(pk=request_id))
    rows = RefundRequest.objects.select_for_update(of=("self",)).select_related("payment", "asked_by")
    request = rows.get(pk=request_id)
    if request.state != State.ASKED:
        raise NotDecidable
    return request


def _decided(request: RefundRequest, *, user: Any, now: datetime) -> None:
    request.decided_by, request.decided_at = user, now
    request.save(update_fields=["state", "credit", "decided_by", "decided_at", "decided_because"])


def _note(request: RefundRequest, act: Decision.Act, *, user: Any, reason: str, now: datetime) -> None:
    note(
        act,
        f"refund_request:{request.pk}",
        actor=user.get_username(),
        now=now,
        reason=reason,
        payment=request.payment,
        data={"amount_minor": request.amount_minor, "currency": request.payment.currency},
    )


def notes_of(payment: Payment) -> list[CreditNote]:
    """Return a payment's credit notes, the oldest first."""
    return list(CreditNote.objects.filter(payment=payment).defer("pdf").order_by("issued_at", "pk"))
