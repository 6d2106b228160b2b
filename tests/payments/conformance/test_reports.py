"""What the kit tells: counts, reasons, excerpts without secrets, a page that no peer can write into."""

import json
import re

import pytest

from payments.conformance.reports.console import lines
from payments.conformance.reports.document import as_json
from payments.conformance.reports.page import as_html
from payments.conformance.reports.summary import Facts, counts, failed
from payments.conformance.verdicts import Level, Outcome, Result
from payments.simulator.ocpi.wire import token_header
from tests.payments.conformance.cpo import TOKEN_A, ScriptedCpo
from tests.payments.conformance.faults import data, http, on, put, status
from tests.payments.conformance.test_planted_faults import check_peer

FACTS = Facts(
    url="https://cpo.example/ocpi/versions", began_at="2026-01-31T12:00:00Z", seconds=12.0, read_only=False
)
EVIL = "<script>alert(1)</script>"


def result(outcome: Outcome, **change: object) -> Result:
    given = {
        "id": "versions-01", "module": "versions", "title": "Versions", "section": "the text", "level": Level.MUST,
        "version": "2.3.0", "outcome": outcome, "message": "expected: this; came: that",
    }  # fmt: skip
    return Result(**{**given, **change})  # type: ignore[arg-type]


def test_warnings_fail_only_when_asked_for() -> None:
    warned = [result(Outcome.PASS), result(Outcome.WARN), result(Outcome.SKIP)]

    assert not failed(warned, strict=False)
    assert failed(warned, strict=True)
    assert failed([result(Outcome.FAIL)], strict=False)


@pytest.mark.parametrize(
    ("level", "outcome"),
    [
        (Level.MUST, Outcome.FAIL),
        (Level.SAFETY, Outcome.FAIL),
        (Level.SHOULD, Outcome.WARN),
        (Level.EXTENSION, Outcome.WARN),
    ],
)
def test_the_level_decides_what_a_broken_demand_is(level: Level, outcome: Outcome) -> None:
    assert level.outcome_when_broken is outcome


def test_the_console_tells_the_reason_and_the_section() -> None:
    told = "\n".join(lines([result(Outcome.FAIL), result(Outcome.PASS, id="versions-02")], FACTS))

    assert "FAIL  versions-01" in told
    assert "expected: this; came: that" in told
    assert "[the text]" in told
    assert told.count("versions-01 ") == 2  # in its module, and at the end among what is not met
    assert "2 checks in 12 s: 1 PASS, 1 FAIL, 0 WARN, 0 SKIP" in told


def test_the_page_escapes_whatever_a_peer_has_said() -> None:
    excerpt = {"request": f"GET /{EVIL}", "response": EVIL}

    page = as_html([result(Outcome.FAIL, message=EVIL, title=EVIL, excerpts=[excerpt])], FACTS)

    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2 * 4  # among what is not met, and in its module


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = as_html([result(Outcome.FAIL), result(Outcome.WARN)], FACTS)

    assert not re.search(r"(?:src|href)=|url\(|@import", page)
    assert "default-src 'none'" in page


def test_a_failure_quotes_its_exchange_without_any_token() -> None:
    with ScriptedCpo(tampers=[on("GET", "/locations/", http(200, 1000), when=status(404))]) as cpo:
        results = check_peer(cpo, "transport-13", "credentials-17", "credentials-15", versions=("2.3.0",))
        live = cpo.token

    told = as_json(results, FACTS) + as_html(results, FACTS) + "\n".join(lines(results, FACTS))
    broken = next(found for found in results if found.id == "transport-13")
    assert broken.outcome is Outcome.WARN
    assert "GET http://127.0.0.1" in broken.excerpts[0]["request"]
    assert '"status_code":1000' in broken.excerpts[0]["response"]
    for secret in (TOKEN_A, live):
        assert secret not in told
        assert token_header(secret).removeprefix("Token ") not in told


def test_credentials_in_an_answer_are_blanked() -> None:
    with ScriptedCpo(tampers=[on("GET", "/credentials", data(put(url="nowhere")))]) as cpo:
        found = check_peer(cpo, "credentials-15", versions=("2.3.0",))[0]

    assert found.outcome is Outcome.FAIL
    assert '"token":"•••"' in found.excerpts[0]["response"]


def test_the_document_can_be_read_by_machines() -> None:
    told = json.loads(as_json([result(Outcome.FAIL), result(Outcome.PASS)], FACTS))

    assert told["format"] == "ptp-conformance/1"
    assert told["counts"] == {"PASS": 1, "FAIL": 1, "WARN": 0, "SKIP": 0}
    assert told["results"][0]["outcome"] == "FAIL"
    assert counts([result(Outcome.SKIP)])["SKIP"] == 1
