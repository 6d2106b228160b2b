"""One standing per payment, from CDR, confirmation and settlement file; without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payments.reconciliation.match import (
    Ageing,
    Booked,
    Facts,
    Paid,
    Source,
    Standing,
    Told,
    age_days,
    ageing_of,
    judge,
)
from payments.states import CaptureStatus, PaymentState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)
DUE = Booked(PaymentState.CAPTURING, "EUR", 1000, 0, 0, 0, 0, NOW - timedelta(minutes=5))
LATE = replace(DUE, due_at=NOW - timedelta(minutes=16))
CAPTURED = replace(DUE, state=PaymentState.CAPTURED, captured_minor=1000)
PARTLY = replace(DUE, state=PaymentState.PARTIALLY_CAPTURED, captured_minor=400)
FAILED = replace(DUE, state=PaymentState.CAPTURE_FAILED)
RELEASING = replace(DUE, state=PaymentState.RELEASING, due_minor=0)
RELEASED = replace(RELEASING, state=PaymentState.RELEASED)
OVER = replace(CAPTURED, excess_minor=200, accepted=True)
OVER_AND_BACK = replace(OVER, excess_returned_minor=200)
CONF = Source.CONFIRMATION


def told(status: str, amount_minor: int) -> Told:
    return Told(CaptureStatus(status), amount_minor, "EUR")


SUCCESS = told("SUCCESS", 1000)
PARTIAL = told("PARTIAL_SUCCESS", 400)
NOTHING = told("FAILED", 0)


def judged(booked: Booked, *confirmed: Told, paid: tuple[int, ...] = (), cdr_minor: int | None = None):
    cdr = booked.due_minor if cdr_minor is None else cdr_minor
    lines = [Paid(amount, "EUR") for amount in paid]
    facts = Facts(booked=booked, cdr_minor=cdr or None, told=confirmed, paid=lines)
    return judge(facts, now=NOW, patience=PATIENCE)


@pytest.mark.parametrize(
    ("booked", "confirmed", "paid", "expected"),
    [
        (DUE, [], [], Standing.OPEN),
        (LATE, [], [], Standing.OVERDUE),
        (CAPTURED, [SUCCESS], [], Standing.MATCHED),
        (CAPTURED, [NOTHING, SUCCESS], [], Standing.MATCHED),  # a later yes closes it (B27)
        (CAPTURED, [SUCCESS], [1000], Standing.MATCHED),
        (CAPTURED, [SUCCESS], [600, 400], Standing.MATCHED),  # in two payouts
        (PARTLY, [PARTIAL], [], Standing.PARTIAL),
        (PARTLY, [PARTIAL], [400], Standing.PARTIAL),
        (FAILED, [NOTHING], [], Standing.FAILED),
        (
            replace(PARTLY, state=PaymentState.WRITTEN_OFF, written_off_minor=600),
            [PARTIAL],
            [],
            Standing.MATCHED,
        ),
        (
            replace(FAILED, state=PaymentState.WRITTEN_OFF, written_off_minor=1000),
            [NOTHING],
            [],
            Standing.MATCHED,
        ),
        (RELEASING, [], [], Standing.OPEN),
        (replace(RELEASING, due_at=LATE.due_at), [], [], Standing.OVERDUE),
        (RELEASED, [], [], Standing.MATCHED),
        (RELEASED, [NOTHING], [], Standing.MATCHED),
        (replace(CAPTURED, refunded_minor=300), [SUCCESS], [1000, -300], Standing.MATCHED),
        (replace(CAPTURED, refunded_minor=300), [SUCCESS], [1000], Standing.MATCHED),  # not in a file yet
        (replace(CAPTURED, refunding_minor=300), [SUCCESS], [1000, -300], Standing.MATCHED),
        # A person said what was captured: as it was told, as the file shows it, or what another currency comes to.
        (replace(PARTLY, accepted=True), [told("SUCCESS", 400)], [], Standing.PARTIAL),
        (replace(FAILED, accepted=True), [told("SUCCESS", 0)], [], Standing.FAILED),
        (replace(FAILED, accepted=True), [], [], Standing.FAILED),
        (replace(CAPTURED, accepted=True), [], [1000], Standing.MATCHED),
        (replace(CAPTURED, accepted=True), [NOTHING], [1000], Standing.MATCHED),
        (replace(CAPTURED, accepted=True), [Told(CaptureStatus.SUCCESS, 99, "SEK")], [], Standing.MATCHED),
        (OVER_AND_BACK, [told("SUCCESS", 1200)], [], Standing.MATCHED),
        (OVER_AND_BACK, [told("SUCCESS", 1200)], [1200, -200], Standing.MATCHED),
        (OVER_AND_BACK, [told("SUCCESS", 1200), SUCCESS], [1000], Standing.MATCHED),
    ],
)
def test_each_payment_has_one_standing(booked, confirmed, paid, expected) -> None:
    assert judged(booked, *confirmed, paid=tuple(paid)).standing is expected


@pytest.mark.parametrize(
    ("booked", "confirmed", "paid", "what", "expected", "found"),
    [
        # B25, B29: the PTP took more, less, or in fact something.
        (DUE, [told("SUCCESS", 1200)], [], "captured", (Source.CDR, 1000), (CONF, 1200)),
        (DUE, [told("SUCCESS", 900)], [], "captured", (Source.CDR, 1000), (CONF, 900)),
        (DUE, [told("PARTIAL_SUCCESS", 1000)], [], "captured", (Source.CDR, 1000), (CONF, 1000)),
        (DUE, [told("FAILED", 1)], [], "captured", (Source.CDR, 1000), (CONF, 1)),
        (RELEASED, [told("SUCCESS", 5)], [], "captured", (Source.CDR, 0), (CONF, 5)),
        # Our books do not follow from what was told.
        (CAPTURED, [SUCCESS, PARTIAL], [], "captured", (Source.BOOKS, 1000), (CONF, 400)),
        (CAPTURED, [], [], "captured", (CONF, 0), (Source.BOOKS, 1000)),
        # The money that came is not the money that was confirmed.
        (CAPTURED, [SUCCESS], [990], "captured", (Source.BOOKS, 1000), (Source.FILE, 990)),
        (CAPTURED, [SUCCESS], [1000, 1000], "captured", (Source.BOOKS, 1000), (Source.FILE, 2000)),
        (DUE, [], [1000], "captured", (Source.BOOKS, 0), (Source.FILE, 1000)),
        (replace(CAPTURED, accepted=True), [], [], "captured", (CONF, 0), (Source.BOOKS, 1000)),
        (OVER, [told("SUCCESS", 1200)], [], "captured", (Source.CDR, 1000), (Source.BOOKS, 1200)),
        (OVER_AND_BACK, [told("SUCCESS", 1300)], [], "captured", (Source.CDR, 1000), (CONF, 1300)),
        (CAPTURED, [SUCCESS], [1000, -300], "refunded", (Source.BOOKS, 0), (Source.FILE, 300)),
    ],
)
def test_what_differs_is_named_with_both_amounts(booked, confirmed, paid, what, expected, found) -> None:
    verdict = judged(booked, *confirmed, paid=tuple(paid))

    assert verdict.standing is Standing.DIFFERS
    (difference,) = verdict.differences
    assert (difference.what, difference.found_currency) == (what, "EUR")
    assert (difference.expected_by, difference.expected_minor) == expected
    assert (difference.found_by, difference.found_minor) == found


def test_a_cdr_of_another_total_than_was_asked_for_differs() -> None:
    verdict = judged(CAPTURED, SUCCESS, cdr_minor=1100)

    assert verdict.standing is Standing.DIFFERS
    assert [d.what for d in verdict.differences] == ["due"]


@pytest.mark.parametrize("where", ["confirmation", "file"])
def test_another_currency_differs_whatever_the_amount(where: str) -> None:
    confirmed = [Told(CaptureStatus.SUCCESS, 1000, "SEK" if where == "confirmation" else "EUR")]
    paid = [Paid(1000, "SEK")] if where == "file" else []
    facts = Facts(booked=CAPTURED, cdr_minor=1000, told=confirmed, paid=paid)

    verdict = judge(facts, now=NOW, patience=PATIENCE)

    assert verdict.standing is Standing.DIFFERS
    assert [(d.what, d.found_currency) for d in verdict.differences] == [("currency", "SEK")]


@pytest.mark.parametrize(
    ("days", "ageing"),
    [
        (0, Ageing.FRESH),
        (1, Ageing.FRESH),
        (2, Ageing.WEEK),
        (7, Ageing.WEEK),
        (8, Ageing.MONTH),
        (30, Ageing.MONTH),
        (31, Ageing.OLD),
    ],
)
def test_the_age_of_what_is_due_falls_into_four_buckets(days: int, ageing: Ageing) -> None:
    assert ageing_of(age_days(NOW - timedelta(days=days, hours=1), NOW)) is ageing


def test_a_clock_that_went_back_makes_nothing_older() -> None:
    assert age_days(NOW + timedelta(hours=1), NOW) == 0
