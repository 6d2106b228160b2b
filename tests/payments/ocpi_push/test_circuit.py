"""The circuit of a PTP that nothing gets through to: when it is called, and what its first answer wakes."""

from datetime import timedelta
from unittest.mock import Mock

import pytest
from pytest_django import Settings

from payments import circuit, outbox
from payments.models import OutboxMessage, Ptp
from payments.outbox import Delivery
from tests import builders
from tests.payments.ocpi_push.carried import (
    DOWN,
    FAULTY,
    NOW,
    REFUSED,
    YES,
    Carried,
    due,
    fail_until_open,
    tell,
)

pytestmark = pytest.mark.django_db


def test_a_ptp_that_answers_nobody_is_called_once_in_a_while(carried: Carried, settings: Settings) -> None:
    settings.PEER_PROBE_SECONDS = 15
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    fresh = [tell(ptp, "first", f"n{n}") for n in range(3)]
    carried.answers = [DOWN] * 10

    for seconds in range(33):
        at = NOW + timedelta(seconds=seconds)
        for message in fresh:
            outbox.deliver(message.pk, now=at)
        outbox.probe_silent(at)

    assert len(carried.sent) == 2  # after 15 and after 30 seconds


def test_a_probe_goes_out_though_every_message_waits_for_an_hour(carried: Carried) -> None:
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    OutboxMessage.objects.filter(ptp=ptp).update(next_attempt_at=NOW + timedelta(hours=1))

    assert outbox.due_ids(NOW + timedelta(seconds=16), 10) == []
    assert outbox.probe_silent(NOW + timedelta(seconds=16)) == 1

    assert len(carried.sent) == 1


def test_the_first_answer_makes_all_that_waits_due(carried: Carried) -> None:
    ptp = builders.ptp()
    waiting = fail_until_open(ptp, carried)
    OutboxMessage.objects.filter(ptp=ptp).update(next_attempt_at=NOW + timedelta(hours=1), attempts=9)
    later = NOW + timedelta(seconds=16)

    outbox.probe_silent(later)

    ptp.refresh_from_db()
    assert (ptp.failures_in_row, ptp.probe_at) == (0, None)
    assert len(outbox.due_ids(later + timedelta(seconds=1), 10)) == len(waiting) - 1


def test_after_an_outage_the_order_of_a_lane_holds_again(carried: Carried) -> None:
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    first, second = tell(ptp, "first", lane="l"), tell(ptp, "second", lane="l")
    hours_ago = {"attempts": 9, "next_attempt_at": NOW + timedelta(hours=1)}
    OutboxMessage.objects.filter(pk__in=[first.pk, second.pk]).update(**hours_ago)
    later = NOW + timedelta(seconds=16)

    outbox.probe_silent(later)  # by another message

    ready = outbox.due_ids(later + timedelta(seconds=1), 10)
    assert first.pk in ready
    assert second.pk not in ready


def test_any_answer_counts_as_being_there(carried: Carried) -> None:
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    carried.answers = [REFUSED]

    outbox.probe_silent(NOW + timedelta(seconds=16))

    ptp.refresh_from_db()
    assert ptp.failures_in_row == 0


def test_the_probes_take_turns_so_that_one_bad_message_does_not_keep_the_circuit_open(
    carried: Carried,
) -> None:
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    OutboxMessage.objects.filter(ptp=ptp).delete()
    bad = tell(ptp, "first", "bad", at=NOW - timedelta(hours=1))
    tell(ptp, "first", "good")
    carried.answers = [DOWN]

    outbox.probe_silent(NOW + timedelta(seconds=16))
    outbox.probe_silent(NOW + timedelta(seconds=32))

    assert carried.sent == ["first bad", "first good"]
    assert due(bad)
    ptp.refresh_from_db()
    assert ptp.failures_in_row == 0


def test_a_message_that_needs_no_call_proves_nothing_and_costs_no_probe(carried: Carried) -> None:
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    OutboxMessage.objects.filter(ptp=ptp).delete()
    tell(ptp, "first", "idle")
    tell(ptp, "first", "real", at=NOW + timedelta(seconds=1))
    carried.answers = [outbox.nothing_to_tell("it polls"), YES]
    later = NOW + timedelta(seconds=16)

    outbox.probe_silent(later)
    ptp.refresh_from_db()
    assert circuit.is_open(ptp)
    outbox.probe_silent(later + timedelta(seconds=1))

    ptp.refresh_from_db()
    assert not circuit.is_open(ptp)


