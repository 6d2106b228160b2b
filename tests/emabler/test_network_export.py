"""What is exported is imported again without a change, here and on an empty database."""

import copy
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from emabler.network.document import read_bytes
from emabler.network.exporting import export_network, to_json
from emabler.network.importing import import_network
from tests.emabler import network_files as files
from tests.emabler.test_network_import import bring_in, everything

pytestmark = pytest.mark.django_db
LATER = datetime(2100, 1, 1, tzinfo=UTC)
VOLATILE = ("last_updated", "status")


def exported() -> Any:
    return read_bytes(to_json(export_network()).encode())


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if name not in VOLATILE}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def shaken(seed: int) -> dict[str, Any]:
    """A network with fields left out, added and changed at random."""
    dice = random.Random(seed)
    document = copy.deepcopy(files.network())
    (location,) = document["locations"]
    for name in ("name", "address", "coordinates", "opening_times", "energy_mix", "postal_code", "publish"):
        if dice.random() < 0.4:
            del location[name]
    location["images"] = dice.choice([[], [{"url": "https://a.example/ä.png", "width": 10}], None])
    location["latitude_hint"] = dice.choice([None, "", 0, 1.25, {"a": {}}])
    for evse in location["evses"]:
        evse["status"] = dice.choice(["AVAILABLE", "REMOVED", "PLANNED"])
        evse["floor_level"] = dice.choice(["", "-1"])
        evse["connectors"].append(
            files.connector(
                "2", power_type="DC", max_electric_power=dice.choice([None, 50_000]), tariff_ids=[]
            )
        )
    location["commissioned_on"] = dice.choice([None, "2024-04-13"])
    price = dice.choice([0, 0.1, 0.39, 1.2345])
    document["tariffs"].append(
        files.tariff(
            "T-2",
            tax_included=dice.choice(["YES", "NO", "N/A"]),
            elements=[{"price_components": [{"type": "TIME", "price": price}]}],
            max_price={"before_taxes": 10},
        )
    )
    document["stations"][0]["evse_uids"] = dice.choice([["E-1", "E-2"], ["E-2"], []])
    document["terminals"][0]["evse_uids"] = dice.choice([[], ["E-1"]])
    return document


@pytest.mark.parametrize("seed", range(12))
def test_an_export_imports_again_to_no_change(seed: int) -> None:
    bring_in(shaken(seed))
    before = everything()

    imported = import_network(exported(), now=LATER)

    assert everything() == before
    assert imported.secrets == []
    assert imported.findings == ()


def test_an_export_makes_the_same_network_on_an_empty_database(transactional_db: None) -> None:
    bring_in(shaken(1))
    original = exported()
    call_command("flush", interactive=False, verbosity=0)

    imported = import_network(original, now=timezone.now())

    assert without_times(exported()) == without_times(original)
    assert {secret["secret"] for secret in imported.secrets} == {"station", "ptp"}


def test_an_export_holds_no_secret(tmp_path: Path) -> None:
    bring_in(files.network())
    output = tmp_path / "network.json"

    call_command("export_network", "--output", str(output))

    text = output.read_text()
    for word in ("password", "api_key", "webhook_secret", "of-the-test"):
        assert word not in text
    assert json.loads(text)["stations"] == [
        {"identity": "CP-1", "location_id": "L-1", "evse_uids": ["E-1", "E-2"]}
    ]


def test_prices_are_written_digit_by_digit(capsys: pytest.CaptureFixture[str]) -> None:
    component = {"type": "ENERGY", "price": 0.1, "vat": 25.5}
    bring_in(files.network(tariffs=[files.tariff(elements=[{"price_components": [component]}])]))

    call_command("export_network")

    assert '"price": 0.1,' in capsys.readouterr().out


def test_the_demo_network_imports_without_a_finding() -> None:
    demo = (settings.BASE_DIR / "emabler" / "demo" / "network.json").read_bytes()

    imported = import_network(read_bytes(demo), now=timezone.now())

    assert imported.findings == ()
    assert len(export_network()["locations"][0]["evses"]) == 3
