"""The money races, on a database with real concurrency: two who want the same row at the same moment.

Each race is run several times, for one time proves little. Whoever loses must find the work done, never half
of it; and nobody waits for somebody who waits for him.
"""

# ruff: noqa: B023  (the threads of a round end within it)

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import CommandOutcome
from chargers.models import Command
from chargers.ocpp import v16_transactions
from chargers.ocpp.presence import Link
from chargers.ocpp.station import Message
from chargers.simulator.connector import iso
from payments import decisions, session_alerts, settlement
from payments.errors import WrongState
from payments.models import Confirmation, CreditNote, Payment, PaymentEvent, Receipt
from payments.settlement import CaptureReport
from payments.states import CaptureStatus, PaymentState, Review
from sessions_app import lifecycle
from sessions_app.errors import NothingToCredit, NothingToStop
from sessions_app.models import CDR, Session, SessionEvent
from sessions_app.states import NEVER_STARTED, SessionState, StopReason
from tests import builders
from tests.builders import Cast, Running
from tests.payments.ocpi_commands import platform as ocpi
from tests.payments.ptp_client import TerminalClient, start_body

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
ROUNDS = 6


@pytest.fixture(autouse=True)
def _books(books: None) -> None:
    """The module's database."""


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of it at the same moment; returns what came, an exception where one was raised."""
    barrier = threading.Barrier(len(acts))
    came: list[Any] = [None] * len(acts)

    def run(index: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            came[index] = act()
        except Exception as error:  # noqa: BLE001  (the test looks at it)
            came[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    return came


def none_failed(came: list[Any], *allowed: type[Exception]) -> None:
    strange = [each for each in came if isinstance(each, Exception) and not isinstance(each, allowed)]
    assert not strange, strange


def says(cast: Cast, action: str, **payload: Any) -> Callable[[], Any]:
    """The charger's message as its socket hands it on: one transaction, the station's row first."""
    cast.station.refresh_from_db()
    assert cast.station.connection_id is not None
    link = Link(cast.station.pk, cast.station.identity, cast.station.connection_id)
    handlers = {
        "StartTransaction": v16_transactions.start_transaction,
        "StopTransaction": v16_transactions.stop_transaction,
        "MeterValues": v16_transactions.meter_values,
    }

    def say() -> Any:
        with transaction.atomic():
            return handlers[action](Message(link, action, payload, timezone.now())).payload

    return say


def stop_message(cast: Cast, running: Running, *, energy_wh: int) -> Callable[[], Any]:
    return says(
        cast,
        "StopTransaction",
        transactionId=int(running.transaction.transaction_id),
        meterStop=running.register_wh + energy_wh,
        timestamp=iso(timezone.now()),
        reason="Local",
    )


def charging(cast: Cast, *, energy_wh: int = 1_000, authorized_minor: int = 6000) -> Running:
    """A session that has charged for half an hour."""
    ago = timezone.now() - timedelta(minutes=30)
    running = builders.start(cast.payment(now=ago, authorized_minor=authorized_minor), at=ago)
    running.meter(energy_wh=energy_wh, after_seconds=1700, power_w=2_000)
    return running


def captured(cast: Cast) -> Payment:
    running = charging(cast)
    with transaction.atomic():
        stop_message(cast, running, energy_wh=1_000)()
    settlement.settle(running.payment.pk, now=timezone.now())
    return settlement.confirm(running.payment.pk, report(50), now=timezone.now())


def report(amount_minor: int, *, number: int = 1) -> CaptureReport:
    return CaptureReport(
        confirmation_id=f"conf-{builders.next_number()}-{number}",
        status=CaptureStatus.SUCCESS,
        amount_minor=amount_minor,
        currency="EUR",
    )


def journal_is_whole(payment: Payment) -> None:
    """Numbers without a gap, each state the next one's before."""
    for events in (list(payment.events.all()), list(payment.session.events.all())):  # type: ignore[union-attr]
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert all(a.state_after == b.state_before for a, b in pairwise(events))


# --- Starts ---------------------------------------------------------------------------------------


def test_b07_one_tap_sent_many_times_at_once_is_one_session_and_one_start() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        body = start_body(cast)

        came = at_once(*[lambda: TerminalClient(cast.key).start(body).status_code] * 4)

        none_failed(came)
        assert set(came) <= {202, 409}  # 409: the same is being worked on, ask again
        assert 202 in came
        assert Payment.objects.filter(ptp=cast.ptp).count() == 1
        assert Command.objects.filter(station=cast.station).count() == 1
        assert TerminalClient(cast.key).start(body).status_code == 202


def test_b08_two_cards_at_one_evse_by_two_doors_give_one_session() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        over_ocpi = ocpi.platform(of=cast)
        other = builders.ptp()
        terminal = builders.terminal(of=other, at=cast.site)
        key = builders.api_key(other)
        quote = builders.give_quote(ptp=other, connector=cast.connector, language="en", now=timezone.now())
        body = start_body(cast, terminal_id=terminal.terminal_id, quote_id=str(quote.pk))

        came = at_once(
            lambda: TerminalClient(key).start(body).status_code == 202,
            lambda: ocpi.result_of(over_ocpi.start(ocpi.start_body(cast))) == "ACCEPTED",
        )

        none_failed(came)
        assert sorted(came) == [False, True]
        assert Session.objects.filter(evse=cast.evse).exclude(state__in=sorted(NEVER_STARTED)).count() == 1
        lost = Payment.objects.filter(session__evse=cast.evse, session__state=SessionState.REJECTED)
        assert {payment.state for payment in lost} <= {PaymentState.RELEASING}


