"""The charger's own end after ours: compared with what was settled, never captured again (MONEY.md B20)."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import MessageLost, TransactionEnded
from payments import decisions, session_alerts, settlement, tasks
from payments.models import Payment, PaymentEvent
from payments.states import PaymentState, Review
from sessions_app import lifecycle
from sessions_app.models import CDR, Session, SessionEvent
from sessions_app.states import Alert
from tests import builders
from tests.payments.reconciliation.cast import told

pytestmark = pytest.mark.django_db


def settled_without_an_end(energy_wh: int = 1_000, *, captured: bool = True) -> builders.Running:
    """A session that staff closed at its last meter value, a minute after its start, and that was captured."""
    running = builders.cast().running(now=timezone.now() - timedelta(hours=2))
    running.meter(energy_wh=energy_wh, after_seconds=60)
    lifecycle.close_in_books(running.payment.session_id, actor="staff", reason="silent", now=timezone.now())
    settlement.settle(running.payment.pk, now=timezone.now())
    if captured and (due_minor := payment(running).due_minor):
        told(payment(running), "SUCCESS", due_minor)
    return running


def tell_end(running: builders.Running, *, energy_wh: int | None, after_seconds: int = 90) -> None:
    """The charger's own end comes in now."""
    stop_wh = None if energy_wh is None else running.register_wh + energy_wh
    ended_at = running.started_at + timedelta(seconds=after_seconds)
    fact = TransactionEnded(running.transaction.pk, stop_wh, ended_at, timezone.now(), "EVDisconnected")
    with transaction.atomic():
        current_desk().ended_late(fact)
    tasks.follow_session(str(running.payment.session_id))


def late_stop(running: builders.Running) -> dict[str, object]:
    return SessionEvent.objects.get(session=running.payment.session_id, kind="LateStop").data


def payment(running: builders.Running) -> Payment:
    return Payment.objects.get(pk=running.payment.pk)


def test_more_energy_is_written_off_and_flagged() -> None:
    running = settled_without_an_end()

    tell_end(running, energy_wh=1_500)

    assert (CDR.objects.get().energy_wh, CDR.objects.get().total_incl_minor) == (1_000, 50)
    late = late_stop(running)
    assert (late["written_off_minor"], late["overcharged_minor"], late["energy_wh"]) == (25, 0, 1_500)
    assert (payment(running).review, payment(running).due_minor) == (Review.LATE_STOP_DIFFERS, 50)


def test_it_waits_for_the_answer_of_the_ptp_which_may_be_another_reason() -> None:
    running = settled_without_an_end(captured=False)
    decisions.flag(running.payment.pk, Review.UNCONFIRMED, now=timezone.now())

    tell_end(running, energy_wh=1_500)
    tasks.sweep_payments()
    assert payment(running).review == Review.UNCONFIRMED
    told(payment(running), "FAILED", 0)
    tasks.sweep_payments()
    assert payment(running).review == Review.CAPTURE_FAILED
    told(payment(running), "SUCCESS", 50)
    tasks.sweep_payments()

    assert payment(running).review == Review.LATE_STOP_DIFFERS


def test_a_fault_that_comes_later_does_not_hide_it() -> None:
    running = settled_without_an_end(captured=False)
    tell_end(running, energy_wh=1_500)
    fact = MessageLost(
        running.transaction.station_id, running.transaction.pk, "", "MeterValues", timezone.now()
    )

    current_desk().lost(fact)
    told(payment(running), "SUCCESS", 50)
    tasks.sweep_payments()

    assert payment(running).review == Review.LATE_STOP_DIFFERS


def test_a_session_that_ended_all_the_same_raises_no_alarm_about_its_hold() -> None:
    running = builders.cast().running(now=timezone.now() - timedelta(hours=2))
    decisions.flag(running.payment.pk, Review.METER_DOUBT, now=timezone.now())
    Session.objects.filter(pk=running.payment.session_id).update(alert=Alert.UNHEARD)
    tasks.sweep_payments()
    ended = running.end(energy_wh=1_000, after_seconds=60)
    told(ended, "SUCCESS", ended.due_minor)
    decisions.close_review(ended.pk, actor="anna", reason="x", now=timezone.now())

    tasks.sweep_payments()

    assert payment(running).review == ""
    assert not running.session.alert


def test_less_energy_is_for_staff_to_give_back() -> None:
    running = settled_without_an_end()

    tell_end(running, energy_wh=800)

    assert late_stop(running)["overcharged_minor"] == 10
    assert payment(running).review == Review.LATE_STOP_DIFFERS


def test_the_same_end_changes_nothing() -> None:
    running = settled_without_an_end()

    tell_end(running, energy_wh=1_000, after_seconds=60)

    assert late_stop(running)["written_off_minor"] == 0
    assert payment(running).review == ""
    assert not running.session.needs_review


def test_an_end_that_cannot_be_read_says_nothing() -> None:
    running = settled_without_an_end()

    tell_end(running, energy_wh=None)

    assert not SessionEvent.objects.filter(kind="LateStop").exists()


def test_energy_of_a_session_that_was_released_is_written_off() -> None:
    running = settled_without_an_end(energy_wh=5)
    assert payment(running).state == PaymentState.RELEASING

    tell_end(running, energy_wh=1_200)

    assert late_stop(running)["written_off_minor"] == 60
    assert not CDR.objects.exists()


def test_a_lost_wake_up_loses_no_alert_and_two_takers_flag_once() -> None:
    running = settled_without_an_end()
    fact = TransactionEnded(
        running.transaction.pk, running.register_wh + 1_500, timezone.now(), timezone.now(), "Local"
    )
    current_desk().ended_late(fact)

    assert session_alerts.sweep(timezone.now()) == 1
    assert session_alerts.sweep(timezone.now()) == 0
    assert not session_alerts.take(running.payment.pk, now=timezone.now())

    assert PaymentEvent.objects.filter(payment=running.payment, kind="Flagged").count() == 1


@pytest.mark.parametrize("named", ["transaction", "tag"])
def test_a_message_that_a_fault_of_ours_lost_flags_its_session(named: str) -> None:
    running = builders.cast().running()
    by_transaction = named == "transaction"
    fact = MessageLost(
        station_pk=running.transaction.station_id,
        transaction_pk=running.transaction.pk if by_transaction else None,
        id_tag="" if by_transaction else running.session.id_tag,
        action="StopTransaction",
        received_at=timezone.now(),
    )

    current_desk().lost(fact)
    tasks.follow_session(str(running.payment.session_id))

    assert "StopTransaction" in running.session.needs_review
    assert payment(running).review == Review.METER_DOUBT
    # What is billed in the end stays in doubt, whoever closed the review meanwhile.
    assert running.end(energy_wh=1_000, after_seconds=60).review == Review.METER_DOUBT


def test_a_lost_message_about_nothing_of_ours_flags_nobody() -> None:
    running = builders.cast().running()
    fact = MessageLost(running.transaction.station_id, None, "", "StartTransaction", timezone.now())

    current_desk().lost(fact)

    assert not running.session.needs_review
