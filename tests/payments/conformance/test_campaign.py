"""A whole run: both versions in one connection, what is left behind, and what cannot be tried."""

import ast
import contextlib
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from payments.conformance import campaign
from payments.conformance.bench import Options
from payments.conformance.registry import CHECKS, VERSIONS, Stage
from payments.conformance.verdicts import Outcome, Result
from tests.payments.conformance.cpo import TOKEN_A, ScriptedCpo
from tests.payments.conformance.faults import http, on
from tests.payments.conformance.test_planted_faults import PATIENCE_SECONDS, check_healthy_peer, check_peer

ROOM = Path(campaign.__file__).parent
ALLOWED = ("payments.conformance", "payments.exact_json", "payments.simulator.ocpi.wire", "payments")


def outcomes(results: list[Result]) -> Counter[Outcome]:
    return Counter(result.outcome for result in results)


def test_a_peer_without_fault_passes_everything_in_both_versions_and_skips_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ScriptedCpo() as cpo:
        results = check_healthy_peer(cpo, monkeypatch)

    once = sum(check.stage is not Stage.CONNECTED for check in CHECKS.values())
    each = sum(len(check.versions) for check in CHECKS.values() if check.stage is Stage.CONNECTED)
    assert [str(result) for result in results if result.outcome is not Outcome.PASS] == []
    assert len(results) == once + each
    assert {result.version for result in results} == {"", *VERSIONS}


def test_the_connection_is_ended_whatever_was_checked() -> None:
    with ScriptedCpo() as cpo:
        check_peer(cpo, "locations")

        assert cpo.token == "nobody"


def test_read_only_leaves_nothing_behind_and_charges_nothing() -> None:
    with ScriptedCpo() as cpo:
        options = Options(
            url=cpo.versions_url,
            token=TOKEN_A,
            read_only=True,
            settle_seconds=0.1,
            patience_seconds=PATIENCE_SECONDS,
        )
        results = campaign.run(options)

        assert cpo.stored == {}
        assert cpo.sessions == {version: [] for version in VERSIONS}
        assert {location["evses"][0]["status"] for location in cpo.locations} == {"AVAILABLE"}
    assert outcomes(results)[Outcome.FAIL] == 0
    skipped = {result.id for result in results if result.outcome is Outcome.SKIP}
    assert {name for name, check in CHECKS.items() if check.writes} <= skipped


def test_without_a_free_connector_the_charge_is_skipped_with_its_reason() -> None:
    with ScriptedCpo() as cpo:
        for location in cpo.locations:
            for evse in location["evses"]:
                evse["status"] = "OUTOFORDER"
        results = check_peer(cpo, "charge", versions=("2.3.0",), patience_seconds=1)

    assert {result.outcome for result in results} == {Outcome.SKIP}
    assert "No connector is available" in results[0].message
    assert "OUTOFORDER" in results[0].message


def test_without_a_connection_the_registration_fails_and_the_rest_is_skipped() -> None:
    with ScriptedCpo(tampers=[on("POST", "/credentials", http(200, 3000))]) as cpo:
        results = check_peer(cpo, "credentials-08", "locations", versions=("2.3.0",))

    assert results[0].outcome is Outcome.FAIL
    assert {result.outcome for result in results[1:]} == {Outcome.SKIP}
    assert "There is no connection" in results[1].message


def test_a_peer_that_is_not_there_is_told_and_nothing_crashes() -> None:
    results = campaign.run(
        Options(url="http://127.0.0.1:9/ocpi/versions", token="x", only=("versions", "locations"))
    )

    assert results[0].outcome is Outcome.FAIL
    assert "none came" in results[0].message
    assert outcomes(results)[Outcome.PASS] == 0


def test_every_check_has_a_module_that_is_tried() -> None:
    assert {check.id for check in CHECKS.values()} == set(CHECKS)
    assert len(CHECKS) > 90
    assert all(check.section and check.title for check in CHECKS.values())


def test_the_kit_knows_the_wire_alone() -> None:
    strangers = []
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = [
                name for name in names if name.split(".")[0] in ("payments", "emabler", "chargers", "django")
            ]
            strangers += [
                f"{file.name}: {name}"
                for name in ours
                if name not in ALLOWED and not name.startswith("payments.conformance.")
            ]

    assert strangers == []


# --- the command --------------------------------------------------------------------------------


def command(*words: str) -> tuple[int, str]:
    """Call it as from a shell; returns the exit status and what it wrote."""
    out, code = io.StringIO(), 0
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            call_command("ptp_check", *words, stdout=out, stderr=io.StringIO())
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    return code, out.getvalue()


def test_the_command_reports_in_three_forms_and_leaves_with_0(tmp_path: Path) -> None:
    with ScriptedCpo() as cpo:
        code, told = command(
            "--url", cpo.versions_url, "--token", TOKEN_A, "--only", "locations", "--version", "2.2.1",
            "--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html"),
        )  # fmt: skip

    assert code == 0
    assert "ok    locations-01" in told
    assert json.loads((tmp_path / "r.json").read_text())["counts"]["FAIL"] == 0
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_the_command_leaves_with_1_when_something_failed() -> None:
    with ScriptedCpo(tampers=[on("GET", "/locations", http(500, 3000))]) as cpo:
        code, told = command("--url", cpo.versions_url, "--token", TOKEN_A, "--only", "locations-01")

    assert code == 1
    assert "FAIL  locations-01" in told


def test_the_command_lists_its_checks() -> None:
    code, told = command("--list")

    assert code == 0
    assert len(told.splitlines()) == len(CHECKS)


@pytest.mark.parametrize("words", [["--url", "x"], ["--url", "x", "--token", "y", "--only", "nonsense"],
                                   ["--url", "x", "--token", "y", "--party", "NOBODY"]])  # fmt: skip
def test_the_command_refuses_what_it_cannot_mean(words: list[str]) -> None:
    with pytest.raises(CommandError):
        command(*words)