def test_a_message_that_cannot_be_rendered_does_not_keep_others_down(carried: Carried) -> None:
    def broken(message: OutboxMessage) -> Delivery:
        raise RuntimeError("a fault of ours")

    outbox.register("broken", broken)
    faulty, sound = builders.ptp(), builders.ptp()
    for ptp in (faulty, sound):
        fail_until_open(ptp, carried)
    OutboxMessage.objects.filter(ptp=faulty).delete()
    tell(faulty, "broken")

    assert outbox.probe_silent(NOW + timedelta(seconds=16)) == 1

    sound.refresh_from_db()
    assert sound.failures_in_row == 0


def in_trouble(carried: Carried, *, attempts: int = 9) -> tuple[Ptp, list[OutboxMessage]]:
    """A PTP that answered several messages with faults, for so long that they wait for an hour."""
    ptp = builders.ptp()
    waiting = fail_until_open(ptp, carried, FAULTY)
    OutboxMessage.objects.filter(ptp=ptp).update(next_attempt_at=NOW + timedelta(hours=1), attempts=attempts)
    return ptp, waiting


def test_one_that_fails_over_everything_is_called_as_usual_and_probed_besides(carried: Carried) -> None:
    ptp, waiting = in_trouble(carried)
    carried.answers = [FAULTY, FAULTY]

    assert not outbox.deliver(tell(ptp, "first", "fresh").pk, now=NOW)  # at once: its circuit is closed
    outbox.probe_silent(NOW + timedelta(seconds=1))
    outbox.probe_silent(NOW + timedelta(seconds=11))
    assert len(carried.sent) == 2
    OutboxMessage.objects.filter(subject="fresh").update(next_attempt_at=NOW + timedelta(hours=2))
    outbox.probe_silent(NOW + timedelta(seconds=22))  # it is well again

    assert len(outbox.due_ids(NOW + timedelta(seconds=23), 10)) == len(waiting)  # all but the probe
    ptp.refresh_from_db()
    assert (ptp.errors_in_row, ptp.fault_of, ptp.probe_at) == (0, None, None)


def test_where_a_part_of_it_fails_the_others_hurry_nothing_and_end_no_probing(carried: Carried) -> None:
    ptp, _ = in_trouble(carried)

    for number in range(20):
        assert outbox.deliver(tell(ptp, "first", f"good {number}").pk, now=NOW)

    assert outbox.due_ids(NOW + timedelta(seconds=1), 10) == []
    assert circuit.due_for_probe(NOW + timedelta(seconds=11)) == [ptp.pk]


def test_one_that_failed_a_moment_ago_says_nothing_of_those_that_wait_for_an_hour(carried: Carried) -> None:
    ptp, _ = in_trouble(carried)
    recent = tell(ptp, "first", "recent")
    OutboxMessage.objects.filter(pk=recent.pk).update(attempts=2)

    assert outbox.deliver(recent.pk, now=NOW)

    assert circuit.due_for_probe(NOW + timedelta(seconds=11)) == [ptp.pk]


def test_a_part_that_fails_for_an_hour_is_called_no_more_than_by_probes_and_backoff(carried: Carried) -> None:
    ptp = builders.ptp()
    broken = {f"broken {number}" for number in range(6)}
    for subject in broken:
        tell(ptp, "first", subject)
    calls = 0

    for seconds in range(0, 3600, 5):
        now = NOW + timedelta(seconds=seconds)
        fresh = tell(ptp, "first", f"good {seconds}", at=now)
        for pk in outbox.due_ids(now, 50):
            message = OutboxMessage.objects.get(pk=pk)
            carried.answers = [FAULTY if message.subject in broken else YES]
            calls += message.pk != fresh.pk
            outbox.deliver(pk, now=now)
        carried.answers = [FAULTY]
        calls += bool(circuit.due_for_probe(now))
        outbox.probe_silent(now)

    assert calls < 6 * 12 + 360 + 20


def test_a_success_that_nothing_else_failed_beside_ends_the_trouble(carried: Carried) -> None:
    ptp, waiting = in_trouble(carried)
    OutboxMessage.objects.filter(pk__in=[message.pk for message in waiting]).delete()

    outbox.deliver(tell(ptp, "first", "fresh").pk, now=NOW)

    ptp.refresh_from_db()
    assert ptp.errors_in_row == 0


