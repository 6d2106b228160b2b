"""Tariffs: which are published with which hold, and what a platform that was told them may start by."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.models import Connector, Site
from payments.models import SeenTariff
from payments.ocpi.seen import NotSeen, tariff_for
from payments.ocpi.tariffs import parse_tariff
from tariffs.engine.terms import PriceLimit, TariffType
from tariffs.models import Tariff
from tariffs.price_text import LANGUAGES
from tariffs.versions import save_tariff
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_server.reader import Reader, contract, reader

OTHER = ("SE", "OTH")


def test_a_tariff_tells_prices_texts_and_the_hold(cast: Cast, ptp: Reader) -> None:
    answer = ptp.get("tariffs")

    assert (answer.http_status, answer.status, answer.total) == (200, 1000, 1)
    (tariff,) = answer.data
    assert tariff["id"] == cast.tariff_version.tariff.tariff_id
    assert tariff["preauthorize_amount"] == 60
    assert {text["language"] for text in tariff["tariff_alt_text"]} == set(LANGUAGES)


def test_the_older_version_has_the_hold_where_it_looks_for_it(cast: Cast, ptp: Reader) -> None:
    ptp.version = "2.2.1"

    (tariff,) = ptp.get("tariffs").data

    assert tariff["max_price"]["incl_vat"] == 60
    assert "preauthorize_amount" not in tariff
    assert parse_tariff(tariff).id == tariff["id"]


def test_texts_come_in_the_languages_that_the_platform_asked_for(cast: Cast, ptp: Reader) -> None:
    ptp.change(languages=["fi"])

    (tariff,) = ptp.get("tariffs").data

    assert [text["language"] for text in tariff["tariff_alt_text"]] == ["fi"]


def test_only_what_can_be_sold_to_anybody_is_published(cast: Cast, ptp: Reader) -> None:
    now = timezone.now()
    builders.tariff_version(type=TariffType.PROFILE_FAST)
    builders.tariff_version(end_at=now - timedelta(minutes=1))
    builders.tariff_version(preauthorize_amount=None)  # no connector says how much to hold
    builders.tariff_version(country_code=OTHER[0], party_id=OTHER[1])
    off = builders.tariff_version().tariff
    Tariff.objects.filter(pk=off.pk).update(active=False)
    tomorrow = builders.tariff_version(start_at=now + timedelta(days=1)).tariff

    assert set(ptp.get("tariffs").by("id")) == {cast.tariff_version.tariff.tariff_id, tomorrow.tariff_id}


def test_the_highest_hold_of_its_connectors_is_published(cast: Cast, ptp: Reader) -> None:
    version = builders.tariff_version(preauthorize_amount=None)
    cast.connector.tariffs.set([version.tariff])
    cheap = builders.connector(tariff=version, power_type="AC_3_PHASE")
    Site.objects.filter(pk=cheap.evse.site_id).update(preauthorize_ac=Decimal("25.50"))

    assert ptp.get("tariffs").by("id")[version.tariff.tariff_id]["preauthorize_amount"] == 60
    Site.objects.filter(pk=cast.site.pk).update(preauthorize_dc=Decimal("80.50"))
    assert ptp.get("tariffs").by("id")[version.tariff.tariff_id]["preauthorize_amount"] == Decimal("80.5")


def test_one_tariff_is_found_by_its_id(cast: Cast, ptp: Reader) -> None:
    tariff_id = cast.tariff_version.tariff.tariff_id
    theirs = builders.tariff_version(country_code=OTHER[0], party_id=OTHER[1]).tariff

    assert ptp.get(f"tariffs/{tariff_id}").data["id"] == tariff_id
    assert ptp.get(f"tariffs/fi/emb/{tariff_id.lower()}/").data["id"] == tariff_id
    for path in (
        f"tariffs/{theirs.tariff_id}",
        f"tariffs/SE/OTH/{theirs.tariff_id}",
        f"tariffs/SE/OTH/{tariff_id}",
        "tariffs/nothing",
        f"tariffs/{'x' * 37}",
        "tariffs/%00",
    ):
        answer = ptp.get(path)
        assert (answer.http_status, answer.status, answer.data) == (404, 2001, None), path


def test_a_party_that_was_not_asked_for_is_not_in_the_answer(cast: Cast, ptp: Reader) -> None:
    theirs = builders.tariff_version(country_code=OTHER[0], party_id=OTHER[1]).tariff
    contract(ptp, OTHER)

    assert len(ptp.get("tariffs").data) == 2
    assert set(ptp.get("tariffs", to=OTHER).by("id")) == {theirs.tariff_id}


# --- What is news ---------------------------------------------------------------------------------


def _text(at) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_a_tariff_is_new_to_a_platform_until_it_was_told(cast: Cast, ptp: Reader) -> None:
    Tariff.objects.update(created_at=timezone.now() - timedelta(days=365))
    before = timezone.now()

    first = ptp.get("tariffs", date_from=_text(before))
    again = ptp.get("tariffs", date_from=_text(timezone.now()))

    assert (first.total, again.total) == (1, 0)
    assert ptp.get("tariffs", date_to=_text(before)).total == 0
    assert reader().get("tariffs", date_from=_text(timezone.now() - timedelta(seconds=5))).total == 1


def test_nothing_is_newer_than_the_future(cast: Cast, ptp: Reader) -> None:
    assert ptp.get("tariffs", date_from="2099-01-01T00:00:00Z").total == 0


@pytest.mark.parametrize("news", ["another version", "another hold", "offered again"])
def test_what_changed_is_told_to_those_who_ask_for_news(cast: Cast, ptp: Reader, news: str) -> None:
    version = builders.tariff_version(preauthorize_amount=None)
    cast.connector.tariffs.set([version.tariff])
    if news == "offered again":
        Tariff.objects.filter(pk=version.tariff_id).update(active=False)
    ptp.get("tariffs")
    told_at = _text(timezone.now())
    if news == "another version":
        save_tariff(replace(version.terms(), min_price=PriceLimit(Decimal(1))))
    elif news == "another hold":
        Site.objects.update(preauthorize_dc=Decimal(90))
    else:
        Tariff.objects.filter(pk=version.tariff_id).update(active=True)

    assert list(ptp.get("tariffs", date_from=told_at).by("id")) == [version.tariff.tariff_id]
    assert ptp.get("tariffs", date_from=_text(timezone.now())).total == 0


def test_a_repeated_look_writes_no_tariff(cast: Cast, ptp: Reader) -> None:
    ptp.get("tariffs")
    seen = SeenTariff.objects.get()

    with CaptureQueriesContext(connection) as captured:
        ptp.get("tariffs")
        ptp.get(f"tariffs/{cast.tariff_version.tariff.tariff_id}")

    assert not [q for q in captured.captured_queries if "INSERT" in q["sql"] and "seentariff" in q["sql"]]
    assert SeenTariff.objects.get().seen_at == seen.seen_at


def test_a_page_takes_a_fixed_number_of_queries(cast: Cast, ptp: Reader) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ptp.get("tariffs").status == 1000
        return len(captured)

    first, again = queries(), queries()
    for _ in range(6):
        builders.connector(tariff=builders.tariff_version(preauthorize_amount=None))
    many = queries()

    assert queries() <= again + 1 <= 9, "what was told before"
    assert many <= first + 1 <= 17, "news, which is stamped and noted"


def test_pages_show_every_tariff_once(cast: Cast, ptp: Reader) -> None:
    ids = [cast.tariff_version.tariff.tariff_id]
    ids += [builders.tariff_version().tariff.tariff_id for _ in range(4)]

    path, told = "tariffs?limit=2", []
    while path:
        answer = ptp.get(path)
        assert answer.total == 5
        told += [each["id"] for each in answer.data]
        path = answer.next_path

    assert told == ids


# --- What a session may be started by -------------------------------------------------------------


def _may_start(cast: Cast, ptp: Reader):
    connector = Connector.objects.select_related("evse__site").get(pk=cast.connector.pk)
    return tariff_for(ptp.connection, connector, now=timezone.now())


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_the_version_that_was_told_is_the_one_that_counts(
    cast: Cast, ptp: Reader, version: str, settings: Any
) -> None:
    settings.PRICE_CHANGE_GRACE_SECONDS = 0
    ptp.version = version
    ptp.get("tariffs")
    save_tariff(replace(cast.tariff_version.terms(), preauthorize_amount=Decimal(99)))

    seen = _may_start(cast, ptp)

    assert (seen.version, seen.hold_minor) == (cast.tariff_version, 6000)
    ptp.get(f"tariffs/{seen.version.tariff.tariff_id}")
    assert _may_start(cast, ptp).hold_minor == 9900


def test_the_hold_is_the_one_that_the_platform_can_read(cast: Cast, ptp: Reader, settings: Any) -> None:
    settings.PRICE_CHANGE_GRACE_SECONDS = 0
    version = builders.tariff_version(max_price=PriceLimit(Decimal("30.00"), Decimal("37.65")))
    cast.connector.tariffs.set([version.tariff])
    ptp.version = "2.2.1"
    ptp.get("tariffs")
    assert _may_start(cast, ptp).hold_minor == 3765

    ptp.version = "2.3.0"
    ptp.get("tariffs")
    assert _may_start(cast, ptp).hold_minor == 6000


def test_nobody_starts_by_a_tariff_that_only_others_were_told(cast: Cast, ptp: Reader) -> None:
    reader().get("tariffs")

    assert _may_start(cast, ptp) is NotSeen.TARIFF_NOT_SEEN


def test_another_tariff_at_the_connector_has_to_be_seen_there(cast: Cast, ptp: Reader) -> None:
    other = builders.tariff_version()
    ptp.get("tariffs"), ptp.get("locations")
    assert _may_start(cast, ptp).version == cast.tariff_version

    cast.connector.tariffs.set([other.tariff])
    assert _may_start(cast, ptp) is NotSeen.SITE_NOT_SEEN

    ptp.get("locations")
    assert _may_start(cast, ptp).version == other


def test_a_platform_that_never_looked_at_locations_may_start_by_what_it_was_told(
    cast: Cast, ptp: Reader
) -> None:
    ptp.get("tariffs")

    assert _may_start(cast, ptp).version == cast.tariff_version


def test_a_version_that_is_over_counts_no_more(cast: Cast, ptp: Reader) -> None:
    ends = timezone.now() + timedelta(hours=1)
    version = save_tariff(replace(cast.tariff_version.terms(), end_at=ends))
    ptp.get("tariffs")
    save_tariff(replace(version.terms(), end_at=None))
    connector = Connector.objects.select_related("evse__site").get(pk=cast.connector.pk)

    later = tariff_for(ptp.connection, connector, now=ends + timedelta(seconds=1))

    assert later is NotSeen.NOT_IN_FORCE


def test_where_nothing_is_sold_nothing_starts(cast: Cast, ptp: Reader) -> None:
    ptp.get("tariffs")
    cast.connector.tariffs.clear()

    assert _may_start(cast, ptp) is NotSeen.NOTHING_SOLD
