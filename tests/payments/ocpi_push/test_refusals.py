"""Which no is about the message and which about the moment: only the first kind is counted, and ends it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.facts import CommandOutcome, EvseStatus
from chargers.models import EVSE
from payments import decisions, outbox, settlement
from payments.models import OcpiCommand, OcpiConnection, OutboxMessage, Payment
from payments.ocpi import results
from payments.ocpi.push import locations, sending, terminals, watch
from payments.ocpi.push.client import Answer
from payments.settlement import OCPI_CDR, OCPI_SESSION, CaptureReport
from payments.simulator.ocpi.wire import Reply
from payments.states import CaptureStatus
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_push.platform import Platform, deliver, deliver_all, message, platform, reply

LATER = [(401, 2001), (403, 2001), (408, 2000), (425, 2000), (429, 2000), (500, 2000), (503, 2000)]
NO = [(200, 2001), (201, 2003), (400, 2000), (404, 2003), (405, 2000), (409, 2001), (422, 2001)]


@pytest.fixture
def owner(cast: Cast) -> Iterator[Platform]:
    """A platform with terminals, too."""
    with platform(cast, payments=True) as running:
        yield running


def a_cdr(ptp: Platform) -> tuple[str, object]:
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
    deliver(ptp, OCPI_SESSION, payment.pk)
    return OCPI_CDR, payment.pk


def a_credit(ptp: Platform) -> tuple[str, object]:
    topic, subject = a_cdr(ptp)
    deliver(ptp, topic, subject)
    captured = CaptureReport(
        confirmation_id="c-1", status=CaptureStatus.SUCCESS, amount_minor=500, currency="EUR"
    )
    payment = Payment.objects.get(pk=subject)
    settlement.confirm(payment.pk, captured, now=timezone.now())
    credit = decisions.refund(payment.pk, 200, actor="staff", reason="rain", now=timezone.now())
    return decisions.OCPI_CREDIT, credit.pk


def an_assignment(ptp: Platform) -> tuple[str, object]:
    ptp.cast.terminal.sites.clear()
    ptp.cast.terminal.sites.add(ptp.cast.site)
    return terminals.TOPIC, ptp.cast.terminal.pk


def a_result(ptp: Platform) -> tuple[str, object]:
    payment = ptp.payment()
    command = OcpiCommand.objects.create(
        connection=ptp.connection,
        kind=OcpiCommand.Kind.START,
        payment=payment,
        response_url=f"{ptp.server.url}/ocpi/results/1",
        deadline_at=timezone.now() + timedelta(seconds=30),
    )
    builders.answer_start(payment, CommandOutcome.ACCEPTED)
    assert results.settle_command(command.pk, now=timezone.now())
    return results.TOPIC, command.pk


Make = Callable[[Platform], tuple[str, object]]


def state(ptp: Platform, topic: str, subject: object) -> str:
    return message(ptp, topic, subject).state


@pytest.mark.parametrize(("http_status", "ocpi_status"), LATER)
@pytest.mark.parametrize("make", [a_cdr, a_credit, an_assignment, a_result])
def test_trouble_with_our_token_or_their_limits_gives_nothing_up(
    owner: Platform, make: Make, http_status: int, ocpi_status: int
) -> None:
    topic, subject = make(owner)
    for _ in range(12):
        owner.answers = [reply(ocpi_status, http_status=http_status)] * 2
        assert not deliver(owner, topic, subject)

    assert state(owner, topic, subject) == "DUE"


@pytest.mark.parametrize(("http_status", "ocpi_status"), LATER)
def test_staff_are_not_shown_a_cdr_that_nobody_has_looked_at(
    ptp: Platform, http_status: int, ocpi_status: int
) -> None:
    topic, subject = a_cdr(ptp)
    ptp.answers = [reply(ocpi_status, http_status=http_status)]
    deliver(ptp, topic, subject)

    assert Payment.objects.get(pk=subject).review == ""


@pytest.mark.parametrize(("http_status", "ocpi_status"), LATER)
def test_such_a_no_to_a_patch_is_no_wish_for_the_whole(http_status: int, ocpi_status: int) -> None:
    answer = Answer(http_status=http_status, ocpi_status=ocpi_status)

    assert not sending.refused(answer)
    assert not sending.wants_whole(answer)


@pytest.mark.parametrize(("http_status", "ocpi_status"), NO)
def test_a_no_to_the_message_is_one(http_status: int, ocpi_status: int) -> None:
    assert sending.refused(Answer(http_status=http_status, ocpi_status=ocpi_status))


def test_only_refusals_are_counted(ptp: Platform) -> None:
    topic, subject = a_cdr(ptp)
    for _ in range(6):
        ptp.answers = [reply(2001, http_status=401)] * 2
        deliver(ptp, topic, subject)

    said = []
    for _ in range(sending.REFUSALS):
        said.append(state(ptp, topic, subject))
        ptp.answers = [reply(2003, http_status=404), reply(2003)]  # it has none, and wants none
        deliver(ptp, topic, subject)

    assert (said, state(ptp, topic, subject)) == (["DUE"] * sending.REFUSALS, "GIVEN_UP")


@pytest.mark.parametrize("hiccup", [False, True])
def test_sent_again_by_a_person_it_has_all_its_tries_again(ptp: Platform, hiccup: bool) -> None:
    topic, subject = a_cdr(ptp)
    for _ in range(sending.REFUSALS):
        ptp.answers = [reply(2001, http_status=404)] * 2
        deliver(ptp, topic, subject)
    assert state(ptp, topic, subject) == "GIVEN_UP"

    outbox.replay(message(ptp, topic, subject), now=timezone.now())
    if hiccup:  # then the first refusal is not the first attempt
        ptp.answers = [reply(2001, http_status=401)] * 2
        deliver(ptp, topic, subject)
    ptp.answers = [reply(2001, http_status=404)] * 2
    deliver(ptp, topic, subject)

    assert state(ptp, topic, subject) == "DUE"


def test_what_was_refused_and_arrived_leaves_no_count(ptp: Platform) -> None:
    topic, subject = a_cdr(ptp)
    ptp.answers = [reply(2001)]
    deliver(ptp, topic, subject)
    assert ptp.connection.pushes.filter(subject__startswith="refused:").count() == 1

    assert deliver(ptp, topic, subject)

    assert not ptp.connection.pushes.filter(subject__startswith="refused:").exists()


@pytest.mark.parametrize(
    ("header", "least"),
    [
        ("120", 120),
        ("999999", 3600),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 3600),
        ("Wed, 21 Oct 2099 07:28:00 +0000", 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 99999 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2099 07:28:00", 0),  # of no zone
        ("0", 0),
        ("-5", 0),
        ("soon", 0),
        ("1" * 400, 0),
    ],
)
def test_a_platform_says_how_long_to_wait(ptp: Platform, header: str, least: int) -> None:
    topic, subject = a_cdr(ptp)
    ptp.answers = [Reply(status_code=2000, http_status=429, headers={"Retry-After": header})]
    before = timezone.now()

    deliver(ptp, topic, subject)

    waits = (message(ptp, topic, subject).next_attempt_at - before).total_seconds()
    assert least <= waits < least + 5


@pytest.mark.parametrize("said", [reply(2000, http_status=429), Reply(raw=b"slow down", http_status=429)])
def test_one_that_limits_our_rate_is_not_probed_for_it(ptp: Platform, said: Reply) -> None:
    topic, subject = a_cdr(ptp)
    for _ in range(6):
        ptp.answers = [said] * 2
        deliver(ptp, topic, subject)

    ptp.reload()
    assert ptp.connection.ptp.errors_in_row == 0


def test_after_a_rotation_what_waits_leaves_at_once(ptp: Platform) -> None:
    OcpiConnection.objects.update(token_changed_at=timezone.now() - timedelta(days=30))
    watch.look(timezone.now())
    topic, subject = a_cdr(ptp)
    row = message(ptp, topic, subject)
    OutboxMessage.objects.filter(pk=row.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    later = timezone.now() + timedelta(seconds=10)
    watch.look(later)
    assert row.pk not in outbox.due_ids(later, 100)

    OcpiConnection.objects.update(token_changed_at=later)
    watch.look(later + timedelta(seconds=10))

    assert row.pk in outbox.due_ids(later + timedelta(seconds=10), 100)


def test_a_location_that_meets_a_dead_token_is_not_put_whole_for_ever(ptp: Platform) -> None:
    watch.look(timezone.now())
    deliver_all(ptp)
    told = ptp.connection.pushes.get(kind="SITE").state
    EVSE.objects.update(status=EvseStatus.FAULTED)
    outbox.tell(
        ptp=ptp.connection.ptp, topic=locations.TOPIC, subject=str(ptp.cast.site.pk), now=timezone.now()
    )
    ptp.forget_calls()
    ptp.answers = [reply(2001, http_status=401)]

    deliver(ptp, locations.TOPIC, ptp.cast.site.pk)

    assert ptp.methods == ["PATCH"]
    assert ptp.connection.pushes.get(kind="SITE").state == told
