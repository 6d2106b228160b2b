"""What finds its PTP busy, or looks again too soon, comes up by itself and not with the next sweep."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE
from chargers.signals import evse_status_changed
from payments import outbox
from payments.models import OutboxMessage
from payments.ocpi.push import locations, remembered, watch
from payments.outbox import CALLS_PER_PTP, DELIVER_TASK, Delivery
from tests import builders
from tests.payments.ocpi_push.carried import DOWN, FAULTY, NOW, REFUSED, YES, Carried, tell
from tests.payments.ocpi_push.platform import Platform, registered

pytestmark = pytest.mark.django_db


BOOKED_SECONDS = (watch.BOOKED_AHEAD + watch.MARGIN).total_seconds()
BOOKED = (watch.TASK, BOOKED_SECONDS)


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


@pytest.fixture
def _nothing_booked() -> Iterator[None]:
    cache.delete(watch._BOOKED)
    yield
    cache.delete(watch._BOOKED)


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

    def test_as_many_are_woken_as_calls_may_be_made(self, carried: Carried, woken: Woken) -> None:
        ptp = builders.ptp()
        messages = [tell(ptp, "first", str(n)) for n in range(CALLS_PER_PTP + 2)]
        woken.clear()

        outbox.deliver(messages[-1].pk, now=NOW)

        assert woken == [(DELIVER_TASK, str(message.pk)) for message in messages[:CALLS_PER_PTP]]

    def test_a_ptp_that_asks_for_peace_gets_it(self, carried: Carried, woken: Woken) -> None:
        ptp = builders.ptp()
        first, _ = tell(ptp, "first", "1"), tell(ptp, "first", "2")
        woken.clear()
        carried.answers = [outbox.not_taken("HTTP 429", 429)]

        outbox.deliver(first.pk, now=NOW)

        assert woken == []

    @pytest.mark.parametrize("head_start_seconds", [1, 0])
    def test_of_those_that_counted_at_the_same_moment_as_many_call_as_may(
        self, carried: Carried, monkeypatch: pytest.MonkeyPatch, head_start_seconds: int
    ) -> None:
        """Each counts none, then all claim; whoever claimed first calls, and of those together some do."""
        ptp = builders.ptp()
        messages = sorted((tell(ptp, "first", str(n)) for n in range(CALLS_PER_PTP + 1)), key=lambda m: m.pk)
        until = NOW + timedelta(seconds=outbox.CLAIM_SECONDS - head_start_seconds)

        def claimed_by_all(message: OutboxMessage) -> bool:
            OutboxMessage.objects.exclude(pk=message.pk).update(claimed_until=until)
            monkeypatch.setattr(outbox, "_calls_to", lambda *_: 0)
            arrived = outbox.deliver(message.pk, now=NOW)
            OutboxMessage.objects.update(claimed_until=None, state="DUE")
            return arrived

        calls = [claimed_by_all(message) for message in messages]

        assert calls == ([False] * len(messages) if head_start_seconds else [True, True, False])

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


@pytest.mark.usefixtures("_nothing_booked")
class TestLooks:
    def test_many_changes_book_one_look_that_comes_after_them(self, woken: Woken) -> None:
        for _ in range(100):
            watch.look_soon()

        assert woken == [BOOKED]
        cache.delete(watch._BOOKED)  # its second is over
        watch.look_soon()
        assert woken == [BOOKED, BOOKED]

    def test_a_change_just_after_a_look_is_looked_for_later(self, ptp: Platform, woken: Woken) -> None:
        now = timezone.now()
        watch.look(now)
        remembered.note(ptp.connection, remembered.Kind.SITE, str(ptp.cast.site.pk), {}, now=now)
        EVSE.objects.filter(pk=ptp.cast.evse.pk).update(status=EvseStatus.CHARGING, status_at=now)
        OutboxMessage.objects.all().delete()
        woken.clear()

        assert watch.look(now + watch.PAUSE / 2) == 0
        assert woken == [BOOKED]

        watch.look(now + watch.BOOKED_AHEAD)
        assert OutboxMessage.objects.filter(topic=locations.TOPIC).exists()

    def test_what_changes_while_its_site_is_on_the_wire_is_looked_for_afterwards(
        self, ptp: Platform, woken: Woken
    ) -> None:
        now = timezone.now()
        watch.look(now)
        message = OutboxMessage.objects.get(topic=locations.TOPIC)
        remembered.note(ptp.connection, remembered.Kind.SITE, message.subject, {}, now=now)
        EVSE.objects.filter(pk=ptp.cast.evse.pk).update(status=EvseStatus.CHARGING, status_at=now)
        woken.clear()

        watch.look(now + timedelta(seconds=1))
        assert woken == []  # it waits, and will be rendered with what there is then
        OutboxMessage.objects.filter(pk=message.pk).update(claimed_until=now + timedelta(seconds=10))
        watch.look(now + timedelta(seconds=2))

        assert woken == [BOOKED]

    @pytest.mark.parametrize(("away", "found"), [(timedelta(minutes=1), False), (timedelta(minutes=5), True)])
    def test_after_an_absence_all_sites_are_compared(
        self, ptp: Platform, woken: Woken, away: timedelta, found: bool
    ) -> None:
        now = timezone.now() + timedelta(hours=1)  # all there is was made long ago
        watch.look(now)
        site = str(ptp.cast.site.pk)
        remembered.note(ptp.connection, remembered.Kind.SITE, site, {"shape": "", "evses": {}}, now=now)
        OutboxMessage.objects.all().delete()

        watch.look(now + away)

        assert OutboxMessage.objects.filter(topic=locations.TOPIC).exists() is found

    def test_looks_come_to_an_end_however_many_platforms_there_are(self, ptp: Platform, woken: Woken) -> None:
        for _ in range(3):
            registered(builders.cast(), version="2.3.0", endpoints={})
        now = timezone.now()
        at, looks = 0.0, [0.0, 0.0]  # seconds: two workers at the same time, and what is booked then
        for done in range(20):
            if done == len(looks):
                break
            if looks[done] > at:
                cache.delete(watch._BOOKED)  # its second is over
            at = looks[done]
            woken.clear()
            watch.look(now + timedelta(seconds=at))
            looks += [at + BOOKED_SECONDS for hint in woken if hint == BOOKED]

        assert looks == [0.0, 0.0, BOOKED_SECONDS]

    def test_another_state_of_an_evse_books_one(self, woken: Woken) -> None:
        evse_status_changed.send(None, evse_pk=1)

        assert woken == [BOOKED]
