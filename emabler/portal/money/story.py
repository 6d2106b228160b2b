"""The whole story of a payment in one timeline: both journals, commands, confirmations, files, messages, decisions."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from emabler.portal import words as portal_words
from emabler.portal.money import words
from emabler.portal.ocpi.words import DELIVERY, topic
from emabler.portal.overview import LANGUAGE
from emabler.portal.session_page import Moment, session_page
from payments.models import (
    Confirmation,
    CreditNote,
    Decision,
    OutboxMessage,
    Payment,
    PaymentEvent,
    SettlementLine,
)
from payments.receipts import formats
from sessions_app.models import CDR

MOMENTS_SHOWN = 500


def story_of(payment: Payment, *, now: datetime) -> list[Moment]:
    """Return all that happened, the oldest first; read `session` with the payment. Fifteen queries at most."""
    moments = [*_lived(payment, now), *_told(payment), *_paid(payment), *_decided(payment), *_sent(payment)]
    return sorted(moments, key=_order)[:MOMENTS_SHOWN]


def _order(moment: Moment) -> tuple[datetime, bool]:
    """Order by time; of what one transaction wrote at the same moment, the hold comes first."""
    return moment.at, moment.text != portal_words.event("Authorized")


def _zone(payment: Payment) -> str:
    return payment.session.time_zone if payment.session else "UTC"


def clock(at: datetime, zone: str) -> str:
    """Return a moment to the second, in the site's time."""
    return f"{formats.moment(at, zone, LANGUAGE)}:{at:%S}"


def _moment(
    payment: Payment,
    at: datetime,
    text: str,
    *,
    change: str = "",
    actor: str = "",
    details: list[tuple[str, str]] | None = None,
) -> Moment:
    return Moment(at, clock(at, _zone(payment)), "money", text, change, actor, details or [])


def _lived(payment: Payment, now: datetime) -> list[Moment]:
    """Both journals and the commands to the charger, amounts of ours as amounts."""
    events = {event.number: event for event in PaymentEvent.objects.filter(payment=payment)}
    found = [_event(payment, event) for event in events.values()]
    if payment.session_id is None:
        return found
    lived = session_page(payment.session_id, now).moments
    return [_in_words(moment, payment) for moment in lived if moment.side != "money"] + found


def _in_words(moment: Moment, payment: Payment) -> Moment:
    facts = {name: int(text) if name.endswith("_minor") else text for name, text in moment.details}
    return replace(moment, details=words.details(facts, payment.currency))


def _event(payment: Payment, event: PaymentEvent) -> Moment:
    changed = event.state_before != event.state_after and event.state_before
    change = f"{event.state_before} → {event.state_after}" if changed else event.state_after
    text = portal_words.event(event.kind)
    details = words.details(event.data, payment.currency)
    return _moment(payment, event.at, text, change=change, actor=event.actor, details=details)


def _told(payment: Payment) -> Iterator[Moment]:
    for each in Confirmation.objects.filter(payment=payment):
        amount = words.money(each.amount_minor, each.currency)
        text = f"{payment.ptp.name} says {each.status} with {amount}"
        details = _filled({"id": each.confirmation_id, "message": each.message})
        yield _moment(payment, each.received_at, text, details=details)


def _paid(payment: Payment) -> Iterator[Moment]:
    lines = SettlementLine.objects.filter(payment=payment).select_related("file")
    for line in lines:
        amount = words.money(line.amount_minor, line.currency)
        void = " (withdrawn)" if line.file.withdrawn_at else ""
        fee = "" if line.fee_minor is None else words.money(line.fee_minor, line.currency)
        details = _filled(
            {"file": f"{line.file.name}, line {line.number}", "fee": fee, "payout": line.payout_id}
        )
        at = line.captured_at or line.file.imported_at
        yield _moment(payment, at, f"Settlement file{void}: {amount}", details=details)


def _decided(payment: Payment) -> Iterator[Moment]:
    for decision in Decision.objects.filter(payment=payment):
        details = _filled({"reason": decision.reason}) + words.details(decision.data, payment.currency)
        text = words.DECISIONS[decision.act]
        yield _moment(payment, decision.at, text, actor=decision.actor, details=details)
    for note in CreditNote.objects.filter(payment=payment).defer("pdf"):
        amount = words.money(note.document["total_incl_minor"], payment.currency)
        text = f"Credit note {note.full_number} over {amount}"
        yield _moment(
            payment, note.issued_at, text, actor=note.actor, details=_filled({"reason": note.reason})
        )


def _sent(payment: Payment) -> Iterator[Moment]:
    for message in messages_of(payment):
        arrived = message.state == OutboxMessage.State.DELIVERED
        at = message.delivered_at if arrived and message.delivered_at else message.created_at
        facts = {"attempts": message.attempts or "", "last error": message.last_error}
        change = DELIVERY[message.state].text
        yield _moment(
            payment, at, f"Message to the PTP: {topic(message.topic)}", change=change, details=_filled(facts)
        )


def messages_of(payment: Payment) -> list[OutboxMessage]:
    """Return what its PTP was or is to be told of a payment. Two queries."""
    credits = CDR.objects.filter(session=payment.session, credit_of__isnull=False)
    subjects = [str(payment.pk), *map(str, credits.values_list("pk", flat=True))]
    return list(OutboxMessage.objects.filter(Q(subject__in=subjects), ptp=payment.ptp_id))


def _filled(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in facts.items() if value != ""]
