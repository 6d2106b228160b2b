"""The pages of credit notes behind a receipt link."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_template
from django.urls import reverse

from payments.models import Payment
from payments.receipts import credit_notes
from payments.receipts.credit_paper import credit_paper_of
from payments.receipts.languages import WORDS
from payments.receipts.views import language_of, languages_of, private, refuse


@private
def page(request: HttpRequest, token: str, payment: Payment, number: int) -> HttpResponse:
    """Show a credit note."""
    note, language = credit_notes.find_note(payment, number), language_of(request, payment)
    if note is None:
        return refuse(request)
    context = {
        "paper": credit_paper_of(note, language=language),
        "words": WORDS[language],
        "language": language,
        "languages": languages_of(request, language),
        "payment": payment,
        "session": payment.session,
        "site": payment.session.evse.site if payment.session else None,
        "pdf_url": reverse("receipts:credit-pdf", args=[token, number]),
        "receipt_url": reverse("receipts:page", args=[token]),
    }
    return render_template(request, "driver/credit_note.html", context)


@private
def document(request: HttpRequest, token: str, payment: Payment, number: int) -> HttpResponse:
    """Serve a credit note as PDF."""
    note, language = credit_notes.find_note(payment, number), language_of(request, payment)
    if note is None:
        return refuse(request)
    response = HttpResponse(credit_notes.pdf_of(note, language), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="credit-note-{note.full_number}.pdf"'
    return response
