"""What must hold once everything is calm: rows, chargers' logs and effects at the PSP, payment by payment."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db import close_old_connections
from django.db.models import Q

from chargers.facts import CommandAction
from chargers.models import Command
from payments.models import OutboxMessage, Payment, Ptp, Receipt
from payments.settlement import SETTLEMENT_DUE
from payments.states import WAITING, PaymentState
from sessions_app.models import Session
from sessions_app.states import LIVE
from tests.campaigns.rules import check_numbers, check_payment
from tests.campaigns.witnesses import Card, Delivered
from tests.crash.fleet import Charger
from tests.crash.lives import Life
from tests.crash.network import LISTENS, OCPI


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
    yield from check_numbers()


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
    log, card = delivered.get(session.id_tag), cards[life.reference]
    yield from check_payment(payment, session, log=log, card=card, starts=starts)
    yield from _check_messages(payment)


def _check_messages(payment: Payment) -> Iterator[str]:
    """Whoever has a webhook was told what is due, in one message."""
    if payment.ptp.webhook_url and payment.state != PaymentState.AUTHORIZED:
        told = OutboxMessage.objects.filter(topic=SETTLEMENT_DUE, subject=str(payment.pk))
        if told.count() != 1:
            yield f"{told.count()} messages tell what is due"
