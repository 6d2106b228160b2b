"""What must not come in, row by row: each gets a typed answer, none a stack trace, and nothing is stored."""

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from payments.keys import hash_of
from payments.models import ApiKey, Payment
from tests import builders
from tests.payments.ptp_client import API, TerminalClient, problem, start_body

# A well-formed id that nothing has; fixed, so that every worker collects the same tests.
UNKNOWN = "7d444840-9dc0-4d0c-8ee7-3f5b8e8c9f11"


def faults(response):
    """Path and code of every fault of a problem document."""
    return [(fault["path"], fault["code"]) for fault in response.json()["errors"]]


# --- Fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (60.0, "not_text"),
        (60, "not_text"),
        (True, "not_text"),
        (["60.00"], "not_text"),
        ("-1.00", "invalid"),
        ("+1.00", "invalid"),
        ("1e3", "invalid"),
        ("60,00", "invalid"),
        ("", "invalid"),
        ("NaN", "invalid"),
        ("٦٠", "invalid"),
        ("60.001", "scale"),
        ("1000000000.00", "too_large"),
        ("9" * 100_000, "too_large"),
        (None, "null"),
    ],
)
def test_an_amount_that_is_not_one_is_refused(cast, terminal, amount, code):
    answer = terminal.start(start_body(cast, authorized_amount=amount))

    assert problem(answer) == (400, "invalid_body")
    assert faults(answer) == [("authorized_amount", code)]
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "eur"),
        ("currency", "EURO"),
        ("currency", 978),
        ("currency", "XXX"),
        ("terminal_id", 7),
        ("terminal_id", "T" * 37),
        ("connector_id", "../1"),
        ("connector_id", 1),
        ("quote_id", "not-a-uuid"),
        ("authorization_reference", ""),
        ("authorization_reference", "a" * 37),
        ("authorization_reference", "with space"),
        ("authorization_reference", "ref\u202e"),
        ("authorization_reference", {"a": 1}),
        ("language", "english"),
        ("language", "../e"),
    ],
)
def test_a_field_of_the_wrong_form_is_named(cast, terminal, field, value):
    answer = terminal.start(start_body(cast, **{field: value}))

    assert problem(answer) == (400, "invalid_body")
    assert [path for path, _ in faults(answer)] == [field]


@pytest.mark.parametrize(
    ("card", "path"),
    [
        ({"last4": "42424"}, "card.last4"),
        ({"last4": 4242}, "card.last4"),
        ({"scheme": "V" * 33}, "card.scheme"),
        ("VISA", "card"),
        ([], "card"),
    ],
)
def test_a_card_that_is_not_one_is_named(cast, terminal, card, path):
    answer = terminal.start(start_body(cast, card=card))

    assert problem(answer) == (400, "invalid_body")
    assert [found for found, _ in faults(answer)] == [path]


def test_every_fault_of_a_body_is_told_at_once(terminal):
    answer = terminal.start({})

    assert problem(answer) == (400, "invalid_body")
    assert set(faults(answer)) == {
        (name, "required")
        for name in ("connector_id", "quote_id", "authorization_reference", "authorized_amount", "currency")
    }


def test_card_and_language_may_be_left_out(cast, terminal):
    body = start_body(cast)
    del body["card"], body["language"]

    assert terminal.start(body).status_code == 202
    assert Payment.objects.get().language == "en"


# --- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\u0000"}',
        b'{"a": "line\\nbreak"}',
        b'{"a": "\\ud800"}',
        b'{"\\u0007": 1}',
        b'{"a": "\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": 1e400000}',
        b"[" * 100_000,
        b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}",
    ],
)
def test_a_body_that_is_not_our_kind_of_json_is_refused(cast, terminal, raw):
    answer = terminal.post("/sessions", raw=raw, idempotency_key="k")

    assert problem(answer) == (400, "invalid_body")


def test_a_body_that_is_too_large_is_refused(cast, terminal):
    body = start_body(cast) | {"filler": "x" * 300_000}

    assert problem(terminal.start(body)) == (413, "too_large")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
)
def test_a_body_of_another_type_is_refused(cast, terminal, content_type):
    raw = json.dumps(start_body(cast)).encode()

    answer = terminal.post("/sessions", raw=raw, idempotency_key="k", content_type=content_type)

    assert problem(answer) == (415, "unsupported_media_type")


