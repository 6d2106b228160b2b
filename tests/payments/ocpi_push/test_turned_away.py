"""What finds its PTP busy, or looks again too soon, comes up by itself and not with the next sweep."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE
from chargers.signals import evse_status_changed
from payments import outbox, receivers
from payments.models import OutboxMessage
from payments.ocpi.push import locations, remembered, watch
from payments.outbox import CALLS_PER_PTP, DELIVER_TASK, Delivery
from tests import builders
from tests.payments.ocpi_push.carried import DOWN, FAULTY, NOW, REFUSED, YES, Carried, tell
from tests.payments.ocpi_push.platform import Platform

pytestmark = pytest.mark.django_db


class Woken(list[tuple[object, ...]]):
    """Wake-ups that were asked for: name, arguments and, where it is not at once, the delay."""

    def __call__(self, *hint: object, in_seconds: float = 0.0) -> None:
        self.append((*hint, in_seconds) if in_seconds else hint)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> Woken:
    """What this room wakes."""
    hints = Woken()
    monkeypatch.setattr(outbox, "wake", hints)
    monkeypatch.setattr(watch, "wake", hints)
    return hints


class TestMessages:
    @pytest.mark.parametrize("answer", [YES, REFUSED, FAULTY])
    def test_the_third_of_a_tap_is_woken_when_a_call_ends(
        self, carried: Carried, woken: Woken, answer: Delivery
    ) -> None:
        ptp = builders.ptp()
        first, *others, third = [tell(ptp, "first", str(n)) for n in range(CALLS_PER_PTP + 1)]
        in_calls = OutboxMessage.objects.filter(pk__in=[first.pk, *(other.pk for other in others)])
        in_calls.update(claimed_until=NOW + timedelta(seconds=outbox.CLAIM_SECONDS))
        assert not outbox.deliver(third.pk, now=NOW)
        OutboxMessage.objects.filter(pk=first.pk).update(claimed_until=None)
        woken.clear()
        carried.answers = [answer]

        outbox.deliver(first.pk, now=NOW)

        assert woken == [(DELIVER_TASK, str(third.pk))]

    def test_a_call_that_reached_nobody_wakes_nothing(self, carried: Carried, woken: Woken) -> None:
        ptp = builders.ptp()
        first, _ = tell(ptp, "first", "1"), tell(ptp, "first", "2")
        woken.clear()
        carried.answers = [DOWN]

        outbox.deliver(first.pk, now=NOW)

        assert woken == []

    def test_what_waits_for_its_time_or_its_turn_or_another_ptp_is_not_woken(
        self, carried: Carried, woken: Woken
    ) -> None:
        ptp = builders.ptp()
        message = tell(ptp, "first", "1")
        tell(ptp, "first", "later", at=NOW + timedelta(hours=1))
        tell(ptp, "second", "behind", lane="l")
        ahead = tell(ptp, "first", "ahead", lane="l")
        OutboxMessage.objects.filter(pk=ahead.pk).update(next_attempt_at=NOW + timedelta(hours=1))
        tell(builders.ptp(), "first", "elsewhere")
        woken.clear()

        assert outbox.deliver(message.pk, now=NOW)

        assert woken == []


class TestLooks:
    def test_a_change_just_after_a_look_is_looked_for_once_the_pause_is_over(
        self, ptp: Platform, woken: Woken
    ) -> None:
        now = timezone.now()
        watch.look(now)
        remembered.note(ptp.connection, remembered.Kind.SITE, str(ptp.cast.site.pk), {}, now=now)
        woken.clear()
        EVSE.objects.filter(pk=ptp.cast.evse.pk).update(status=EvseStatus.CHARGING, status_at=now)

        for milliseconds in (100, 200, 300):
            assert watch.look(now + timedelta(milliseconds=milliseconds)) == 0

        assert woken == [(watch.TASK, watch.PAUSE.total_seconds())]
        OutboxMessage.objects.all().delete()
        watch.look(now + timedelta(milliseconds=1100))
        assert OutboxMessage.objects.filter(topic=locations.TOPIC).exists()

    def test_a_look_that_comes_in_time_books_none(self, ptp: Platform, woken: Woken) -> None:
        now = timezone.now()

        watch.look(now)
        watch.look(now + watch.PAUSE)

        assert (watch.TASK, watch.PAUSE.total_seconds()) not in woken

    def test_another_state_of_an_evse_wakes_one(self, woken: Woken, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(receivers, "wake", woken)

        evse_status_changed.send(None, evse_pk=1)

        assert woken == [(watch.TASK,)]
