"""Tariffs for a platform that asks for one window of time after the other, each up to the present.

OCPI 2.3.0 transport_and_format, pagination: `date_from` is the `date_to` of the request before, so what changed
is found in one window, and in no other.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.models import Connector, Site
from payments.models import SeenTariff, TariffNews
from payments.ocpi import connections, seen
from payments.ocpi.dialects import Version
from payments.ocpi.seen import Agreed, NotSeen, Shown, tariff_for
from payments.ocpi.told_tariffs import told_tariffs
from tariffs.engine.terms import PriceLimit
from tariffs.models import Tariff
from tariffs.versions import save_tariff
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_server.paying import text_of
from tests.payments.ocpi_server.reader import Answer, Reader, reader


@dataclass
class Poller:
    """A platform that asks in windows; its clock may be ahead of ours."""

    ptp: Reader
    ahead: timedelta = timedelta(0)
    asked_until: datetime = field(default_factory=lambda: timezone.now() - timedelta(hours=1))

    def ask(self, **query: Any) -> Answer:
        """Ask for what changed since it last asked."""
        since, self.asked_until = self.asked_until, timezone.now() + self.ahead
        return self.ptp.get("tariffs", date_from=text_of(since), date_to=text_of(self.asked_until), **query)

    def ids(self) -> list[str]:
        """What the next window has."""
        return list(self.ask().by("id"))

    def may_start(self, cast: Cast) -> Agreed | NotSeen:
        """What a session would be priced by, after all that was told."""
        connector = Connector.objects.select_related("evse__site").get(pk=cast.connector.pk)
        return tariff_for(self.ptp.connection, connector, now=timezone.now() + timedelta(hours=1))


@pytest.fixture
def poller(ptp: Reader) -> Poller:
    return Poller(ptp)


def look(ptp: Reader) -> datetime:
    """Somebody of ours looks, as before a push; returns the stamp of the only tariff."""
    (told,) = told_tariffs(
        ptp.connection,
        connections.parties_of(ptp.connection),
        version=Version(ptp.version),
        now=timezone.now(),
    )
    return told.changed_at


def test_a_tariff_is_found_in_one_window_and_sold_from_then_on(cast: Cast, poller: Poller) -> None:
    tariff_id = cast.tariff_version.tariff.tariff_id

    assert (poller.ids(), poller.may_start(cast)) == ([], NotSeen.TARIFF_NOT_SEEN)
    assert (poller.ids(), poller.ids()) == ([tariff_id], [])

    assert poller.may_start(cast) == Agreed(cast.tariff_version, 6000)


@pytest.mark.parametrize("news", ["another version", "another hold"])
def test_a_change_is_found_in_one_window(cast: Cast, poller: Poller, news: str) -> None:
    version = builders.tariff_version(preauthorize_amount=None)
    Tariff.objects.exclude(pk=version.tariff_id).update(active=False)
    cast.connector.tariffs.set([version.tariff])
    poller.ids(), poller.ids()
    if news == "another version":
        version = save_tariff(replace(version.terms(), min_price=PriceLimit(Decimal(1))))
    else:
        Site.objects.update(preauthorize_dc=Decimal(90))

    assert [poller.ids() for _ in range(3)] == [[], [version.tariff.tariff_id], []]

    assert poller.may_start(cast) == Agreed(version, 9000 if news == "another hold" else 6000)


def test_a_window_is_answered_the_same_however_often_it_is_asked_for(cast: Cast, poller: Poller) -> None:
    poller.ids()
    window = {"date_from": text_of(poller.asked_until), "date_to": text_of(timezone.now())}

    first, again, everything = (poller.ptp.get("tariffs", **each) for each in (window, window, {}))

    assert first.data == again.data == everything.data != []
    assert first.data[0]["last_updated"] == seen_stamp().strftime("%Y-%m-%dT%H:%M:%SZ")


def seen_stamp() -> datetime:
    return TariffNews.objects.get().news_at


def test_a_page_of_a_window_does_not_move_the_others(cast: Cast, poller: Poller) -> None:
    others = [builders.tariff_version().tariff.tariff_id for _ in range(2)]
    poller.ids()

    answer = poller.ask(limit=1)
    told = [each["id"] for each in answer.data]
    while answer.next_path:
        answer = poller.ptp.get(answer.next_path)
        told += [each["id"] for each in answer.data]

    assert told == [cast.tariff_version.tariff.tariff_id, *others]
    assert poller.ids() == []


def test_a_look_of_ours_before_the_window_is_over_does_not_hide_news(cast: Cast, poller: Poller) -> None:
    poller.ids(), poller.ids()
    save_tariff(replace(cast.tariff_version.terms(), preauthorize_amount=Decimal(99)))
    look(poller.ptp)  # a push, that failed

    assert [len(poller.ids()) for _ in range(2)] == [1, 0]


def test_what_was_not_offered_when_its_window_was_asked_for_is_found_later(
    cast: Cast, poller: Poller
) -> None:
    poller.ids()
    Tariff.objects.update(active=False)
    assert poller.ids() == []
    Tariff.objects.update(active=True)

    assert found_in(poller, windows=3) == [cast.tariff_version.tariff.tariff_id]


@pytest.mark.parametrize("ahead_seconds", [-20, 2, 60])
def test_a_platform_with_another_clock_misses_nothing(cast: Cast, poller: Poller, ahead_seconds: int) -> None:
    poller.ahead = timedelta(seconds=ahead_seconds)
    Tariff.objects.update(active=False)
    assert poller.ids() == []
    Tariff.objects.update(active=True)
    look(poller.ptp)
    if ahead_seconds < 0:
        assert poller.ids() == []
        poller.ahead = timedelta(0)  # its clock has come as far

    assert found_in(poller, windows=3) == [cast.tariff_version.tariff.tariff_id]


def found_in(poller: Poller, *, windows: int) -> list[str]:
    return [tariff_id for _ in range(windows) for tariff_id in poller.ids()]


def test_both_versions_in_turn_hide_nothing_from_each_other(cast: Cast, poller: Poller) -> None:
    limit = PriceLimit(Decimal("30.00"), Decimal("37.65"))  # the hold, in 2.2.1
    save_tariff(replace(cast.tariff_version.terms(), max_price=limit))
    old = Poller(replace(poller.ptp, version="2.2.1"))

    found = [bool(old.ids()) + 2 * bool(poller.ids()) for _ in range(3)]

    assert (found[0], found[1]) == (0, 3)


def test_one_look_by_a_far_future_changes_nothing(cast: Cast, ptp: Reader) -> None:
    before = look(ptp)

    assert ptp.get("tariffs", date_from="2099-01-01T00:00:00Z").total == 0

    assert look(ptp) == before


# --- The stamp ------------------------------------------------------------------------------------


def test_the_stamp_stays_when_the_tariff_is_told(cast: Cast, ptp: Reader) -> None:
    stamp = look(ptp)
    ptp.get("tariffs")

    assert look(ptp) == stamp == seen_stamp()
    with CaptureQueriesContext(database) as captured:
        look(ptp)
    assert not [q for q in captured.captured_queries if not q["sql"].startswith("SELECT")]


def test_a_stamp_never_goes_back(cast: Cast, ptp: Reader) -> None:
    look(ptp)
    ahead = timezone.now() + timedelta(minutes=10)
    TariffNews.objects.update(news_at=ahead)  # by a server whose clock was fast
    save_tariff(replace(cast.tariff_version.terms(), preauthorize_amount=Decimal(99)))

    assert look(ptp) > ahead


def test_terms_that_come_back_are_newer_than_those_between(cast: Cast, ptp: Reader) -> None:
    Tariff.objects.exclude(
        pk=(version := builders.tariff_version(preauthorize_amount=None)).tariff_id
    ).update(active=False)
    cast.connector.tariffs.set([version.tariff])
    ptp.get("tariffs")
    stamps = [look(ptp)]
    for hold in (90, 60):
        Site.objects.update(preauthorize_dc=Decimal(hold))
        stamps.append(look(ptp))

    assert stamps == sorted(set(stamps))


def test_what_was_taken_away_and_is_offered_again_is_news(cast: Cast, ptp: Reader) -> None:
    stamp = look(ptp)
    ptp.get("tariffs")

    seen.forget_tariff(ptp.connection, cast.tariff_version.tariff_id)  # a DELETE that was pushed

    assert look(ptp) > stamp


def test_what_was_told_before_there_were_stamps_is_no_news(cast: Cast, ptp: Reader) -> None:
    told_at = timezone.now() - timedelta(days=3)
    shown = Shown(cast.tariff_version.pk, 6000)
    seen.note_tariffs(ptp.connection, {cast.tariff_version.tariff_id: shown}, now=told_at)

    assert look(ptp) == told_at
    assert not TariffNews.objects.exists()


def test_each_platform_has_its_own_stamps(cast: Cast, ptp: Reader) -> None:
    first, second = look(ptp), look(reader())

    assert second > first == look(ptp)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_eight_looks_at_once_one_stamps() -> None:
    builders.cast()
    ptp = reader()
    stamps: list[datetime] = []

    def run(barrier: threading.Barrier, act: Callable[[Reader], datetime]) -> None:
        try:
            barrier.wait()
            stamps.append(act(ptp))
        finally:
            database.close()

    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=run, args=(barrier, look)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stamps == [seen_stamp()] * 8
    assert not SeenTariff.objects.exists()
