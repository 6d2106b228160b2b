"""Transactions that no session pays for are stopped, and stopped again."""

from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import (
    CommandAction,
    CommandOutcome,
    EvseStatus,
    EvseStatusChanged,
    MeterReading,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)
from chargers.models import EVSE, Command, Transaction
from sessions_app import lifecycle, strays
from sessions_app.models import Session
from sessions_app.states import Alert
from sessions_app.tasks import sweep_sessions
from tests import builders

pytestmark = pytest.mark.django_db


def begin_stray(
    at: EVSE, id_tag: str = "SOME-RFID", *, started_at: datetime | None = None
) -> tuple[Transaction, bool]:
    """The charger opens a transaction with this tag; returns it, and whether it was accepted."""
    now = timezone.now()
    opened = Transaction.objects.create(
        station=at.station,
        evse=at,
        transaction_id=str(builders.next_number()),
        natural_key=str(builders.next_number()),
        id_tag=id_tag,
        accepted=False,
        meter_start_wh=0,
        started_at=started_at or now,
        start_received_at=now,
    )
    fact = TransactionStarted(opened.pk, opened.station_id, at.pk, id_tag, 0, opened.started_at, now)
    with transaction.atomic():
        return opened, current_desk().started(fact).accepted


def stops(of: Transaction) -> int:
    """How often its charger was told to stop it."""
    return Command.objects.filter(action=CommandAction.STOP, arguments__transaction_pk=of.pk).count()


def let_time_pass() -> None:
    """Nobody may wait for an answer to what was asked so far."""
    Command.objects.update(created_at=timezone.now() - timedelta(minutes=5))


def meter(of: Transaction) -> None:
    """The charger sends a meter value of this transaction."""
    now = timezone.now()
    with transaction.atomic():
        reading = MeterReading(sampled_at=now, received_at=now, register_wh=5)
        current_desk().metered(TransactionMetered(of.pk, (reading,), now))


def tell_status(at: EVSE, status: EvseStatus) -> None:
    """The charger reports the state of an EVSE."""
    now = timezone.now()
    with transaction.atomic():
        current_desk().status_changed(EvseStatusChanged(at.pk, status, "NoError", now, now))


def given_up() -> Transaction:
    """A transaction that staff closed in the books, and whose charger has not told its end."""
    running = builders.cast().running()
    lifecycle.close_in_books(running.payment.session_id, actor="olga", reason="silent", now=timezone.now())
    return Transaction.objects.get(pk=running.transaction.pk)


def test_a_tag_that_nobody_knows_is_told_to_stop_at_once() -> None:
    stray, accepted = begin_stray(builders.cast().evse)

    assert not accepted
    assert stops(stray) == 1


def test_what_does_not_stop_is_stopped_again_by_the_sweep() -> None:
    stray, _ = begin_stray(builders.cast().evse)

    sweep_sessions()
    assert stops(stray) == 1  # it may still obey the first
    let_time_pass()
    sweep_sessions()
    sweep_sessions()

    assert stops(stray) == 2


def test_what_ended_is_not_chased() -> None:
    stray, _ = begin_stray(builders.cast().evse)
    Transaction.objects.filter(pk=stray.pk).update(stopped_at=timezone.now())
    let_time_pass()

    sweep_sessions()

    assert stops(stray) == 1


def test_nobody_is_asked_where_nobody_listens_until_the_charger_is_back() -> None:
    cast = builders.cast()
    stray, _ = begin_stray(cast.evse)
    builders.take_offline(cast.station)
    let_time_pass()

    sweep_sessions()
    assert stops(stray) == 1
    builders.bring_online(cast.station)
    sweep_sessions()

    assert stops(stray) == 2


def test_a_stray_of_yesterday_is_the_operators_business() -> None:
    begin_stray(builders.cast().evse)
    let_time_pass()

    assert strays.chase(timezone.now() + strays.CHASED_FOR) == 0
    assert strays.chase(timezone.now()) == 1


def test_a_session_that_was_over_tells_of_it_in_its_journal_and_keeps_what_it_had() -> None:
    payment = builders.cast().payment()
    builders.answer_start(payment, CommandOutcome.UNANSWERED)
    session = Session.objects.select_related("evse").get(pk=payment.session_id)
    Session.objects.filter(pk=session.pk).update(needs_review="something else", alert=Alert.FAULT)

    stray, _ = begin_stray(session.evse, session.id_tag)

    session.refresh_from_db()
    event = session.events.get(kind="StrayTransaction")
    assert event.data == {"transaction": stray.pk}
    assert event.number == session.event_count
    assert (session.needs_review, session.alert) == ("something else", Alert.FAULT)


def test_a_second_transaction_for_a_session_that_runs_is_stopped_and_asks_nobody() -> None:
    running = builders.cast().running()

    second, accepted = begin_stray(running.transaction.evse, running.transaction.id_tag)

    assert not accepted
    assert (stops(second), stops(running.transaction)) == (1, 0)
    assert running.session.needs_review == ""
    assert running.session.events.filter(kind="StrayTransaction").count() == 1


def test_what_goes_on_after_our_books_closed_is_stopped_by_its_next_meter_value() -> None:
    transaction_ = given_up()
    assert stops(transaction_) == 0  # closing asks nothing of the charger

    meter(transaction_)
    meter(transaction_)
    assert stops(transaction_) == 1
    let_time_pass()
    meter(transaction_)

    assert stops(transaction_) == 2


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (EvseStatus.CHARGING, 1),
        (EvseStatus.SUSPENDED_EV, 1),
        (EvseStatus.AVAILABLE, 0),
        (EvseStatus.FINISHING, 0),
    ],
)
def test_what_goes_on_after_our_books_closed_is_stopped_by_a_status(status: EvseStatus, asked: int) -> None:
    transaction_ = given_up()

    tell_status(transaction_.evse, status)

    assert stops(transaction_) == asked


def test_what_told_its_end_after_all_is_left_alone() -> None:
    transaction_ = given_up()
    now = timezone.now()
    Transaction.objects.filter(pk=transaction_.pk).update(late_stop_at=now)
    with transaction.atomic():
        current_desk().ended_late(TransactionEnded(transaction_.pk, 100_000, now, now, "Local"))

    meter(transaction_)
    tell_status(transaction_.evse, EvseStatus.CHARGING)

    assert stops(transaction_) == 0


def test_an_evse_where_another_transaction_came_since_says_nothing_of_the_old_one() -> None:
    transaction_ = given_up()
    Transaction.objects.create(
        station=transaction_.station,
        evse=transaction_.evse,
        transaction_id=str(builders.next_number()),
        natural_key="later",
        id_tag="X",
        accepted=True,
        started_at=timezone.now(),
        start_received_at=timezone.now(),
    )

    tell_status(transaction_.evse, EvseStatus.CHARGING)

    assert stops(transaction_) == 0
