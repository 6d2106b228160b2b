"""What an import refuses: every fault of a file, each at its path, and nothing is written."""

from typing import Any

import pytest

from chargers.models import EVSE, ChargingStation, Site
from payments.models import Ptp
from tests.emabler import network_files as files
from tests.emabler.test_network_import import bring_in, everything, faults

pytestmark = pytest.mark.django_db


def test_all_faults_of_a_file_are_told_and_nothing_is_written() -> None:
    document = files.network(
        tariffs=[files.tariff(currency="EURO"), files.tariff("T-2", currency="XXX")],
        locations=[
            files.location(evses=[files.evse("E-1"), files.evse("E-1")]),
            files.location(
                "L-2", evses=[files.evse("E-3", connectors=[files.connector(tariff_ids=["T-9"])])]
            ),
        ],
        stations=[files.station("CP/1"), files.station("CP-2", location_id="L-9", evse_uids=["E-9"])],
        terminals=[files.terminal(ptp="Nobody", evse_uids=["E-8"]), files.terminal(ptp="Nobody")],
    )
    before = everything()

    assert faults(document) == [
        ("tariffs[0].currency", "too_large"),
        ("tariffs[1].currency", "unknown_currency"),
        ("stations[0].identity", "invalid"),
        ("locations[0].evses[1].uid", "duplicate_uid"),
        ("terminals[1].terminal_id", "duplicate_terminal_id"),
        ("locations[1].evses[0].connectors[0].tariff_ids[0]", "unknown_tariff"),
        ("stations[0].evse_uids[1]", "unknown_evse"),
        ("stations[1].location_id", "unknown_location"),
        ("stations[1].evse_uids[0]", "unknown_evse"),
        ("terminals[0].ptp", "unknown_ptp"),
        ("terminals[0].evse_uids[0]", "unknown_evse"),
        ("terminals[1].ptp", "unknown_ptp"),
    ]
    assert everything() == before


