"""The races around settled money: confirmations, refunds, releases and alerts at the same moment."""

# ruff: noqa: B023  (the threads of a round end within it)

import pytest
from django.utils import timezone

from chargers.facts import CommandOutcome
from payments import decisions, session_alerts, settlement
from payments.errors import WrongState
from payments.models import Confirmation, CreditNote, Payment, PaymentEvent, Receipt
from payments.states import PaymentState, Review
from sessions_app import lifecycle
from sessions_app.errors import NothingToCredit
from sessions_app.models import CDR
from tests import builders
from tests.branches.races import (
    at_once,
    captured,
    charging,
    journal_is_whole,
    none_failed,
    report,
    stop_message,
)

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
ROUNDS = 6


@pytest.fixture(autouse=True)
def _books(books: None) -> None:
    """The module's database."""


def test_settling_many_times_at_once_is_settling_once() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        running = charging(cast)
        stop_message(cast, running, energy_wh=1_000)()

        came = at_once(*[lambda: settlement.settle(running.payment.pk, now=timezone.now())] * 4)

        none_failed(came)
        assert PaymentEvent.objects.filter(payment=running.payment, kind="CdrIssued").count() == 1
        assert Receipt.objects.filter(payment=running.payment).count() == 1


def test_b30_a_confirmation_against_our_own_settlement_is_booked_once_and_never_lost() -> None:
    for _ in range(2 * ROUNDS):
        cast = builders.cast()
        running = charging(cast)
        stop_message(cast, running, energy_wh=1_000)()
        told, pk = report(50), running.payment.pk

        came = at_once(
            lambda: settlement.settle(pk, now=timezone.now()),
            lambda: settlement.confirm(pk, told, now=timezone.now()),
        )

        none_failed(came)
        payment = Payment.objects.get(pk=pk)
        assert (payment.state, payment.captured_minor, payment.review) == (PaymentState.CAPTURED, 50, "")
        assert PaymentEvent.objects.filter(payment=payment, kind="Confirmed").count() == 1


def test_b25_one_confirmation_told_twice_at_once_is_booked_once() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        running = charging(cast)
        stop_message(cast, running, energy_wh=1_000)()
        settlement.settle(running.payment.pk, now=timezone.now())
        told = report(50)

        came = at_once(*[lambda: settlement.confirm(running.payment.pk, told, now=timezone.now())] * 3)

        none_failed(came)
        payment = Payment.objects.get(pk=running.payment.pk)
        assert (payment.state, payment.captured_minor, payment.review) == (PaymentState.CAPTURED, 50, "")
        assert Confirmation.objects.filter(payment=payment).count() == 1


def test_b29_two_confirmations_of_one_payment_at_once_book_one_and_flag_the_other() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        running = charging(cast)
        stop_message(cast, running, energy_wh=1_000)()
        settlement.settle(running.payment.pk, now=timezone.now())
        pk = running.payment.pk

        came = at_once(
            lambda: settlement.confirm(pk, report(50, number=1), now=timezone.now()),
            lambda: settlement.confirm(pk, report(50, number=2), now=timezone.now()),
        )

        none_failed(came)
        payment = Payment.objects.get(pk=pk)
        assert (payment.state, payment.captured_minor) == (PaymentState.CAPTURED, 50)
        assert payment.review == Review.CONFIRMED_TWICE


def test_b36_two_refunds_at_once_never_give_back_more_than_was_captured() -> None:
    for _ in range(ROUNDS):
        payment = captured(builders.cast())

        came = at_once(
            lambda: decisions.refund(payment.pk, 40, actor="anna", reason="r", now=timezone.now()),
            lambda: decisions.refund(payment.pk, 30, actor="anna", reason="r", now=timezone.now()),
        )

        none_failed(came, WrongState, NothingToCredit)
        assert sum(isinstance(each, CDR) for each in came) == 1
        payment.refresh_from_db()
        assert payment.refunding_minor in (40, 30)
        assert CreditNote.objects.filter(payment=payment).count() == 1
        assert (
            -CDR.objects.get(credit_of__session=payment.session).total_incl_minor == payment.refunding_minor
        )


def test_b29_a_release_against_a_confirmation_of_a_capture_is_released_and_flagged() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        payment = cast.payment()
        builders.answer_start(payment, CommandOutcome.REJECTED)
        settlement.settle(payment.pk, now=timezone.now())

        came = at_once(
            lambda: settlement.acknowledge_release(payment.pk, now=timezone.now()),
            lambda: settlement.confirm(payment.pk, report(50), now=timezone.now()),
            lambda: settlement.sweep_one(payment.pk, now=timezone.now()),
        )

        none_failed(came)
        payment.refresh_from_db()
        assert (payment.state, payment.captured_minor) == (PaymentState.RELEASED, 0)
        assert payment.review == Review.CAPTURED_AFTER_RELEASE
        journal_is_whole(payment)


def test_an_alert_that_two_workers_take_at_once_flags_once() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        running = charging(cast)
        lifecycle.close_in_books(
            running.payment.session_id, actor="anna", reason="silent", now=timezone.now()
        )  # type: ignore[arg-type]
        due_minor = settlement.settle(running.payment.pk, now=timezone.now()).due_minor
        settlement.confirm(running.payment.pk, report(due_minor), now=timezone.now())
        stop_message(cast, running, energy_wh=1_200)()

        came = at_once(*[lambda: session_alerts.take(running.payment.pk, now=timezone.now())] * 3)

        none_failed(came)
        assert sorted(came) == [False, False, True]
        assert PaymentEvent.objects.filter(payment=running.payment, kind="Flagged").count() == 1
