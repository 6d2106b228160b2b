"""The review inbox as staff read it: one line per item, its page, and the payments that an orphan may be of."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q
from django.urls import reverse

from emabler.portal.money import words
from emabler.portal.money.settlements import card_of, place_of
from emabler.portal.ocpi.words import topic, when
from emabler.portal.words import Sign
from emabler.portal.words import payment as payment_sign
from payments.models import Confirmation, Payment, SettlementLine
from payments.receipts import formats
from payments.reconciliation import inbox
from payments.reconciliation.inbox import Act, Inbox, Item, Kind
from payments.reconciliation.match import age_days

CANDIDATES_SHOWN: Final = 20
NEAR: Final = timedelta(days=14)
DIRECT: Final = frozenset({Act.TELL_AGAIN, Act.SEND_MESSAGE, Act.SETTLE})  # one press, nothing to enter


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An item; `href` is its page, `amount` what it is about."""

    kind: str
    key: str
    what: str
    why: str
    place: str
    ptp: str
    amount: str
    age: str
    days: int
    href: str
    act: str
    label: str
    direct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A kind of items, with how many there are."""

    kind: str
    text: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """What the inbox shows."""

    rows: list[ItemRow]
    tabs: list[Tab]
    total: int
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A payment that an orphan may be of."""

    pk: str
    reference: str
    place: str
    card: str
    due: str
    captured: str
    settled: str
    sign: Sign
    fits: bool


def inbox_page(kind: Kind | None, *, now: datetime) -> InboxPage:
    """Read the inbox. Fourteen queries at most."""
    found: Inbox = inbox.read_inbox(kind)
    shown = sum(count for each, count in found.counts.items() if kind in (None, each))
    tabs = [Tab(kind=each.value, text=words.KINDS[each], count=count) for each, count in found.counts.items()]
    return InboxPage(
        rows=[item_row(item, now) for item in found.items],
        tabs=[tab for tab in tabs if tab.count],
        total=found.total,
        hidden=shown - len(found.items),
    )


def item_row(item: Item, now: datetime) -> ItemRow:
    """Return an item as the inbox shows it."""
    days = age_days(item.since, now)
    seconds = max(0, int((now - item.since).total_seconds()))
    return ItemRow(
        kind=item.kind.value,
        key=item.key,
        what=_what(item),
        why=words.why(item),
        place=place_of(item.payment) if item.payment else "",
        ptp=_ptp(item),
        amount=_amount(item),
        age=formats.duration(seconds) if seconds < 2 * 86400 else f"{days} days",
        days=days,
        href=page_of(item),
        act=item.act.value,
        label=words.act_label(item),
        direct=item.act in DIRECT,
    )


def page_of(item: Item) -> str:
    """Return the page with the whole story: the payment's, or the item's own where no payment is known."""
    if item.payment is not None:
        return reverse("portal:money-payment", args=[item.payment.pk])
    return reverse("portal:money-item", args=[item.kind.value, item.key])


def _what(item: Item) -> str:
    return item.payment.authorization_reference if item.payment else _REFERENCE[item.kind](item.row)


_REFERENCE: Final = {
    Kind.MESSAGE: lambda row: topic(row.topic),
    Kind.CONFIRMATION: lambda row: row.authorization_reference or row.confirmation_id,
    Kind.LINE: lambda row: row.reference,
}


def _ptp(item: Item) -> str:
    if item.payment is not None:
        return item.payment.ptp.name
    return str(item.row.file.ptp.name if item.kind is Kind.LINE else item.row.ptp.name)


def _amount(item: Item) -> str:
    """Return what is at stake: the open amount, what was confirmed, what is to go back, else what is due."""
    if item.kind in (Kind.CONFIRMATION, Kind.LINE):
        return words.money(item.row.amount_minor, item.row.currency)
    payment = item.payment
    if payment is None:
        return ""
    if item.kind is Kind.REFUND:
        return words.money(item.row.amount_minor, payment.currency)
    minor = payment.refunding_minor or payment.open_minor or payment.due_minor or payment.authorized_minor
    return words.money(minor, payment.currency)


# --- Orphans --------------------------------------------------------------------------------------


def candidates(orphan: Confirmation | SettlementLine, text: str) -> list[Candidate]:
    """Return payments of the same PTP that an orphan may be of: by amount and time, or by what a person enters.

    One query.
    """
    if isinstance(orphan, Confirmation):
        ptp, at = orphan.ptp, orphan.received_at
    else:
        ptp, at = orphan.file.ptp, orphan.captured_at or orphan.file.imported_at
    rows = Payment.objects.filter(ptp=ptp, settled_at__isnull=False)
    if text:
        wanted = Q(authorization_reference__icontains=text) | Q(card_last4=text)
        rows = rows.filter(wanted)
    else:
        amount = abs(orphan.amount_minor)
        fits = Q(due_minor=amount) | Q(captured_minor=amount)
        rows = rows.filter(fits, currency=orphan.currency, settled_at__range=(at - NEAR, at + NEAR))
    found = list(rows.select_related("session__evse__site").order_by("-settled_at")[:CANDIDATES_SHOWN])
    return [_candidate(payment, orphan) for payment in found]


def _candidate(payment: Payment, orphan: Confirmation | SettlementLine) -> Candidate:
    return Candidate(
        pk=str(payment.pk),
        reference=payment.authorization_reference,
        place=place_of(payment),
        card=card_of(payment),
        due=words.money(payment.due_minor, payment.currency),
        captured=words.money(payment.captured_minor, payment.currency),
        settled=when(payment.settled_at),
        sign=payment_sign(payment.state),
        fits=payment.due_minor == orphan.amount_minor and payment.currency == orphan.currency,
    )
