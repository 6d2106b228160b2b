"""Settled once, told at least once, confirmed once; receipts numbered without a gap."""

from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from pytest_django import Settings

from chargers.facts import CommandOutcome
from payments import outbox, settlement
from payments.errors import AmountTooLow, CurrencyMismatch, IdempotencyConflict, QuoteExpired, WrongState
from payments.models import Confirmation, OutboxMessage, Payment, PaymentEvent, Receipt
from payments.outbox import Delivery
from payments.preauthorization import Hold, open_payment
from payments.settlement import CaptureReport
from payments.states import CaptureStatus, PaymentState, Review
from payments.tasks import follow_session, sweep_payments
from sessions_app.models import Session
from tests import builders

pytestmark = pytest.mark.django_db


def captured(amount_minor: int, *, confirmation_id: str = "fac-1", currency: str = "EUR") -> CaptureReport:
    return CaptureReport(
        confirmation_id=confirmation_id,
        status=CaptureStatus.SUCCESS,
        amount_minor=amount_minor,
        currency=currency,
        eft_data=["VISA 4242", "APPROVED"],
    )


def ended(*, energy_wh: int = 2000, authorized_minor: int = 6000, **ptp_fields: object) -> Payment:
    cast = builders.cast(**ptp_fields)
    running = cast.running(authorized_minor=authorized_minor)
    return running.end(energy_wh=energy_wh, after_seconds=120)


class TestOpening:
    def test_nothing_is_stored_for_a_hold_below_the_minimum(self) -> None:
        cast = builders.cast()
        with pytest.raises(AmountTooLow):
            cast.payment(authorized_minor=99)

        assert not Payment.objects.exists()
        assert not Session.objects.exists()

    def test_a_hold_in_another_currency_is_refused(self) -> None:
        with pytest.raises(CurrencyMismatch):
            builders.cast().payment(currency="SEK")

    def test_an_old_quote_is_refused(self) -> None:
        cast = builders.cast()
        quote = cast.quote()
        quote.valid_until = timezone.now() - timezone.timedelta(seconds=1)
        hold = Hold(
            ptp=cast.ptp,
            terminal=cast.terminal,
            authorization_reference="r",
            authorized_minor=6000,
            currency="EUR",
        )

        with pytest.raises(QuoteExpired):
            open_payment(hold, quote, now=timezone.now())

    def test_the_database_refuses_a_second_payment_for_one_hold(self) -> None:  # I2
        cast = builders.cast()
        cast.payment(authorization_reference="ref-1")

        with pytest.raises(IntegrityError), transaction.atomic():
            cast.payment(authorization_reference="ref-1")

    def test_a_session_that_cannot_start_is_released_at_once(self) -> None:
        payment = builders.cast(online=False).payment()

        assert payment.state == PaymentState.RELEASING
        assert not hasattr(payment, "receipt")


