"""Settlements as staff read them: sums by day and terminal, by standing and by age, and the payments behind."""

import contextlib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Q

from emabler.portal.money import words
from emabler.portal.overview import LANGUAGE
from emabler.portal.words import Sign
from emabler.portal.words import payment as payment_sign
from emabler.portal.words import review as review_text
from payments.models import CreditNote, Payment, Receipt
from payments.receipts import formats
from payments.reconciliation.books import Position, positions_of
from payments.reconciliation.match import Ageing, Standing
from payments.reconciliation.summary import DayLine, Summary, Sums

LINES_SHOWN: Final = 62  # two terminals for a month; more takes a filter
ROWS_SHOWN: Final = 50
FOUND_SHOWN: Final = 50
_RECEIPT: Final = re.compile(r"(\d{4})-(\d{1,9})", re.ASCII)
_LAST4: Final = re.compile(r"\d{4}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRow:
    """Sums with the address of the payments behind them."""

    title: str
    sign: Sign | None
    help: str
    query: str
    count: int
    due: str
    captured: str
    open: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRow:
    """One day of one terminal."""

    day: str
    ptp: str
    terminal: str
    query: str
    count: int
    due: str
    captured: str
    open: str
    paid: str
    paid_note: str
    signs: list[tuple[Sign, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlements:
    """A period at a glance."""

    standings: list[SumRow]
    ages: list[SumRow]
    days: list[DayRow]
    hidden_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """A payment as the list shows it; `payment_id` is empty for an orphan."""

    payment_id: str
    day: str
    place: str
    card: str
    reference: str
    ptp: str
    terminal: str
    standing: Sign | None
    state: Sign | None
    review: str
    due: str
    captured: str
    open: str
    paid: str
    days_due: int
    differences: list[str]


def settlements(summary: Summary, query: dict[str, str]) -> Settlements:
    """Write a summary out; `query` is the filter that it was made with."""
    ages = _by_currency(summary.by_age, list(Ageing))
    return Settlements(
        standings=[
            _standing_row(currency, standing, summary.by_standing[currency, standing], query)
            for currency, standing in _by_currency(summary.by_standing, list(Standing))
        ],
        ages=[_age_row(currency, age, summary.by_age[currency, age], query) for currency, age in ages],
        days=[_day_row(line, query) for line in summary.lines[:LINES_SHOWN]],
        hidden_days=len(summary.lines[LINES_SHOWN:]),
    )


def _by_currency(found: Iterable[tuple[str, Any]], order: list[Any]) -> list[tuple[str, Any]]:
    return sorted(found, key=lambda key: (key[0], order.index(key[1])))


def _standing_row(currency: str, standing: Standing, sums: Sums, query: dict[str, str]) -> SumRow:
    other = [f"{words.money(minor, currency)} {what}" for minor, what in (
        (sums.written_off_minor, "written off"), (sums.refunded_minor, "refunded")) if minor]  # fmt: skip
    return SumRow(
        title=currency,
        sign=words.STANDING[standing],
        help=words.MEANS[standing],
        query=urlencode({**query, "currency": currency, "standing": standing.value}),
        other=", ".join(other),
        **_amounts(sums, currency),
    )


def _age_row(currency: str, age: Ageing, sums: Sums, query: dict[str, str]) -> SumRow:
    return SumRow(
        title=f"{age.value}, {currency}",
        sign=None,
        help="",
        query=urlencode({**query, "currency": currency, "age": age.name}),
        other="",
        **_amounts(sums, currency),
    )


def _amounts(sums: Sums, currency: str) -> dict[str, Any]:
    return {
        "count": sums.count,
        "due": words.money(sums.due_minor, currency),
        "captured": words.money(sums.captured_minor, currency),
        "open": words.money(sums.open_minor, currency),
    }


def _day_row(line: DayLine, query: dict[str, str]) -> DayRow:
    key, total = line.key, line.total
    day = key.day.isoformat()
    chosen = {"first": day, "last": day, "ptp": str(key.ptp_id), "currency": key.currency}
    if key.terminal:
        chosen["terminal"] = key.terminal
    order = list(Standing)
    return DayRow(
        day=f"{key.day:%-d %b %Y}",
        ptp=key.ptp,
        terminal=key.terminal,
        query=urlencode({**query, **chosen}),
        paid=words.money(total.paid_minor, key.currency) if total.in_file else "–",
        paid_note=_paid_note(total, key.currency) if total.in_file else "",
        signs=[
            (words.STANDING[standing], count)
            for standing, count in sorted(line.by_standing.items(), key=lambda each: order.index(each[0]))
        ],
        **_amounts(total, key.currency),
    )


def _paid_note(total: Sums, currency: str) -> str:
    fees = f", fees {words.money(total.fee_minor, currency)}" if total.fee_minor else ""
    return f"{total.in_file} of {total.count} in a file{fees}"


# --- The payments behind --------------------------------------------------------------------------


def chosen(positions: Iterable[Position], standing: str, age: str) -> list[Position]:
    """Return those of a standing and of an age, the newest day first; an age is of what is not settled."""
    found = [each for each in positions if each.stands_so(standing, age)]
    return sorted(found, key=lambda each: each.day, reverse=True)


def page_of(positions: list[Position], number: str | None) -> tuple[Page[Position], list[PositionRow]]:
    """Return one page, written out. One query."""
    page = Paginator(positions, ROWS_SHOWN).get_page(number)
    ids = [each.payment_id for each in page if each.payment_id is not None]
    return page, _rows(list(page), ids)


def found_by(text: str, *, now: datetime) -> list[PositionRow]:
    """Return payments by what people have at hand: reference, session, receipt number, last digits of the card.

    Six queries at most.
    """
    rows = Payment.objects.filter(_named(text)).order_by("-opened_at").values_list("pk", flat=True)
    ids = list(rows[:FOUND_SHOWN])
    known = positions_of(ids, now=now)
    positions = [known[pk] for pk in ids if pk in known]
    return _rows(positions, ids) + _not_due([pk for pk in ids if pk not in known])


def _named(text: str) -> Q:
    wanted = Q(authorization_reference__startswith=text)
    with contextlib.suppress(ValueError):
        wanted |= Q(session=uuid.UUID(text)) | Q(pk=uuid.UUID(text))
    if number := _RECEIPT.fullmatch(text):
        named = {"year": int(number[1]), "number": int(number[2])}
        for document in (Receipt, CreditNote):
            wanted |= Q(pk__in=document.objects.filter(**named).order_by().values("payment"))
    return wanted | Q(card_last4=text) if _LAST4.fullmatch(text) else wanted


def _rows(positions: list[Position], ids: list[uuid.UUID]) -> list[PositionRow]:
    payments = _payments(ids)
    return [_row(each, payments.get(each.payment_id) if each.payment_id else None) for each in positions]


def _payments(ids: list[uuid.UUID]) -> dict[uuid.UUID, Payment]:
    rows = Payment.objects.filter(pk__in=ids).select_related("session__evse__site", "ptp", "terminal")
    return {payment.pk: payment for payment in rows}


def _row(position: Position, payment: Payment | None) -> PositionRow:
    def money(minor: int) -> str:
        return words.money(minor, position.currency)

    return PositionRow(
        payment_id=str(position.payment_id or ""),
        day=f"{position.day:%-d %b %Y}",
        place=place_of(payment) if payment else "",
        card=card_of(payment) if payment else "",
        reference=position.reference or "–",
        ptp=position.ptp,
        terminal=position.terminal,
        standing=words.STANDING[position.standing],
        state=payment_sign(position.state) if position.state else None,
        review=review_text(position.review),
        due=money(position.due_minor),
        captured=money(position.captured_minor),
        open=money(position.open_minor),
        paid="–" if position.paid_minor is None else money(position.paid_minor),
        days_due=position.days_due,
        differences=[words.difference(each, position.currency) for each in position.verdict.differences],
    )


def _not_due(ids: list[uuid.UUID]) -> list[PositionRow]:
    """Payments whose session still runs: held, and nothing to reconcile."""
    return [
        PositionRow(
            payment_id=str(payment.pk),
            day=formats.moment(payment.opened_at, "UTC", LANGUAGE),
            place=place_of(payment),
            card=card_of(payment),
            reference=payment.authorization_reference,
            ptp=payment.ptp.name,
            terminal=payment.terminal.terminal_id if payment.terminal else "",
            standing=None,
            state=payment_sign(payment.state),
            review=review_text(payment.review),
            due="–",
            captured="–",
            open="–",
            paid="–",
            days_due=0,
            differences=[],
        )
        for payment in _payments(ids).values()
    ]


def place_of(payment: Payment) -> str:
    """Return where it was charged; read `session__evse__site` with it."""
    return f"{payment.session.evse.site} · {payment.session.evse.label}" if payment.session else ""


def card_of(payment: Payment) -> str:
    """Return scheme and last digits."""
    return " ".join(part for part in (payment.card_scheme, payment.card_last4) if part)
