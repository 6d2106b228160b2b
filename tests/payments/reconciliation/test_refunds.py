"""Refunds: one person for small ones, two for more, never more than was captured, always with who and why."""

import pytest
from django.db import IntegrityError, transaction

from payments import decisions
from payments.errors import WrongState
from payments.models import CreditNote, Decision, Payment, PaymentEvent, RefundRequest
from payments.reconciliation import refunds
from payments.reconciliation.refunds import AskedAlready, Changed, NotDecidable, SamePerson
from payments.states import PaymentState
from tests.payments.reconciliation.cast import NOW, TOTAL, captured, due, person, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def five_euros(settings) -> None:
    settings.REFUND_SECOND_PERSON_ABOVE = 5


def ask(payment: Payment, amount_minor: int, user=None) -> refunds.Outcome:
    user = user or person()
    return refunds.refund(payment.pk, amount_minor, user=user, reason="broken cable", now=NOW)


@pytest.mark.usefixtures("five_euros")
def test_a_small_refund_is_one_persons_decision() -> None:
    payment = captured()

    outcome = ask(payment, 500)

    assert outcome.request is None
    assert outcome.credit is not None
    assert outcome.credit.total_incl_minor == -500
    event = PaymentEvent.objects.filter(payment=payment).latest("number")
    assert (event.kind, event.actor, event.data["reason"]) == ("RefundAsked", "anna", "broken cable")


@pytest.mark.usefixtures("five_euros")
def test_a_larger_refund_waits_and_moves_nothing() -> None:
    payment = captured()

    outcome = ask(payment, 501)

    assert outcome.credit is None
    assert outcome.request is not None
    payment.refresh_from_db()
    assert (payment.state, payment.refunding_minor) == (PaymentState.CAPTURED, 0)
    assert not CreditNote.objects.exists()
    note = Decision.objects.get()
    assert (note.act, note.actor, note.payment, note.data["amount_minor"]) == (
        "REFUND_ASKED",
        "anna",
        payment,
        501,
    )


@pytest.mark.usefixtures("five_euros")
def test_refunding_in_parts_does_not_get_below_the_line() -> None:
    payment, anna = captured(), person()
    ask(payment, 300, anna)
    decisions.acknowledge_refund(payment.pk, now=NOW)

    outcome = ask(payment, 201, anna)

    assert outcome.request is not None


@pytest.mark.usefixtures("five_euros")
def test_a_second_person_approves_and_both_are_named() -> None:
    payment = captured()
    request = ask(payment, TOTAL).request
    assert request is not None

    credit = refunds.approve(request.pk, user=person("bert"), now=NOW)

    request.refresh_from_db()
    assert (request.state, request.credit, request.decided_by.username) == ("APPROVED", credit, "bert")
    assert CreditNote.objects.get().actor == "anna, approved by bert"
    event = PaymentEvent.objects.filter(payment=payment).latest("number")
    assert event.actor == "anna, approved by bert"
    with pytest.raises(NotDecidable):
        refunds.approve(request.pk, user=person("carl"), now=NOW)


@pytest.mark.usefixtures("five_euros")
def test_nobody_approves_what_they_asked_for() -> None:
    anna = person()
    request = ask(captured(), TOTAL, anna).request
    assert request is not None

    with pytest.raises(SamePerson):
        refunds.approve(request.pk, user=anna, now=NOW)

    assert not CreditNote.objects.exists()


@pytest.mark.usefixtures("five_euros")
def test_the_database_itself_refuses_an_approval_by_the_same_person_or_without_a_credit() -> None:
    anna = person()
    payment = captured()
    request = ask(payment, TOTAL, anna).request
    assert request is not None

    for changes in ({"decided_by": anna}, {"decided_by": person("bert")}, {}):
        with pytest.raises(IntegrityError), transaction.atomic():
            RefundRequest.objects.filter(pk=request.pk).update(state="APPROVED", **changes)


@pytest.mark.usefixtures("five_euros")
@pytest.mark.parametrize(("who", "state"), [("anna", "WITHDRAWN"), ("bert", "DECLINED")])
def test_a_refund_may_be_declined_or_taken_back_and_then_asked_for_again(who: str, state: str) -> None:
    people = {name: person(name) for name in ("anna", "bert")}
    payment = captured()
    request = ask(payment, TOTAL, people["anna"]).request
    assert request is not None

    refunds.decline(request.pk, user=people[who], reason="the cable was fine", now=NOW)

    request.refresh_from_db()
    assert (request.state, request.decided_because) == (state, "the cable was fine")
    assert Decision.objects.filter(act=f"REFUND_{state}", actor=who, reason="the cable was fine").exists()
    assert ask(payment, TOTAL, people["bert"]).request is not None


@pytest.mark.usefixtures("five_euros")
def test_while_one_waits_no_other_refund_is_made() -> None:
    payment, anna = captured(), person()
    ask(payment, TOTAL, anna)

    for amount in (1, TOTAL):
        with pytest.raises(AskedAlready):
            ask(payment, amount, anna)


@pytest.mark.usefixtures("five_euros")
def test_what_can_no_longer_go_back_is_not_approved() -> None:
    payment = captured()
    request = ask(payment, TOTAL).request
    assert request is not None
    decisions.refund(payment.pk, 1, actor="a script", reason="past the portal", now=NOW)

    with pytest.raises(WrongState):
        refunds.approve(request.pk, user=person("bert"), now=NOW)

    request.refresh_from_db()
    assert request.state == "ASKED"


@pytest.mark.parametrize("amount_minor", [0, -1, TOTAL + 1])
def test_no_more_goes_back_than_was_captured(amount_minor: int) -> None:
    with pytest.raises(WrongState):
        ask(captured(), amount_minor)


def test_a_form_that_is_sent_twice_refunds_once() -> None:
    payment, anna = captured(), person()
    seen = payment.event_count
    refunds.refund(payment.pk, 100, user=anna, reason="x", now=NOW, seen_events=seen)
    decisions.acknowledge_refund(payment.pk, now=NOW)

    with pytest.raises(Changed):
        refunds.refund(payment.pk, 100, user=anna, reason="x", now=NOW, seen_events=seen)


def test_nothing_goes_back_of_what_was_not_captured() -> None:
    for payment in (due(), told(due(), "FAILED", 0)):
        assert not refunds.may_refund(payment)
        with pytest.raises(WrongState):
            refunds.refund(payment.pk, 1, user=None, reason="", now=NOW)


def test_word_of_an_earlier_credit_does_not_acknowledge_the_one_on_its_way() -> None:
    payment, anna = captured(), person()
    first = ask(payment, 300, anna).credit
    assert first is not None
    decisions.acknowledge_refund(payment.pk, now=NOW, credit_id=first.pk)
    second = ask(payment, 200, anna).credit
    assert second is not None

    decisions.acknowledge_refund(payment.pk, now=NOW, credit_id=first.pk)

    payment.refresh_from_db()
    assert (payment.state, payment.refunded_minor) == (PaymentState.REFUNDING, 300)
    decisions.acknowledge_refund(payment.pk, now=NOW, credit_id=second.pk)
    payment.refresh_from_db()
    assert (payment.state, payment.refunded_minor) == (PaymentState.REFUNDED, 500)
