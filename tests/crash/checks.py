"""What must hold once everything is calm: rows, chargers' logs and effects at the PSP, payment by payment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from django.db import close_old_connections
from django.db.models import Q

from chargers.facts import CommandAction
from chargers.models import Command
from payments.models import OutboxMessage, Payment, Ptp, Receipt, ReceiptCounter
from payments.settlement import SETTLEMENT_DUE
from payments.states import LEGAL as LEGAL_PAYMENTS
from payments.states import WAITING, PaymentState, Review
from sessions_app.models import CDR, Session
from sessions_app.states import LEGAL, LIVE, NEVER_STARTED, STOP_ATTEMPTS_BEFORE_REVIEW, SessionState
from tests.crash.fleet import Charger, Delivered
from tests.crash.lives import Life
from tests.crash.network import LISTENS, OCPI
from tests.crash.psp import Card

NOTHING_WH = 10  # below, nothing is charged (ZERO_ENERGY_THRESHOLD_WH)
LATE = "the charger started after the session was over"


def prepare(webhook_url: str, *, ocpi: bool) -> None:
    """Let the listening PTP be told there, and the one that is not in this lane nothing."""
    Ptp.objects.filter(name=LISTENS).update(webhook_url=webhook_url)
    if not ocpi:
        OutboxMessage.objects.filter(ptp__name=OCPI).delete()


def something_waits() -> bool:
    """Whether anything has still to happen by itself."""
    close_old_connections()
    return (
        Session.objects.filter(state__in=LIVE).exists()
        or Payment.objects.filter(state__in=WAITING).exists()
        or OutboxMessage.objects.filter(state=OutboxMessage.State.DUE).exists()
        or Receipt.objects.filter(pdf__isnull=True).exists()
        or Command.objects.filter(
            action__in=(CommandAction.START, CommandAction.STOP),
            state__in=(Command.State.QUEUED, Command.State.SENT),
        ).exists()
    )


def check(lives: Sequence[Life], chargers: Iterable[Charger], cards: Mapping[str, Card]) -> list[str]:
    """Return every break, each with the payment's story."""
    close_old_connections()
    chargers = list(chargers)
    broken = list(_check_whole())
    delivered = {each.id_tag: each for charger in chargers for each in charger.transactions}
    starts = {tag: count for charger in chargers for tag, count in charger.start_commands.items()}
    known = set(Session.objects.values_list("id_tag", flat=True))
    broken += [f"a start command for nobody: {tag} (I8)" for tag in starts if tag not in known]
    for life in lives:
        found = list(_check_life(life, cards, delivered, starts))
        if found:
            broken.append(f"{'; '.join(found)}\n{_story(life)}")
    return broken


def _story(life: Life) -> str:
    """Return what happened to a life, as driver, charger and journals tell it."""
    told = [*life.story]
    for payment in Payment.objects.filter(authorization_reference=life.reference).select_related("session"):
        lines = [*payment.events.all(), *(payment.session.events.all() if payment.session else ())]
        told += [f"{line.at:%H:%M:%S.%f} {line.kind} {line.state_after} {line.data}" for line in lines]
    title = f"{life.kind} by {life.door}, {life.reference}, at {life.charger.identity}:"
    return "\n    ".join(["  " + title, *told])


# --- All of it ------------------------------------------------------------------------------------


def _check_whole() -> Iterator[str]:
    for session in Session.objects.filter(state__in=LIVE):
        yield f"the session of {session.authorization_reference} never ended: {session.state}"
    for payment in Payment.objects.filter(state__in=WAITING):
        yield f"{payment.authorization_reference} was never settled: {payment.state}"
    for message in OutboxMessage.objects.exclude(state=OutboxMessage.State.DELIVERED):
        yield f"{message.topic} is {message.state} after {message.attempts} attempts: {message.last_error}"
    no_deadline = Q(deadline_at=None)
    if Session.objects.filter(no_deadline, state__in=LIVE).exists():
        yield "a live session without a deadline"
    if Payment.objects.filter(no_deadline, state__in=WAITING).exists():
        yield "a waiting payment without a deadline"
    if count := Receipt.objects.filter(pdf__isnull=True).count():
        yield f"{count} receipts without a PDF"
    yield from _check_numbers()


def _check_numbers() -> Iterator[str]:
    """Receipts are numbered without a gap, each number once."""
    for counter in ReceiptCounter.objects.all():
        numbers = Receipt.objects.filter(seller=counter.seller, year=counter.year).order_by("number")
        listed = list(numbers.values_list("number", flat=True))
        if listed != list(range(1, counter.last_number + 1)):
            yield f"receipt numbers have a gap or a twin: {len(listed)} receipts, counter {counter.last_number}"


# --- One payment ----------------------------------------------------------------------------------


