"""OCPI Locations, read and written back."""

from decimal import Decimal
from typing import Any

import pytest

from chargers.facts import EvseStatus
from payments.ocpi.countries import ALPHA_3
from payments.ocpi.locations import location_document, parse_location
from payments.ocpi.statuses import ocpi_status
from tariffs.engine.errors import InvalidInput
from tests.emabler import network_files as files


def faults(location: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        parse_location(location, path="locations[0]")
    return [
        (error.path.removeprefix("locations[0]").lstrip("."), error.code) for error in refused.value.errors
    ]


def power_w(**fields: Any) -> int:
    evse = files.evse("E-1", connectors=[files.connector(**fields)])
    return parse_location(files.location(evses=[evse])).evses[0].connectors[0].max_power_w


def test_a_location_comes_back_as_it_was_written() -> None:
    site = parse_location(files.location())

    assert parse_location(location_document(site)) == site
    assert site.latitude == Decimal("60.4369")
    assert location_document(site)["coordinates"] == {"latitude": "60.43690", "longitude": "22.23030"}


def test_fields_that_we_do_not_use_are_kept_as_they_came() -> None:
    location = files.location(evses=[files.evse("E-1", floor_level="-1", parking=[{"parking_id": "1"}])])

    document = location_document(parse_location(location))

    assert document["opening_times"] == {"twentyfourseven": True}
    assert document["energy_mix"]["energy_sources"][0]["percentage"] == 99.5
    assert document["evses"][0]["parking"] == [{"parking_id": "1"}]
    assert document["evses"][0]["floor_level"] == "-1"


@pytest.mark.parametrize(
    ("power_type", "volts", "amperes", "expected_w"),
    [
        ("AC_1_PHASE", 230, 16, 3_680),
        ("AC_2_PHASE", 230, 16, 7_360),
        ("AC_2_PHASE_SPLIT", 120, 40, 9_600),
        ("AC_3_PHASE", 230, 32, 22_080),
        ("DC", 920, 250, 230_000),
    ],
)
def test_power_follows_from_volts_amperes_and_phases(
    power_type: str, volts: int, amperes: int, expected_w: int
) -> None:
    assert power_w(power_type=power_type, max_voltage=volts, max_amperage=amperes) == expected_w


def test_a_named_power_counts_before_volts_and_amperes() -> None:
    assert power_w(power_type="DC", max_voltage=920, max_amperage=250, max_electric_power=150_000) == 150_000


def test_every_fault_of_a_location_is_told() -> None:
    location = files.location(
        country_code="FIN",
        country="FI",
        time_zone="Europe/Turku",
        coordinates={"latitude": "91.00000", "longitude": "east"},
        publish="yes",
        evses=[
            {"status": "AVAILABLE", "connectors": [files.connector(power_type="AC", max_amperage=0)]},
            "not an object",
        ],
    )

    assert faults(location) == [
        ("coordinates.latitude", "invalid"),
        ("coordinates.longitude", "invalid"),
        ("country_code", "too_large"),
        ("country", "unknown_country"),
        ("time_zone", "unknown_time_zone"),
        ("publish", "invalid"),
        ("evses[0].uid", "required"),
        ("evses[0].connectors[0].power_type", "invalid"),
        ("evses[0].connectors[0].max_amperage", "invalid"),
        ("evses[1]", "invalid"),
    ]


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"max_voltage": -230}, "max_voltage", "invalid"),
        ({"max_voltage": Decimal("230.5")}, "max_voltage", "invalid"),
        ({"max_voltage": True}, "max_voltage", "invalid"),
        ({"max_voltage": 10**30}, "max_voltage", "too_large"),
        ({"max_electric_power": 0}, "max_electric_power", "invalid"),
        ({"tariff_ids": "T-1"}, "tariff_ids", "invalid"),
        ({"tariff_ids": ["T-1", None]}, "tariff_ids[1]", "required"),
        ({"tariff_ids": ["T-1", 7]}, "tariff_ids[1]", "invalid"),
        ({"id": "with space"}, "id", "invalid"),
        ({"id": "x" * 37}, "id", "too_large"),
        ({"standard": "bell\x07"}, "standard", "invalid"),
    ],
)
def test_a_faulty_connector_is_refused_at_its_path(fields: dict[str, Any], path: str, code: str) -> None:
    location = files.location(evses=[files.evse("E-1", connectors=[files.connector(**fields)])])

    assert faults(location) == [(f"evses[0].connectors[0].{path}", code)]


def test_what_is_no_object_is_refused() -> None:
    for value in (None, 7, "location", []):
        assert ("", "invalid") in faults(value)


def test_a_cable_plugged_in_before_the_payment_leaves_the_evse_available() -> None:
    assert ocpi_status(EvseStatus.PREPARING, online=True, removed=False) == "AVAILABLE"
    assert ocpi_status(EvseStatus.PREPARING, online=False, removed=False) == "UNKNOWN"
    assert ocpi_status(EvseStatus.FAULTED, online=True, removed=False) == "OUTOFORDER"
    assert ocpi_status(EvseStatus.CHARGING, online=True, removed=True) == "REMOVED"


def test_every_state_of_an_evse_has_a_word_in_ocpi() -> None:
    words = {ocpi_status(status, online=True, removed=False) for status in EvseStatus}

    assert words == {"UNKNOWN", "AVAILABLE", "CHARGING", "RESERVED", "INOPERATIVE", "OUTOFORDER"}


def test_there_are_249_countries() -> None:
    assert len(ALPHA_3) == 249