class TestSettling:
    def test_an_ended_session_is_due_with_a_numbered_receipt(self) -> None:
        payment = ended()

        receipt = Receipt.objects.get(payment=payment)
        assert (payment.state, payment.due_minor) == (PaymentState.CAPTURING, 100)
        assert receipt.document["total_incl_minor"] == 100
        assert sum(line["incl_minor"] for line in receipt.document["lines"]) == 100

    def test_settling_again_changes_nothing(self) -> None:
        payment = ended()
        events = PaymentEvent.objects.count()

        for _ in range(3):
            settlement.settle(payment.pk, now=timezone.now())
            follow_session(str(payment.session_id))
            sweep_payments()

        assert Receipt.objects.count() == 1
        assert PaymentEvent.objects.count() == events

    def test_a_lost_wake_up_is_found_by_the_sweep(self) -> None:
        payment = builders.cast().payment()
        builders.answer_start(payment, CommandOutcome.REJECTED)
        payment.refresh_from_db()
        assert payment.state == PaymentState.AUTHORIZED

        sweep_payments()

        payment.refresh_from_db()
        assert payment.state == PaymentState.RELEASING

    def test_a_zero_session_is_released_without_a_receipt(self) -> None:
        payment = ended(energy_wh=5)

        assert payment.state == PaymentState.RELEASING
        assert not Receipt.objects.exists()

    def test_the_database_refuses_to_take_more_than_was_held(self) -> None:  # S2
        payment = ended()

        with pytest.raises(IntegrityError), transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(due_minor=payment.authorized_minor + 1)
        with pytest.raises(IntegrityError), transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(captured_minor=payment.due_minor + 1)

    def test_doubts_about_the_meter_reach_the_payment(self) -> None:
        running = builders.cast().running()
        running.meter(energy_wh=2000, after_seconds=60)

        payment = running.end(energy_wh=-50, after_seconds=120)

        assert payment.review == Review.METER_DOUBT
        assert payment.due_minor == 100

    def test_receipt_numbers_follow_each_other(self) -> None:
        numbers = [Receipt.objects.get(payment=ended()).number for _ in range(3)]

        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]

    def test_a_settlement_that_fails_gives_its_receipt_number_back(
        self, settings: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = Receipt.objects.get(payment=ended()).number
        running = builders.cast().running()

        def crash() -> None:
            raise RuntimeError("killed here")

        monkeypatch.setitem(settings.FAILPOINTS, "F25_receipt_in_tx", crash)  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError):
            running.end(energy_wh=1000, after_seconds=60)
        monkeypatch.undo()

        payment = settlement.settle(running.payment.pk, now=timezone.now())

        assert Receipt.objects.get(payment=payment).number == before + 1

    def test_one_that_cannot_be_billed_is_shown_to_staff_and_billed_when_it_can_be(  # I6, S4
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running = builders.cast().running()
        monkeypatch.setitem(settings.FAILPOINTS, "F25_receipt_in_tx", Mock(side_effect=RuntimeError))
        with pytest.raises(RuntimeError):
            running.end(energy_wh=1000, after_seconds=60)

        sweep_payments()

        payment = running.payment
        payment.refresh_from_db()
        assert (payment.state, payment.review) == (PaymentState.AUTHORIZED, Review.UNSETTLED)
        monkeypatch.undo()
        sweep_payments()
        payment.refresh_from_db()
        assert (payment.state, payment.review) == (PaymentState.CAPTURING, "")

    def test_a_fault_of_a_moment_raises_no_question_about_what_is_billed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = ended()
        Payment.objects.filter(pk=payment.pk).update(deadline_at=timezone.now() - timedelta(seconds=1))
        with monkeypatch.context() as broken:
            broken.setattr(settlement, "settle", Mock(side_effect=OperationalError("gone")))
            sweep_payments()

        payment.refresh_from_db()
        assert (payment.state, payment.review) == (PaymentState.CAPTURING, "")

    def test_a_seller_with_a_long_name_has_receipts(self, settings: Settings) -> None:
        settings.SELLER = {**settings.SELLER, "vat_id": "", "name": "Stadtwerke " * 10}

        receipt = Receipt.objects.get(payment=ended())

        assert len(receipt.seller) <= Receipt._meta.get_field("seller").max_length
        assert receipt.document["seller"]["name"] == settings.SELLER["name"]


class TestConfirming:
    def test_the_due_amount_is_booked_with_its_card_data(self) -> None:
        payment = settlement.confirm(ended().pk, captured(100), now=timezone.now())

        assert (payment.state, payment.captured_minor, payment.open_minor) == (PaymentState.CAPTURED, 100, 0)
        assert Confirmation.objects.get().eft_data == ["VISA 4242", "APPROVED"]

    def test_the_same_confirmation_again_is_one(self) -> None:
        payment = ended()
        for _ in range(3):
            settlement.confirm(payment.pk, captured(100), now=timezone.now())

        assert Confirmation.objects.count() == 1
        assert PaymentEvent.objects.filter(kind="Confirmed").count() == 1

    def test_the_same_confirmation_id_with_another_amount_is_a_conflict(self) -> None:
        payment = ended()
        settlement.confirm(payment.pk, captured(100), now=timezone.now())

        with pytest.raises(IdempotencyConflict):
            settlement.confirm(payment.pk, captured(99), now=timezone.now())

    def test_more_than_due_is_stored_and_flagged_and_books_nothing(self) -> None:
        payment = settlement.confirm(ended().pk, captured(101), now=timezone.now())

        assert (payment.state, payment.review) == (PaymentState.CAPTURING, Review.AMOUNT_DIFFERS)
        assert payment.captured_minor == 0
        assert Confirmation.objects.count() == 1

    def test_a_capture_of_a_released_hold_is_stored_and_flagged(self) -> None:
        payment = ended(energy_wh=5)
        settlement.acknowledge_release(payment.pk, now=timezone.now())

        payment = settlement.confirm(payment.pk, captured(100), now=timezone.now())

        assert (payment.state, payment.review) == (PaymentState.RELEASED, Review.CAPTURED_AFTER_RELEASE)

    def test_a_capture_told_before_the_session_ended_is_parked_and_matched_at_its_end(self) -> None:  # B30
        running = builders.cast().running()
        parked = settlement.confirm(running.payment.pk, captured(100), now=timezone.now())
        assert (parked.state, parked.review) == (PaymentState.AUTHORIZED, "")

        payment = running.end(energy_wh=2000, after_seconds=120)

        assert (payment.state, payment.captured_minor) == (PaymentState.CAPTURED, 100)

    def test_a_release_cannot_be_acknowledged_while_money_is_due(self) -> None:
        payment = ended()

        with pytest.raises(WrongState):
            settlement.acknowledge_release(payment.pk, now=timezone.now())

    def test_no_confirmation_in_time_goes_to_staff(self) -> None:  # B28, I6
        payment = ended()
        Payment.objects.filter(pk=payment.pk).update(deadline_at=timezone.now())

        sweep_payments()

        payment.refresh_from_db()
        assert (payment.state, payment.review) == (PaymentState.CAPTURING, Review.UNCONFIRMED)


class TestOutbox:
    def test_a_due_settlement_is_told_once_per_payment(self) -> None:
        payment = ended(webhook_url="http://127.0.0.1:9/hook")
        settlement.settle(payment.pk, now=timezone.now())

        assert OutboxMessage.objects.filter(topic=settlement.SETTLEMENT_DUE).count() == 1

    def test_a_message_that_fails_waits_longer_each_time_and_arrives_at_last(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = ended()
        answers = [Delivery(False, "down"), Delivery(False, "down"), Delivery(True)]
        monkeypatch.setitem(outbox._carriers, "test", lambda message: answers.pop(0))
        now = timezone.now()
        message = outbox.tell(ptp=payment.ptp, topic="test", subject="x", now=now)

        assert not outbox.deliver(message.pk, now=now)
        assert not outbox.deliver(message.pk, now=now)  # not due yet
        assert len(answers) == 2
        message.refresh_from_db()
        assert not outbox.deliver(message.pk, now=message.next_attempt_at)
        message.refresh_from_db()
        assert outbox.deliver(message.pk, now=message.next_attempt_at)

        message.refresh_from_db()
        assert message.state == OutboxMessage.State.DELIVERED

    def test_a_worker_that_died_with_a_message_does_not_keep_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = ended()
        monkeypatch.setitem(outbox._carriers, "test", lambda message: Delivery(True))
        now = timezone.now()
        message = outbox.tell(ptp=payment.ptp, topic="test", subject="x", now=now)
        assert outbox._claim(message.pk, now) is not None

        assert not outbox.deliver(message.pk, now=now)
        assert outbox.deliver(message.pk, now=now + timezone.timedelta(seconds=outbox.CLAIM_SECONDS + 1))

    def test_news_that_comes_while_a_message_travels_sends_it_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = ended()
        now = timezone.now()
        sent = []

        def carry(message: OutboxMessage) -> Delivery:
            sent.append(message.version)
            if len(sent) == 1:
                outbox.tell(ptp=payment.ptp, topic="test", subject="x", now=now)
            return Delivery(True)

        monkeypatch.setitem(outbox._carriers, "test", carry)
        message = outbox.tell(ptp=payment.ptp, topic="test", subject="x", now=now)

        outbox.deliver(message.pk, now=now)
        outbox.deliver(message.pk, now=now)

        message.refresh_from_db()
        assert sent == [1, 2]
        assert message.state == OutboxMessage.State.DELIVERED

    def test_news_that_comes_while_a_message_fails_is_due_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = ended()
        now = timezone.now()

        def fail(message: OutboxMessage) -> Delivery:
            outbox.tell(ptp=payment.ptp, topic="test", subject="x", now=now)
            return Delivery(False, "down")

        monkeypatch.setitem(outbox._carriers, "test", fail)
        message = outbox.tell(ptp=payment.ptp, topic="test", subject="x", now=now)
        outbox.deliver(message.pk, now=now)

        message.refresh_from_db()
        assert (message.next_attempt_at, message.attempts) == (now, 0)

    def test_a_refusal_for_good_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        payment = ended()
        monkeypatch.setitem(
            outbox._carriers, "test", lambda message: Delivery(False, "410 Gone", permanent=True)
        )
        now = timezone.now()
        message = outbox.tell(ptp=payment.ptp, topic="test", subject="x", now=now)

        outbox.deliver(message.pk, now=now)

        message.refresh_from_db()
        assert (message.state, message.last_error) == (OutboxMessage.State.GIVEN_UP, "410 Gone")
