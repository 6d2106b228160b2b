"""Importing a network lists what AFIR has against its tariffs, and refuses nothing."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from emabler.network.document import read_bytes
from emabler.network.importing import import_network
from tests.emabler import network_files as files

pytestmark = pytest.mark.django_db

FEE = {"type": "FLAT", "price": 1.0, "vat": 25.5, "step_size": 1}
FAST = {"power_type": "DC", "max_voltage": 920, "max_amperage": 200}


def network(**site: Any) -> dict[str, Any]:
    """The network of the tests with a fee per session, one EVSE of 184 kW and a new site."""
    fast = files.evse("E-1", connectors=[files.connector(**FAST)])
    location = files.location(evses=[fast, files.evse("E-2")], commissioned_on="2025-06-01", **site)
    tariff = files.tariff(elements=[{"price_components": [FEE]}])
    return files.network(tariffs=[tariff], locations=[location])


def findings(document: Any) -> list[tuple[str, str, str]]:
    imported = import_network(read_bytes(json.dumps(document).encode()), now=timezone.now())
    return [(found.severity.value, found.rule.value, found.path) for found in imported.afir]


FOUND = [
    ("error", "afir.flat", "tariffs[0].elements[0].price_components[0]"),
    ("warning", "afir.languages", "tariffs[0].tariff_alt_text"),
]


def test_errors_are_listed_each_time_and_the_network_is_imported() -> None:
    assert findings(network()) == FOUND
    assert findings(network()) == FOUND


def test_a_tariff_of_the_file_is_judged_where_it_was_sold_before() -> None:
    findings(network())

    assert findings({"tariffs": network()["tariffs"]}) == FOUND


def test_an_evse_of_the_file_is_judged_by_a_tariff_stored_before() -> None:
    findings({"tariffs": network()["tariffs"]})

    found = findings({"locations": network()["locations"]})

    assert found == [(severity, rule, path.removeprefix("tariffs[0].")) for severity, rule, path in FOUND]


def test_what_the_file_does_not_name_is_not_judged() -> None:
    findings(network())

    assert findings({"ptps": [files.ptp()]}) == []


def test_an_older_site_is_told_of_the_retrofit_alone() -> None:
    document = network()
    document["locations"][0]["commissioned_on"] = "2019-01-01"

    assert findings(document) == [("info", "afir.retrofit", "tariffs[0]")]


def test_the_command_prints_one_json_line_per_finding_and_succeeds(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text(json.dumps(network()), encoding="utf-8")
    printed = io.StringIO()

    call_command("import_network", str(tmp_path / "network.json"), stdout=printed)

    first, second = (json.loads(line) for line in printed.getvalue().splitlines())
    assert first == {
        "finding": "afir.flat",
        "severity": "error",
        "message": "Tariff T-1 at EVSE E-1: A fee per session is not allowed at 50 kW and more.",
        "path": "tariffs[0].elements[0].price_components[0]",
    }
    assert second["finding"] == "afir.languages"


def test_the_demo_keeps_to_afir() -> None:
    demo = (settings.BASE_DIR / "emabler" / "demo" / "network.json").read_bytes()

    assert import_network(read_bytes(demo), now=timezone.now()).afir == ()
