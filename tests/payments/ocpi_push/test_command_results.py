"""CommandResults: one per command, repeated only while no answer came, and not for longer than it is awaited."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.facts import CommandOutcome
from payments.models import OcpiCommand, OutboxMessage, Payment
from payments.ocpi import results
from payments.simulator.ocpi.wire import Reply
from tests import builders
from tests.payments.ocpi_push.platform import LOST, Platform, deliver, message, reply


def asked(ptp: Platform, outcome: CommandOutcome = CommandOutcome.ACCEPTED) -> OcpiCommand:
    """A START_SESSION whose charger has answered, its result decided."""
    payment: Payment = ptp.payment(language="fi")
    command = OcpiCommand.objects.create(
        connection=ptp.connection,
        kind=OcpiCommand.Kind.START,
        payment=payment,
        response_url=f"{ptp.server.url}/ocpi/results/1",
        correlation_id="corr-1",
        deadline_at=timezone.now() + timedelta(seconds=30),
    )
    builders.answer_start(payment, outcome)
    assert results.settle_command(command.pk, now=timezone.now())
    return command


def test_a_result_is_posted_once_to_where_it_is_awaited(ptp: Platform) -> None:
    command = asked(ptp)

    assert deliver(ptp, results.TOPIC, command.pk)
    assert not deliver(ptp, results.TOPIC, command.pk)

    assert ptp.calls == ["POST results/1"]
    assert ptp.last.body == {"result": "ACCEPTED"}
    assert ptp.last.headers["X-Correlation-ID"] == "corr-1"


def test_a_no_says_why_in_the_drivers_language(ptp: Platform) -> None:
    command = asked(ptp, CommandOutcome.REJECTED)

    deliver(ptp, results.TOPIC, command.pk)

    assert ptp.last.body["result"] == "FAILED"
    assert ptp.last.body["message"][0]["language"] == "fi"


@pytest.mark.parametrize("failure", [LOST, reply(3000), Reply(raw=b"busy", http_status=503)])
def test_a_result_without_a_clear_answer_is_sent_again(ptp: Platform, failure: object) -> None:
    command = asked(ptp)
    ptp.answers = [failure]  # type: ignore[list-item]

    assert not deliver(ptp, results.TOPIC, command.pk)
    assert deliver(ptp, results.TOPIC, command.pk)

    assert ptp.methods == ["POST", "POST"]


def test_an_answer_without_an_envelope_is_a_yes_here(ptp: Platform) -> None:
    command = asked(ptp)
    ptp.answers = [Reply(raw=b"OK")]

    assert deliver(ptp, results.TOPIC, command.pk)


def test_a_refused_result_is_not_repeated(ptp: Platform) -> None:
    command = asked(ptp)
    ptp.answers = [reply(2001)]

    assert not deliver(ptp, results.TOPIC, command.pk)

    assert message(ptp, results.TOPIC, command.pk).state == "GIVEN_UP"


def test_after_five_minutes_nobody_awaits_it(ptp: Platform) -> None:
    command = asked(ptp)
    OutboxMessage.objects.update(created_at=timezone.now() - timedelta(minutes=6))

    assert not deliver(ptp, results.TOPIC, command.pk)

    assert ptp.calls == []
    assert message(ptp, results.TOPIC, command.pk).state == "GIVEN_UP"


def test_a_response_url_into_our_own_network_is_not_called(ptp: Platform) -> None:
    command = asked(ptp)
    OcpiCommand.objects.filter(pk=command.pk).update(response_url="https://169.254.169.254/latest")

    assert not deliver(ptp, results.TOPIC, command.pk)

    assert "do not call" in message(ptp, results.TOPIC, command.pk).last_error
    ptp.reload()
    assert ptp.connection.ptp.failures_in_row == 0