# --- Captures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"amount": 5.0}, "amount"),
        ({"amount": "-5.00"}, "amount"),
        ({"amount": "5.001"}, "amount"),
        ({"amount": "1e2"}, "amount"),
        ({"status": "MAYBE"}, "status"),
        ({"status": None}, "status"),
        ({"confirmation_id": ""}, "confirmation_id"),
        ({"confirmation_id": "c" * 37}, "confirmation_id"),
        ({"currency": "XXX"}, "currency"),
        ({"eft_data": "line"}, "eft_data"),
        ({"eft_data": ["x"] * 101}, "eft_data"),
        ({"eft_data": ["x" * 256]}, "eft_data.0"),
        ({"eft_data": [{"a": 1}]}, "eft_data.0"),
    ],
)
def test_a_capture_report_of_the_wrong_form_is_named(cast, terminal, fields, path):
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    running.end(energy_wh=10_000, after_seconds=1200)
    report = {"confirmation_id": "c-1", "status": "SUCCESS", "amount": "5.00", "currency": "EUR"}

    answer = terminal.post(f"/sessions/{running.payment.session_id}/capture", report | fields)

    assert problem(answer) == (400, "invalid_body")
    assert [found.replace("[", ".").replace("]", "") for found, _ in faults(answer)] == [path]
    assert Payment.objects.get().state == "CAPTURING"


# --- Paths and queries ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/sessions/",
        "/sessions/1",
        "/sessions/../../admin",
        f"/sessions/{'a' * 36}",
        f"/sessions/{UNKNOWN}",
        f"/sessions/{UNKNOWN}/settlement",
        f"/connectors/{UNKNOWN}/quote",
        "/connectors/%00/quote",
        "/%0a",
        "/sessions%0a",
        "/sessions/%0a",
    ],
)
def test_what_is_not_there_is_a_problem_document(terminal, path):
    assert problem(terminal.get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("/connectors", {}, "terminal_id"),
        ("/connectors", {"terminal_id": "T" * 65}, "terminal_id"),
        ("/connectors", {"terminal_id": "T\x00"}, "terminal_id"),
        ("/settlements", {}, "status"),
        ("/settlements", {"status": "all"}, "status"),
        ("/settlements", {"status": "due", "cursor": "1"}, "cursor"),
        ("/settlements", {"status": "due", "cursor": UNKNOWN}, "cursor"),
    ],
)
def test_a_parameter_of_the_wrong_form_is_named(terminal, path, query, parameter):
    answer = terminal.get(path, **query)

    assert problem(answer) == (400, "invalid_query")
    assert [found for found, _ in faults(answer)] == [parameter]


def test_a_cursor_is_of_the_callers_own_and_of_this_list(cast, terminal):
    runs, theirs = cast.running().payment, builders.cast().running().end(energy_wh=1000, after_seconds=60)
    lists = [("/settlements", {"status": "due"}), ("/receipts", {"terminal_id": cast.terminal.terminal_id})]

    for path, query in lists:
        for cursor in (runs.session_id, theirs.session_id):
            answer = terminal.get(path, **query, cursor=str(cursor))
            assert problem(answer) == (400, "invalid_query")


@pytest.mark.parametrize("path", ["/connectors", "/settlements", "/receipts"])
def test_a_query_of_too_many_parameters_is_refused_and_no_fault_of_ours(terminal, caplog, path):
    answer = terminal.get(path, status="due", **{f"a{n}": "1" for n in range(2_000)})

    assert problem(answer) == (400, "invalid_query")
    assert "unforeseen" not in caplog.text


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "0", "9" * 60])
def test_a_time_that_is_not_one_is_refused(cast, terminal, since):
    answer = terminal.get("/receipts", terminal_id=cast.terminal.terminal_id, since=since)

    assert problem(answer) == (400, "invalid_query")


@pytest.mark.parametrize("language", ["english", "e", "é!", "../../x"])
def test_a_language_that_is_not_one_is_refused(cast, terminal, language):
    answer = terminal.get(f"/connectors/{cast.connector.public_id}/quote", lang=language)

    assert problem(answer) == (400, "invalid_query")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "trace"])
