"""STOP_SESSION, and the commands that we understand and do not carry out."""

import threading
import uuid

import pytest

from chargers.facts import CommandAction
from chargers.models import Command
from payments.models import OcpiCommand, Payment, ToldCdr
from payments.ocpi import told_cdrs
from payments.states import PaymentState
from sessions_app.models import Session
from sessions_app.states import SessionState, StopReason
from tests import builders
from tests.branches.races import at_once
from tests.payments.ocpi_commands.platform import (
    HOST,
    Platform,
    platform,
    result_of,
    said,
    start_body,
    token,
    told,
)


@pytest.fixture
def payment(cast, ptp: Platform) -> Payment:
    """A session of the platform, which its charger has not answered yet."""
    ptp.start(start_body(cast))
    return Payment.objects.get()


def stop_command() -> OcpiCommand:
    return OcpiCommand.objects.get(kind=OcpiCommand.Kind.STOP)


def test_a_running_session_is_asked_to_stop(ptp, payment):
    running = builders.start(payment)

    assert said(ptp.stop(payment)) == (1000, {"result": "ACCEPTED", "timeout": 75})

    assert running.session.state == SessionState.STOPPING
    assert running.session.stop_reason == StopReason.TERMINAL
    assert Command.objects.get(action=CommandAction.STOP).reference == str(payment.session_id)
    assert stop_command().result == ""


def test_asking_twice_is_asking_once_and_each_address_gets_its_result(ptp, payment):
    builders.start(payment)

    ptp.stop(payment)
    ptp.stop(payment)
    ptp.stop(payment, response_url=f"{HOST}/results/second")

    assert Command.objects.filter(action=CommandAction.STOP).count() == 1
    assert OcpiCommand.objects.filter(kind=OcpiCommand.Kind.STOP).count() == 2


def test_a_session_that_has_not_started_is_cancelled_and_both_commands_get_their_result(ptp, payment):
    assert result_of(ptp.stop(payment)) == "ACCEPTED"

    assert Session.objects.get().state == SessionState.CANCELLED
    assert stop_command().result == "ACCEPTED"
    assert told(stop_command()) == 1


def test_a_session_that_is_over_is_stopped(ptp, payment):
    settled = builders.start(payment).end(energy_wh=2000, after_seconds=120)

    assert result_of(ptp.stop(payment)) == "ACCEPTED"

    assert stop_command().result == "ACCEPTED"
    assert settled.state == PaymentState.CAPTURING


def test_a_late_repeat_after_a_result_is_a_new_wish(ptp, payment):
    builders.start(payment)
    ptp.stop(payment)
    OcpiCommand.objects.filter(kind=OcpiCommand.Kind.STOP).update(result="TIMEOUT")

    ptp.stop(payment)

    assert OcpiCommand.objects.filter(kind=OcpiCommand.Kind.STOP, result="").count() == 1


@pytest.mark.parametrize(
    "session_id", ["5f0c8a52-0000-4000-8000-000000000000", "not-an-id", "../../x", "0" * 36]
)
def test_a_session_that_never_was_is_unknown(ptp, payment, session_id):
    assert said(ptp.stop(payment, session_id=session_id)) == (
        1000,
        {"result": "UNKNOWN_SESSION", "timeout": 0},
    )


def test_somebody_elses_session_is_as_unknown_and_goes_on(ptp, payment):
    running = builders.start(payment)
    answers = [platform().stop(payment), ptp.stop(payment, session_id=str(uuid.uuid4()))]

    assert [said(answer) for answer in answers] == [(1000, {"result": "UNKNOWN_SESSION", "timeout": 0})] * 2
    assert running.session.state == SessionState.CHARGING


def test_a_session_of_the_native_api_is_unknown_here(cast, ptp):
    assert result_of(ptp.stop(cast.payment())) == "UNKNOWN_SESSION"


def test_a_session_can_be_stopped_also_once_its_contract_has_ended(ptp, payment):
    ptp.connection.our_party_id = "OTH"
    ptp.connection.save()

    assert result_of(ptp.stop(payment)) == "ACCEPTED"


def test_a_session_of_another_of_our_parties_than_the_headers_name_is_unknown(cast, ptp, payment):
    ptp.connection.contracts.create(customer_reference="SUB", country_code="FI", party_id="SUB")
    body = {"response_url": f"{HOST}/r", "session_id": str(payment.session_id)}

    answer = ptp.send(
        "POST", "commands/STOP_SESSION", body, OCPI_to_country_code="FI", OCPI_to_party_id="SUB"
    )

    assert result_of(answer) == "UNKNOWN_SESSION"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """On a database with real concurrency."""

    def test_the_same_wish_many_times_at_once_is_one_command(self, ptp, payment):
        builders.start(payment)

        answers = at_once(*[lambda: result_of(ptp.stop(payment))] * 6)

        assert answers == ["ACCEPTED"] * 6
        assert OcpiCommand.objects.filter(kind=OcpiCommand.Kind.STOP).count() == 1
        assert Command.objects.filter(action=CommandAction.STOP).count() == 1

    def test_a_stop_does_not_wait_for_who_stamps_its_bill(self, ptp, payment, monkeypatch):
        """Nor does that one for the stop, which holds the payment: both would wait for ever."""
        builders.start(payment).end(energy_wh=2000, after_seconds=120)
        stamping, stopped = threading.Event(), threading.Event()
        create = ToldCdr.objects.bulk_create

        def slowly(rows):
            stamping.set()
            assert stopped.wait(20), "the stop waits for us"
            return create(rows)

        def stop():
            assert stamping.wait(20)
            answer = result_of(ptp.stop(payment))
            stopped.set()
            return answer

        monkeypatch.setattr(ToldCdr.objects, "bulk_create", slowly)

        assert at_once(lambda: told_cdrs.stamp_due(ptp.connection), stop) == [None, "ACCEPTED"]
        assert ToldCdr.objects.get().payment == payment


class TestOtherCommands:
    BODIES = {
        "UNLOCK_CONNECTOR": {"location_id": "L", "evse_uid": "E", "connector_id": "1"},
        "RESERVE_NOW": {
            "token": token(),
            "expiry_date": "2026-01-31T12:00:00Z",
            "reservation_id": "R1",
            "location_id": "L",
        },
        "CANCEL_RESERVATION": {"reservation_id": "R1"},
    }

    @pytest.mark.parametrize("command", BODIES)
    def test_what_terminals_have_no_use_for_is_not_supported(self, ptp, command):
        body = {"response_url": f"{HOST}/r"} | self.BODIES[command]

        assert said(ptp.send("POST", f"commands/{command}", body)) == (
            1000,
            {"result": "NOT_SUPPORTED", "timeout": 0},
        )

    @pytest.mark.parametrize("command", BODIES)
    def test_their_bodies_are_looked_at_all_the_same(self, ptp, command):
        assert said(ptp.send("POST", f"commands/{command}", {"response_url": f"{HOST}/r"}))[0] == 2001
        foreign = {"response_url": "https://evil.example.com/"} | self.BODIES[command]
        assert said(ptp.send("POST", f"commands/{command}", foreign))[0] == 2001

    @pytest.mark.parametrize("command", ["DANCE", "start_session", "START_SESSION%00", "..%2fx"])
    def test_a_command_that_does_not_exist_is_not_found(self, ptp, command):
        answer = ptp.send("POST", f"commands/{command}", {})

        assert said(answer, 404)[0] in (2000, 2001)

    def test_commands_are_posted(self, ptp):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            assert said(ptp.send(method, "commands/START_SESSION", {}), 405)[0] == 2000