def test_b10_somebody_elses_start_against_our_drivers_stop_ends_it_once() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        payment = cast.payment()
        builders.answer_start(payment)
        foreign = says(
            cast, "StartTransaction", connectorId=1, idTag="RFID", meterStart=5, timestamp=iso(timezone.now())
        )

        came = at_once(
            foreign, lambda: ask_stop(payment), lambda: settlement.sweep_one(payment.pk, now=timezone.now())
        )

        none_failed(came, NothingToStop)
        payment = settlement.settle(payment.pk, now=timezone.now())
        assert payment.session is not None
        assert payment.session.state in (SessionState.EXPIRED, SessionState.CANCELLED)
        assert payment.state == PaymentState.RELEASING
        journal_is_whole(payment)


def ask_stop(payment: Payment, reason: StopReason = StopReason.TERMINAL) -> Session:
    assert payment.session_id is not None
    return lifecycle.request_stop(payment.session_id, reason=reason, actor="t", now=timezone.now())


def test_b37_a_stop_against_the_transaction_that_begins_leaves_nothing_running_unpaid() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        payment = cast.payment()
        builders.answer_start(payment)
        assert payment.session is not None
        begins = says(
            cast,
            "StartTransaction",
            connectorId=1,
            idTag=payment.session.id_tag,
            meterStart=5,
            timestamp=iso(timezone.now()),
        )

        answer, stopped = at_once(begins, lambda: ask_stop(payment))

        none_failed([answer, stopped])
        session = Session.objects.get(pk=payment.session_id)
        accepted = answer["idTagInfo"]["status"] == "Accepted"
        assert session.state == (SessionState.STOPPING if accepted else SessionState.CANCELLED)
        assert Command.objects.filter(station=cast.station, action="STOP").count() == 1


# --- Ends -----------------------------------------------------------------------------------------


def test_b13_the_paid_limit_against_the_drivers_stop_sends_one_stop() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        running = charging(cast, energy_wh=900, authorized_minor=100)
        Session.objects.filter(pk=running.payment.session_id).update(
            state=SessionState.CHARGING, stop_at=timezone.now()
        )
        Command.objects.filter(station=cast.station, action="STOP").delete()

        def limit() -> Any:
            with transaction.atomic():
                return current_desk().look_again(transaction_pk=running.transaction.pk, at=timezone.now())

        came = at_once(limit, lambda: ask_stop(running.payment), limit)

        none_failed(came)
        assert Command.objects.filter(station=cast.station, action="STOP").count() == 1
        assert running.session.state == SessionState.STOPPING


def test_b20_the_sweep_against_the_chargers_own_stop_closes_the_books_once() -> None:
    for _ in range(3 * ROUNDS):
        cast = builders.cast()
        running = charging(cast)
        past = timezone.now() - timedelta(seconds=1)
        Session.objects.filter(pk=running.payment.session_id).update(doubted=True, deadline_at=past)
        session_id = running.payment.session_id
        assert session_id is not None

        came = at_once(
            stop_message(cast, running, energy_wh=1_100),
            lambda: lifecycle.sweep_one(session_id, now=timezone.now()),
            lambda: settlement.sweep_one(running.payment.pk, now=timezone.now()),
        )

        none_failed(came)  # a dead-lock would be an exception
        payment = settlement.settle(running.payment.pk, now=timezone.now())
        session_alerts.sweep(timezone.now())
        payment.refresh_from_db()
        cdr = CDR.objects.get(session=session_id)
        by_sweep = SessionEvent.objects.filter(session=session_id, kind="LateStop").exists()
        assert cdr.energy_wh == (1_000 if by_sweep else 1_100)
        assert payment.review == (Review.LATE_STOP_DIFFERS if by_sweep else "")
        assert (payment.state, payment.due_minor) == (PaymentState.CAPTURING, cdr.total_incl_minor)
        assert Receipt.objects.filter(payment=payment).count() == 1
        journal_is_whole(payment)


def test_staff_who_close_it_against_a_meter_value_and_the_stop_close_it_once() -> None:
    for _ in range(ROUNDS):
        cast = builders.cast()
        running = charging(cast)
        session_id = running.payment.session_id
        assert session_id is not None
        value = {
            "timestamp": iso(timezone.now()),
            "sampledValue": [{"value": str(running.register_wh + 1_050)}],
        }
        meter = says(
            cast,
            "MeterValues",
            connectorId=1,
            transactionId=int(running.transaction.transaction_id),
            meterValue=[value],
        )

        came = at_once(
            meter,
            stop_message(cast, running, energy_wh=1_100),
            lambda: lifecycle.close_in_books(session_id, actor="anna", now=timezone.now()),
        )

        none_failed(came, NothingToStop)
        assert CDR.objects.filter(session=session_id).count() == 1
        journal_is_whole(settlement.settle(running.payment.pk, now=timezone.now()))


# --- Money ----------------------------------------------------------------------------------------


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
        lifecycle.close_in_books(running.payment.session_id, actor="anna", now=timezone.now())  # type: ignore[arg-type]
        settlement.settle(running.payment.pk, now=timezone.now())
        stop_message(cast, running, energy_wh=1_200)()

        came = at_once(*[lambda: session_alerts.take(running.payment.pk, now=timezone.now())] * 3)

        none_failed(came)
        assert sorted(came) == [False, False, True]
        assert PaymentEvent.objects.filter(payment=running.payment, kind="Flagged").count() == 1
