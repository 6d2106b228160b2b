"""Staff accept what was captured, and say that what was taken too much is back. Both take `payments.decide_money`."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from emabler.portal.money import words
from emabler.portal.money.act_views import CHANGED, is_older, may_decide
from emabler.portal.money.forms import AcceptForm, ReasonForm
from emabler.portal.money.payment_page import find_payment
from emabler.portal.money.views import payment_context
from emabler.portal.views import staff
from payments import decisions
from payments.errors import WrongState
from payments.models import Payment
from payments.reconciliation import acceptance
from payments.reconciliation.evidence import evidence_of
from payments.reconciliation.refunds import Changed, SamePerson


@staff
@may_decide
@require_POST
def accept(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """Book what was captured in all, or ask a second person to agree."""
    payment = _payment(payment_id)
    found = evidence_of([payment], now=timezone.now()).get(payment.pk)
    form = AcceptForm(request.POST, payment=payment, found=found)
    if not form.is_valid():
        context = payment_context(request, payment, accept=form)
        return render(request, "portal/money_payment.html", context, status=422)
    entered = form.cleaned_data
    try:
        booked = acceptance.accept(
            payment_id,
            entered["amount"],
            user=request.user,
            reason=entered["reason"],
            now=timezone.now(),
            key=entered["seen"],
        )
    except (Changed, WrongState):
        messages.error(request, CHANGED)
    except SamePerson:
        messages.error(request, "Someone else than the one who asked must agree to it.")
    else:
        amount = words.money(entered["amount"], payment.currency)
        said = "booked as captured." if booked else "wait for a second person, who must agree to the same."
        messages.success(request, f"{amount} {said}")
    return redirect("portal:money-payment", payment_id)


@staff
@may_decide
@require_POST
def returned(request: HttpRequest, payment_id: uuid.UUID) -> HttpResponse:
    """Say that the PTP gave back what it took too much."""
    payment, form = _payment(payment_id), ReasonForm(request.POST)
    owed_minor = payment.account.owed_minor
    if not form.is_valid():
        messages.error(request, "Say why, so that others understand it later.")
    elif not owed_minor or is_older(request, payment):
        messages.error(request, CHANGED)
    else:
        facts = {"actor": request.user.get_username(), "reason": form.cleaned_data["reason"]}
        try:
            decisions.excess_returned(payment_id, owed_minor, now=timezone.now(), **facts)
        except WrongState:
            messages.error(request, CHANGED)
        else:
            messages.success(request, f"{words.money(owed_minor, payment.currency)} are back.")
    return redirect("portal:money-payment", payment_id)


def _payment(payment_id: uuid.UUID) -> Payment:
    try:
        return find_payment(payment_id)
    except Payment.DoesNotExist:
        raise Http404 from None
