"""One call to a platform: what it carries, what comes back, what is refused; against a real HTTP peer."""

import itertools
import threading
import time
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.utils import timezone

from payments import outbound
from payments.models import OcpiConnection, OcpiMessage
from payments.ocpi import connections
from payments.ocpi.push import client
from payments.simulator.ocpi.wire import Cut, PeerServer, Reply

TOKEN = "token-of-the-platform-0123456789"  # what we show it


@pytest.fixture
def peer():
    with PeerServer() as running:
        yield running


@pytest.fixture
def connection(db):
    made, _ = connections.invite(name="Peer", country_code="NL", party_id="PTP", now=timezone.now())
    made.state = OcpiConnection.State.REGISTERED
    connections.set_client_token(made, TOKEN)
    made.save()
    return made


def test_a_call_carries_token_ids_and_routing_and_reads_the_envelope(connection, peer):
    peer.route("PUT", "/cdrs/{id}", lambda _: Reply({"price": Decimal("0.30")}, http_status=201))

    answer = client.call(
        connection, "PUT", f"{peer.url}/cdrs/7", body={"kwh": Decimal("1.10")}, query={"a": "b c"},
        correlation_id="session-1", module="cdrs",
    )  # fmt: skip

    got = peer.received[0]
    assert answer.ok
    assert (answer.http_status, answer.ocpi_status, answer.data) == (201, 1000, {"price": Decimal("0.30")})
    assert (got.raw, got.query) == (b'{"kwh":1.10}', {"a": "b c"})
    assert TOKEN in got.tokens
    assert got.headers["X-Correlation-ID"] == "session-1"
    assert [got.headers[f"OCPI-{name}"] for name in ("to-country-code", "to-party-id")] == ["NL", "PTP"]
    assert [got.headers[f"OCPI-{name}"] for name in ("from-country-code", "from-party-id")] == ["FI", "EMB"]
    kept = OcpiMessage.objects.get()
    assert (kept.direction, kept.method, kept.module, kept.http_status, kept.ocpi_status) == (
        "OUT", "PUT", "cdrs", 201, 1000,
    )  # fmt: skip
    assert (kept.request_id, kept.correlation_id) == (got.headers["X-Request-ID"], "session-1")
    assert kept.url == f"{peer.url}/cdrs/7?a=b+c"
    connection.refresh_from_db()
    assert connection.last_reached_at is not None


def test_a_contract_is_named_by_its_party(connection, peer):
    peer.route("GET", "/x", lambda _: Reply({}))

    client.call(connection, "GET", f"{peer.url}/x", to_party=("DE", "ABC"), from_party=("FI", "SUB"))

    headers = peer.received[0].headers
    assert (headers["OCPI-to-party-id"], headers["OCPI-from-party-id"]) == ("ABC", "SUB")


def test_credentials_are_not_routed_and_show_the_token_they_are_given(connection, peer):
    peer.route("GET", "/versions", lambda _: Reply([]))

    client.call(connection, "GET", f"{peer.url}/versions", routed=False, token="token-a")

    got = peer.received[0]
    assert "token-a" in got.tokens
    assert not [name for name in got.headers if name.lower().startswith("ocpi-")]


def test_an_old_peer_gets_its_token_as_it_is(connection, peer):
    peer.route("GET", "/x", lambda _: Reply({}))
    connection.raw_tokens = True

    client.call(connection, "GET", f"{peer.url}/x")

    assert peer.received[0].headers["Authorization"] == f"Token {TOKEN}"


def test_no_token_is_kept_in_the_log(connection, peer):
    secret = "a-new-secret-token"
    peer.route("POST", "/credentials", lambda _: Reply({"token": secret, "url": "x"}))

    client.call(connection, "POST", f"{peer.url}/credentials", body={"token": secret})

    kept = OcpiMessage.objects.get()
    assert "token" in kept.request_body
    assert secret not in kept.request_body + kept.response_body
    assert TOKEN not in kept.request_body + kept.response_body


