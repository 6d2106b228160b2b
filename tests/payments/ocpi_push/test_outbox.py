"""The outbox: order within a lane, turns between PTPs, and the circuit of one that is down."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from payments import circuit, outbox
from payments.models import OutboxMessage, Ptp
from payments.outbox import PATIENCE, Delivery
from tests import builders

NOW = timezone.now()
DOWN = Delivery(delivered=False, error="no answer", unreachable=True)
REFUSED = Delivery(delivered=False, error="OCPI 2001")
YES = Delivery(delivered=True)


@dataclass
class Carried:
    """What was carried, as `topic subject`; `answers` are used up one by one, then every answer is yes."""

    sent: list[str] = field(default_factory=list)
    answers: list[Delivery] = field(default_factory=list)

    def __call__(self, message: OutboxMessage) -> Delivery:
        self.sent.append(f"{message.topic} {message.subject}")
        return self.answers.pop(0) if self.answers else YES


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> Carried:
    """A carrier of the topics `first` and `second`, which goes after `first`."""
    monkeypatch.setattr(outbox, "_carriers", {})
    monkeypatch.setattr(outbox, "_earlier", {})
    carrier = Carried()
    outbox.register("first", carrier)
    outbox.register("second", carrier, after=("first",))
    return carrier


def tell(ptp: Ptp, topic: str, subject: str = "x", *, lane: str = "", at: datetime = NOW) -> OutboxMessage:
    """Tell news at a fixed time."""
    return outbox.tell(ptp=ptp, topic=topic, subject=subject, lane=lane, now=at)


def due(message: OutboxMessage, state: str = "DUE") -> bool:
    """Whether the message is in this state, as the database has it."""
    message.refresh_from_db()
    return message.state == state


def fail_until_open(ptp: Ptp, carried: Carried, at: datetime = NOW) -> list[OutboxMessage]:
    """Let as many messages reach nobody as it takes to open the circuit."""
    messages = [tell(ptp, "first", f"down-{n}", at=at) for n in range(circuit.OPEN_AFTER)]
    for message in messages:
        carried.answers = [DOWN]
        outbox.deliver(message.pk, now=at)
    carried.sent.clear()
    return messages


@pytest.mark.django_db
class TestOrder:
    def test_a_message_lets_those_before_it_in_its_lane_go_first(self, carried: Carried) -> None:
        ptp = builders.ptp()
        second = tell(ptp, "second", lane="l")
        first = tell(ptp, "first", lane="l")

        assert not outbox.deliver(second.pk, now=NOW)
        assert outbox.deliver(first.pk, now=NOW)
        assert outbox.deliver(second.pk, now=NOW)

        assert carried.sent == ["first x", "second x"]

    def test_the_sweep_sees_what_is_due_in_the_order_of_the_lane(self, carried: Carried) -> None:
        ptp = builders.ptp()
        second = tell(ptp, "second", lane="l")
        first = tell(ptp, "first", lane="l")

        assert outbox.due_ids(NOW, 10) == [first.pk]
        outbox.deliver(first.pk, now=NOW)
        assert outbox.due_ids(NOW, 10) == [second.pk]

    def test_what_is_refused_again_and_again_does_not_hold_back_money_for_ever(
        self, carried: Carried
    ) -> None:
        ptp = builders.ptp()
        first, second = tell(ptp, "first", lane="l"), tell(ptp, "second", lane="l")
        carried.answers = [REFUSED] * PATIENCE
        now = NOW
        for _ in range(PATIENCE):
            assert not outbox.deliver(second.pk, now=now)
            outbox.deliver(first.pk, now=now)
            first.refresh_from_db()
            now = first.next_attempt_at

        assert now - NOW < timedelta(minutes=2)
        assert outbox.deliver(second.pk, now=now)

    def test_what_is_refused_for_good_holds_back_nothing(self, carried: Carried) -> None:
        ptp = builders.ptp()
        first, second = tell(ptp, "first", lane="l"), tell(ptp, "second", lane="l")
        carried.answers = [Delivery(delivered=False, error="never", permanent=True)]

        outbox.deliver(first.pk, now=NOW)

        assert due(first, "GIVEN_UP")
        assert outbox.deliver(second.pk, now=NOW)

    @pytest.mark.parametrize("lanes", [("a", "b"), ("", "")])
    def test_other_lanes_and_no_lane_wait_for_nobody(self, carried: Carried, lanes: tuple[str, str]) -> None:
        ptp = builders.ptp()
        tell(ptp, "first", lane=lanes[0])
        second = tell(ptp, "second", lane=lanes[1])

        assert outbox.deliver(second.pk, now=NOW)

    def test_the_same_lane_of_another_ptp_is_another_lane(self, carried: Carried) -> None:
        tell(builders.ptp(), "first", lane="l")
        second = tell(builders.ptp(), "second", lane="l")

        assert outbox.deliver(second.pk, now=NOW)


@pytest.mark.django_db
class TestTurns:
    def test_a_thousand_messages_of_one_ptp_do_not_keep_another_waiting(self, carried: Carried) -> None:
        loud, quiet = builders.ptp(), builders.ptp()
        for n in range(20):
            tell(loud, "first", str(n), at=NOW - timedelta(hours=1))
        urgent = tell(quiet, "first")

        assert urgent.pk in outbox.due_ids(NOW, 10)[:2]

    def test_the_next_attempt_is_counted_from_the_end_of_the_call(
        self, carried: Carried, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticks = iter([0.0, 20.0])
        monkeypatch.setattr(outbox.time, "monotonic", lambda: next(ticks))
        carried.answers = [DOWN]
        message = tell(builders.ptp(), "first")

        outbox.deliver(message.pk, now=NOW)

        message.refresh_from_db()
        assert message.next_attempt_at > NOW + timedelta(seconds=21)

    def test_an_earlier_attempt_that_may_have_arrived_is_told_to_the_carrier(
        self, carried: Carried, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[bool] = []

        def carry(message: OutboxMessage) -> Delivery:
            told.append(message.repeated)
            return YES

        outbox.register("first", carry)
        killed, fresh = tell(builders.ptp(), "first", "killed"), tell(builders.ptp(), "first", "fresh")
        OutboxMessage.objects.filter(pk=killed.pk).update(claimed_until=NOW - timedelta(seconds=1))

        outbox.deliver(fresh.pk, now=NOW)
        outbox.deliver(killed.pk, now=NOW)

        assert told == [False, True]

    def test_after_three_days_a_message_is_given_up_with_its_last_error(self, carried: Carried) -> None:
        message = tell(builders.ptp(), "first", at=NOW - timedelta(hours=73))
        carried.answers = [REFUSED]

        outbox.deliver(message.pk, now=NOW)

        assert due(message, "GIVEN_UP")
        assert message.last_error == "OCPI 2001"


@pytest.mark.django_db
class TestReplay:
    def test_what_was_given_up_is_sent_again_when_staff_want_so(self, carried: Carried) -> None:
        message = tell(builders.ptp(), "first", at=NOW - timedelta(hours=73))
        carried.answers = [REFUSED]
        outbox.deliver(message.pk, now=NOW)

        outbox.replay(message, now=NOW)

        assert due(message)
        assert (message.attempts, message.version) == (0, 1)
        assert outbox.deliver(message.pk, now=NOW)

    def test_all_that_a_ptp_has_not_got_is_sent_again_and_nothing_else(self, carried: Carried) -> None:
        ptp = builders.ptp()
        arrived, refused, waiting = (tell(ptp, "first", name) for name in ("arrived", "refused", "waiting"))
        outbox.deliver(arrived.pk, now=NOW)
        carried.answers = [Delivery(delivered=False, permanent=True), REFUSED]
        outbox.deliver(refused.pk, now=NOW)
        outbox.deliver(waiting.pk, now=NOW)
        tell(builders.ptp(), "first", "of another")
        carried.sent.clear()

        assert outbox.replay_all(ptp, now=NOW) == 2

        assert due(arrived, "DELIVERED")
        assert outbox.deliver(refused.pk, now=NOW)
        assert outbox.deliver(waiting.pk, now=NOW)


@pytest.mark.django_db
class TestCircuit:
    def test_a_ptp_that_answers_nobody_is_called_once_in_fifteen_seconds(self, carried: Carried) -> None:
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

    def test_a_probe_goes_out_though_every_message_waits_for_an_hour(self, carried: Carried) -> None:
        ptp = builders.ptp()
        fail_until_open(ptp, carried)
        OutboxMessage.objects.filter(ptp=ptp).update(next_attempt_at=NOW + timedelta(hours=1))

        assert outbox.due_ids(NOW + timedelta(seconds=16), 10) == []
        assert outbox.probe_silent(NOW + timedelta(seconds=16)) == 1

        assert len(carried.sent) == 1

    def test_the_first_answer_makes_all_that_waits_due(self, carried: Carried) -> None:
        ptp = builders.ptp()
        waiting = fail_until_open(ptp, carried)
        OutboxMessage.objects.filter(ptp=ptp).update(next_attempt_at=NOW + timedelta(hours=1), attempts=9)
        later = NOW + timedelta(seconds=16)

        outbox.probe_silent(later)

        ptp.refresh_from_db()
        assert (ptp.failures_in_row, ptp.probe_at) == (0, None)
        assert len(outbox.due_ids(later + timedelta(seconds=1), 10)) == len(waiting) - 1

    def test_after_an_outage_the_order_of_a_lane_holds_again(self, carried: Carried) -> None:
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

    def test_any_answer_counts_as_being_there(self, carried: Carried) -> None:
        ptp = builders.ptp()
        fail_until_open(ptp, carried)
        carried.answers = [REFUSED]

        outbox.probe_silent(NOW + timedelta(seconds=16))

        ptp.refresh_from_db()
        assert ptp.failures_in_row == 0

    def test_the_probes_take_turns_so_that_one_bad_message_does_not_keep_the_circuit_open(
        self, carried: Carried
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

    def test_a_message_that_needs_no_call_proves_nothing_and_costs_no_probe(self, carried: Carried) -> None:
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

    def test_a_message_that_cannot_be_rendered_does_not_keep_others_down(self, carried: Carried) -> None:
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

    def test_one_that_is_down_does_not_hold_back_another(self, carried: Carried) -> None:
        fail_until_open(builders.ptp(), carried)
        other = tell(builders.ptp(), "first")

        assert outbox.due_ids(NOW + timedelta(hours=2), 10) == [other.pk]


# --- Two workers at once --------------------------------------------------------------------------


def at_once(*acts: object) -> list[object]:
    """Run these in threads that start together; returns their results."""
    barrier = threading.Barrier(len(acts))
    results: list[object] = [None] * len(acts)

    def run(number: int) -> None:
        try:
            barrier.wait()
            results[number] = acts[number]()  # type: ignore[operator]
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_one_carries_a_message(carried: Carried) -> None:
    message = tell(builders.ptp(), "first")

    results = at_once(*[lambda: outbox.deliver(message.pk, now=NOW)] * 8)

    assert results.count(True) == 1
    assert len(carried.sent) == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_eight_workers_one_probes_a_ptp_that_is_down(carried: Carried) -> None:
    ptp = builders.ptp()
    fail_until_open(ptp, carried)
    later = NOW + timedelta(seconds=16)
    waiting = [tell(ptp, "first", f"n{n}", at=later) for n in range(8)]
    carried.answers = [DOWN] * 8

    at_once(*[lambda pk=message.pk: outbox.deliver(pk, now=later) for message in waiting])

    assert len(carried.sent) == 1
