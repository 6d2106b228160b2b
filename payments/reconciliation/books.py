"""Read what is known of the payments of a period, and judge each; a fixed number of queries, whatever the size.

A day is the day at the charging site, as on the receipt; that of an orphan, which has no site, is in UTC.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from chargers.models import Site
from payments.models import Confirmation, Payment, Ptp, SettlementLine
from payments.reconciliation.match import (
    SETTLED,
    Ageing,
    Booked,
    Facts,
    Paid,
    Standing,
    Told,
    Verdict,
    age_days,
    ageing_of,
    judge,
)
from payments.states import CaptureStatus, PaymentState
from sessions_app.models import CDR

MOST_DAYS = 366  # of a period
MOST_PAYMENTS = 50_000  # of a period: some 100 MB; choose a shorter one
_WIDEST_ZONE = timedelta(hours=14)

_BOOKS = (
    "pk",
    "session_id",
    "ptp_id",
    "ptp__name",
    "terminal_id",
    "terminal__terminal_id",
    "session__time_zone",
    "authorization_reference",
    "state",
    "review",
    "currency",
    "due_minor",
    "captured_minor",
    "written_off_minor",
    "refunding_minor",
    "refunded_minor",
    "excess_minor",
    "excess_returned_minor",
    "accepted",
    "settled_at",
)


class TooMuch(Exception):
    """The period holds more payments than are judged at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days at the site, both included, and whose payments."""

    first: date
    last: date
    ptp_id: int | None = None
    terminal: str = ""  # as its PTP calls it
    currency: str = ""

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    def bounds(self) -> tuple[datetime, datetime]:
        """Return moments that enclose the period in every time zone."""
        begin = datetime.combine(self.first, time.min, UTC) - _WIDEST_ZONE
        return begin, datetime.combine(self.last, time.max, UTC) + _WIDEST_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A payment, or an orphan (then without a payment's id), with its standing; amounts in minor units."""

    payment_id: uuid.UUID | None
    reference: str
    day: date
    ptp_id: int
    ptp: str
    terminal_id: int | None
    terminal: str
    currency: str
    verdict: Verdict
    days_due: int
    due_minor: int = 0
    captured_minor: int = 0
    open_minor: int = 0
    written_off_minor: int = 0
    refunded_minor: int = 0
    paid_minor: int | None = None  # by settlement files, None where none names it
    fee_minor: int = 0
    review: str = ""
    state: str = ""

    @property
    def standing(self) -> Standing:
        """Its standing."""
        return self.verdict.standing

    @property
    def ageing(self) -> Ageing:
        """Its age bucket."""
        return ageing_of(self.days_due)

    def stands_so(self, standing: str, age: str) -> bool:
        """Whether it is of this standing and age, where they are given; an age is of what is not settled."""
        aged = self.ageing.name == age and self.standing not in SETTLED
        return (not standing or self.standing == standing) and (not age or aged)


def patience() -> timedelta:
    """Return how long a PTP may take to answer (T_fac)."""
    return timedelta(seconds=settings.CONFIRMATION_WARN_SECONDS)


def positions(period: Period, *, now: datetime) -> list[Position]:
    """Return every payment that became due in the period, and its orphans. Raises TooMuch. Six queries."""
    payments = payments_of(period)
    rows = list(payments.values(*_BOOKS).order_by("settled_at", "pk")[: MOST_PAYMENTS + 1])
    if len(rows) > MOST_PAYMENTS:
        raise TooMuch
    judged = _judged(rows, payments, now)
    return [*(each for each in judged if period.first <= each.day <= period.last), *_orphans(period, now)]


def positions_of(payment_ids: Collection[uuid.UUID], *, now: datetime) -> dict[uuid.UUID, Position]:
    """Return how these payments stand, without those that are not due yet. Four queries."""
    payments = Payment.objects.filter(pk__in=payment_ids, settled_at__isnull=False)
    judged = _judged(list(payments.values(*_BOOKS)), payments, now)
    return {each.payment_id: each for each in judged if each.payment_id is not None}


def position_of(payment: Payment, *, now: datetime) -> Position | None:
    """Return how one payment stands, None before it is due. Four queries."""
    return positions_of([payment.pk], now=now).get(payment.pk)


def payments_of(period: Period) -> QuerySet[Payment]:
    """Return the payments that became due at about the period; `day_at` decides at its edges."""
    rows = Payment.objects.filter(settled_at__range=period.bounds(), session__isnull=False)
    if period.ptp_id is not None:
        rows = rows.filter(ptp=period.ptp_id)
    if period.terminal:
        rows = rows.filter(terminal__terminal_id=period.terminal)
    return rows.filter(currency=period.currency) if period.currency else rows


def day_at(at: datetime, zone: str) -> date:
    """Return the day that a moment has in a time zone."""
    return at.astimezone(_zone(zone)).date()


def latest_day(now: datetime) -> date:
    """Return the latest day that it is at one of our sites, so that what becomes due now lies within it."""
    zones = Site.objects.order_by().values_list("time_zone", flat=True).distinct()
    return max((day_at(now, zone) for zone in zones), default=now.astimezone(UTC).date())


_zone = cache(ZoneInfo)


