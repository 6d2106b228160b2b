"""One standing per payment from what three parties say of it: our CDR, the confirmation, the settlement file.

Pure: amounts in minor units, times aware. The books are compared with what others say and never believed by
themselves, so a fault of ours shows as a difference too (MONEY.md I7; B25-B29).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from payments.states import CaptureStatus, PaymentState


class Standing(StrEnum):
    """How a payment stands; exactly one is true."""

    MATCHED = "matched"  # all agree and nothing is open: captured and written off make up what is due
    OPEN = "open"  # the PTP has yet to answer, and still has time
    PARTIAL = "partial"  # less was captured than is due; the rest is a receivable
    FAILED = "failed"  # nothing was captured: all of it is a receivable
    OVERDUE = "overdue"  # the PTP should have answered by now
    DIFFERS = "differs"  # two of the three name different amounts or currencies
    ORPHAN = "orphan"  # somebody names a payment that we do not know


class Ageing(StrEnum):
    """How many days a payment has been due."""

    FRESH = "0–1 days"
    WEEK = "2–7 days"
    MONTH = "8–30 days"
    OLD = "over 30 days"


class Source(StrEnum):
    """Who says something of a payment."""

    CDR = "CDR"  # what the session costs
    BOOKS = "our books"  # the payment's row
    CONFIRMATION = "confirmation"  # the PTP's newest one
    FILE = "settlement file"  # lines of the PTP's settlement files


SETTLED = frozenset({Standing.MATCHED})  # nothing to look after any more


@dataclass(frozen=True, slots=True)
class Booked:
    """What our books say of a payment that is due."""

    state: PaymentState
    currency: str
    due_minor: int
    captured_minor: int
    written_off_minor: int
    refunding_minor: int
    refunded_minor: int
    due_at: datetime
    excess_minor: int = 0
    excess_returned_minor: int = 0
    accepted: bool = False  # a person said what was captured

    @property
    def owed_minor(self) -> int:
        """What was taken too much and has not come back."""
        return self.excess_minor - self.excess_returned_minor

    @property
    def taken_minor(self) -> int:
        """What was captured in all, before anything went back."""
        return self.captured_minor + self.excess_minor

    @property
    def open_minor(self) -> int:
        """What is due, not captured and not written off (I7)."""
        return self.due_minor - self.captured_minor - self.written_off_minor


@dataclass(frozen=True, slots=True)
class Told:
    """What a confirmation says."""

    status: CaptureStatus
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A line of a settlement file; a refund is below zero."""

    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Two sources that do not agree. `what` says about what."""

    what: str
    expected_by: Source
    expected_minor: int
    found_by: Source
    found_minor: int
    found_currency: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A standing, and what made it DIFFERS."""

    standing: Standing
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of one payment. `cdr_minor` is None without a CDR; `told` is in the order received."""

    booked: Booked
    cdr_minor: int | None
    told: Sequence[Told] = ()
    paid: Sequence[Paid] = ()


def judge(facts: Facts, *, now: datetime, patience: timedelta) -> Verdict:
    """Return how a payment stands; `patience` is the time that a PTP has to answer (T_fac)."""
    differences = tuple(_differences(facts))
    if differences:
        return Verdict(Standing.DIFFERS, differences)
    return Verdict(_standing(facts, late=now - facts.booked.due_at > patience))


def _standing(facts: Facts, *, late: bool) -> Standing:
    """Return the standing of a payment on which nobody disagrees."""
    booked = facts.booked
    answered = booked.accepted or bool(facts.told)
    if not booked.due_minor:
        answered = booked.state == PaymentState.RELEASED
    if not answered:
        return Standing.OVERDUE if late else Standing.OPEN
    if booked.open_minor == 0:
        return Standing.MATCHED
    return Standing.PARTIAL if booked.captured_minor else Standing.FAILED


def _differences(facts: Facts) -> list[Difference]:
    booked = facts.booked
    found = [_strange_currency(booked, Source.CONFIRMATION, told.currency, told.amount_minor)
             for told in facts.told[-1:] if told.currency != booked.currency and not booked.accepted]  # fmt: skip
    found += [_strange_currency(booked, Source.FILE, line.currency, line.amount_minor)
              for line in facts.paid if line.currency != booked.currency]  # fmt: skip
    if found:
        return found
    return [*_bill(facts), *_confirmation(facts), *_file(facts), *_owed(facts)]


def _strange_currency(booked: Booked, source: Source, currency: str, amount_minor: int) -> Difference:
    return Difference("currency", Source.BOOKS, booked.due_minor, source, amount_minor, currency)


def _bill(facts: Facts) -> list[Difference]:
    """The PTP was told to capture what the CDR says."""
    booked = facts.booked
    cdr_minor = facts.cdr_minor or 0
    if cdr_minor == booked.due_minor:
        return []
    return [_difference(booked, "due", (Source.CDR, cdr_minor), (Source.BOOKS, booked.due_minor))]


def _confirmation(facts: Facts) -> list[Difference]:
    """The newest confirmation fits what is due, and is what we booked."""
    booked = facts.booked
    if not facts.told:
        by_file = booked.accepted and any(line.amount_minor > 0 for line in facts.paid)
        witnessed = booked.taken_minor == 0 or by_file
        books = (Source.BOOKS, booked.taken_minor)
        return [] if witnessed else [_difference(booked, "captured", (Source.CONFIRMATION, 0), books)]
    told = facts.told[-1]
    said = (Source.CONFIRMATION, told.amount_minor)
    foreign = told.currency != booked.currency
    paid_minor = sum(line.amount_minor for line in facts.paid if line.amount_minor > 0)
    if booked.accepted and (foreign or {told.amount_minor, paid_minor or -1} & set(_accepted(booked))):
        return []  # a person said what it comes to
    if not _adds_up(told, booked.due_minor):
        return [_difference(booked, "captured", (Source.CDR, booked.due_minor), said)]
    if told.amount_minor != booked.captured_minor:
        return [_difference(booked, "captured", (Source.BOOKS, booked.captured_minor), said)]
    return []


def _accepted(booked: Booked) -> tuple[int, int]:
    """What a confirmation may say of what is booked: all that was taken, or what is left of it."""
    return booked.taken_minor, booked.captured_minor + booked.owed_minor


def _adds_up(told: Told, due_minor: int) -> bool:
    """Whether status and amount agree with each other and with what is due."""
    if told.status is CaptureStatus.SUCCESS:
        return told.amount_minor == due_minor
    if told.status is CaptureStatus.PARTIAL_SUCCESS:
        return 0 <= told.amount_minor < due_minor
    return told.amount_minor == 0


def _file(facts: Facts) -> list[Difference]:
    """What was paid out is what was captured; what was taken back is no more than was refunded.

    A refund may reach the file days later, so less of it than was refunded is no difference yet.
    """
    booked = facts.booked
    found: list[Difference] = []
    if not facts.paid:
        return found
    paid_minor = sum(line.amount_minor for line in facts.paid if line.amount_minor > 0)
    back_minor = -sum(line.amount_minor for line in facts.paid if line.amount_minor < 0)
    only_back = all(line.amount_minor < 0 for line in facts.paid)  # the capture may be in an earlier file
    if paid_minor not in _accepted(booked) and not only_back:
        books, file = (Source.BOOKS, booked.taken_minor), (Source.FILE, paid_minor)
        found.append(_difference(booked, "captured", books, file))
    given_minor = booked.refunded_minor + booked.refunding_minor + booked.excess_minor
    if back_minor > given_minor:
        found.append(_difference(booked, "refunded", (Source.BOOKS, given_minor), (Source.FILE, back_minor)))
    return found


def _owed(facts: Facts) -> list[Difference]:
    """What was taken beyond what we may keep waits for the PTP to give it back."""
    booked = facts.booked
    if not booked.owed_minor:
        return []
    ours, taken = booked.due_minor - booked.written_off_minor, booked.captured_minor + booked.owed_minor
    return [_difference(booked, "captured", (Source.CDR, ours), (Source.BOOKS, taken))]


def _difference(
    booked: Booked, what: str, expected: tuple[Source, int], found: tuple[Source, int]
) -> Difference:
    return Difference(what, *expected, *found, booked.currency)


# --- Ageing ---------------------------------------------------------------------------------------


def age_days(due_at: datetime, now: datetime) -> int:
    """Return for how many whole days something has been due."""
    return max(0, (now - due_at).days)


def ageing_of(days: int) -> Ageing:
    """Return the bucket of an age in days."""
    if days <= 1:
        return Ageing.FRESH
    if days <= 7:
        return Ageing.WEEK
    return Ageing.MONTH if days <= 30 else Ageing.OLD
