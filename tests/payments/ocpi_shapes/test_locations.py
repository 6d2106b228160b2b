"""Sites as a PTP gets them: complete where the text demands it, and telling that a card pays here."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from payments.ocpi.dialects import Version
from payments.ocpi.locations import (
    EvseEntry,
    connector_document,
    evse_document,
    location_document,
    parse_location,
    status_document,
)
from tests.payments.ocpi_shapes import cast

LATER = cast.NOON + timedelta(hours=1)


def capabilities(evse: EvseEntry) -> list[str]:
    found: list[str] = evse_document(evse, Version.V2_3_0)["capabilities"]
    return found


class TestCapabilities:
    def test_an_evse_is_started_from_afar_and_paid_by_card(self) -> None:
        assert capabilities(cast.evse()) == ["REMOTE_START_STOP_CAPABLE", "CONTACTLESS_CARD_SUPPORT"]

    def test_what_the_source_names_comes_first_and_nothing_comes_twice(self) -> None:
        own = ["PED_TERMINAL", "REMOTE_START_STOP_CAPABLE"]

        assert capabilities(cast.evse(source={"capabilities": own})) == [*own, "CONTACTLESS_CARD_SUPPORT"]

    def test_with_several_connectors_a_start_has_to_name_one(self) -> None:
        two = cast.evse(connectors=(cast.connector("1"), cast.connector("2")))

        assert "START_SESSION_CONNECTOR_REQUIRED" in capabilities(two)
        assert "START_SESSION_CONNECTOR_REQUIRED" not in capabilities(cast.evse())

    @pytest.mark.parametrize("own", ["RFID_READER", {"RFID_READER": True}, [1, None]])
    def test_a_source_of_the_wrong_shape_adds_nothing(self, own: Any) -> None:
        assert capabilities(cast.evse(source={"capabilities": own})) == capabilities(cast.evse())

    def test_an_evse_that_is_gone_can_do_nothing(self) -> None:
        document = evse_document(cast.evse(removed=True), Version.V2_3_0)

        assert document["status"] == "REMOVED"
        assert "capabilities" not in document

    def test_the_network_file_says_only_what_is_stored(self) -> None:
        site = cast.site()

        document = location_document(site)

        assert all("capabilities" not in evse for evse in document["evses"])
        assert "coordinates" not in location_document(cast.bare_site())
        read = parse_location(cast.as_sent(document))
        assert replace(read, evses=()) == replace(site, evses=(), updated_at=None)


class TestRequiredFields:
    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_a_site_of_which_little_is_known_is_complete_on_the_wire(self, version: Version) -> None:
        document = location_document(cast.bare_site(), version)

        required = {"country_code", "party_id", "id", "publish", "address", "city", "country"}
        assert required | {"coordinates", "time_zone", "last_updated"} <= document.keys()
        assert (document["address"], document["city"]) == ("#NA", "#NA")
        assert document["coordinates"] == {"latitude": "0.00000", "longitude": "0.00000"}

    def test_an_evse_without_a_connector_is_not_sent_and_a_site_without_evses_is(self) -> None:
        bare = cast.site(evses=(cast.evse(connectors=()),))

        assert "evses" not in location_document(bare, Version.V2_3_0)
        assert location_document(bare)["evses"][0]["uid"] == "E-1"

    def test_a_change_of_a_part_is_a_change_of_the_whole(self) -> None:
        plug = cast.connector(updated_at=LATER)
        site = cast.site(evses=(cast.evse(), cast.evse("E-2", connectors=(plug,))))

        document = location_document(site, Version.V2_3_0)

        times = [document["last_updated"], *(evse["last_updated"] for evse in document["evses"])]
        assert times == ["2026-05-04T13:00:00Z", "2026-05-04T12:00:00Z", "2026-05-04T13:00:00Z"]


def test_a_change_of_status_is_told_alone() -> None:
    assert status_document(cast.evse(status="CHARGING")) == {
        "status": "CHARGING",
        "last_updated": "2026-05-04T12:00:00Z",
    }
    assert status_document(cast.evse(removed=True))["status"] == "REMOVED"


@pytest.mark.parametrize("version", cast.VERSIONS)
def test_parts_are_the_same_alone_and_in_their_site(version: Version) -> None:
    site = cast.site()
    whole = location_document(site, version)

    for evse, written in zip(site.evses, whole["evses"], strict=True):
        assert evse_document(evse, version) == written
        for connector, plug in zip(evse.connectors, written["connectors"], strict=True):
            assert connector_document(connector, version) == plug
            assert plug["tariff_ids"] == ["HARBOUR-2026"]
            assert plug["max_electric_power"] == 150_000
