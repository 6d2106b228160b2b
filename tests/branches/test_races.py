"""The money races, on a database with real concurrency: two who want the same row at the same moment.

Each race is run several times, for one time proves little. Whoever loses must find the work done, never half
of it; and nobody waits for somebody who waits for him.
"""

# ruff: noqa: B023  (the threads of a round end within it)

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.models import Command
from chargers.simulator.connector import iso
from payments import session_alerts, settlement
from payments.models import Payment, Receipt
from payments.states import PaymentState, Review
from sessions_app import lifecycle
from sessions_app.errors import NothingToStop
from sessions_app.models import CDR, Session, SessionEvent
from sessions_app.states import NEVER_STARTED, SessionState, StopReason
from tests import builders
from tests.branches.races import (
    at_once,
    charging,
    journal_is_whole,
    none_failed,
    report,
    says,
    stop_message,
)
from tests.payments.ocpi_commands import platform as ocpi
from tests.payments.ptp_client import TerminalClient, start_body

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
ROUNDS = 6


@pytest.fixture(autouse=True)
def _books(books: None) -> None:
    """The module's database."""


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
        settlement.confirm(payment.pk, report(payment.due_minor), now=timezone.now())
        session_alerts.sweep(timezone.now())
        payment.refresh_from_db()
        cdr = CDR.objects.get(session=session_id)
        by_sweep = SessionEvent.objects.filter(session=session_id, kind="LateStop").exists()
        assert cdr.energy_wh == (1_000 if by_sweep else 1_100)
        assert payment.review == (Review.LATE_STOP_DIFFERS if by_sweep else "")
        assert (payment.state, payment.due_minor) == (PaymentState.CAPTURED, cdr.total_incl_minor)
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
            lambda: lifecycle.close_in_books(session_id, actor="anna", reason="silent", now=timezone.now()),
        )

        none_failed(came, NothingToStop)
        assert CDR.objects.filter(session=session_id).count() == 1
        journal_is_whole(settlement.settle(running.payment.pk, now=timezone.now()))


# --- Money ----------------------------------------------------------------------------------------
