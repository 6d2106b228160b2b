"""One session with its payment: a single timeline of both journals, the meter's story, the money."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chargers.models import Command
from emabler.portal import words
from emabler.portal.overview import LANGUAGE, PaymentRow, SessionRow, payment_row, session_row
from payments.models import Payment, PaymentEvent, Receipt
from payments.receipts import formats
from payments.receipts.tokens import token_for
from sessions_app.models import MeterSample, Session, SessionEvent

EVENTS_SHOWN = 500
SAMPLES_SHOWN = 300  # the newest: an hour of samples every 12 s


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened; `side` is charging, money or command."""

    at: datetime
    clock: str
    side: str
    text: str
    change: str
    actor: str
    details: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One reading of the meter as it was judged."""

    clock: str
    register: str
    power: str
    context: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """All that the page of a session shows."""

    session: Session
    row: SessionRow
    payment: PaymentRow | None
    reference: str
    receipt_number: str
    receipt_token: str
    moments: list[Moment]
    samples: list[SampleRow]


def session_page(session_id: uuid.UUID, now: datetime) -> SessionPage:
    """Read one session. Raises Session.DoesNotExist."""
    session = Session.objects.select_related("evse__site", "connector").get(pk=session_id)
    payment = Payment.objects.select_related("terminal").filter(session=session).first()
    if payment is not None:
        payment.session = session
    receipt = Receipt.objects.filter(payment=payment).defer("pdf").first() if payment else None
    return SessionPage(
        session=session,
        row=session_row(session, now),
        payment=payment_row(payment) if payment else None,
        reference=session.authorization_reference,
        receipt_number=receipt.full_number if receipt else "",
        receipt_token=token_for(session.pk),
        moments=_moments(session, payment),
        samples=_samples(session),
    )


def _moments(session: Session, payment: Payment | None) -> list[Moment]:
    zone = session.time_zone
    found = [_event(each, "charging", zone) for each in session.events.all()[:EVENTS_SHOWN]]
    if payment is not None:
        found += [_event(each, "money", zone) for each in payment.events.all()[:EVENTS_SHOWN]]
    commands = Command.objects.filter(reference=str(session.pk)).order_by("pk")[:EVENTS_SHOWN]
    found += [_command(each, zone) for each in commands]
    return sorted(found, key=_order)


def _order(moment: Moment) -> tuple[datetime, int]:
    """Order what one transaction wrote at the same moment: the hold comes first, the bill last."""
    if moment.text == words.event("Authorized"):
        return moment.at, 0
    return moment.at, ("charging", "command", "money").index(moment.side) + 1


def _event(event: SessionEvent | PaymentEvent, side: str, zone: str) -> Moment:
    changed = event.state_before != event.state_after and event.state_before
    return Moment(
        at=event.at,
        clock=_clock(event.at, zone),
        side=side,
        text=words.event(event.kind),
        change=f"{event.state_before} → {event.state_after}" if changed else event.state_after,
        actor=event.actor,
        details=_details(event.data),
    )


def _command(command: Command, zone: str) -> Moment:
    details = [("answered", _clock(command.settled_at, zone))] if command.settled_at else []
    text = f"Command to the charger: {command.action.lower().replace('_', ' ')}"
    return Moment(
        command.created_at,
        _clock(command.created_at, zone),
        "command",
        text,
        command.state,
        command.actor,
        details,
    )


def _details(data: dict[str, Any]) -> list[tuple[str, str]]:
    return [(str(key), str(value)) for key, value in data.items() if value not in ("", None)]


def _samples(session: Session) -> list[SampleRow]:
    newest = MeterSample.objects.filter(session=session).order_by("-sampled_at", "-pk")[:SAMPLES_SHOWN]
    return [
        SampleRow(
            clock=_clock(sample.sampled_at, session.time_zone),
            register="–"
            if sample.register_wh is None
            else formats.energy(sample.register_wh, LANGUAGE, digits=3),
            power="–" if sample.power_w is None else formats.power(sample.power_w, LANGUAGE),
            context=sample.context,
            verdict=f"dropped: {sample.dropped}" if sample.dropped else "parked" if sample.parked else "used",
        )
        for sample in newest
    ]


def _clock(at: datetime, zone: str) -> str:
    return f"{formats.moment(at, zone, LANGUAGE)}:{at:%S}"
