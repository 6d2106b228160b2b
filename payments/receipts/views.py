"""The pages behind a receipt link: the session while it lives, its receipt, the PDF and the QR code."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from payments.models import Confirmation, Payment, Receipt
from payments.receipts import credit_notes, pdf, qr, throttle
from payments.receipts.languages import NAMES, WORDS, choose
from payments.receipts.page import page_of
from payments.receipts.paper import card_text, paper_of
from payments.receipts.tokens import session_of
from sessions_app.live_cost import terms_of
from tariffs.price_text import price_lines

REFRESH_SECONDS = 5
_ROWS = ("session__evse__site", "session__connector", "terminal", "ptp")

View = Callable[..., HttpResponse]  # of request, token, payment, and what else the path names


def private(view: View) -> Callable[..., HttpResponse]:
    """Open a receipt link: find its payment, keep guessers and robots out, leave no trace in caches."""

    @wraps(view)
    @require_safe
    def opened(request: HttpRequest, token: str, **more: Any) -> HttpResponse:
        response = _open(request, token, view, more)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return opened


def _open(request: HttpRequest, token: str, view: View, more: dict[str, Any]) -> HttpResponse:
    session_id = session_of(token)
    if session_id is None:
        return refuse(request)
    if not throttle.visit_allowed(token):
        return too_many(request)
    payment = Payment.objects.select_related(*_ROWS).filter(session=session_id).first()
    return refuse(request) if payment is None else view(request, token, payment, **more)


def refuse(request: HttpRequest) -> HttpResponse:
    """Answer a link that opens nothing, in the same words whatever was wrong with it."""
    if not throttle.miss_allowed(request.META.get("REMOTE_ADDR", "")):
        return too_many(request)
    words = WORDS[language_of(request, None)]
    return _message(request, words.not_found, words.not_found_text, status=404)


def too_many(request: HttpRequest) -> HttpResponse:
    words = WORDS[language_of(request, None)]
    response = _message(request, words.too_many, words.too_many_text, status=429)
    response["Retry-After"] = str(throttle.WINDOW_SECONDS)
    return response


@private
def page(request: HttpRequest, token: str, payment: Payment) -> HttpResponse:
    """Show the session, or its receipt once there is one; `?part=live` gives the changing part alone."""
    session = payment.session
    assert session is not None, "it was found by its session"
    language = language_of(request, payment)
    receipt = Receipt.objects.filter(payment=payment).first()
    if receipt is not None:
        receipt.payment = payment
    confirmations = list(Confirmation.objects.filter(payment=payment)) if receipt else []
    shown = page_of(payment, session, language=language, now=timezone.now())
    context: dict[str, Any] = {
        "page": shown,
        "paper": paper_of(receipt, confirmations, language=language) if receipt else None,
        "words": WORDS[language],
        "language": language,
        "languages": languages_of(request, language),
        "session": session,
        "site": session.evse.site,
        "price_lines": price_lines(terms_of(session.tariff_snapshot), language),
        "card": card_text(payment),
        "support": _support(receipt),
        "token": token,
        "pdf_url": reverse("receipts:pdf", args=[token]),
        "credit_notes": credit_notes.links_of(payment, token, language=language),
        "refresh_seconds": REFRESH_SECONDS,
        "payment": payment,
    }
    part = request.GET.get("part") == "live"
    return render_template(request, "driver/_live.html" if part else "driver/page.html", context)


@private
def document(request: HttpRequest, token: str, payment: Payment) -> HttpResponse:
    """Serve the PDF: the stored one while it says all there is to say, else a fresh one beside it."""
    language = language_of(request, payment)
    receipt = (
        Receipt.objects.select_related("payment__session", "payment__terminal")
        .filter(payment=payment)
        .first()
    )
    if receipt is None:
        words = WORDS[language]
        back = {"back_url": reverse("receipts:page", args=[token]), "back": words.back, "language": language}
        return _message(request, words.no_receipt, words.no_receipt_text, status=404, **back)
    response = HttpResponse(_pdf(receipt, language), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="receipt-{receipt.full_number}.pdf"'
    return response


def _pdf(receipt: Receipt, language: str) -> bytes:
    own_language = language == choose([receipt.payment.language])
    confirmed = Confirmation.objects.filter(payment=receipt.payment_id).exists()
    if receipt.pdf and own_language and not confirmed:
        return bytes(receipt.pdf)
    fresh = pdf.render(receipt, language=language)
    if not receipt.pdf and own_language and not confirmed:
        Receipt.objects.filter(pk=receipt.pk, pdf__isnull=True).update(pdf=fresh)
    return fresh


@private
def code(request: HttpRequest, token: str, payment: Payment) -> HttpResponse:
    """Serve the QR code that opens the page."""
    assert payment.session_id is not None, "it was found by its session"
    return HttpResponse(qr.svg(payment.session_id), content_type="image/svg+xml")


def language_of(request: HttpRequest, payment: Payment | None) -> str:
    """Return the language to answer in: asked for, chosen at the terminal, or the browser's."""
    wishes = [request.GET.get("lang", "")]
    if payment is not None:
        wishes.append(payment.language)
    accepted = request.headers.get("Accept-Language", "")
    return choose([*wishes, *(part.partition(";")[0] for part in accepted.split(",")[:10])])


def languages_of(request: HttpRequest, current: str) -> list[dict[str, Any]]:
    """Return the languages that the page can be read in."""
    return [{"code": code, "name": name, "current": code == current} for code, name in NAMES.items()]


def _support(receipt: Receipt | None) -> str:
    return receipt.document["seller"].get("support", "") if receipt else settings.SELLER["support"]


def _message(request: HttpRequest, title: str, text: str, *, status: int, **more: str) -> HttpResponse:
    context = {"title": title, "text": text, "language": language_of(request, None), **more}
    return render_template(request, "driver/message.html", context, status=status)
