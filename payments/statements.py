"""What a PTP is told of a payment: the native shapes, the same in the API, the event stream and webhooks.

Amounts are decimal strings in major units, times RFC 3339 in UTC, energy in Wh, power in W.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from payments.models import Payment, Ptp, Receipt
from payments.ocpi.cdrs import cdr_document
from payments.receipts.tokens import page_url
from payments.states import PaymentState
from sessions_app.models import CDR, Session
from tariffs.engine.money import money_string

# Where the PTP has yet to act on the hold.
DUE = (PaymentState.CAPTURING, PaymentState.RELEASING)

_KINDS = {"ENERGY": "energy", "TIME": "time", "PARKING_TIME": "parking", "FLAT": "session"}


def payments_of(ptp: Ptp) -> QuerySet[Payment]:
    """Return a PTP's payments that came by the native API, with all that a statement reads but the CDR.

    One query. What came by OCPI is settled there: told by both doors, it might be captured twice.
    """
    return (
        Payment.objects.filter(ptp=ptp, session__isnull=False, connection=None)
        .select_related("terminal", "receipt", "session__connector", "session__evse__site")
        .defer("receipt__document", "receipt__pdf", "session__cost_state", "session__tariff_snapshot")
    )


def with_cdrs(payments: QuerySet[Payment]) -> QuerySet[Payment]:
    """Add the CDRs that settlement statements show; one query more for all of them."""
    return payments.prefetch_related(Prefetch("session__cdrs", CDR.objects.filter(credit_of=None)))


def refunds_of(ptp: Ptp) -> QuerySet[CDR]:
    """Return the credits of a PTP's payments that came by the native API, with all that a statement reads."""
    credits = CDR.objects.filter(
        credit_of__isnull=False, session__payment__ptp=ptp, session__payment__connection=None
    )
    return credits.select_related(
        "credit_of", "credit_note", "session__payment__terminal", "session__evse__site", "session__connector"
    ).defer("credit_note__document", "credit_note__pdf", "session__cost_state", "session__tariff_snapshot")


def due_refunds(credits: QuerySet[CDR]) -> QuerySet[CDR]:
    """Leave the credits that the PTP has yet to give back: of each payment at most the newest."""
    newer = CDR.objects.filter(credit_of=OuterRef("credit_of"), credit_number__gt=OuterRef("credit_number"))
    return credits.filter(~Exists(newer), session__payment__state=PaymentState.REFUNDING)


def is_refund_due(credit: CDR) -> bool:
    """Whether the PTP has yet to give this back. One query."""
    return due_refunds(CDR.objects.filter(pk=credit.pk)).exists()


def action_of(payment: Payment) -> str:
    """Return what becomes of the hold: PENDING until the session is over, then CAPTURE or RELEASE for good.

    Whether the PTP has yet to act is another fact: `is_due`.
    """
    if payment.state == PaymentState.AUTHORIZED:
        return "PENDING"
    return "CAPTURE" if payment.due_minor else "RELEASE"


def is_due(payment: Payment) -> bool:
    """Whether the PTP has yet to capture or to release."""
    return payment.state in DUE


def is_final(payment: Payment) -> bool:
    """Whether nothing more is going to happen by itself: the session is over and the hold is dealt with."""
    assert payment.session is not None
    return payment.session.is_over and payment.state not in (PaymentState.AUTHORIZED, *DUE)


def receipt_urls(session_id: UUID) -> dict[str, str]:
    """Return where the driver finds the session: page, PDF, and the QR code that leads there."""
    page = page_url(session_id)
    return {"url": page, "pdf_url": f"{page}.pdf", "qr_svg_url": f"{page}/qr.svg"}


def session_statement(payment: Payment, *, now: datetime) -> dict[str, Any]:
    """Return how a session and its payment stand."""
    session = payment.session
    assert session is not None
    return {
        **_names(payment, session),
        "requested_at": utc(session.requested_at),
        **_usage(session, now),
        "power_w": session.power_w,
        "cost": {
            "currency": session.currency,
            "incl_vat": money_string(session.cost_incl_minor, session.currency),
            "excl_vat": money_string(session.cost_excl_minor, session.currency),
        },
        "limit": {
            "amount": money_string(session.limit_minor, session.currency),
            "energy_wh": session.limit_energy_wh,
            "reached_at": utc(session.limit_reached_at),
        },
        "stop_reason": session.stop_reason or None,
        "refusal": session.refusal or None,
        "stale": session.stale,
        "receipt": receipt_urls(session.pk),
        "settlement": settlement_brief(payment) if session.is_over else None,
    }


def settlement_brief(payment: Payment) -> dict[str, Any]:
    """Return what is to be done with the hold, in three words."""
    amount = money_string(payment.due_minor, payment.currency)
    return {
        "action": action_of(payment),
        "due": is_due(payment),
        "amount": amount if payment.due_minor else None,
        "currency": payment.currency,
    }


