"""The one CommandResult of each command: what came of it at the charger, whoever looks first."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers import commands
from chargers.facts import CommandAction, CommandOutcome
from chargers.models import Command
from payments.models import OcpiCommand, Payment
from payments.ocpi import results
from payments.ocpi.commands import CommandResultType
from payments.ocpi.results import Facts, result_of
from payments.states import PaymentState
from payments.tasks import follow_session, sweep_payments
from sessions_app import lifecycle
from sessions_app.models import Session
from sessions_app.states import SessionState
from tests import builders
from tests.payments.ocpi_commands.platform import Platform, start_body, told


class TestRules:
    """Without a database."""

    @pytest.mark.parametrize("state", ["STARTING", "CHARGING", "SUSPENDED", "STOPPING", "ENDED"])
    def test_a_start_is_accepted_once_the_charger_took_it(self, state):
        assert result_of(Facts(kind="START_SESSION", session_state=state)) == "ACCEPTED"

    @pytest.mark.parametrize("state", ["EXPIRED", "CANCELLED"])
    def test_a_start_that_was_taken_stays_accepted_whatever_came_later(self, state):
        facts = Facts(kind="START_SESSION", session_state=state, start_accepted=True)

        assert result_of(facts) == "ACCEPTED"

    @pytest.mark.parametrize("overdue", [False, True])
    def test_a_start_that_may_still_happen_has_no_result(self, overdue):
        facts = Facts(kind="START_SESSION", session_state="REQUESTED", overdue=overdue)

        assert result_of(facts) is None

    @pytest.mark.parametrize(
        ("state", "refusal", "result"),
        [
            ("REJECTED", "rejected_by_charger", "FAILED"),
            ("REJECTED", "charger_offline", "TIMEOUT"),
            ("EXPIRED", "charger_did_not_answer", "TIMEOUT"),
            ("EXPIRED", "", "TIMEOUT"),
            ("EXPIRED", "evse_taken", "EVSE_OCCUPIED"),
            ("REJECTED", "occupied", "EVSE_OCCUPIED"),
            ("REJECTED", "reserved", "EVSE_OCCUPIED"),
            ("REJECTED", "faulted", "EVSE_INOPERATIVE"),
            ("REJECTED", "out_of_use", "EVSE_INOPERATIVE"),
            ("REJECTED", "something_new", "FAILED"),
            ("CANCELLED", "", "FAILED"),
        ],
    )
    def test_a_start_that_did_not_happen_says_why(self, state, refusal, result):
        facts = Facts(kind="START_SESSION", session_state=state, refusal=refusal)

        assert result_of(facts) == result

    @pytest.mark.parametrize("state", SessionState)
    @pytest.mark.parametrize("kind", OcpiCommand.Kind.values)
    def test_whatever_is_over_has_a_result(self, state, kind):
        over = state in {"ENDED", "REJECTED", "EXPIRED", "CANCELLED"}

        result = result_of(Facts(kind=kind, session_state=state, overdue=True))

        assert result in set(CommandResultType) | {None}
        assert result is not None or (state, kind) == ("REQUESTED", "START_SESSION")
        assert not (over and result is None)

    @pytest.mark.parametrize(
        ("state", "answers", "overdue", "result"),
        [
            ("STOPPING", {"SENT"}, False, None),
            ("STOPPING", {"SENT"}, True, "TIMEOUT"),
            ("STOPPING", {"REJECTED", "QUEUED"}, False, None),
            ("STOPPING", {"REJECTED", "UNANSWERED"}, True, "REJECTED"),
            ("STOPPING", {"REJECTED", "ACCEPTED"}, False, "ACCEPTED"),
            ("ENDED", set(), False, "ACCEPTED"),
            ("CANCELLED", set(), False, "ACCEPTED"),
        ],
    )
    def test_a_stop_is_told_when_the_charger_took_it_or_time_is_up(self, state, answers, overdue, result):
        facts = Facts(
            kind="STOP_SESSION", session_state=state, stop_answers=frozenset(answers), overdue=overdue
        )

        assert result_of(facts) == result


@pytest.fixture
def payment(cast, ptp: Platform) -> Payment:
    """A session of the platform, which its charger has not answered yet."""
    ptp.start(start_body(cast))
    return Payment.objects.get()


def start_command() -> OcpiCommand:
    return OcpiCommand.objects.get(kind=OcpiCommand.Kind.START)


def stop_command() -> OcpiCommand:
    return OcpiCommand.objects.get(kind=OcpiCommand.Kind.STOP)


class TestStart:
    def test_accepted_says_the_charger_took_it_before_anything_charges(self, payment):
        builders.answer_start(payment)

        follow_session(str(payment.session_id))

        assert (start_command().result, start_command().message) == ("ACCEPTED", "")
        assert start_command().decided_at is not None
        assert told(start_command()) == 1

    def test_it_is_told_once_whoever_looks(self, payment):
        builders.answer_start(payment)

        for _ in range(2):
            follow_session(str(payment.session_id))
            sweep_payments()
            results.decide_for(payment.session_id, now=timezone.now())

        assert told(start_command()) == 1

    def test_a_lost_wake_up_is_found_by_the_sweep(self, payment):
        builders.answer_start(payment)

        sweep_payments()

        assert (start_command().result, told(start_command())) == ("ACCEPTED", 1)

    def test_a_transaction_that_overtakes_the_answer_is_accepted(self, payment):
        Command.objects.update(state=Command.State.SENT)
        builders.start(payment)

        follow_session(str(payment.session_id))

        assert start_command().result == "ACCEPTED"

    def test_a_charger_that_refuses_is_failed_and_the_driver_is_told_in_their_language(self, payment):
        Payment.objects.update(language="fi")
        builders.answer_start(payment, CommandOutcome.REJECTED)

        follow_session(str(payment.session_id))

        command = start_command()
        assert (command.result, command.message) == ("FAILED", "Laturi ei suostunut aloittamaan.")
        assert list(results.messages_of(command)) == ["fi", "en", "de", "sv"]
        assert Payment.objects.get().state == PaymentState.RELEASING

    def test_nobody_plugs_in_after_the_charger_took_it(self, payment):
        builders.answer_start(payment)
        lifecycle.sweep_one(payment.session_id, now=timezone.now() + timedelta(hours=1))

        sweep_payments()

        assert Session.objects.get().state == SessionState.EXPIRED
        assert start_command().result == "ACCEPTED"

    def test_a_charger_that_never_answers_is_a_timeout_and_the_session_is_over_by_then(self, payment):
        later = timezone.now() + timedelta(minutes=2)

        assert results.decide_due(now=later) == 1

        assert Session.objects.get().state == SessionState.EXPIRED
        assert (start_command().result, told(start_command())) == ("TIMEOUT", 1)

    def test_before_its_time_there_is_no_result(self, payment):
        assert results.decide_due(now=timezone.now()) == 0
        assert start_command().result == ""

    def test_a_session_that_was_cancelled_first_is_failed(self, ptp, payment):
        ptp.stop(payment)

        sweep_payments()

        assert (start_command().result, stop_command().result) == ("FAILED", "ACCEPTED")

    def test_one_broken_command_keeps_no_other_waiting(self, payment, monkeypatch):
        builders.answer_start(payment)
        other = OcpiCommand.objects.create(
            connection=payment.connection,
            kind=OcpiCommand.Kind.STOP,
            payment=payment,
            response_url="https://ptp.example.com/",
            deadline_at=timezone.now() - timedelta(hours=1),
        )
        settle = results.settle_command

        def broken(command_id, **kwargs):
            assert command_id != other.pk, "broken"
            return settle(command_id, **kwargs)

        monkeypatch.setattr(results, "settle_command", broken)

        sweep_payments()

        assert start_command().result == "ACCEPTED"


class TestStop:
    def _answer_stop(self, outcome: CommandOutcome):
        command = Command.objects.filter(action=CommandAction.STOP).order_by("pk").last()
        commands.settle(
            command_pk=command.pk,
            outcome=outcome,
            now=timezone.now(),
            expected=(Command.State.QUEUED, Command.State.SENT),
        )

    def test_a_charger_that_takes_it_is_accepted(self, ptp, payment):
        builders.start(payment)
        ptp.stop(payment)
        self._answer_stop(CommandOutcome.ACCEPTED)

        sweep_payments()

        assert (stop_command().result, told(stop_command())) == ("ACCEPTED", 1)

    def test_the_end_of_the_session_is_accepted_too(self, ptp, payment):
        running = builders.start(payment)
        ptp.stop(payment)
        running.end(energy_wh=2000, after_seconds=120)

        follow_session(str(payment.session_id))

        assert stop_command().result == "ACCEPTED"

    def test_a_charger_that_refuses_has_until_the_deadline_and_then_it_is_said(self, ptp, payment):
        builders.start(payment)
        ptp.stop(payment)
        self._answer_stop(CommandOutcome.REJECTED)

        sweep_payments()
        undecided = stop_command().result
        results.decide_due(now=timezone.now() + timedelta(minutes=2))

        assert undecided == ""
        assert (stop_command().result, told(stop_command())) == ("REJECTED", 1)
        assert stop_command().message == "The charger refused to stop. Please unplug the car."

    def test_a_charger_that_is_silent_is_a_timeout_and_is_asked_on(self, ptp, payment):
        builders.start(payment)
        ptp.stop(payment)

        results.decide_due(now=timezone.now() + timedelta(minutes=2))

        assert stop_command().result == "TIMEOUT"
        assert Session.objects.get().state == SessionState.STOPPING

    def test_a_sweep_over_many_commands_asks_little(self, ptp, payment, django_assert_max_num_queries):
        builders.start(payment)
        ptp.stop(payment)
        sweep_payments()

        with django_assert_max_num_queries(3):
            assert results.decide_due(now=timezone.now()) == 0
