"""What staff decide: refunds with their credit CDR and credit note, write-offs, orphans matched by hand."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from payments import decisions, settlement
from payments.errors import WrongState
from payments.models import CreditNote, OutboxMessage, Payment, PaymentEvent, Receipt
from payments.settlement import CaptureReport
from payments.states import CaptureStatus, PaymentState, Review
from sessions_app.errors import NothingToCredit
from sessions_app.models import CDR
from tests import builders

pytestmark = pytest.mark.django_db

NOW = timezone.now()
TOTAL = 1000  # 20 kWh at 0.50 EUR


def due(**ptp: str) -> Payment:
    return (
        builders.cast(**ptp).running(now=NOW - timedelta(hours=1)).end(energy_wh=20_000, after_seconds=3000)
    )


def told(payment: Payment, status: CaptureStatus, amount_minor: int) -> Payment:
    report = CaptureReport(
        confirmation_id=uuid4().hex, status=status, amount_minor=amount_minor, currency="EUR"
    )
    return settlement.confirm(payment.pk, report, now=NOW)


def captured(**ptp: str) -> Payment:
    return told(due(**ptp), CaptureStatus.SUCCESS, TOTAL)


def refund(payment: Payment, amount_minor: int) -> CDR:
    return decisions.refund(payment.pk, amount_minor, actor="anna", reason="broken cable", now=NOW)


def test_a_full_refund_is_a_credit_cdr_a_credit_note_and_a_message() -> None:
    payment = captured(webhook_url="https://ptp.example/hook")
    receipt = Receipt.objects.get(payment=payment)

    credit = refund(payment, TOTAL)

    original = CDR.objects.get(session=payment.session, credit_of=None)
    assert (credit.credit_of, credit.total_incl_minor) == (original, -TOTAL)
    assert credit.total_excl_minor == -original.total_excl_minor
    assert credit.energy_wh == original.energy_wh
    note = CreditNote.objects.get(payment=payment)
    assert (note.number, note.year) == (receipt.number + 1, receipt.year)
    assert note.document["corrects"] == receipt.full_number
    assert note.document["total_incl_minor"] == -TOTAL
    assert OutboxMessage.objects.filter(topic=decisions.REFUND_DUE, subject=str(credit.pk)).exists()
    payment.refresh_from_db()
    assert (payment.state, payment.refunding_minor) == (PaymentState.REFUNDING, TOTAL)


def test_partial_refunds_go_on_until_nothing_is_left() -> None:
    payment = captured()
    for part in (300, 301, 399):
        refund(payment, part)
        decisions.acknowledge_refund(payment.pk, now=NOW)
    payment.refresh_from_db()
    assert (payment.state, payment.refunded_minor) == (PaymentState.REFUNDED, TOTAL)
    credits = CDR.objects.filter(session=payment.session).exclude(credit_of=None)
    original = CDR.objects.get(session=payment.session, credit_of=None)
    assert sum(credit.total_excl_minor for credit in credits) == -original.total_excl_minor
    with pytest.raises((WrongState, NothingToCredit)):
        refund(payment, 1)


def test_more_than_was_captured_is_refused_and_leaves_nothing() -> None:
    payment = told(due(), CaptureStatus.PARTIAL_SUCCESS, 400)
    with pytest.raises(WrongState):
        refund(payment, 401)
    assert not CreditNote.objects.exists()
    assert CDR.objects.filter(session=payment.session).count() == 1


def test_a_second_refund_waits_for_the_first() -> None:
    payment = captured()
    refund(payment, 100)
    with pytest.raises(WrongState):
        refund(payment, 100)


def test_a_write_off_closes_what_is_open_and_names_who_and_why() -> None:
    payment = told(due(), CaptureStatus.PARTIAL_SUCCESS, 400)
    assert payment.review == Review.CAPTURED_LESS

    decisions.write_off(payment.pk, actor="anna", reason="goodwill", now=NOW)

    payment.refresh_from_db()
    assert (payment.state, payment.review) == (PaymentState.WRITTEN_OFF, "")
    assert (payment.captured_minor, payment.open_minor, payment.written_off_minor) == (400, 0, 600)
    event = PaymentEvent.objects.filter(payment=payment).latest("number")
    assert (event.actor, event.data["reason"]) == ("anna", "goodwill")


def test_nothing_open_is_nothing_to_write_off() -> None:
    with pytest.raises(WrongState):
        decisions.write_off(captured().pk, actor="anna", reason="", now=NOW)


def test_an_orphan_is_booked_on_the_payment_that_staff_name_once() -> None:
    payment = due()
    report = CaptureReport(
        confirmation_id="FAC-1", status=CaptureStatus.SUCCESS, amount_minor=TOTAL, currency="EUR"
    )
    orphan = settlement.store_orphan(payment.ptp, "mistyped", report, now=NOW)
    again = settlement.store_orphan(payment.ptp, "mistyped", report, now=NOW)
    assert again.pk == orphan.pk

    decisions.match_orphan(orphan.pk, payment.pk, actor="anna", reason="same card and amount", now=NOW)

    payment.refresh_from_db()
    assert (payment.state, payment.captured_minor) == (PaymentState.CAPTURED, TOTAL)
    with pytest.raises(WrongState):
        decisions.match_orphan(orphan.pk, payment.pk, actor="anna", reason="again", now=NOW)


def test_an_orphan_of_another_ptp_is_not_matched() -> None:
    payment, stranger = due(), builders.ptp()
    report = CaptureReport(
        confirmation_id="FAC-1", status=CaptureStatus.SUCCESS, amount_minor=TOTAL, currency="EUR"
    )
    orphan = settlement.store_orphan(stranger, "mistyped", report, now=NOW)
    with pytest.raises(WrongState):
        decisions.match_orphan(orphan.pk, payment.pk, actor="anna", reason="", now=NOW)


def test_a_closed_review_is_flagged_again_when_it_stays_overdue() -> None:
    payment = due()
    later = NOW + timedelta(days=2)
    settlement.sweep_one(payment.pk, now=later)
    payment.refresh_from_db()
    assert payment.review == Review.UNCONFIRMED
    decisions.close_review(payment.pk, actor="anna", reason="asked the PTP", now=later)
    payment.refresh_from_db()
    assert payment.review == ""
    settlement.sweep_one(payment.pk, now=later + timedelta(days=2))
    payment.refresh_from_db()
    assert payment.review == Review.UNCONFIRMED


def test_what_is_due_can_be_told_again() -> None:
    payment = due(webhook_url="https://ptp.example/hook")
    message = OutboxMessage.objects.get(topic=settlement.SETTLEMENT_DUE)
    decisions.send_again(payment.pk, now=NOW)
    message.refresh_from_db()
    assert message.version == 2
    told(payment, CaptureStatus.SUCCESS, TOTAL)
    with pytest.raises(WrongState):
        decisions.send_again(payment.pk, now=NOW)
