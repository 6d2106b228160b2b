"""The outbox: order within a lane, turns between PTPs, and the circuit of one that is down."""

import threading
from datetime import timedelta

import pytest
from django.db import connection as database

from payments import outbox
from payments.models import OutboxMessage
from payments.outbox import PATIENCE, Delivery
from tests import builders
from tests.payments.ocpi_push.carried import (
    DOWN,
    NOW,
    REFUSED,
    YES,
    Carried,
    due,
    fail_until_open,
    tell,
)


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
