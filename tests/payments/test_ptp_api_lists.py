"""Lists are paged, and what an endpoint asks of the database does not grow with what it lists."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import EVSE
from payments.ptp_api import lookup
from tests import builders
from tests.payments.ptp_client import TerminalClient, start_body

MOST_QUERIES = 9  # for any read; a start writes more and is counted on its own


@pytest.fixture
def many(cast):
    """Five more free connectors, four settled payments, one running session."""
    for _ in range(5):
        builders.connector(at=builders.evse(at=cast.station))
    for minutes in range(4):
        running = cast.running(now=timezone.now() - timedelta(minutes=30 + minutes))
        running.end(energy_wh=10_000, after_seconds=1200)
        EVSE.objects.update(status="AVAILABLE")
    return cast.running()


def pages(terminal, path, **query):
    """All items of a list, page by page, and how many pages there were."""
    answer = terminal.get(path, **query).json()
    items, count = list(answer["items"]), 1
    while answer["next"]:
        answer = terminal.get(answer["next"]).json()
        items += answer["items"]
        count += 1
    return items, count


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [("/connectors", {}, 6), ("/settlements", {"status": "due"}, 4), ("/receipts", {}, 4)],
)
def test_pages_show_every_item_once(cast, many, terminal, monkeypatch, path, query, expected):
    query = query | {"terminal_id": cast.terminal.terminal_id}
    whole, _ = pages(terminal, path, **query)
    monkeypatch.setattr(lookup, "PAGE_SIZE", 2)

    items, count = pages(terminal, path, **query)

    assert count == expected / 2
    assert [item["id"] for item in items] == [item["id"] for item in whole]
    assert len({item["id"] for item in items}) == expected


def test_a_settlement_that_is_done_between_two_pages_hides_no_other(cast, many, terminal, monkeypatch):
    monkeypatch.setattr(lookup, "PAGE_SIZE", 2)
    first = terminal.get("/settlements", status="due").json()
    for item in first["items"]:
        report = {"confirmation_id": item["id"], "status": "SUCCESS", "amount": "5.00", "currency": "EUR"}
        terminal.post(f"/sessions/{item['id']}/capture", report)

    second = terminal.get(first["next"]).json()

    assert len(second["items"]) == 2
    assert second["next"] is None


def test_reads_have_a_query_budget(cast, many, terminal, django_assert_max_num_queries):
    terminal_id = cast.terminal.terminal_id
    ended = terminal.get("/settlements", status="due").json()["items"][0]["id"]

    for path, query in (
        ("/connectors", {"terminal_id": terminal_id}),
        (f"/connectors/{cast.connector.public_id}/quote", {"terminal_id": terminal_id}),
        ("/settlements", {"status": "due"}),
        ("/receipts", {"terminal_id": terminal_id}),
        (f"/sessions/{many.payment.session_id}", {}),
        (f"/sessions/{ended}/settlement", {}),
    ):
        with django_assert_max_num_queries(MOST_QUERIES):
            assert terminal.get(path, **query).status_code == 200


def test_a_start_has_a_query_budget(cast, terminal, django_assert_max_num_queries):
    body = start_body(cast)
    terminal.get("/settlements", status="due")

    with django_assert_max_num_queries(32):
        assert terminal.start(body).status_code == 202


def test_a_replayed_start_reads_and_writes_nothing_else(cast, terminal, django_assert_max_num_queries):
    body = start_body(cast)
    terminal.start(body, "key-1")

    with django_assert_max_num_queries(3):
        assert terminal.start(body, "key-1").status_code == 202


def test_a_key_of_the_ptp_sees_the_sessions_of_all_its_terminals(cast, many, terminal):
    elsewhere = builders.terminal(of=cast.ptp)

    assert len(terminal.get("/settlements", status="due").json()["items"]) == 4
    mine = terminal.get("/settlements", status="due", terminal_id=elsewhere.terminal_id)
    assert mine.json() == {"items": [], "next": None}
    assert (
        TerminalClient(builders.api_key(cast.ptp)).get(f"/sessions/{many.payment.session_id}").status_code
        == 200
    )


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_leaves_the_calendar_in_utc_is_refused(cast, terminal, since):
    answer = terminal.get("/receipts", terminal_id=cast.terminal.terminal_id, since=since)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query")
