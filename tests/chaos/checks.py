"""What must hold once everything is calm: rows, chargers' logs and effects at the PSPs, payment by payment.

Imported once Django is set up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from django.db import close_old_connections

from chargers.facts import CommandAction
from chargers.models import Command
from payments.models import OutboxMessage, Payment, Receipt, ReceiptCounter
from payments.states import LEGAL as LEGAL_PAYMENTS
from payments.states import WAITING, PaymentState, Review
from sessions_app.models import CDR, Session
from sessions_app.states import FINAL, LEGAL, LIVE, NEVER_STARTED, STOP_ATTEMPTS_BEFORE_REVIEW
from tests.chaos.fleet import Charger, Delivered
from tests.chaos.lives import Life
from tests.chaos.psp import Card

NOTHING_WH = 10  # below, nothing is charged (ZERO_ENERGY_THRESHOLD_WH)
RESULT = "ocpi.command_result"  # a terminal awaits it for minutes, and is not told after hours
LATE = "the charger started after the session was over"


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
    for counter in ReceiptCounter.objects.all():
        numbers = Receipt.objects.filter(seller=counter.seller, year=counter.year).order_by("number")
        listed = list(numbers.values_list("number", flat=True))
        if listed != list(range(1, counter.last_number + 1)):
            yield f"receipt numbers have a gap or a twin: {len(listed)} receipts, counter {counter.last_number}"


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
    cdrs = list(CDR.objects.filter(session=session))
    yield from _check_commands(session, starts)
    yield from _check_journals(payment, session)
    yield from _check_energy(session, log, cdrs)
    yield from _check_money(payment, cdrs, card)
    yield from _check_reviews(payment, session, log)


def _check_commands(session: Session, starts: dict[str, int]) -> Iterator[str]:
    if starts.get(session.id_tag, 0) > 1:
        yield f"the charger was told to start {starts[session.id_tag]} times (I9)"
    if Command.objects.filter(action=CommandAction.START, reference=str(session.pk)).count() > 1:
        yield "two start commands for one session (I9)"


def _check_journals(payment: Payment, session: Session) -> Iterator[str]:
    for name, row, legal in (("session", session, LEGAL), ("payment", payment, LEGAL_PAYMENTS)):
        lines = list(row.events.order_by("number"))
        if [line.number for line in lines] != list(range(1, row.event_count + 1)):
            yield f"the {name}'s journal has a gap or a twin"
        if not lines or lines[-1].state_after != row.state:
            yield f"the {name}'s journal does not lead to its state {row.state}"
        for before, after in pairwise(lines):
            if after.state_before != before.state_after:
                yield f"the {name}'s journal jumps from {before.state_after} to {after.state_before}"
        for line in lines[1:]:
            moved = line.state_before != line.state_after
            # The start's answer may be told by the transaction itself: two moves in one line.
            if (
                moved
                and line.kind != "TransactionOpened"
                and line.state_after not in legal[line.state_before]
            ):
                yield f"the {name} moved from {line.state_before} to {line.state_after}"


def _check_energy(session: Session, log: Delivered | None, cdrs: list[CDR]) -> Iterator[str]:
    """Billed is what the charger says that it delivered; what came too late is flagged, and billed to nobody."""
    energy_wh = (log.energy_wh or 0) if log is not None else 0
    if session.state not in FINAL:
        yield f"the session is still {session.state}"
    elif session.state in NEVER_STARTED:
        if cdrs:
            yield f"a CDR for a session that is {session.state}"
        if log is not None and log.accepted:
            yield f"{session.state}, but the charger was allowed to charge {energy_wh} Wh"
        if energy_wh >= NOTHING_WH and not session.needs_review:
            yield f"{session.state}, {energy_wh} Wh delivered, and nobody is told"
    elif log is None:
        yield "a session ended that its charger never began"
    elif len(cdrs) > 1:
        yield f"{len(cdrs)} CDRs for one session (I3)"
    elif cdrs and cdrs[0].energy_wh != energy_wh:
        yield f"{energy_wh} Wh delivered, {cdrs[0].energy_wh} Wh billed"
    elif not cdrs and energy_wh >= NOTHING_WH:
        yield f"{energy_wh} Wh delivered, no CDR"


def _check_money(payment: Payment, cdrs: list[CDR], card: Card) -> Iterator[str]:
    due_minor = cdrs[0].total_incl_minor if cdrs else 0
    wanted = ["hold", "capture"] if due_minor else ["hold", "release"]
    if card.effects != wanted:
        yield f"the card was touched by {card.effects}, not by {wanted}"
    if card.captured * 100 != due_minor or card.captured > card.amount:
        yield f"captured {card.captured} of {card.amount}, the CDR says {Decimal(due_minor) / 100}"
    state = PaymentState.CAPTURED if due_minor else PaymentState.RELEASED
    if payment.state != state or payment.captured_minor != due_minor:
        yield f"{payment.state}, {payment.captured_minor} captured; {state}, {due_minor} is right"
    receipts = list(Receipt.objects.filter(payment=payment))
    if len(receipts) != bool(due_minor):
        yield f"{len(receipts)} receipts"
    if any(receipt.document["total_incl_minor"] != due_minor for receipt in receipts):
        yield f"the receipt does not say {due_minor}"
    if payment.confirmations.count() != bool(due_minor):
        yield f"{payment.confirmations.count()} confirmations"


def _check_reviews(payment: Payment, session: Session, log: Delivered | None) -> Iterator[str]:
    """Nobody is asked to look where nothing is to be seen."""
    disobeyed = session.stop_attempts >= STOP_ATTEMPTS_BEFORE_REVIEW
    late = session.state in NEVER_STARTED and log is not None
    if session.needs_review and not (late and session.needs_review == LATE):
        yield f"flagged for review: {session.needs_review}"
    if payment.review and not (late or (disobeyed and payment.review == Review.UNSETTLED)):
        yield f"the payment is flagged for review: {payment.review}"


def late_starts() -> list[str]:
    """Return the holds whose charge began after the session was over: stopped, flagged, and billed to nobody."""
    late = Session.objects.filter(state__in=NEVER_STARTED, needs_review=LATE)
    return list(late.values_list("authorization_reference", flat=True))