def _judged(rows: list[dict[str, Any]], payments: QuerySet[Payment], now: datetime) -> Iterator[Position]:
    theirs = payments.order_by().values("pk")
    bills = dict(
        CDR.objects.filter(credit_of=None, session__payment__in=theirs)
        .order_by()
        .values_list("session_id", "total_incl_minor")
    )
    told, paid = _told(theirs), _paid(theirs)
    for row in rows:
        key = row["pk"]
        yield _position(row, bills.get(row["session_id"]), told.get(key, []), paid.get(key, []), now)


def _told(theirs: QuerySet[Payment, Any]) -> dict[uuid.UUID, list[Told]]:
    """Return what was confirmed of each payment, the newest last."""
    found = defaultdict(list)
    rows = Confirmation.objects.filter(payment__in=theirs).order_by("received_at", "pk")
    for key, status, amount_minor, currency in rows.values_list(
        "payment", "status", "amount_minor", "currency"
    ):
        found[key].append(Told(CaptureStatus(status), amount_minor, currency))
    return found


def _paid(theirs: QuerySet[Payment, Any]) -> dict[uuid.UUID, list[tuple[Paid, int]]]:
    """Return the lines of settlement files that count, with their fees."""
    found = defaultdict(list)
    rows = SettlementLine.objects.filter(payment__in=theirs, file__withdrawn_at=None).order_by("pk")
    for key, amount_minor, currency, fee_minor in rows.values_list(
        "payment", "amount_minor", "currency", "fee_minor"
    ):
        found[key].append((Paid(amount_minor, currency), fee_minor or 0))
    return found


def _position(
    row: dict[str, Any],
    cdr_minor: int | None,
    told: list[Told],
    paid: list[tuple[Paid, int]],
    now: datetime,
) -> Position:
    booked = Booked(
        state=PaymentState(row["state"]),
        currency=row["currency"],
        due_minor=row["due_minor"],
        captured_minor=row["captured_minor"],
        written_off_minor=row["written_off_minor"],
        refunding_minor=row["refunding_minor"],
        refunded_minor=row["refunded_minor"],
        excess_minor=row["excess_minor"],
        excess_returned_minor=row["excess_returned_minor"],
        accepted=row["accepted"],
        due_at=row["settled_at"],
    )
    lines = [line for line, _ in paid]
    facts = Facts(booked=booked, cdr_minor=cdr_minor, told=told, paid=lines)
    return Position(
        payment_id=row["pk"],
        reference=row["authorization_reference"],
        day=day_at(booked.due_at, row["session__time_zone"] or "UTC"),
        ptp_id=row["ptp_id"],
        ptp=row["ptp__name"],
        terminal_id=row["terminal_id"],
        terminal=row["terminal__terminal_id"] or "",
        currency=booked.currency,
        verdict=judge(facts, now=now, patience=patience()),
        days_due=age_days(booked.due_at, now),
        due_minor=booked.due_minor,
        captured_minor=booked.captured_minor,
        open_minor=booked.open_minor,
        written_off_minor=booked.written_off_minor,
        refunded_minor=booked.refunded_minor,
        paid_minor=sum(line.amount_minor for line in lines) if lines else None,
        fee_minor=sum(fee for _, fee in paid),
        review=row["review"],
        state=row["state"],
    )


# --- Orphans --------------------------------------------------------------------------------------


def _orphans(period: Period, now: datetime) -> Iterator[Position]:
    """Return what names no payment of ours: it has no terminal, and no site to tell the day."""
    if period.terminal:
        return
    begin = datetime.combine(period.first, time.min, UTC)
    end = datetime.combine(period.last, time.max, UTC)
    told = orphan_confirmations().filter(received_at__range=(begin, end))
    lines = orphan_lines().filter(file__imported_at__range=(begin, end))
    if period.ptp_id is not None:
        told, lines = told.filter(ptp=period.ptp_id), lines.filter(file__ptp=period.ptp_id)
    if period.currency:
        told, lines = told.filter(currency=period.currency), lines.filter(currency=period.currency)
    for each in told[:MOST_PAYMENTS]:
        yield _orphan(each.authorization_reference, each.received_at, each.ptp, each, now)
    for line in lines[:MOST_PAYMENTS]:
        yield _orphan(line.reference, line.file.imported_at, line.file.ptp, line, now)


def orphan_confirmations() -> QuerySet[Confirmation]:
    """Return confirmations of holds that we do not know and that nobody has dealt with (B29), oldest first."""
    rows = Confirmation.objects.filter(payment=None, closed_at=None)
    return rows.select_related("ptp").order_by("received_at", "pk")


def orphan_lines() -> QuerySet[SettlementLine]:
    """Return lines of settlement files that name no payment of ours, in files that count, oldest first."""
    rows = SettlementLine.objects.filter(payment=None, closed_at=None, file__withdrawn_at=None)
    return rows.select_related("file__ptp").order_by("file__imported_at", "pk")


def _orphan(
    reference: str, at: datetime, ptp: Ptp, told: Confirmation | SettlementLine, now: datetime
) -> Position:
    confirmed = isinstance(told, Confirmation)
    return Position(
        payment_id=None,
        reference=reference,
        day=at.astimezone(UTC).date(),
        ptp_id=ptp.pk,
        ptp=ptp.name,
        terminal_id=None,
        terminal="",
        currency=told.currency,
        verdict=Verdict(Standing.ORPHAN),
        days_due=age_days(at, now),
        captured_minor=told.amount_minor if confirmed else 0,
        paid_minor=None if confirmed else told.amount_minor,
    )