@pytest.mark.parametrize(
    ("sections", "path", "code"),
    [
        ({"tariffs": [files.tariff(), files.tariff()]}, "tariffs[1].id", "duplicate_id"),
        ({"tariffs": [files.tariff(), {}]}, "tariffs[1].id", "required"),
        ({"tariffs": [files.tariff(), 7]}, "tariffs[1]", "invalid"),
        ({"tariffs": [files.tariff(elements=[])]}, "tariffs[0].elements", "required"),
        ({"tariffs": {"T-1": {}}}, "tariffs", "invalid"),
        ({"locations": [files.location(), files.location(evses=[])]}, "locations[1].id", "duplicate_id"),
        (
            {"stations": [files.station(), files.station(evse_uids=[])]},
            "stations[1].identity",
            "duplicate_identity",
        ),
        ({"stations": [files.station("x" * 49)]}, "stations[0].identity", "too_large"),
        ({"stations": [files.station("CP:1")]}, "stations[0].identity", "invalid"),
        ({"stations": [files.station("CP-1\n")]}, "stations[0].identity", "invalid"),
        ({"stations": [files.station(password="seven77")]}, "stations[0].password", "too_short"),
        ({"stations": [files.station(password="x" * 41)]}, "stations[0].password", "too_large"),
        ({"stations": [files.station(password="ä" * 20)]}, "stations[0].password", "invalid"),
        (
            {"stations": [files.station(evse_uids=["E-1", "E-1"])]},
            "stations[0].evse_uids[1]",
            "evse_mapped_twice",
        ),
        (
            {"stations": [files.station(), files.station("CP-2", evse_uids=["E-2"])]},
            "stations[1].evse_uids[0]",
            "evse_mapped_twice",
        ),
        (
            {"locations": [files.location(), files.location("L-2", evses=[files.evse("E-3")])]}
            | {"stations": [files.station(evse_uids=["E-1", "E-3"])]},
            "stations[0].evse_uids[1]",
            "evse_of_other_location",
        ),
        (
            {"locations": [files.location(), files.location(party_id="ABC", evses=[])], "terminals": []},
            "stations[0].location_id",
            "ambiguous_location",
        ),
        ({"ptps": [files.ptp(), files.ptp(api_key="x" * 20)]}, "ptps[1].name", "duplicate_name"),
        (
            {"ptps": [files.ptp(), files.ptp("Other", api_key="key-of-the-test-PTP")]},
            "ptps[1].api_key",
            "duplicate_api_key",
        ),
        ({"ptps": [files.ptp(api_key="x" * 15)]}, "ptps[0].api_key", "too_short"),
        ({"ptps": [files.ptp(api_key="x" * 201)]}, "ptps[0].api_key", "too_large"),
        ({"ptps": [files.ptp(api_key="with a space in it")]}, "ptps[0].api_key", "invalid"),
        ({"ptps": [files.ptp(webhook_secret="short")]}, "ptps[0].webhook_secret", "too_short"),
        ({"ptps": [files.ptp(webhook_url="ftp://ptp.example/")]}, "ptps[0].webhook_url", "invalid"),
        ({"ptps": [files.ptp(webhook_url="http://ptp.example/")]}, "ptps[0].webhook_url", "invalid"),
        ({"ptps": [files.ptp(webhook_url="http://127.0.0.1.example/")]}, "ptps[0].webhook_url", "invalid"),
        ({"ptps": [files.ptp(webhook_url="https://a:b@ptp.example/")]}, "ptps[0].webhook_url", "invalid"),
        ({"ptps": [files.ptp(webhook_url="https://ptp.example:70000/")]}, "ptps[0].webhook_url", "invalid"),
        ({"ptps": [files.ptp(webhook_url="https://[::1/")]}, "ptps[0].webhook_url", "invalid"),
        (
            {"terminals": [files.terminal(location_ids=["L-9"])]},
            "terminals[0].location_ids[0]",
            "unknown_location",
        ),
        ({"terminals": [files.terminal("T/1")]}, "terminals[0].terminal_id", "invalid"),
        ({"terminals": [files.terminal(languages=["FI"])]}, "terminals[0].languages[0]", "invalid"),
        ({"terminals": [files.terminal(languages=["fi", "fi"])]}, "terminals[0].languages[1]", "duplicate"),
        ({"terminals": [files.terminal(languages="fi")]}, "terminals[0].languages", "invalid"),
    ],
)
def test_a_faulty_entry_is_refused_at_its_path(sections: dict[str, Any], path: str, code: str) -> None:
    assert (path, code) in faults(files.network(**sections))
    assert Site.objects.count() == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:8900/hook", "http://localhost/hook", "http://[::1]:9/"])
def test_this_machine_itself_may_be_told_over_http(url: str) -> None:
    bring_in(files.network(ptps=[files.ptp(webhook_url=url)]))

    assert Ptp.objects.get().webhook_url == url


@pytest.mark.parametrize("document", [None, [], "network", 7])
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    assert faults(document) == [("", "invalid")]


def test_a_uid_of_another_location_is_refused() -> None:
    bring_in(files.network())

    assert faults({"locations": [files.location("L-2", evses=[files.evse("E-1")])]}) == [
        ("locations[0].evses[0].uid", "duplicate_uid")
    ]


def test_a_key_of_another_ptp_is_refused() -> None:
    bring_in(files.network())

    assert faults({"ptps": [files.ptp("Other", api_key="key-of-the-test-PTP")]}) == [
        ("ptps[0].api_key", "duplicate_api_key")
    ]


def test_an_evse_leaves_its_station_only_when_that_station_lets_it_go() -> None:
    bring_in(files.network())
    taker = files.station("CP-2", evse_uids=["E-2"])

    assert faults({"stations": [taker]}) == [("stations[0].evse_uids[0]", "evse_mapped_twice")]

    bring_in({"stations": [taker, files.station(evse_uids=["E-1"])]})
    assert EVSE.objects.get(uid="E-2").station == ChargingStation.objects.get(identity="CP-2")