def test_what_ocpi_declines_is_an_answer_and_not_an_error(connection, peer):
    peer.route("PUT", "/x", lambda _: Reply(status_code=2001, message="no such field"))

    answer = client.call(connection, "PUT", f"{peer.url}/x", body={})

    assert not answer.ok
    assert str(answer) == "HTTP 200, OCPI 2001 no such field"
    assert OcpiMessage.objects.get().error == "no such field"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"<html>Bad gateway</html>", 502),
        (b"", 200),
        (b"[]", 200),
        (b'{"data": {}}', 200),
        (b'{"status_code": "1000"}', 200),
        (b'{"status_code": true}', 200),
        (b'{"status_code": 1000, "data": NaN}', 200),
        (b'{"status_code": 1000, "status_code": 1000}', 200),
        (b"[" * 40_000, 200),
        (b'{"status_code": 1000, "data": "' + b"x" * outbound.ANSWER.most_bytes + b'"}', 200),
    ],
)
def test_an_answer_without_an_envelope_is_said_to_be_bad(connection, peer, raw, status):
    peer.route("GET", "/x", lambda _: Reply(raw=raw, http_status=status))

    with pytest.raises(client.BadAnswer) as told:
        client.call(connection, "GET", f"{peer.url}/x")

    kept = OcpiMessage.objects.get()
    assert told.value.http_status == kept.http_status == status
    assert kept.error


def test_a_redirect_is_not_followed(connection, peer):
    peer.route("GET", "/x", lambda _: Reply(raw=b"", http_status=307, headers={"Location": "/y"}))
    peer.route("GET", "/y", lambda _: Reply({}))

    with pytest.raises(client.BadAnswer):
        client.call(connection, "GET", f"{peer.url}/x")

    assert len(peer.received) == 1


def test_a_platform_that_hangs_up_or_is_away_is_unreachable(connection, peer):
    def cut(_):
        raise Cut

    peer.route("GET", "/x", cut)
    with pytest.raises(client.Unreachable):
        client.call(connection, "GET", f"{peer.url}/x")
    peer.stop()
    with pytest.raises(client.Unreachable):
        client.call(connection, "GET", f"{peer.url}/x")

    kept = OcpiMessage.objects.all()
    assert [(message.http_status, bool(message.error)) for message in kept] == [(None, True)] * 2


def test_an_answer_in_drips_does_not_hold_us_beyond_the_total(connection, peer):
    release = threading.Event()

    def slow(_):
        release.wait(5)
        return Reply({})

    peer.route("GET", "/x", slow)
    try:
        with pytest.raises(client.Unreachable, match="no answer within"):
            client.call(connection, "GET", f"{peer.url}/x", limits=outbound.Limits(call_seconds=0.2))
    finally:
        release.set()


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest",
        "ftp://127.0.0.1/",
        "https://a:b@127.0.0.1/",
        "x",
    ],
)
def test_an_address_of_our_own_network_is_refused(connection, url):
    with pytest.raises(client.Refused):
        client.call(connection, "GET", url)

    assert OcpiMessage.objects.get().error


def test_without_a_token_of_its_own_nobody_is_called(connection, peer):
    connection.client_token_sealed = ""

    with pytest.raises(client.Refused, match="not registered"):
        client.call(connection, "GET", f"{peer.url}/x")

    assert not peer.received


def test_a_call_inside_a_transaction_is_a_bug(connection, peer):
    with transaction.atomic(), pytest.raises(AssertionError, match="inside a transaction"):
        client.call(connection, "GET", f"{peer.url}/x")

    assert not peer.received


# --- Pages ----------------------------------------------------------------------------------------


def test_pages_follow_the_links_and_keep_what_was_asked_for(connection, peer):
    def listed(request):
        offset = int(request.query.get("offset", 0))
        link = f'<{peer.url}/list?date_from=2026-01-01&offset={offset + 1}>; rel="next"'
        return Reply([offset], headers={"Link": link} if offset < 2 else {})

    peer.route("GET", "/list", listed)

    found = list(client.objects(connection, f"{peer.url}/list", query={"date_from": "2026-01-01"}))

    assert found == [0, 1, 2]
    assert [request.query["date_from"] for request in peer.received] == ["2026-01-01"] * 3


@pytest.fixture
def seconds_of_looks(monkeypatch):
    """Each look at the clock takes a second."""
    now = itertools.count()
    looked = SimpleNamespace(monotonic=lambda: next(now), perf_counter=time.perf_counter)
    monkeypatch.setattr(client, "time", looked)
    monkeypatch.setattr(client, "LATE_PAGE_SECONDS", 0)


@pytest.mark.usefixtures("seconds_of_looks")
def test_a_list_goes_on_behind_what_came_of_its_page(connection, peer):
    link = f'<{peer.url}/list?page=2>; rel="next"'
    pages = {"1": Reply([0, 1, 2], headers={"Link": link}), "2": Reply([3, 4, 5, 6, 7])}
    peer.route("GET", "/list", lambda asked: pages[asked.query.get("page", "1")])
    got = client.objects(connection, f"{peer.url}/list", query={"page": "1"}, until=9)

    assert list(itertools.islice(got, 6)) == [0, 1, 2, 3, 4, 5]  # four looks at the clock are for the pages
    with pytest.raises(client.Unfinished) as stopped:
        next(got)

    assert (stopped.value.next_url, stopped.value.done) == (f"{peer.url}/list?page=2", 3)
    peer.received.clear()
    assert list(client.objects(connection, stopped.value.next_url, done=3)) == [6, 7]
    assert [asked.query for asked in peer.received] == [{"page": "2"}]


