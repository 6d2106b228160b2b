"""What staff decide about money. It takes the permission `payments.decide_money`; each act leaves who and why."""

import logging
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from emabler.portal.money import words
from emabler.portal.money.forms import MatchForm, ReasonForm, RefundForm
from emabler.portal.money.payment_page import find_payment
from emabler.portal.money.views import kind_of, payment_context
from emabler.portal.views import staff
from payments import decisions, settlement
from payments.errors import WrongState
from payments.models import Confirmation, OutboxMessage, Payment, RefundRequest, SettlementLine
from payments.reconciliation import acts, inbox, refunds
from payments.reconciliation.acts import NoOrphan
from payments.reconciliation.inbox import NEEDS_REASON, Act, Item, Kind
from payments.reconciliation.refunds import AskedAlready, Changed, NotDecidable, SamePerson
from sessions_app import lifecycle, review
from sessions_app.errors import NothingToStop

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]
may_decide: Callable[[View], View] = permission_required("payments.decide_money", raise_exception=True)
CHANGED = "It has changed meanwhile: look at it again."
GONE = "It does not wait any more."


@staff
@may_decide
@require_POST
def do(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """Carry out the act of an item, or close it with a reason instead."""
    item = inbox.find_item(kind_of(kind), key)
    act = request.POST.get("act", "")
    if item is None:
        messages.success(request, GONE)
    elif act not in (item.act, Act.CLOSE) or is_older(request, item.payment):
        messages.error(request, CHANGED)
    else:
        _carry_out(request, item, Act(act))
    return _back(request)


def is_older(request: HttpRequest, payment: Payment | None) -> bool:
    """Whether the page was shown before the last change: a form that is sent twice acts once."""
    seen = request.POST.get("seen_events", "")
    return bool(seen) and payment is not None and seen != str(payment.event_count)


def _carry_out(request: HttpRequest, item: Item, act: Act) -> None:
    form = ReasonForm(request.POST)
    if act in NEEDS_REASON and not form.is_valid():
        messages.error(request, "Say why, so that others understand it later.")
        return
    reason = form.cleaned_data["reason"] if act in NEEDS_REASON else ""
    carry = _ACTS.get((item.kind, act)) or _ACTS.get((None, act))
    if carry is None:
        messages.error(request, CHANGED)
        return
    try:
        said = carry(item, actor=request.user.get_username(), reason=reason)
    except (WrongState, NothingToStop, NoOrphan, OutboxMessage.DoesNotExist):
        messages.error(request, CHANGED)
    except NotDone as why:
        messages.error(request, str(why))
    else:
        messages.success(request, said)


class NotDone(Exception):
    """An act was tried in vain; the text says so to staff."""


def _tell_again(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    acts.tell_again(item.payment.pk, actor=actor, now=timezone.now())
    return f"{item.payment.ptp.name} is being told again."


def _send_message(item: Item, *, actor: str, reason: str) -> str:
    message = acts.send_message_again(item.row.pk, actor=actor, now=timezone.now(), payment=item.payment)
    return f"It is on its way to {message.ptp.name}."


def _write_off(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    amount = words.money(item.payment.open_minor, item.payment.currency)
    decisions.write_off(item.payment.pk, actor=actor, reason=reason, now=timezone.now())
    return f"{amount} written off."


def _returned(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    owed_minor = item.payment.account.owed_minor
    decisions.excess_returned(item.payment.pk, owed_minor, actor=actor, reason=reason, now=timezone.now())
    return f"{words.money(owed_minor, item.payment.currency)} are back."


def _released(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    decisions.hold_is_gone(item.payment.pk, actor=actor, reason=reason, now=timezone.now())
    return "The hold is booked as released."


def _refunded(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    decisions.acknowledge_refund(item.payment.pk, actor=actor, reason=reason, now=timezone.now())
    return "The refund is booked as given back."


def _close_payment(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    acts.close_review(item.payment.pk, actor=actor, reason=reason, now=timezone.now())
    return "Closed."


def _close_session(item: Item, *, actor: str, reason: str) -> str:
    review.close_review(item.row.pk, actor=actor, reason=reason, now=timezone.now())
    return "Closed."


def _close_confirmation(item: Item, *, actor: str, reason: str) -> str:
    acts.close_confirmation(item.row.pk, actor=actor, reason=reason, now=timezone.now())
    return "Closed: it is of no payment of ours."


def _close_line(item: Item, *, actor: str, reason: str) -> str:
    acts.close_line(item.row.pk, actor=actor, reason=reason, now=timezone.now())
    return "Closed: it is of no payment of ours."


def _close_message(item: Item, *, actor: str, reason: str) -> str:
    acts.close_message(item.row.pk, actor=actor, reason=reason, now=timezone.now())
    return "Closed. News of the same thing is sent all the same."


def _end_session(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    assert item.payment.session_id is not None
    lifecycle.close_in_books(item.payment.session_id, actor=actor, reason=reason, now=timezone.now())
    return "The session is ended in the books and being billed."


def _settle(item: Item, *, actor: str, reason: str) -> str:
    assert item.payment is not None
    try:
        settlement.settle(item.payment.pk, now=timezone.now())
    except Exception as fault:
        logger.exception("payment %s could not be settled", item.payment.pk)
        raise NotDone("It still cannot be billed. The log of the server says why.") from fault
    return "The session is billed."


_ACTS: dict[tuple[Kind | None, Act], Callable[..., str]] = {
    (None, Act.TELL_AGAIN): _tell_again,
    (None, Act.SEND_MESSAGE): _send_message,
    (None, Act.WRITE_OFF): _write_off,
    (None, Act.END_SESSION): _end_session,
    (None, Act.SETTLE): _settle,
    (None, Act.RETURNED): _returned,
    (None, Act.RELEASED): _released,
    (None, Act.REFUNDED): _refunded,
    (Kind.PAYMENT, Act.CLOSE): _close_payment,
    (Kind.SESSION, Act.CLOSE): _close_session,
    (Kind.CONFIRMATION, Act.CLOSE): _close_confirmation,
    (Kind.LINE, Act.CLOSE): _close_line,
    (Kind.MESSAGE, Act.CLOSE): _close_message,
}


@staff
@may_decide
@require_POST
def match(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """Give an orphan to the payment that was chosen."""
    item, form = inbox.find_item(kind_of(kind), key), MatchForm(request.POST)
    if item is None or item.act is not Act.MATCH:
        messages.success(request, GONE)
        return redirect("portal:money-review")
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, str(errors[0]))
        return redirect("portal:money-item", kind, key)
    by_hand = acts.match_confirmation if isinstance(item.row, Confirmation) else acts.match_line
    facts = {"actor": request.user.get_username(), "reason": form.cleaned_data["reason"]}
    try:
        payment = by_hand(item.row.pk, form.cleaned_data["payment"], now=timezone.now(), **facts)
    except (WrongState, NoOrphan, Payment.DoesNotExist, SettlementLine.DoesNotExist):
        messages.error(request, "It cannot be of that payment. Choose another one.")
        return redirect("portal:money-item", kind, key)
    messages.success(request, f"Matched with {payment.authorization_reference}.")
    return redirect("portal:money-payment", payment.pk)


# --- Refunds and write-offs -----------------------------------------------------------------------


@staff
@may_decide
@require_POST
def refund(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """Give back a part or all of what was captured, or ask a second person to."""
    payment = _payment(payment_id)
    form = RefundForm(request.POST, payment=payment)
    if not form.is_valid():
        return render(
            request, "portal/money_payment.html", payment_context(request, payment, refund=form), status=422
        )
    entered = form.cleaned_data
    try:
        outcome = refunds.refund(
            payment_id,
            entered["amount"],
            user=request.user,
            reason=entered["reason"],
            now=timezone.now(),
            seen_events=entered["seen"],
        )
    except (WrongState, Changed, AskedAlready):
        messages.error(request, CHANGED)
        return redirect("portal:money-payment", payment_id)
    amount = words.money(entered["amount"], payment.currency)
    if outcome.request is None:
        messages.success(request, f"{amount} go back. {payment.ptp.name} is being told.")
    else:
        messages.success(request, f"A second person must approve that {amount} go back.")
    return redirect("portal:money-payment", payment_id)


@staff
@may_decide
@require_POST
def write_off(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """Give up what is open."""
    payment, form = _payment(payment_id), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say why, so that others understand it later.")
        return redirect("portal:money-payment", payment_id)
    if not payment.open_minor:
        messages.error(request, CHANGED)
        return redirect("portal:money-payment", payment_id)
    facts: dict[str, Any] = {"actor": request.user.get_username(), "reason": form.cleaned_data["reason"]}
    try:
        decisions.write_off(payment_id, now=timezone.now(), **facts)
    except WrongState:
        messages.error(request, CHANGED)
    else:
        messages.success(request, f"{words.money(payment.open_minor, payment.currency)} written off.")
    return redirect("portal:money-payment", payment_id)


@staff
@may_decide
@require_POST
def approve(request: HttpRequest, request_id: int) -> HttpResponse:
    """Let the money of a refund go back, as the second person."""
    asked = _asked(request_id)
    try:
        refunds.approve(request_id, user=request.user, now=timezone.now())
    except SamePerson:
        messages.error(request, "Someone else than the one who asked must approve it.")
    except (NotDecidable, WrongState):
        messages.error(request, CHANGED)
    else:
        messages.success(request, "Approved: the money goes back.")
    return redirect("portal:money-payment", asked.payment_id)


@staff
@may_decide
@require_POST
def decline(request: HttpRequest, request_id: int) -> HttpResponse:
    """Say no to a refund, or take back one's own."""
    asked, form = _asked(request_id), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say why, so that others understand it later.")
        return redirect("portal:money-payment", asked.payment_id)
    try:
        refunds.decline(request_id, user=request.user, reason=form.cleaned_data["reason"], now=timezone.now())
    except NotDecidable:
        messages.error(request, CHANGED)
    else:
        messages.success(request, "No money goes back.")
    return redirect("portal:money-payment", asked.payment_id)


def _payment(payment_id: uuid.UUID) -> Payment:
    try:
        return find_payment(payment_id)
    except Payment.DoesNotExist:
        raise Http404 from None


def _asked(request_id: int) -> RefundRequest:
    try:
        return RefundRequest.objects.get(pk=request_id)
    except RefundRequest.DoesNotExist:
        raise Http404 from None


def _back(request: HttpRequest) -> HttpResponse:
    """Return to the page about money that was shown, and nowhere else."""
    back, home = request.POST.get("back", ""), reverse("portal:money-review")
    ours = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith(
        reverse("portal:money")
    )
    return redirect(back if ours else home)