def test_one_message_that_its_ptp_chokes_on_keeps_its_backoff_also_where_nothing_else_is_sent(
    carried: Carried,
) -> None:
    ptp = builders.ptp()
    poison = tell(ptp, "first", "poison")
    for _ in range(4 * circuit.OPEN_AFTER):
        OutboxMessage.objects.filter(pk=poison.pk).update(next_attempt_at=NOW)
        carried.answers = [FAULTY]
        outbox.deliver(poison.pk, now=NOW)

    assert outbox.probe_silent(NOW + timedelta(hours=1)) == 0
    assert len(carried.sent) == 4 * circuit.OPEN_AFTER
    ptp.refresh_from_db()
    assert ptp.errors_in_row == 1


def test_one_that_is_busy_is_neither_well_nor_in_trouble(carried: Carried) -> None:
    ptp, _ = in_trouble(carried)
    carried.answers = [outbox.not_taken("too many", 429)]

    outbox.probe_silent(NOW + timedelta(seconds=11))

    ptp.refresh_from_db()
    assert ptp.errors_in_row == circuit.OPEN_AFTER
    assert outbox.due_ids(NOW + timedelta(seconds=12), 10) == []


def test_a_ptp_that_comes_back_with_faults_is_no_longer_down_and_still_in_trouble(carried: Carried) -> None:
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    carried.answers = [FAULTY] * 10

    outbox.probe_silent(NOW + timedelta(seconds=16))
    for pk in outbox.due_ids(NOW + timedelta(seconds=17), 10):
        outbox.deliver(pk, now=NOW + timedelta(seconds=17))

    ptp.refresh_from_db()
    assert ptp.failures_in_row == 0
    assert ptp.errors_in_row >= circuit.OPEN_AFTER
    assert circuit.due_for_probe(NOW + timedelta(seconds=28)) == [ptp.pk]


def test_an_answer_between_two_silences_ends_the_row(carried: Carried) -> None:
    ptp = builders.ptp()
    message = tell(ptp, "first")
    for answer in [DOWN, FAULTY] * circuit.OPEN_AFTER:
        OutboxMessage.objects.filter(pk=message.pk).update(next_attempt_at=NOW)
        carried.answers = [answer]
        outbox.deliver(message.pk, now=NOW)

    ptp.refresh_from_db()
    assert ptp.failures_in_row == 0


def test_what_needs_no_call_brings_no_probe_forward(carried: Carried) -> None:
    ptp, _ = in_trouble(carried)
    carried.answers = [outbox.nothing_to_tell("it polls")]

    outbox.deliver(tell(ptp, "first", "idle").pk, now=NOW)

    assert circuit.due_for_probe(NOW + timedelta(seconds=1)) == []


@pytest.mark.parametrize(("status", "faulty", "unreachable"), [(500, True, False), (503, False, True)])
def test_what_an_http_status_says_of_the_peer(status: int, faulty: bool, unreachable: bool) -> None:
    told = outbox.not_taken("no", status)

    assert (told.faulty, told.unreachable) == (faulty, unreachable)
    assert not outbox.not_taken("no", 404).faulty


def test_one_that_is_down_does_not_hold_back_another(carried: Carried) -> None:
    fail_until_open(builders.ptp(), carried)
    other = tell(builders.ptp(), "first")

    assert outbox.due_ids(NOW + timedelta(hours=2), 10) == [other.pk]


def test_a_worker_that_dies_as_the_circuit_closes_lets_nothing_wait_for_an_hour(
    carried: Carried, monkeypatch: pytest.MonkeyPatch
) -> None:
    ptp = builders.ptp()
    waiting = fail_until_open(ptp, carried)
    OutboxMessage.objects.filter(ptp=ptp).update(next_attempt_at=NOW + timedelta(hours=1), attempts=12)
    with monkeypatch.context() as dying:
        dying.setattr(outbox, "hurry", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            outbox.probe_silent(NOW + timedelta(seconds=16))

    for seconds in range(20, 120, 5):
        at = NOW + timedelta(seconds=seconds)
        for pk in outbox.due_ids(at, 100):
            outbox.deliver(pk, now=at)
        outbox.probe_silent(at)

    assert all(due(message, "DELIVERED") for message in waiting)
