"""Sessions: PUT whole when their state changes, PATCHed in between, and what lets a hold go."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.facts import CommandOutcome
from payments import outbox, settlement, tasks
from payments.models import OcpiConnection, OcpiMessage, OcpiPush, Payment
from payments.ocpi.push import tasks as push_tasks
from payments.settlement import OCPI_SESSION
from payments.states import PaymentState
from tests import builders
from tests.payments.ocpi_push.platform import LOST, Platform, deliver, message, platform, reply


def tell(ptp: Platform, payment: Payment) -> bool:
    """Let the worker follow the session and deliver the news."""
    tasks.follow_session(str(payment.session_id))
    return deliver(ptp, OCPI_SESSION, payment.pk)


def refused_start(ptp: Platform) -> Payment:
    """A payment whose charger would not start: the hold must go."""
    payment = ptp.payment()
    builders.answer_start(payment, CommandOutcome.REJECTED)
    settlement.settle(payment.pk, now=timezone.now())
    return payment


def state_of(payment: Payment) -> str:
    return Payment.objects.get(pk=payment.pk).state


def test_a_session_is_put_whole_under_our_party_and_its_id(ptp: Platform) -> None:
    payment = ptp.payment()

    assert tell(ptp, payment)

    assert ptp.calls == [f"PUT sessions/FI/EMB/{payment.session_id}"]
    assert ptp.last.body["status"] == "PENDING"
    assert ptp.last.body["authorization_reference"] == payment.authorization_reference
    assert ptp.last.headers["OCPI-from-party-id"] == "EMB"
    assert ptp.last.headers["OCPI-to-party-id"] == "PTP"


def test_while_it_runs_only_scalars_are_patched(ptp: Platform) -> None:
    running = ptp.running()
    tell(ptp, running.payment)

    running.meter(energy_wh=5_000, after_seconds=600)
    assert tell(ptp, running.payment)

    assert ptp.methods == ["PUT", "PATCH"]
    assert "charging_periods" not in ptp.last.body
    assert str(ptp.last.body["kwh"]) == "5.000"
    assert {"total_cost", "last_updated"} <= ptp.last.body.keys()


def test_every_change_of_state_is_put_whole(ptp: Platform) -> None:
    payment = ptp.payment(now=timezone.now() - timedelta(minutes=30))
    tell(ptp, payment)
    running = builders.start(payment, at=timezone.now() - timedelta(minutes=20))
    tell(ptp, payment)
    running.end(energy_wh=10_000, after_seconds=900)
    tell(ptp, payment)

    assert ptp.methods == ["PUT"] * 3
    states = [request.body["status"] for request in ptp.server.received]
    assert states == ["PENDING", "ACTIVE", "COMPLETED"]


def test_news_that_say_nothing_new_are_not_sent(ptp: Platform) -> None:
    running = ptp.running()
    tell(ptp, running.payment)
    ptp.forget_calls()

    assert tell(ptp, running.payment)

    assert ptp.calls == []


def test_many_changes_before_a_delivery_are_one_push_of_the_newest_state(ptp: Platform) -> None:
    running = ptp.running()
    for step in range(1, 6):
        running.meter(energy_wh=1_000 * step, after_seconds=100 * step)
        tasks.follow_session(str(running.payment.session_id))

    deliver(ptp, OCPI_SESSION, running.payment.pk)

    assert ptp.methods == ["PUT"]
    assert str(ptp.last.body["kwh"]) == "5.000"


@pytest.mark.parametrize("failure", [LOST, reply(3000), reply(1000, http_status=500)])
def test_after_a_patch_that_may_be_lost_the_session_is_put_whole(ptp: Platform, failure: object) -> None:
    running = ptp.running()
    tell(ptp, running.payment)
    running.meter(energy_wh=5_000, after_seconds=600)
    ptp.answers = [failure]  # type: ignore[list-item]

    assert not tell(ptp, running.payment)
    assert deliver(ptp, OCPI_SESSION, running.payment.pk)

    assert ptp.methods == ["PUT", "PATCH", "PUT"]


@pytest.mark.parametrize("unknown", [reply(2001), reply(2003, http_status=404), reply(2000, http_status=405)])
def test_a_platform_that_does_not_know_the_session_gets_it_whole_at_once(
    ptp: Platform, unknown: object
) -> None:
    running = ptp.running()
    tell(ptp, running.payment)
    running.meter(energy_wh=5_000, after_seconds=600)
    ptp.answers = [unknown]  # type: ignore[list-item]

    assert tell(ptp, running.payment)
    running.meter(energy_wh=6_000, after_seconds=700)
    assert tell(ptp, running.payment)

    assert ptp.methods == ["PUT", "PATCH", "PUT", "PUT"]


@pytest.mark.parametrize("no", [reply(2001), reply(3000), reply(2001, http_status=400)])
def test_a_put_that_is_refused_is_tried_again(ptp: Platform, no: object) -> None:
    payment = ptp.payment()
    ptp.answers = [no]  # type: ignore[list-item]

    assert not tell(ptp, payment)
    waiting = message(ptp, OCPI_SESSION, payment.pk)
    assert (waiting.state, waiting.attempts) == ("DUE", 1)
    assert deliver(ptp, OCPI_SESSION, payment.pk)

    ptp.reload()
    assert ptp.connection.ptp.failures_in_row == 0  # it answered


def test_an_invalid_session_that_arrived_lets_the_hold_go(ptp: Platform) -> None:
    payment = refused_start(ptp)
    assert state_of(payment) == PaymentState.RELEASING

    assert tell(ptp, payment)

    assert ptp.last.body["status"] == "INVALID"
    assert state_of(payment) == PaymentState.RELEASED


def test_an_invalid_session_that_did_not_arrive_lets_nothing_go(ptp: Platform) -> None:
    payment = refused_start(ptp)
    ptp.answers = [reply(3000)]

    assert not tell(ptp, payment)

    assert state_of(payment) == PaymentState.RELEASING


def test_where_a_cdr_is_the_release_signal_the_session_alone_releases_nothing(cast: builders.Cast) -> None:
    with platform(cast, release_signal=OcpiConnection.ReleaseSignal.ZERO_COST_CDR) as ptp:
        payment = refused_start(ptp)

        assert tell(ptp, payment)

        assert state_of(payment) == PaymentState.RELEASING


def test_a_platform_that_registers_anew_gets_sessions_whole(ptp: Platform) -> None:
    running = ptp.running()
    tell(ptp, running.payment)
    OcpiConnection.objects.filter(pk=ptp.connection.pk).update(registered_at=timezone.now())
    running.meter(energy_wh=5_000, after_seconds=600)

    tell(ptp, running.payment)

    assert ptp.methods == ["PUT", "PUT"]


def test_a_platform_that_polls_is_not_called(cast: builders.Cast) -> None:
    with platform(cast) as ptp:
        ptp.connection.endpoints = {}
        ptp.connection.save()
        payment = refused_start(ptp)

        assert tell(ptp, payment)

        assert ptp.calls == []
        assert state_of(payment) == PaymentState.RELEASING  # it was told nothing
        assert "polls" in message(ptp, OCPI_SESSION, payment.pk).last_error


def test_an_unregistered_platform_is_told_later(ptp: Platform) -> None:
    payment = ptp.payment()
    OcpiConnection.objects.update(state=OcpiConnection.State.UNREGISTERED)

    assert not tell(ptp, payment)

    assert ptp.calls == []
    assert message(ptp, OCPI_SESSION, payment.pk).state == "DUE"


def test_prices_are_written_in_the_words_of_the_version(cast: builders.Cast) -> None:
    with platform(cast, version="2.2.1") as ptp:
        running = ptp.running()
        running.meter(energy_wh=5_000, after_seconds=600)

        tell(ptp, running.payment)

        assert ptp.last.body["total_cost"].keys() == {"excl_vat", "incl_vat"}


def test_both_directions_stand_in_the_log(ptp: Platform) -> None:
    tell(ptp, ptp.payment())

    logged = OcpiMessage.objects.get(direction="OUT")
    assert (logged.method, logged.module, logged.http_status, logged.ocpi_status) == (
        "PUT",
        "sessions",
        200,
        1000,
    )
    assert logged.request_id == ptp.last.headers["X-Request-ID"]


def test_what_staff_send_again_is_sent_whole_though_it_arrived(ptp: Platform) -> None:
    payment = ptp.payment()
    tell(ptp, payment)

    outbox.replay(message(ptp, OCPI_SESSION, payment.pk), now=timezone.now())

    assert deliver(ptp, OCPI_SESSION, payment.pk)
    assert ptp.methods == ["PUT", "PUT"]


def test_traffic_and_what_was_noted_of_it_are_forgotten_after_a_while(ptp: Platform, settings) -> None:  # type: ignore[no-untyped-def]
    settings.OCPI_LOG_DAYS = 90
    tell(ptp, ptp.payment())
    OcpiMessage.objects.update(at=timezone.now() - timedelta(days=91))
    OcpiMessage.objects.create(direction="IN", method="GET", url="/ocpi/versions")
    OcpiPush.objects.update(pushed_at=timezone.now() - timedelta(days=91))

    assert push_tasks.forget_old_messages() == 2

    assert OcpiMessage.objects.get().direction == "IN"
    assert not OcpiPush.objects.exists()
