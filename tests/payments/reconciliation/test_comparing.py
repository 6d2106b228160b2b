"""What settlement files say of a payment: a contradiction waits for a person, never for an answer of the PTP."""

import pytest

from payments import decisions, settlement
from payments.models import PaymentEvent, SettlementLine
from payments.reconciliation import acts, comparing, files
from payments.reconciliation.evidence import Source, evidence_of
from payments.reconciliation.inbox import Act, act_for
from payments.states import PaymentState, Review
from tests import builders
from tests.payments.reconciliation.cast import NOW, captured, compared, due, paid_out, told

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("amount", ["9.50", "10.50"])
def test_another_amount_than_was_captured_waits_for_a_person(amount: str) -> None:
    payment = captured()

    paid_out(payment.ptp, (payment.authorization_reference, amount))

    assert compared(payment).review == Review.FILE_DIFFERS


def test_the_same_amount_asks_nobody_and_is_looked_at_once() -> None:
    payment = captured()
    paid_out(payment.ptp, (payment.authorization_reference, "10.00"))

    assert compared(payment).review == ""
    assert comparing.sweep(NOW) == 0


def test_money_taken_for_a_hold_that_was_dropped_waits_for_a_person() -> None:
    cast = builders.cast()
    payment = cast.running(now=NOW).end(energy_wh=0, after_seconds=60)
    settlement.acknowledge_release(payment.pk, now=NOW)

    paid_out(cast.ptp, (payment.authorization_reference, "3.00"))

    assert compared(payment).review == Review.FILE_DIFFERS


@pytest.mark.parametrize(("amount", "review"), [("10.00", ""), ("9.00", Review.FILE_DIFFERS)])
def test_a_file_before_the_confirmation_is_compared_with_it(amount: str, review: str) -> None:
    payment = due()
    paid_out(payment.ptp, (payment.authorization_reference, amount))
    decisions.flag(payment.pk, Review.UNCONFIRMED, now=NOW)
    assert compared(payment).review == Review.UNCONFIRMED

    told(payment, "SUCCESS", 1000)

    assert (compared(payment).state, compared(payment).review) == (PaymentState.CAPTURED, review)


def test_it_waits_until_staff_are_done_with_what_they_look_at() -> None:
    payment = told(due(), "PARTIAL_SUCCESS", 400)
    paid_out(payment.ptp, (payment.authorization_reference, "9.00"))
    assert compared(payment).review == Review.CAPTURED_LESS

    told(payment, "SUCCESS", 1000)

    assert compared(payment).review == Review.FILE_DIFFERS


def test_a_later_file_with_the_rest_answers_it_and_says_so() -> None:
    payment = captured()
    paid_out(payment.ptp, (payment.authorization_reference, "9.50"))
    assert compared(payment).review

    paid_out(payment.ptp, (payment.authorization_reference, "0.50"))

    assert compared(payment).review == ""
    assert PaymentEvent.objects.filter(kind="ReviewClosed", data__reason=comparing.FITS).exists()


def test_withdrawing_the_file_answers_it() -> None:
    payment = captured()
    file = paid_out(payment.ptp, (payment.authorization_reference, "9.50"))
    assert compared(payment).review

    files.withdraw(file.pk, actor="anna", reason="of another month", now=NOW)

    assert compared(payment).review == ""


def test_an_orphan_line_that_is_matched_is_compared_too() -> None:
    payment = captured()
    line = paid_out(payment.ptp, ("mistyped", "9.50")).lines.get()
    assert comparing.sweep(NOW) == 0

    acts.match_line(line.pk, payment.pk, actor="anna", reason="same card and day", now=NOW)

    assert compared(payment).review == Review.FILE_DIFFERS


def test_what_staff_closed_is_asked_again_only_for_news() -> None:
    payment = captured()
    paid_out(payment.ptp, (payment.authorization_reference, "9.50"))
    compared(payment)
    decisions.close_review(payment.pk, actor="anna", reason="they owe us", now=NOW)

    assert compared(payment).review == ""

    paid_out(payment.ptp, (payment.authorization_reference, "-1.00"))
    assert compared(payment).review == Review.FILE_DIFFERS


def test_a_refund_whose_capture_stands_in_an_earlier_file_asks_nobody() -> None:
    payment = captured()
    decisions.refund(payment.pk, 300, actor="anna", reason="x", now=NOW)
    decisions.acknowledge_refund(payment.pk, now=NOW)

    paid_out(payment.ptp, (payment.authorization_reference, "-3.00"))

    assert compared(payment).review == ""


def test_an_excess_that_came_back_is_not_asked_for_again() -> None:
    payment = told(due(), "SUCCESS", 1200)
    decisions.accept_capture(payment.pk, 1200, actor="anna", reason="x", now=NOW)
    decisions.excess_returned(payment.pk, 200, actor="anna", reason="x", now=NOW)
    name = payment.authorization_reference
    paid_out(payment.ptp, (name, "12.00"), (name, "-2.00"))
    assert compared(payment).review == ""

    paid_out(payment.ptp, (name, "-10.00"))  # nobody here ordered that
    payment = compared(payment)

    found = evidence_of([payment], now=NOW)[payment.pk]
    assert payment.review == Review.FILE_DIFFERS
    assert (found.source, act_for(payment, found)) == (Source.STAFF, Act.CLOSE)

    paid_out(payment.ptp, (name, "1.00"))
    found = evidence_of([compared(payment)], now=NOW)[payment.pk]
    assert (found.source, found.amount_minor) == (Source.FILE, 1100)


def test_one_that_cannot_be_compared_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = builders.cast()
    first, second = captured(cast), captured(cast)
    paid_out(cast.ptp, *((each.authorization_reference, "9.00") for each in (first, second)))
    really = comparing.position_of

    def broken(payment, **more):
        if payment.pk == first.pk:
            raise ValueError("broken")
        return really(payment, **more)

    monkeypatch.setattr(comparing, "position_of", broken)

    assert (compared(second).review, compared(first).review) == (Review.FILE_DIFFERS, "")
    assert SettlementLine.objects.get(payment=first).compared_at is None
