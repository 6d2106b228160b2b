"""The review inbox: everything that waits for a person, each with the one act that most likely ends it.

Which act that is, is decided here and nowhere else; pages only show it. Reading takes a fixed number of queries.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db.models import F, QuerySet
from django.utils import timezone

from payments.decisions import OCPI_CREDIT, REFUND_DUE
from payments.models import Confirmation, OutboxMessage, Payment, RefundRequest, SettlementLine
from payments.reconciliation import evidence
from payments.reconciliation.books import orphan_confirmations, orphan_lines
from payments.reconciliation.evidence import Evidence, Source, evidence_of
from payments.settlement import OCPI_CDR, OCPI_SESSION, SESSION_UPDATED, SETTLEMENT_DUE
from payments.states import PaymentState, Review
from sessions_app.models import CDR, Session
from sessions_app.states import RUNNING

GIVEN_UP_BY: Final = "given up by "  # how the outbox tells that a person did
MOST_OF_A_KIND: Final = 200  # the oldest; the others move up as these are dealt with


class Kind(StrEnum):
    """What an item is about."""

    PAYMENT = "payment"  # a payment that is flagged
    SESSION = "session"  # a session in doubt whose payment is not flagged
    CONFIRMATION = "confirmation"  # the PTP captured something that we do not know
    LINE = "line"  # a settlement file names something that we do not know
    MESSAGE = "message"  # something that a PTP was not told
    REFUND = "refund"  # a refund that waits for a second person


class Act(StrEnum):
    """What a person can do about an item."""

    TELL_AGAIN = "tell_again"  # the capture, the release or the refund
    SEND_MESSAGE = "send_message"  # the message that was given up
    WRITE_OFF = "write_off"  # with a reason
    MATCH = "match"  # give an orphan to a payment
    ACCEPT = "accept"  # what was captured, by the PTP's word, its settlement file or one's own
    RETURNED = "returned"  # the PTP gave back what it took too much
    RELEASED = "released"  # the PTP dropped the hold without saying so
    REFUNDED = "refunded"  # the PTP gave the credit back without saying so
    CLOSE = "close"  # with a reason: looked at, done
    END_SESSION = "end_session"  # in the books, at the last meter value
    SETTLE = "settle"  # what is over, and could not be billed
    DECIDE = "decide"  # approve the refund, or decline it


NEEDS_REASON: Final = frozenset(
    {
        Act.WRITE_OFF,
        Act.ACCEPT,
        Act.RETURNED,
        Act.RELEASED,
        Act.REFUNDED,
        Act.CLOSE,
        Act.END_SESSION,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to look at. `row` is of the model that its kind says; `payment` the one it is about, if known."""

    kind: Kind
    key: str
    since: datetime
    act: Act
    row: Any
    payment: Payment | None = None
    evidence: Evidence = evidence.NONE


