"""What a PTP took too much is counted once: news after it came back, old forms and old agreements add nothing."""

import re

import pytest
from django.test import Client

from payments import decisions
from payments.errors import WrongState
from payments.states import Review
from tests.emabler.money_pages import decider, said
from tests.emabler.test_portal_money_accept import fresh, press, released
from tests.payments.reconciliation.cast import NOW, captured, due, orphan, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def dora() -> Client:
    return decider()


def test_only_what_was_seen_is_said_to_be_back(dora: Client) -> None:
    payment = told(due(), "SUCCESS", 1250)
    press(dora, payment)
    said(dora, f"/money/review/payment/{payment.pk}/do", {"act": "close", "reason": "they will"})
    page = f"/money/payments/{payment.pk}/"
    seen = dict(re.findall(r'name="(seen_events)" value="(\d+)"', dora.get(page).content.decode()))
    told(payment, "SUCCESS", 1250)
    press(dora, payment, amount="25.00")
    assert fresh(payment).account.owed_minor == 1500

    assert "changed meanwhile" in said(dora, f"{page}returned", {"reason": "the 2.50", **seen})

    assert fresh(payment).account.owed_minor == 1500
    with pytest.raises(WrongState):
        decisions.excess_returned(payment.pk, 250, actor="dora", reason="x", now=NOW)


def test_a_confirmation_that_is_repeated_after_the_excess_is_back_takes_a_person(dora: Client) -> None:
    payment = told(released(), "SUCCESS", 70)
    press(dora, payment)
    press(dora, payment)
    assert fresh(payment).account.owed_minor == 0

    payment = told(payment, "SUCCESS", 70)
    press(dora, payment, amount="0")

    payment = fresh(payment)
    assert (payment.excess_minor, payment.account.owed_minor, payment.review) == (70, 0, "")


def test_what_two_agreed_on_before_does_not_count_for_what_comes_next(dora: Client, settings) -> None:
    settings.REFUND_SECOND_PERSON_ABOVE = 5
    payment = captured()
    stray = orphan(payment.ptp)  # told before what follows
    payment = told(payment, "SUCCESS", 1000)
    press(dora, payment, amount="20.00")
    press(decider("emil"), payment, amount="20.00")
    press(dora, payment)
    assert fresh(payment).account.owed_minor == 0
    decisions.match_orphan(stray.pk, payment.pk, actor="anna", reason="x", now=NOW)
    assert fresh(payment).review == Review.CONFIRMED_TWICE

    assert "wait for a second person" in press(decider("fred"), payment, amount="20.00")

    assert fresh(payment).account.owed_minor == 0


def test_nothing_is_not_offered_for_money_that_was_taken_after_the_release(dora: Client) -> None:
    payment = released()
    stray = orphan(payment.ptp, amount_minor=70)  # told before what follows
    told(payment, "FAILED", 0)
    decisions.match_orphan(stray.pk, payment.pk, actor="anna", reason="x", now=NOW)

    press(dora, payment, amount="0.70")

    assert (fresh(payment).account.owed_minor, fresh(payment).review) == (70, Review.CAPTURED_MORE)
