"""Issue a receipt: number it without a gap, freeze what is printed. Its total is the CDR's.

What was captured, released or refunded and the EFT data are payment rows, shown beside the document.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from chargers.failpoints import failpoint
from payments.models import CreditNote, Payment, Receipt, ReceiptCounter
from sessions_app.models import CDR
from sessions_app.wakeups import wake

DRAW_TASK = "payments.tasks.draw_receipts"


def issue(payment: Payment, cdr: CDR, now: datetime) -> Receipt:
    """Issue the receipt inside the caller's transaction and wake the task that draws its PDF."""
    number = _next_number(now, cdr.time_zone)
    failpoint("F25_receipt_in_tx")
    receipt = Receipt.objects.create(
        payment=payment, issued_at=now, document=document(payment, cdr), **number
    )
    wake(DRAW_TASK)
    return receipt


def issue_credit_note(payment: Payment, credit: CDR, *, actor: str, reason: str, now: datetime) -> CreditNote:
    """Issue the document of a refund inside the caller's transaction; the receipt stays as it was."""
    return CreditNote.objects.create(
        payment=payment,
        cdr=credit,
        actor=actor,
        reason=reason,
        issued_at=now,
        document={
            **document(payment, credit),
            "corrects": payment.receipt.full_number,
            "reason": reason,
        },
        **_next_number(now, credit.time_zone),
    )


def _next_number(now: datetime, zone: str) -> dict[str, Any]:
    """Take the seller's next number of the year: that of the date on the document, which is the site's.

    The counter's row stays locked until commit, so numbers are gapless: a document that is rolled back gives
    its number back.
    """
    longest = ReceiptCounter._meta.get_field("seller").max_length
    seller = (settings.SELLER["vat_id"] or settings.SELLER["name"] or "-")[:longest]
    year = now.astimezone(ZoneInfo(zone)).year
    counter, _ = ReceiptCounter.objects.get_or_create(seller=seller, year=year)
    counter = ReceiptCounter.objects.select_for_update().get(pk=counter.pk)
    counter.last_number += 1
    counter.save(update_fields=["last_number"])
    return {"seller": seller, "year": year, "number": counter.last_number}


def document(payment: Payment, cdr: CDR) -> dict[str, Any]:
    """Return what the receipt says for ever: seller, place, usage, lines, VAT, totals."""
    session = cdr.session
    site = session.evse.site
    return {
        "seller": dict(settings.SELLER),
        "site": {
            "name": site.name,
            "address": site.address,
            "postal_code": site.postal_code,
            "city": site.city,
        },
        "evse": session.evse.label,
        "connector": session.connector.standard,
        "session_id": str(session.pk),
        "cdr_id": str(cdr.pk),
        "authorization_reference": payment.authorization_reference,
        "started_at": cdr.started_at.isoformat(),
        "ended_at": cdr.ended_at.isoformat(),
        "time_zone": cdr.time_zone,
        "duration_seconds": cdr.duration_seconds,
        "energy_wh": cdr.energy_wh,
        "meter_start_wh": cdr.meter_start_wh,
        "meter_stop_wh": cdr.meter_stop_wh,
        "currency": cdr.currency,
        "tax_included": cdr.tariff_snapshot.get("tax_included"),
        "lines": cdr.lines,
        "vat_groups": cdr.vat_groups,
        "total_excl_minor": cdr.total_excl_minor,
        "total_vat_minor": cdr.total_incl_minor - cdr.total_excl_minor,
        "total_incl_minor": cdr.total_incl_minor,
        "stop_reason": session.stop_reason,
    }