def test_a_method_that_is_not_meant_is_refused(cast, terminal, method):
    call = getattr(terminal.client, method)

    answer = call(f"{API}/sessions", headers={"authorization": f"Bearer {cast.key}"})

    assert problem(answer) == (405, "method_not_allowed")


# --- Who calls ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Token abc",
        "Bearer nobody",
        "Bearer " + "k" * 5000,
        "Bearer \xe9",
    ],
)
def test_without_a_living_key_nothing_is_told(cast, header):
    headers = {} if header is None else {"authorization": header}

    answer = TerminalClient().client.get(f"{API}/settlements?status=due", headers=headers)

    assert problem(answer) == (401, "unauthorized")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_is_no_key(cast, terminal):
    ApiKey.objects.filter(key_hash=hash_of(cast.key)).update(revoked_at=timezone.now())

    assert problem(terminal.get("/settlements", status="due")) == (401, "unauthorized")


def test_of_another_ptp_nothing_is_there(cast, terminal):
    stranger = builders.cast()
    running = stranger.running(now=timezone.now() - timedelta(minutes=20))
    running.end(energy_wh=10_000, after_seconds=1200)
    path = f"/sessions/{running.payment.session_id}"
    report = {"confirmation_id": "c-1", "status": "SUCCESS", "amount": "5.00", "currency": "EUR"}

    for answer in (
        terminal.get(path),
        terminal.get(f"{path}/settlement"),
        terminal.post(f"{path}/stop"),
        terminal.post(f"{path}/capture", report),
        terminal.post(f"{path}/release"),
        terminal.get("/connectors", terminal_id=stranger.terminal.terminal_id),
        terminal.get(f"/connectors/{stranger.connector.public_id}/quote"),
        terminal.get("/receipts", terminal_id=stranger.terminal.terminal_id),
        terminal.post("/heartbeat", {"terminal_id": stranger.terminal.terminal_id}),
        terminal.start(start_body(cast, terminal_id=stranger.terminal.terminal_id)),
    ):
        assert problem(answer) == (404, "not_found")
    assert terminal.get("/settlements", status="due").json()["items"] == []
    assert Payment.objects.get().state == "CAPTURING"


def test_a_key_of_one_terminal_speaks_for_no_other(cast):
    other = builders.terminal(of=cast.ptp, at=cast.site)
    limited = TerminalClient(builders.api_key(cast.ptp, only=other))

    assert problem(limited.get("/connectors", terminal_id=cast.terminal.terminal_id)) == (404, "not_found")
    assert problem(limited.start(start_body(cast))) == (404, "not_found")


def test_too_many_requests_of_one_key_wait_and_other_keys_do_not(cast, terminal, settings):
    settings.PTP_REQUESTS_PER_MINUTE = 3
    other = TerminalClient(builders.api_key(cast.ptp))

    answers = [terminal.get("/settlements", status="due") for _ in range(7)]

    # A minute may turn in between; six requests in two minutes are at most what passes.
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert problem(refused[0]) == (429, "rate_limited")
    assert 1 <= int(refused[0]["Retry-After"]) <= 60
    assert other.get("/settlements", status="due").status_code == 200
    cache.clear()
    assert terminal.get("/settlements", status="due").status_code == 200


def test_what_nobody_foresaw_is_told_without_its_inside(cast, terminal, monkeypatch, caplog):
    def explode(*_, **__):
        raise RuntimeError("secret inside")

    monkeypatch.setattr("payments.ptp_api.settlement_views.payments_of", explode)

    answer = terminal.get("/settlements", status="due")

    assert problem(answer) == (500, "internal_error")
    assert b"secret" not in answer.content
    assert "secret inside" in caplog.text


@pytest.mark.parametrize("lost", [OperationalError, InterfaceError])
def test_while_the_database_is_away_a_terminal_is_asked_to_come_again(cast, terminal, monkeypatch, lost):
    def gone(*_, **__):
        raise lost("server closed the connection unexpectedly, at 10.0.0.7")

    monkeypatch.setattr("payments.ptp_api.settlement_views.payments_of", gone)

    answer = terminal.get("/settlements", status="due")

    assert problem(answer) == (503, "unavailable")
    assert int(answer["Retry-After"]) >= 1
    assert b"10.0.0.7" not in answer.content