def settlement_statement(payment: Payment, *, now: datetime) -> dict[str, Any]:
    """Return the final details; read the payment with `with_cdrs`."""
    session = payment.session
    assert session is not None
    cdr = next(iter(session.cdrs.all()), None)
    return {
        **_names(payment, session),
        **_usage(session, now),
        "stop_reason": session.stop_reason or None,
        "refusal": session.refusal or None,
        **settlement_brief(payment),
        "authorized_amount": money_string(payment.authorized_minor, payment.currency),
        "captured_amount": money_string(payment.captured_minor, payment.currency),
        "refunded_amount": money_string(payment.refunded_minor, payment.currency),
        "review": payment.review or None,
        "due_at": utc(payment.settled_at),
        "cost_lines": [] if cdr is None else _cost_lines(cdr),
        "vat": [] if cdr is None else _vat(cdr),
        "total": _total(cdr, payment),
        "receipt_number": _receipt_number(payment),
        "receipt": receipt_urls(session.pk),
        "cdr": None if cdr is None else cdr_document(cdr, invoice_reference=_receipt_number(payment) or ""),
    }


def refund_statement(credit: CDR, *, due: bool) -> dict[str, Any]:
    """Return what is to be given back; read the credit with `refunds_of`."""
    payment: Payment = credit.session.payment
    number = credit.credit_note.full_number
    return {
        "id": str(credit.pk),
        "session_id": str(credit.session_id),
        "terminal_id": payment.terminal.terminal_id if payment.terminal else None,
        "authorization_reference": payment.authorization_reference,
        "due": due,
        "amount": money_string(-credit.total_incl_minor, credit.currency),
        "currency": credit.currency,
        "captured_amount": money_string(payment.captured_minor, payment.currency),
        "asked_at": utc(credit.issued_at),
        "credit_note_number": number,
        "cdr": cdr_document(credit, invoice_reference=number),
    }


def receipt_statement(payment: Payment, *, now: datetime) -> dict[str, Any]:
    """Return one line of the terminal's Receipt button."""
    session = payment.session
    assert session is not None
    return {
        **_names(payment, session),
        **_usage(session, now),
        "total": {
            "currency": payment.currency,
            "incl_vat": money_string(payment.due_minor, payment.currency),
        },
        "card": {"scheme": payment.card_scheme or None, "last4": payment.card_last4 or None},
        "receipt_number": _receipt_number(payment),
        "receipt": receipt_urls(session.pk),
    }


def utc(at: datetime | None) -> str | None:
    """Return RFC 3339 in UTC with milliseconds, `2026-01-31T12:00:00.000Z`."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _names(payment: Payment, session: Session) -> dict[str, Any]:
    return {
        "id": str(session.pk),
        "terminal_id": payment.terminal.terminal_id if payment.terminal else None,
        "connector_id": str(session.connector.public_id),
        "evse_uid": session.evse.uid,
        "label": session.evse.label,
        "authorization_reference": payment.authorization_reference,
        "status": session.state,
        "payment_status": payment.state,
    }


def _usage(session: Session, now: datetime) -> dict[str, Any]:
    return {
        "started_at": utc(session.started_at),
        "ended_at": utc(session.ended_at),
        "duration_seconds": session.duration_seconds(now),
        "energy_wh": session.energy_wh,
    }


def _receipt_number(payment: Payment) -> str | None:
    try:
        return payment.receipt.full_number
    except Receipt.DoesNotExist:
        return None


def _cost_lines(cdr: CDR) -> list[dict[str, Any]]:
    return [
        {
            "kind": _KINDS.get(line["dimension"], line["dimension"].lower()),
            "volume": line["volume"],
            "unit": line["unit"],
            "price": line["price"],
            "vat_percentage": line["vat"],
            "excl_vat": money_string(line["excl_minor"], cdr.currency),
            "incl_vat": money_string(line["incl_minor"], cdr.currency),
        }
        for line in cdr.lines
    ]


def _vat(cdr: CDR) -> list[dict[str, Any]]:
    return [
        {
            "percentage": group["rate"],
            "net": money_string(group["net_minor"], cdr.currency),
            "vat": money_string(group["vat_minor"], cdr.currency),
            "gross": money_string(group["gross_minor"], cdr.currency),
        }
        for group in cdr.vat_groups
    ]


def _total(cdr: CDR | None, payment: Payment) -> dict[str, str]:
    excl, incl = (cdr.total_excl_minor, cdr.total_incl_minor) if cdr else (0, 0)
    return {
        "currency": payment.currency,
        "excl_vat": money_string(excl, payment.currency),
        "vat": money_string(incl - excl, payment.currency),
        "incl_vat": money_string(incl, payment.currency),
    }
