"""Credit notes of a payment: how the driver's page leads to them, and each one by its number."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from payments.models import CreditNote, Payment
from payments.receipts import formats
from payments.receipts.languages import choose
from payments.receipts.pdf import render_credit_note


@dataclass(frozen=True, slots=True)
class Link:
    """A credit note as the receipt's page names it."""

    number: str
    amount: str
    url: str


def links_of(payment: Payment, token: str, *, language: str) -> list[Link]:
    """Return the credit notes of a payment, the oldest first. One query where anything went back, else none."""
    if not (payment.refunding_minor or payment.refunded_minor):
        return []
    return [
        Link(
            note.full_number,
            formats.money(note.document["total_incl_minor"], note.document["currency"], language),
            reverse("receipts:credit", args=[token, note.cdr.credit_number]),
        )
        for note in _notes(payment).defer("pdf")
    ]


def find_note(payment: Payment, number: int) -> CreditNote | None:
    """Return the n-th credit note of a payment."""
    return _notes(payment).filter(cdr__credit_number=number).first()


def _notes(payment: Payment) -> QuerySet[CreditNote]:
    return CreditNote.objects.filter(payment=payment).select_related("cdr", "payment").order_by("pk")


def pdf_of(note: CreditNote, language: str) -> bytes:
    """Return the PDF: the stored one in the payment's own language, a fresh one in another."""
    own_language = language == choose([note.payment.language])
    if note.pdf and own_language:
        return bytes(note.pdf)
    fresh = render_credit_note(note, language=language)
    if own_language:
        CreditNote.objects.filter(pk=note.pk, pdf__isnull=True).update(pdf=fresh)
    return fresh
