"""A receipt by the PTP's name for the hold: `invoice_base_url` + `authorization_reference`.

OCPI 2.3.0 mod_payments, InvoiceCreator. A random reference (UUID version 4) opens it like a link of ours. Any
other may be counted up by anyone, so it needs what only the payer knows as well: the card's last four digits or
the amount. Nothing tells whether a reference exists.
"""

import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from payments.models import OcpiConnection, Payment
from payments.receipts import throttle
from payments.receipts.languages import WORDS
from payments.receipts.tokens import token_for
from payments.receipts.views import language_of, refuse, too_many
from tariffs.engine.money import minor_digits

MOST_NAMESAKES: Final = 10  # PTPs whose references happen to be the same
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_AMOUNT: Final = re.compile(r"[0-9]{1,7}(?:[.,][0-9]{1,3})?")
_LAST_FOUR: Final = re.compile(r"[*•xX#][ -]?([0-9]{4})(?![0-9])")


@require_http_methods(["GET", "HEAD", "POST"])
def find(request: HttpRequest, reference: str) -> HttpResponse:
    """Lead to the page of the payment, at once or once the driver has shown to be its payer."""
    response = _found(request, reference) if is_random(reference) else _asked(request, reference)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def is_random(reference: str) -> bool:
    """Whether a reference cannot be guessed."""
    return bool(_UUID.fullmatch(reference)) and uuid.UUID(reference).version == 4


def _found(request: HttpRequest, reference: str) -> HttpResponse:
    payments = _payments(reference)
    return _led_to(payments[0]) if len(payments) == 1 else refuse(request)


def _asked(request: HttpRequest, reference: str) -> HttpResponse:
    if request.method != "POST":
        return _form(request)
    if not throttle.guess_allowed(reference):
        return too_many(request)
    answer = request.POST.get("answer", "").strip()
    known = [
        payment
        for payment in _payments(reference)
        if answer in _digits_of(payment) or _is_paid(payment, answer)
    ]
    if len(known) == 1:
        return _led_to(known[0])
    if not throttle.miss_allowed(request.META.get("REMOTE_ADDR", "")):
        return too_many(request)
    return _form(request, wrong=True)


def _form(request: HttpRequest, *, wrong: bool = False) -> HttpResponse:
    language = language_of(request, None)
    context: dict[str, Any] = {"words": WORDS[language], "language": language, "wrong": wrong}
    return render(request, "driver/find_receipt.html", context, status=403 if wrong else 200)


def _led_to(payment: Payment) -> HttpResponse:
    assert payment.session_id is not None, "it was looked for with its session"
    return HttpResponseRedirect(reverse("receipts:page", args=[token_for(payment.session_id)]))


def _payments(reference: str) -> list[Payment]:
    """Payments of that name; by PTP, as that has an index. OCPI writes ids in any case."""
    ptps = OcpiConnection.objects.values_list("ptp", flat=True)
    writings = {reference, reference.lower(), reference.upper()}
    found = Payment.objects.filter(
        ptp__in=list(ptps), authorization_reference__in=writings, session__isnull=False
    )
    return list(found.prefetch_related("confirmations")[:MOST_NAMESAKES])


def _digits_of(payment: Payment) -> set[str]:
    """The last four digits of the card, where the PTP told them, if only in its lines for the receipt."""
    return {payment.card_last4, *_printed(payment)} - {""}


def _printed(payment: Payment) -> Iterator[str]:
    for confirmation in payment.confirmations.all():
        for line in confirmation.eft_data:
            yield from _LAST_FOUR.findall(str(line))


def _is_paid(payment: Payment, answer: str) -> bool:
    """Whether the answer is what the receipt comes to; a hold that was let go cost nothing, which anyone knows."""
    if not payment.due_minor or not _AMOUNT.fullmatch(answer):
        return False
    return Decimal(answer.replace(",", ".")).scaleb(minor_digits(payment.currency)) == payment.due_minor
