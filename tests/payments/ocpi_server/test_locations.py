"""Locations: who sees which, what stands in them, and what a look at them costs."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE, ChargingStation, Connector, Site, WebProcess
from payments.models import SeenSite
from payments.ocpi.locations import parse_location
from tariffs.engine.terms import TariffType
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_server.reader import Reader, contract, reader

OTHER = ("SE", "OTH")


def test_a_location_tells_what_stands_there(cast: Cast, ptp: Reader) -> None:
    answer = ptp.get("locations")

    assert (answer.http_status, answer.status) == (200, 1000)
    (location,) = answer.data
    assert (location["id"], location["publish"]) == (cast.site.location_id, True)
    (evse,) = location["evses"]
    assert (evse["uid"], evse["status"]) == (cast.evse.uid, "AVAILABLE")
    assert "REMOTE_START_STOP_CAPABLE" in evse["capabilities"]
    (connector,) = evse["connectors"]
    assert connector["tariff_ids"] == [cast.tariff_version.tariff.tariff_id]
    assert connector["max_electric_power"] == 150_000


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_what_we_tell_reads_as_a_location(cast: Cast, ptp: Reader, version: str) -> None:
    ptp.version = version

    (location,) = ptp.get("locations/").data

    assert parse_location(location).location_id == cast.site.location_id


def test_an_object_is_found_by_its_ids_at_every_level(cast: Cast, ptp: Reader) -> None:
    place, uid = cast.site.location_id, cast.evse.uid

    assert ptp.get(f"locations/{place}").data["id"] == place
    assert ptp.get(f"locations/{place}/{uid}").data["uid"] == uid
    assert ptp.get(f"locations/{place}/{uid}/1").data["id"] == "1"
    assert ptp.get(f"locations/{place.lower()}/{uid.lower()}/1/").data["id"] == "1"


def test_what_is_not_there_and_what_is_not_for_you_look_the_same(cast: Cast, ptp: Reader) -> None:
    theirs = builders.connector(
        at=builders.evse(at=builders.station(at=builders.site(party_id="OTH", country_code="SE")))
    )
    hidden = theirs.evse.site.location_id
    paths = [
        f"locations/{hidden}",
        f"locations/{hidden}/{theirs.evse.uid}",
        f"locations/{hidden}/{theirs.evse.uid}/1",
        "locations/NOWHERE",
        f"locations/{cast.site.location_id}/{theirs.evse.uid}",
        f"locations/{cast.site.location_id}/{cast.evse.uid}/9",
        f"locations/{'x' * 37}",
        "locations/%00",
        "locations/%2e%2e%2fadmin",
    ]

    answers = [ptp.get(path) for path in paths]

    assert {(a.http_status, a.data) for a in answers} == {(404, None)}
    # The last one is no path of ours at all: a slash in an id never gets as far as the module.
    assert {a.status for a in answers[:-1]} == {2003}


def test_a_party_that_was_not_asked_for_is_not_in_the_answer(cast: Cast, ptp: Reader) -> None:
    other = builders.site(country_code=OTHER[0], party_id=OTHER[1])
    contract(ptp, OTHER)

    assert set(ptp.get("locations").by("id")) == {cast.site.location_id, other.location_id}
    assert set(ptp.get("locations", to=OTHER).by("id")) == {other.location_id}
    assert ptp.get(f"locations/{cast.site.location_id}", to=OTHER).status == 2003


def test_two_parties_may_name_their_sites_alike(cast: Cast, ptp: Reader) -> None:
    builders.site(country_code=OTHER[0], party_id=OTHER[1], location_id=cast.site.location_id)
    contract(ptp, OTHER)
    path = f"locations/{cast.site.location_id}"

    assert ptp.get(path).data["party_id"] == "EMB"
    assert ptp.get(path, to=OTHER).data["party_id"] == "OTH"


# --- Live state -----------------------------------------------------------------------------------


def _evse(ptp: Reader, cast: Cast) -> dict:
    return ptp.get(f"locations/{cast.site.location_id}/{cast.evse.uid}").data


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (EvseStatus.AVAILABLE, "AVAILABLE"),
        (EvseStatus.PREPARING, "AVAILABLE"),
        (EvseStatus.SUSPENDED_EV, "CHARGING"),
        (EvseStatus.FINISHING, "CHARGING"),
        (EvseStatus.RESERVED, "RESERVED"),
        (EvseStatus.UNAVAILABLE, "INOPERATIVE"),
        (EvseStatus.FAULTED, "OUTOFORDER"),
        (EvseStatus.UNKNOWN, "UNKNOWN"),
    ],
)
def test_an_evse_is_in_the_state_that_its_charger_reported(cast: Cast, ptp: Reader, status, word) -> None:
    EVSE.objects.filter(pk=cast.evse.pk).update(status=status)

    assert _evse(ptp, cast)["status"] == word


def test_a_session_that_waits_for_its_driver_takes_the_evse_and_no_other(cast: Cast, ptp: Reader) -> None:
    sibling = builders.connector(at=builders.evse(at=cast.station)).evse
    cast.payment()

    states = {evse["uid"]: evse["status"] for evse in ptp.get("locations").data[0]["evses"]}

    assert states == {cast.evse.uid: "CHARGING", sibling.uid: "AVAILABLE"}


def test_a_fault_is_told_also_while_a_session_runs(cast: Cast, ptp: Reader) -> None:
    cast.payment()
    EVSE.objects.filter(pk=cast.evse.pk).update(status=EvseStatus.FAULTED)

    assert _evse(ptp, cast)["status"] == "OUTOFORDER"


def test_an_evse_whose_charger_is_gone_is_in_no_known_state(cast: Cast, ptp: Reader) -> None:
    cast.payment()
    builders.take_offline(cast.station)

    assert _evse(ptp, cast)["status"] == "UNKNOWN"


def test_an_evse_that_was_removed_stays_to_say_so(cast: Cast, ptp: Reader) -> None:
    EVSE.objects.filter(pk=cast.evse.pk).update(removed=True)

    assert _evse(ptp, cast)["status"] == "REMOVED"


def test_a_site_that_no_map_may_show_is_told_with_its_flag(cast: Cast, ptp: Reader) -> None:
    Site.objects.filter(pk=cast.site.pk).update(publish=False)

    assert ptp.get("locations").data[0]["publish"] is False


# --- Tariffs --------------------------------------------------------------------------------------


def _tariff_ids(ptp: Reader, cast: Cast) -> list[str]:
    return ptp.get(f"locations/{cast.site.location_id}/{cast.evse.uid}/1").data.get("tariff_ids", [])


def test_a_connector_refers_to_the_one_tariff_that_it_sells_by(cast: Cast, ptp: Reader) -> None:
    cast.connector.tariffs.add(
        builders.tariff_version(type=None).tariff, builders.tariff_version(type=TariffType.REGULAR).tariff
    )

    assert _tariff_ids(ptp, cast) == [cast.tariff_version.tariff.tariff_id]


def test_a_tariff_of_the_future_stands_behind_the_one_in_force(cast: Cast, ptp: Reader) -> None:
    now = timezone.now()
    ends, begins = now + timedelta(hours=1), now + timedelta(hours=1, seconds=1)
    today = builders.tariff_version(end_at=ends).tariff
    tomorrow = builders.tariff_version(start_at=begins).tariff
    over = builders.tariff_version(end_at=now - timedelta(hours=1)).tariff
    cast.connector.tariffs.set([tomorrow, over, today])

    assert _tariff_ids(ptp, cast) == [today.tariff_id, tomorrow.tariff_id]


def test_no_connector_refers_to_a_tariff_that_is_not_published(cast: Cast, ptp: Reader) -> None:
    tariff = cast.tariff_version.tariff
    tariff.active = False
    tariff.save()

    assert _tariff_ids(ptp, cast) == []


def test_a_connector_without_an_amount_to_hold_refers_to_no_tariff(cast: Cast, ptp: Reader) -> None:
    yen = builders.tariff_version(currency="JPY", preauthorize_amount=None)
    cast.connector.tariffs.set([yen.tariff])
    elsewhere = builders.connector(tariff=yen, at=builders.evse(at=builders.station()))
    Site.objects.filter(pk=elsewhere.evse.site_id).update(preauthorize_dc=Decimal(9000))

    locations = ptp.get("locations").by("id")

    assert _tariff_ids(ptp, cast) == []
    sold = locations[elsewhere.evse.site.location_id]["evses"][0]["connectors"][0]
    assert sold["tariff_ids"] == [yen.tariff.tariff_id]


# --- When it changed ------------------------------------------------------------------------------


@pytest.fixture
def long_ago(cast: Cast) -> None:
    """Nothing changed for a week."""
    at = timezone.now() - timedelta(days=7)
    for model in (Site, EVSE, Connector):
        model.objects.update(updated_at=at)
    ChargingStation.objects.update(connected_at=at, disconnected_at=None)


def _since(ptp: Reader, minutes: float) -> int:
    at = timezone.now() - timedelta(minutes=minutes)
    return ptp.get("locations", date_from=at.strftime("%Y-%m-%dT%H:%M:%SZ")).total


CHANGES = {
    "the site": lambda cast, at: Site.objects.update(updated_at=at),
    "an EVSE": lambda cast, at: EVSE.objects.update(updated_at=at),
    "a connector": lambda cast, at: Connector.objects.update(updated_at=at),
    "a charger came": lambda cast, at: ChargingStation.objects.update(connected_at=at),
    "a charger went": lambda cast, at: ChargingStation.objects.update(
        connection_id=None, process=None, disconnected_at=at
    ),
    "its process died": lambda cast, at: WebProcess.objects.update(alive_at=at - timedelta(seconds=15)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.usefixtures("long_ago")
def test_a_change_anywhere_is_one_of_the_location(cast: Cast, ptp: Reader, change: str) -> None:
    at = (timezone.now() - timedelta(minutes=5)).replace(microsecond=0)
    CHANGES[change](cast, at)
    text = at.strftime("%Y-%m-%dT%H:%M:%SZ")

    inside, before = ptp.get("locations", date_from=text), ptp.get("locations", date_to=text)

    assert (inside.total, before.total) == (1, 0)
    (location,) = inside.data
    assert location["last_updated"] == text
    assert location["last_updated"] >= location["evses"][0]["last_updated"]
    assert location["evses"][0]["last_updated"] >= location["evses"][0]["connectors"][0]["last_updated"]
    assert _since(ptp, 4) == 0


@pytest.mark.usefixtures("long_ago")
def test_a_session_that_takes_and_leaves_an_evse_changes_its_location(cast: Cast, ptp: Reader) -> None:
    assert _since(ptp, 60) == 0
    now = timezone.now()

    running = cast.running(now=now - timedelta(minutes=30))
    assert (_since(ptp, 31), _since(ptp, 29)) == (1, 0)
    running.end(energy_wh=10_000, after_seconds=1200)

    assert (_since(ptp, 11), _since(ptp, 9)) == (1, 0)


def test_dates_are_inclusive_and_exclusive_and_must_make_sense(cast: Cast, ptp: Reader) -> None:
    text = ptp.get("locations").data[0]["last_updated"]

    assert ptp.get("locations", date_from=text).total == 1
    assert ptp.get("locations", date_to=text).total == 0
    for query in ({"date_from": "yesterday"}, {"date_from": "2026-02-02", "date_to": "2026-01-01"},
                  {"date_from": "2026-02-02T00:00:00Z", "date_to": "2026-02-01T00:00:00Z"},
                  {"date_from": "2026-02-31T00:00:00Z"}, {"limit": "-1"}, {"offset": "x"}):  # fmt: skip
        answer = ptp.get("locations", **query)
        assert (answer.http_status, answer.status) == (200, 2001), query


@pytest.mark.parametrize("path", ["locations", "tariffs", "sessions", "cdrs"])
def test_the_ends_of_the_calendar_mean_all_there_is(cast: Cast, ptp: Reader, path: str) -> None:
    answer = ptp.get(path, date_from="0001-01-01T00:00:00Z", date_to="9999-12-31T23:59:59Z")

    assert answer.status == 1000
    assert answer.total == ptp.get(path, date_from="2000-01-01T00:00:00Z").total


# --- Pages ----------------------------------------------------------------------------------------


def test_pages_show_every_site_once(cast: Cast, ptp: Reader) -> None:
    ids = [cast.site.location_id] + [builders.site().location_id for _ in range(4)]

    path, seen = "locations?limit=2", []
    while path:
        answer = ptp.get(path)
        assert (answer.total, answer.headers["X-Limit"]) == (5, "100")
        seen += [each["id"] for each in answer.data]
        path = answer.next_path

    assert seen == ids


def test_a_page_is_never_larger_than_we_say_and_may_lie_beyond_the_end(cast: Cast, ptp: Reader) -> None:
    assert len(ptp.get("locations", limit=10**9).data) == 1
    assert ptp.get("locations", offset=10**9).data == []
    assert ptp.get("locations", limit=0).data == []


def test_a_page_takes_a_fixed_number_of_queries(cast: Cast, ptp: Reader) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert ptp.get("locations").status == 1000
        return len(captured)

    queries()
    for_one = queries()
    for _ in range(5):
        charger = builders.station(at=builders.site())
        for _ in range(4):
            place = builders.evse(at=charger)
            builders.connector(at=place, tariff=cast.tariff_version)
            builders.connector(at=place, tariff=cast.tariff_version, connector_id="2")
    queries()
    for_many = queries()

    assert for_one == for_many <= 12


# --- What is seen ---------------------------------------------------------------------------------


def test_a_repeated_look_writes_nothing_of_the_site(cast: Cast, ptp: Reader) -> None:
    ptp.get("locations")
    (first,) = SeenSite.objects.all()

    with CaptureQueriesContext(connection) as captured:
        ptp.get("locations")

    assert not [q for q in captured.captured_queries if "seensite" in q["sql"] and "INSERT" in q["sql"]]
    assert first.seen_at == Connector.objects.get().tariffs_changed_at


def test_other_tariffs_are_seen_with_the_location_and_not_before(cast: Cast, ptp: Reader) -> None:
    ptp.get(f"locations/{cast.site.location_id}")
    seen_before = SeenSite.objects.get().seen_at
    cast.connector.tariffs.add(builders.tariff_version().tariff)
    ptp.get(f"locations/{cast.site.location_id}/{cast.evse.uid}")
    assert SeenSite.objects.get().seen_at == seen_before

    ptp.get("locations")

    assert SeenSite.objects.get().seen_at == Connector.objects.get().tariffs_changed_at > seen_before


def test_only_reading_is_possible(cast: Cast, ptp: Reader) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = ptp.send(method, "locations")
        assert (answer.http_status, answer.status) == (405, 2000), method


def test_a_stranger_is_not_let_in(cast: Cast, ptp: Reader) -> None:
    stranger = Reader(ptp.connection, "nobody-gave-this-out")

    assert stranger.get("locations").http_status == 401


def test_a_platform_that_has_not_registered_sees_nothing(cast: Cast) -> None:
    invited = reader(of=cast.ptp, state="INVITED")

    assert invited.get("locations").http_status == 401
