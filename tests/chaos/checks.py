"""What must hold once everything is calm: rows, chargers' logs and effects at the PSPs, payment by payment.

Imported once Django is set up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import close_old_connections

from chargers.facts import CommandAction
from chargers.models import Command
from payments.models import OutboxMessage, Payment, Receipt
from payments.states import WAITING
from sessions_app.models import Session, SessionEvent
from sessions_app.states import LIVE, NEVER_STARTED
from tests.campaigns.rules import LATE, LATE_STOP, check_numbers, check_payment
from tests.campaigns.witnesses import Card, Delivered
from tests.chaos.fleet import Charger
from tests.chaos.lives import Life

MOST_LATE_STOPS = 0.05  # of all sessions
RESULT = "ocpi.command_result"  # a terminal awaits it for minutes, and is not told after hours


@dataclass(frozen=True, slots=True)
class Break:
    """Something that must never be, and the payment that shows it."""

    what: str
    reference: str = ""


def what_waits() -> dict[str, int]:
    """Return what has still to happen by itself, and how often."""
    close_old_connections()
    asked = (CommandAction.START, CommandAction.STOP)
    unsettled = (Command.State.QUEUED, Command.State.SENT)
    counts = {
        "sessions": Session.objects.filter(state__in=LIVE).count(),
        "payments": Payment.objects.filter(state__in=WAITING).count(),
        "messages": OutboxMessage.objects.filter(state=OutboxMessage.State.DUE).count(),
        "commands": Command.objects.filter(action__in=asked, state__in=unsettled).count(),
        "receipts to draw": Receipt.objects.filter(pdf__isnull=True).count(),
    }
    return {what: count for what, count in counts.items() if count}


def check(lives: Sequence[Life], chargers: Sequence[Charger], cards: dict[str, Card]) -> list[Break]:
    """Return every break."""
    close_old_connections()
    broken = [Break(what) for what in _check_whole()]
    logs = {each.id_tag: each for charger in chargers for each in charger.log.transactions}
    starts = {tag: count for charger in chargers for tag, count in charger.log.start_commands.items()}
    for life in lives:
        card = cards.get(life.reference)
        broken += [Break(what, life.reference) for what in _check_life(life, card, logs, starts)]
    broken += [Break(what) for what in _check_logs(logs)]
    return broken


# --- All of it ------------------------------------------------------------------------------------


def _check_whole() -> Iterator[str]:
    for what, count in what_waits().items():
        yield f"{count} {what} wait for ever"
    for message in OutboxMessage.objects.filter(state=OutboxMessage.State.GIVEN_UP).exclude(topic=RESULT):
        yield f"{message.topic} {message.subject} was given up: {message.last_error}"
    yield from check_numbers()
    if late_stops() > MOST_LATE_STOPS * Session.objects.count():
        yield f"{late_stops()} sessions were billed before their chargers told their ends"


def _check_logs(logs: dict[str, Delivered]) -> Iterator[str]:
    """Whatever a charger delivered belongs to a session that knows of it."""
    known = set(Session.objects.values_list("id_tag", flat=True))
    for log in logs.values():
        if log.id_tag not in known:
            yield f"{log.energy_wh} Wh delivered for {log.id_tag}, which nobody knows"


# --- One payment ----------------------------------------------------------------------------------


def _check_life(
    life: Life, card: Card | None, logs: dict[str, Delivered], starts: dict[str, int]
) -> Iterator[str]:
    found = Payment.objects.filter(authorization_reference=life.reference).select_related("session", "ptp")
    payments = list(found)
    if card is None:
        if payments:
            yield "a session without a hold"
        return
    if not payments:
        if card.effects != ["hold", "release"]:
            yield f"refused at once, but the card was touched by {card.effects}"
        return
    if len(payments) > 1 or payments[0].session is None:
        yield f"{len(payments)} payments for one hold"
        return
    payment, session = payments[0], payments[0].session
    log = logs.get(session.id_tag)
    yield from check_payment(payment, session, log=log, card=card, starts=starts, late_stops=True)


def late_starts() -> list[str]:
    """Return the holds whose charge began after the session was over: stopped, flagged, and billed to nobody."""
    late = Session.objects.filter(state__in=NEVER_STARTED, needs_review=LATE)
    return list(late.values_list("authorization_reference", flat=True))


def late_stops() -> int:
    """Return how many sessions were settled by their deadline before their charger told their end (MONEY.md B20)."""
    return SessionEvent.objects.filter(kind=LATE_STOP).count()
