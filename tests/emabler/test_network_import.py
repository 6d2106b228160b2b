"""Importing a network: all or nothing, again without a change, and never in the way of a driver."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE, ChargingStation, Connector, Site
from chargers.provisioning import hash_secret
from emabler.network.importing import Imported, import_network
from payments.keys import find_key
from payments.models import ApiKey, Ptp, Terminal
from payments.sealed import unseal
from tariffs.engine.errors import InvalidInput
from tariffs.models import Tariff, TariffVersion
from tests import builders
from tests.emabler import network_files as files

pytestmark = pytest.mark.django_db

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def bring_in(document: object, *, now: datetime | None = None) -> Imported:
    """Import through JSON, as a file would."""
    from emabler.network.document import read_bytes

    return import_network(read_bytes(json.dumps(document).encode()), now=now or timezone.now())


def faults(document: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        bring_in(document)
    return [(error.path, error.code) for error in refused.value.errors]


def everything() -> list[Any]:
    """Every row that an import can write."""
    models = (Site, EVSE, Connector, ChargingStation, Ptp, ApiKey, Terminal, Tariff, TariffVersion)
    links = (Connector.tariffs.through, Terminal.sites.through, Terminal.evses.through)
    return [list(model.objects.order_by("pk").values()) for model in (*models, *links)]


# --- What is written ------------------------------------------------------------------------------


def test_a_network_file_provisions_everything() -> None:
    imported = bring_in(files.network())

    assert imported.secrets == []
    station = ChargingStation.objects.get(identity="CP-1")
    assert station.secret_hash == hash_secret("a-password-of-the-test")
    assert list(station.evses.order_by("number").values_list("uid", "number")) == [("E-1", 1), ("E-2", 2)]
    connector = Connector.objects.get(evse__uid="E-1")
    assert connector.max_power_w == 22_080
    assert [tariff.tariff_id for tariff in connector.tariffs.all()] == ["T-1"]
    terminal = Terminal.objects.get(terminal_id="TERM-1")
    assert terminal.languages == ["fi", "en"]
    assert [site.location_id for site in terminal.sites.all()] == ["L-1"]
    key = find_key("key-of-the-test-PTP")
    assert key is not None
    assert key.ptp == terminal.ptp
    assert unseal(key.ptp.webhook_secret_sealed) == "whsec-of-the-test"


def test_the_same_file_again_changes_nothing() -> None:
    bring_in(files.network())
    before = everything()

    imported = bring_in(files.network(), now=LATER)

    assert everything() == before
    assert imported.secrets == []


def test_the_order_of_evse_uids_gives_the_connector_numbers() -> None:
    bring_in(files.network())
    before = timezone.now() - timedelta(hours=1)
    EVSE.objects.update(status=EvseStatus.AVAILABLE, updated_at=before)

    bring_in({"stations": [files.station(evse_uids=["E-2", "E-1"])]})

    assert dict(EVSE.objects.values_list("uid", "number")) == {"E-2": 1, "E-1": 2}
    assert set(EVSE.objects.values_list("status", flat=True)) == {EvseStatus.UNKNOWN}
    assert not EVSE.objects.filter(updated_at=before).exists()


def test_what_a_file_does_not_name_is_left_alone() -> None:
    bring_in(files.network())
    location = files.location(evses=[files.evse("E-3")])

    bring_in({"locations": [location]})

    assert EVSE.objects.filter(removed=False).count() == 3
    assert EVSE.objects.get(uid="E-1").station is not None
    assert ChargingStation.objects.count() == Terminal.objects.count() == 1


def test_missing_secrets_keep_the_stored_ones() -> None:
    bring_in(files.network())
    station, ptp = files.station(), files.ptp()
    for name in ("api_key", "webhook_secret", "webhook_url"):
        del ptp[name]
    del station["password"]
    before = everything()

    imported = bring_in({"stations": [station], "ptps": [ptp]})

    assert imported.secrets == []
    assert everything() == before


def test_new_entries_without_secrets_get_generated_ones_that_work() -> None:
    station = {name: value for name, value in files.station().items() if name != "password"}

    imported = bring_in(files.network(stations=[station], ptps=[{"name": "PTP"}]))

    of_station, of_ptp = imported.secrets
    assert of_station["identity"] == "CP-1"
    stored = ChargingStation.objects.get(identity="CP-1")
    assert stored.secret_hash == hash_secret(of_station["password"])
    assert of_ptp["name"] == "PTP"
    key = find_key(of_ptp["api_key"])
    assert key is not None
    assert unseal(key.ptp.webhook_secret_sealed) == of_ptp["webhook_secret"]
    assert bring_in(files.network(stations=[station], ptps=[{"name": "PTP"}])).secrets == []


def test_a_new_key_replaces_the_old_one() -> None:
    bring_in(files.network())

    bring_in({"ptps": [files.ptp(api_key="another-key-of-the-test")]})

    assert find_key("key-of-the-test-PTP") is None
    assert find_key("another-key-of-the-test") is not None
    assert faults({"ptps": [files.ptp()]}) == [("ptps[0].api_key", "revoked_api_key")]


def test_a_removed_evse_is_removed_and_may_come_back() -> None:
    bring_in(files.network())

    bring_in({"locations": [files.location(evses=[files.evse("E-1", status="REMOVED")])]})
    assert EVSE.objects.get(uid="E-1").removed

    bring_in(files.network())
    assert not EVSE.objects.get(uid="E-1").removed


def test_a_change_below_is_a_change_above() -> None:
    bring_in(files.network())
    changed = files.evse("E-1", connectors=[files.connector(max_amperage=16)])

    bring_in({"locations": [files.location(evses=[changed, files.evse("E-2")])]}, now=LATER)

    assert Connector.objects.get(evse__uid="E-1").updated_at == LATER
    assert EVSE.objects.get(uid="E-1").updated_at == LATER
    assert Site.objects.get().updated_at == LATER
    assert EVSE.objects.get(uid="E-2").updated_at < LATER


def test_other_tariffs_of_a_connector_are_a_change_of_its_evse() -> None:
    bring_in(files.network())
    changed = files.evse("E-1", connectors=[files.connector(tariff_ids=["T-2"])])

    bring_in({"tariffs": [files.tariff("T-2")], "locations": [files.location(evses=[changed])]}, now=LATER)

    connector = Connector.objects.get(evse__uid="E-1")
    assert [tariff.tariff_id for tariff in connector.tariffs.all()] == ["T-2"]
    assert connector.updated_at == connector.tariffs_changed_at == LATER
    assert EVSE.objects.get(uid="E-1").updated_at == LATER


def test_a_tariff_that_says_something_new_gets_a_version() -> None:
    bring_in(files.network())

    bring_in({"tariffs": [files.tariff(last_updated="2026-02-01T00:00:00Z")]})
    assert TariffVersion.objects.count() == 1

    bring_in({"tariffs": [files.tariff(preauthorize_amount=40)]})
    assert TariffVersion.objects.count() == 2


def test_short_passwords_and_unknown_fields_are_taken_and_told() -> None:
    imported = bring_in(
        files.network(stations=[files.station(password="short-one", colour="green")], notes=[])
    )

    assert [(finding.path, finding.code) for finding in imported.findings] == [
        ("notes", "unknown_field"),
        ("stations[0].colour", "unknown_field"),
        ("stations[0].password", "short_password"),
    ]


# --- A driver charges -----------------------------------------------------------------------------


@pytest.fixture
def charging() -> builders.Running:
    """A running session on EVSE E-1 of the imported network."""
    bring_in(files.network())
    station = builders.bring_online(ChargingStation.objects.get())
    EVSE.objects.update(status=EvseStatus.AVAILABLE)
    evse = station.evses.get(uid="E-1")
    terminal = Terminal.objects.get()
    connector = evse.connectors.get()
    cast = builders.Cast(
        site=evse.site,
        station=station,
        evse=evse,
        connector=connector,
        tariff_version=TariffVersion.objects.get(),
        ptp=terminal.ptp,
        terminal=terminal,
        key="",
    )
    return cast.running()


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"stations": [files.station(evse_uids=["E-2", "E-1"])]}, "stations[0].evse_uids"),
        ({"stations": [files.station(evse_uids=["E-2"])]}, "stations[0].evse_uids"),
        (
            {"stations": [files.station(evse_uids=[]), files.station("CP-2", evse_uids=["E-1"])]},
            "stations[0].evse_uids",
        ),
        (
            {"locations": [files.location(evses=[files.evse("E-1", status="REMOVED")])]},
            "locations[0].evses[0].status",
        ),
    ],
)
def test_a_live_session_is_never_disturbed(
    charging: builders.Running, sections: dict[str, Any], path: str
) -> None:
    assert faults(sections) == [(path, "live_session")]


def test_prices_change_while_a_driver_charges_at_the_old_one(charging: builders.Running) -> None:
    dearer = files.tariff(elements=[{"price_components": [{"type": "ENERGY", "price": 0.9}]}])

    bring_in(files.network(tariffs=[dearer], stations=[files.station(evse_uids=["E-1"])]))
    payment = charging.end(energy_wh=10_000, after_seconds=3600)

    assert payment.due_minor == 500
    assert charging.started_at < timezone.now() + timedelta(hours=1)


# --- The command ----------------------------------------------------------------------------------


def test_the_command_prints_faults_as_json_lines_and_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "network.json"
    file.write_text(json.dumps(files.network(tariffs=[])))

    with pytest.raises(SystemExit) as ended:
        call_command("import_network", str(file))

    assert ended.value.code == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {
        "path": "locations[0].evses[0].connectors[0].tariff_ids[0]",
        "code": "unknown_tariff",
        "message": "No tariff 'T-1' of FI*EMB.",
    }
    assert len(lines) == 2


def test_the_command_prints_generated_secrets_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "network.json"
    file.write_text(json.dumps(files.network(ptps=[files.ptp(), {"name": "New"}])))

    call_command("import_network", str(file))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["secret"] == "ptp"
    assert json.loads(line)["name"] == "New"

    call_command("import_network", str(file))
    assert capsys.readouterr().out == ""