@dataclass(frozen=True, slots=True)
class Inbox:
    """What is shown, and how much there is of each kind."""

    items: list[Item]  # the oldest first
    counts: dict[Kind, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How much waits."""
        return sum(self.counts.values())


def act_for(payment: Payment, found: Evidence = evidence.NONE) -> Act:
    """Return the one act for a flagged payment; read `session`, `ptp` with it, and its evidence.

    Each leads on: to an end, or to another reason with another act. Closing is the act only where nothing waits.
    """
    review, state = Review(payment.review), PaymentState(payment.state)
    if review is Review.UNSETTLED and payment.session is not None and state is PaymentState.AUTHORIZED:
        if payment.session.state in RUNNING:
            return Act.END_SESSION
        if payment.session.is_over:
            return Act.SETTLE
    if review in _SAID_OTHERWISE and state is not PaymentState.AUTHORIZED:
        return Act.ACCEPT
    if review is Review.CAPTURED_MORE and payment.account.owed_minor:
        return Act.RETURNED
    if review in (Review.CAPTURE_FAILED, Review.CAPTURED_LESS) and may_write_off(payment):
        return Act.ACCEPT if found.source is Source.FILE else Act.WRITE_OFF
    if review is Review.FILE_DIFFERS and found.source is Source.FILE and state is not PaymentState.AUTHORIZED:
        return Act.ACCEPT
    if review in _UNANSWERED and state in _BY_HAND:
        booked = found.source is Source.FILE
        tell = is_told(payment) and not found.tried and not booked
        return Act.TELL_AGAIN if tell else _BY_HAND[state]
    return Act.CLOSE


# The PTP said something else than what is due or booked: a person finds out what is true.
_SAID_OTHERWISE = frozenset(
    {
        Review.AMOUNT_DIFFERS,
        Review.CURRENCY_DIFFERS,
        Review.CAPTURED_AFTER_RELEASE,
        Review.CONFIRMED_TWICE,
    }
)
# What telling again may cure: the PTP did not hear or did not answer.
_UNANSWERED = frozenset({Review.UNCONFIRMED, Review.UNRELEASED, Review.UNREFUNDED, Review.CDR_REFUSED})
# What is left where it cannot be told, or still does not answer.
_BY_HAND = {
    PaymentState.CAPTURING: Act.ACCEPT,
    PaymentState.RELEASING: Act.RELEASED,
    PaymentState.REFUNDING: Act.REFUNDED,
}
_RECEIVABLE = frozenset(
    {
        PaymentState.PARTIALLY_CAPTURED,
        PaymentState.CAPTURE_FAILED,
        PaymentState.REFUNDING,
        PaymentState.REFUNDED,
    }
)


def may_write_off(payment: Payment) -> bool:
    """Whether something is open that no PTP is about to capture."""
    return PaymentState(payment.state) in _RECEIVABLE and payment.open_minor > 0


def is_told(payment: Payment) -> bool:
    """Whether we tell this payment's PTP by ourselves; one that has no webhook and no OCPI polls."""
    return payment.connection_id is not None or bool(payment.ptp.webhook_url)


def session_act(session: Session) -> Act:
    """Return the one act for a session in doubt."""
    return Act.END_SESSION if session.state in RUNNING else Act.CLOSE


# --- Reading --------------------------------------------------------------------------------------


def read_inbox(kind: Kind | None = None) -> Inbox:
    """Return all items, or those of one kind, at most MOST_OF_A_KIND of each. Seventeen queries at most."""
    wanted = [kind] if kind else list(Kind)
    items = [item for each in wanted for item in _ITEMS[each](_QUEUES[each]()[:MOST_OF_A_KIND])]
    items.sort(key=lambda item: item.since)
    return Inbox(items, counts())


def counts() -> dict[Kind, int]:
    """Return how much of each kind waits. Six queries."""
    return {kind: queue().count() for kind, queue in _QUEUES.items()}


def find_item(kind: Kind, key: str) -> Item | None:
    """Return one item by its key, None where nothing of it waits any more, or never did."""
    try:
        primary = uuid.UUID(key) if kind in _BY_UUID else int(key)
    except ValueError:
        return None
    return next(_ITEMS[kind](_QUEUES[kind]().filter(pk=primary)), None)


_BY_UUID = frozenset({Kind.PAYMENT, Kind.SESSION, Kind.MESSAGE})


def flagged() -> QuerySet[Payment]:
    """Return the payments that staff must look at, oldest first."""
    rows = Payment.objects.exclude(review="").select_related("session__evse__site", "ptp", "terminal")
    return rows.order_by("opened_at")


def doubted() -> QuerySet[Session]:
    """Return sessions in doubt whose payment is not flagged itself, oldest first."""
    rows = Session.objects.exclude(needs_review="").filter(payment__review="")
    return rows.select_related("evse__site", "payment__ptp", "payment__terminal").order_by("requested_at")


def given_up() -> QuerySet[OutboxMessage]:
    """Return messages that no PTP was told, oldest first, without those that a person gave up."""
    rows = OutboxMessage.objects.filter(state=OutboxMessage.State.GIVEN_UP)
    rows = rows.exclude(last_error__startswith=GIVEN_UP_BY)
    return rows.select_related("ptp").order_by("created_at")


def asked_refunds() -> QuerySet[RefundRequest]:
    """Return refunds that wait for a second person, oldest first."""
    rows = RefundRequest.objects.filter(state=RefundRequest.State.ASKED)
    return rows.select_related(
        "payment__session__evse__site", "payment__ptp", "payment__terminal", "asked_by"
    ).order_by("asked_at")


def _payments(rows: QuerySet[Payment]) -> Iterator[Item]:
    payments = list(rows)
    behind = evidence_of(payments, now=timezone.now())
    for payment in payments:
        since = payment.settled_at or payment.opened_at
        found = behind.get(payment.pk, evidence.NONE)
        item = _item(Kind.PAYMENT, payment, since, act_for(payment, found), payment)
        yield replace(item, evidence=found)


def _sessions(rows: QuerySet[Session]) -> Iterator[Item]:
    for session in rows:
        since = session.ended_at or session.requested_at
        yield _item(Kind.SESSION, session, since, session_act(session), session.payment)


def _confirmations(rows: QuerySet[Confirmation]) -> Iterator[Item]:
    for confirmation in rows:
        yield _item(Kind.CONFIRMATION, confirmation, confirmation.received_at, Act.MATCH)


def _lines(rows: QuerySet[SettlementLine]) -> Iterator[Item]:
    for line in rows:
        yield _item(Kind.LINE, line, line.file.imported_at, Act.MATCH)


def _messages(rows: QuerySet[OutboxMessage]) -> Iterator[Item]:
    """Yield the messages with the payments that they are about. Two queries more."""
    messages = list(rows)
    payments = payments_behind(messages)
    for message in messages:
        payment = payments.get(message.pk)
        yield _item(Kind.MESSAGE, message, message.created_at, Act.SEND_MESSAGE, payment)


def payments_behind(messages: list[OutboxMessage]) -> dict[uuid.UUID, Payment]:
    """Return the payment that a message tells about, by the message's key, where it tells about one. Two queries."""
    payments = Payment.objects.select_related("session__evse__site", "ptp", "terminal")
    direct = _subjects(messages, _OF_PAYMENTS)
    by_payment = {payment.pk: payment for payment in payments.filter(pk__in=direct.values())}
    of_credits = _subjects(messages, _OF_CREDITS)
    by_credit = {}
    for payment in payments.filter(session__cdrs__in=of_credits.values()).annotate(credit=F("session__cdrs")):
        by_credit[payment.credit] = payment
    found = {key: by_payment.get(subject) for key, subject in direct.items()}
    found |= {key: by_credit.get(subject) for key, subject in of_credits.items()}
    return {key: payment for key, payment in found.items() if payment is not None}


def messages_about(payment: Payment) -> list[Item]:
    """Return the messages about a payment, or its credits, that were given up. Five queries."""
    credits = CDR.objects.filter(session=payment.session, credit_of__isnull=False)
    subjects = [str(payment.pk), *map(str, credits.values_list("pk", flat=True))]
    return list(_messages(given_up().filter(ptp=payment.ptp_id, subject__in=subjects)))


_OF_PAYMENTS = frozenset({SETTLEMENT_DUE, SESSION_UPDATED, OCPI_SESSION, OCPI_CDR})
_OF_CREDITS = frozenset({REFUND_DUE, OCPI_CREDIT})


def _subjects(messages: list[OutboxMessage], topics: frozenset[str]) -> dict[uuid.UUID, uuid.UUID]:
    return {message.pk: uuid.UUID(message.subject) for message in messages if message.topic in topics}


def _refunds(rows: QuerySet[RefundRequest]) -> Iterator[Item]:
    for request in rows:
        yield _item(Kind.REFUND, request, request.asked_at, Act.DECIDE, request.payment)


def _item(kind: Kind, row: Any, since: datetime, act: Act, payment: Payment | None = None) -> Item:
    return Item(kind=kind, key=str(row.pk), since=since, act=act, row=row, payment=payment)


_QUEUES: Final[dict[Kind, Callable[[], QuerySet[Any]]]] = {
    Kind.PAYMENT: flagged,
    Kind.SESSION: doubted,
    Kind.CONFIRMATION: orphan_confirmations,
    Kind.LINE: orphan_lines,
    Kind.MESSAGE: given_up,
    Kind.REFUND: asked_refunds,
}
_ITEMS: Final[dict[Kind, Callable[[Any], Iterator[Item]]]] = {
    Kind.PAYMENT: _payments,
    Kind.SESSION: _sessions,
    Kind.CONFIRMATION: _confirmations,
    Kind.LINE: _lines,
    Kind.MESSAGE: _messages,
    Kind.REFUND: _refunds,
}