def _check_life(
    life: Life, cards: Mapping[str, Card], delivered: dict[str, Delivered], starts: dict[str, int]
) -> Iterator[str]:
    payments = list(
        Payment.objects.filter(authorization_reference=life.reference).select_related("session", "ptp")
    )
    if life.reference not in cards:
        if payments:
            yield "a session without a hold"
        return
    if not payments and life.door == OCPI and cards[life.reference].effects == ["hold", "release"]:
        return  # refused at the door, with nothing to remember
    if len(payments) != 1 or payments[0].session is None:
        yield f"{len(payments)} payments for one hold"
        return
    payment, session = payments[0], payments[0].session
    transaction = delivered.get(session.id_tag)
    cdrs = list(CDR.objects.filter(session=session))
    yield from _check_commands(session, starts)
    yield from _check_journals(payment, session)
    yield from _check_energy(session, transaction, cdrs)
    yield from _check_money(payment, cdrs, cards)
    yield from _check_reviews(payment, session, transaction)
    yield from _check_messages(payment)


def _check_commands(session: Session, starts: dict[str, int]) -> Iterator[str]:
    if starts.get(session.id_tag, 0) > 1:
        yield f"the charger was told to start {starts[session.id_tag]} times (I9)"
    asked = Command.objects.filter(action=CommandAction.START, reference=str(session.pk))
    if asked.count() > 1:
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


def _check_energy(session: Session, transaction: Delivered | None, cdrs: list[CDR]) -> Iterator[str]:
    """Billed is what the charger says that it delivered."""
    bills = [cdr for cdr in cdrs if cdr.credit_of_id is None]
    energy_wh = (transaction.energy_wh or 0) if transaction is not None else 0
    if session.state == SessionState.ENDED:
        if len(bills) > 1:
            yield f"{len(bills)} CDRs for one session (I3)"
        billed_wh = bills[0].energy_wh if bills else 0
        if transaction is None:
            yield "a session ended that its charger never began"
        elif bills and billed_wh != energy_wh:
            yield f"{energy_wh} Wh delivered, {billed_wh} Wh billed"
        elif not bills and energy_wh >= NOTHING_WH:
            yield f"{energy_wh} Wh delivered, no CDR"
    elif bills:
        yield f"a CDR for a session that is {session.state}"
    if session.state in NEVER_STARTED and transaction is not None and transaction.accepted:
        yield f"{session.state}, but the charger was allowed to charge {energy_wh} Wh"
    for cdr in bills:
        lines_minor = sum(line["incl_minor"] for line in cdr.lines)
        if lines_minor != cdr.total_incl_minor or cdr.total_incl_minor > session.limit_minor:
            yield f"CDR of {cdr.total_incl_minor}, its lines sum to {lines_minor}, hold {session.limit_minor}"


def _check_money(payment: Payment, cdrs: list[CDR], cards: Mapping[str, Card]) -> Iterator[str]:
    card = cards[payment.authorization_reference]
    due_minor = cdrs[0].total_incl_minor if cdrs else 0
    wanted = ["hold", "capture"] if due_minor else ["hold", "release"]
    if card.effects != wanted:
        yield f"the card was touched by {card.effects}, not by {wanted}"
    if card.captured * 100 != due_minor:
        yield f"captured {card.captured}, the CDR says {Decimal(due_minor) / 100}"
    state = PaymentState.CAPTURED if due_minor else PaymentState.RELEASED
    if payment.state != state or payment.captured_minor != due_minor or payment.due_minor != due_minor:
        yield f"{payment.state}, {payment.captured_minor} captured of {payment.due_minor}; {due_minor} is right"
    receipts = list(Receipt.objects.filter(payment=payment))
    if len(receipts) != bool(due_minor):
        yield f"{len(receipts)} receipts"
    for receipt in receipts:
        if receipt.document["total_incl_minor"] != due_minor:
            yield f"the receipt says {receipt.document['total_incl_minor']}, the CDR {due_minor}"
    confirmed = list(payment.confirmations.values_list("amount_minor", flat=True))
    if confirmed != ([due_minor] if due_minor else []):
        yield f"confirmed were {confirmed}, the CDR says {due_minor}"


def _check_reviews(payment: Payment, session: Session, transaction: Delivered | None) -> Iterator[str]:
    """Nobody is asked to look where nothing is to be seen."""
    disobeyed = session.stop_attempts >= STOP_ATTEMPTS_BEFORE_REVIEW
    late = session.state in NEVER_STARTED and transaction is not None
    if session.needs_review and not (late and session.needs_review == LATE):
        yield f"flagged for review: {session.needs_review}"
    if payment.review and not (late or (disobeyed and payment.review == Review.UNSETTLED)):
        yield f"the payment is flagged for review: {payment.review}"


def _check_messages(payment: Payment) -> Iterator[str]:
    """Whoever has a webhook was told what is due, in one message."""
    if payment.ptp.webhook_url and payment.state != PaymentState.AUTHORIZED:
        told = OutboxMessage.objects.filter(topic=SETTLEMENT_DUE, subject=str(payment.pk))
        if told.count() != 1:
            yield f"{told.count()} messages tell what is due"