@pytest.mark.usefixtures("seconds_of_looks")
def test_a_first_page_that_was_too_long_is_asked_for_again_as_it_was(connection, peer):
    peer.route("GET", "/list", lambda _: Reply([0, 1, 2]))
    got = client.objects(connection, f"{peer.url}/list", query={"date_from": "2026-01-01"}, until=2)

    assert next(got) == 0
    with pytest.raises(client.Unfinished) as stopped:
        next(got)

    assert list(client.objects(connection, stopped.value.next_url, done=stopped.value.done)) == [1, 2]
    first, again = (asked.query for asked in peer.received)
    assert first == again == {"limit": "100", "date_from": "2026-01-01"}


def test_a_page_at_another_host_does_not_get_our_token(connection, peer):
    with PeerServer() as other:
        other.route("GET", "/list", lambda _: Reply([]))
        link = f'<{other.url}/list>; rel="next"'
        peer.route("GET", "/list", lambda _: Reply([1], headers={"Link": link}))

        with pytest.raises(client.BadAnswer, match="another host"):
            list(client.objects(connection, f"{peer.url}/list"))

        assert not other.received


@pytest.mark.parametrize(
    "link",
    [
        '<{url}?page=2,3;a=b>; rel="next"',
        "<{url}?page=2>;rel=next",
        '< {url}?page=2 > ; title="b;c" ; REL="Last NEXT"',
        '<{url}?page=0>; rel="prev", <{url}?page=2>; rel="next", <{url}?page=9>; rel="last"',
        '<<{url}?page=2>; rel="next"',
    ],
)
def test_the_next_page_is_found_however_its_link_is_written(connection, peer, link):
    links = {"Link": link.format(url=f"{peer.url}/list")}
    peer.route("GET", "/list", lambda asked: Reply([1], headers={} if "page" in asked.query else links))

    assert list(client.objects(connection, f"{peer.url}/list")) == [1, 1]


@pytest.mark.parametrize(
    "link",
    [
        '<{url}>; rel="prev"',
        '<{url}>; rel="nextish"',
        '<{url}>; title="next"',
        "{url}; rel=next",
        "<<<",
        ">",
        ";",
    ],
)
def test_a_link_that_leads_elsewhere_ends_the_list(connection, peer, link):
    links = {"Link": link.format(url=f"{peer.url}/list")}
    peer.route("GET", "/list", lambda _: Reply([1], headers=links))

    assert list(client.objects(connection, f"{peer.url}/list")) == [1]


@pytest.mark.parametrize(
    "before", ["<" * client.LONGEST_LINK, "<>;" * 2_000, ", " * 3_000], ids=["open", "empty", "nothing"]
)
def test_a_link_that_is_too_long_is_not_read_and_makes_no_list_complete(connection, peer, before):
    links = {"Link": f'{before}<{peer.url}/list?page=2>; rel="next"'}
    peer.route("GET", "/list", lambda asked: Reply([1], headers={} if "page" in asked.query else links))
    got = client.objects(connection, f"{peer.url}/list")

    assert next(got) == 1
    with pytest.raises(client.BadAnswer, match="the Link header is longer than 4096"):
        next(got)
    assert len(peer.received) == 1


def test_a_list_that_goes_in_a_circle_ends(connection, peer, monkeypatch):
    monkeypatch.setattr(client, "MOST_PAGES", 5)
    link = f'<{peer.url}/list>; rel="next"'
    peer.route("GET", "/list", lambda _: Reply([1], headers={"Link": link}))

    got = client.objects(connection, f"{peer.url}/list")

    assert list(itertools.islice(got, 5)) == [1] * 5
    with pytest.raises(client.BadAnswer, match="more than 5 pages"):
        next(got)


@pytest.mark.parametrize("reply", [Reply({"id": 1}), Reply(status_code=3000), Reply([], http_status=404)])
def test_a_list_that_is_none_is_said_to_be_bad(connection, peer, reply):
    peer.route("GET", "/list", lambda _: reply)

    with pytest.raises(client.BadAnswer, match="no list came"):
        list(client.objects(connection, f"{peer.url}/list"))


def test_a_page_may_be_larger_than_an_answer(connection, peer):
    peer.route("GET", "/list", lambda _: Reply(["x" * 1000] * 500))

    assert len(list(client.objects(connection, f"{peer.url}/list"))) == 500
