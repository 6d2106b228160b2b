"""The wire of the PTP in the box, over real HTTP on the loopback."""

import socket
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from payments.simulator.ocpi.wire import (
    Cut,
    NoAnswer,
    NotOcpi,
    OcpiClient,
    Party,
    PeerServer,
    Reply,
    Request,
    not_found,
    paged,
    tokens_in,
)


@pytest.fixture
def peer() -> Iterator[PeerServer]:
    with PeerServer() as server:
        yield server


@pytest.fixture
def client() -> Iterator[OcpiClient]:
    client = OcpiClient("secret", sender=Party("DE", "PTP"), receiver=Party("FI", "CPO"))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("Token c2VjcmV0", ("secret", "c2VjcmV0")),
        ("token c2VjcmV0Cg==", ("secret", "c2VjcmV0Cg==")),
        ("Token not base64!", ("not base64!",)),
        ("Bearer c2VjcmV0", ()),
        ("Token ", ()),
        (None, ()),
    ],
)
def test_a_token_is_read_as_base64_or_as_it_stands(header: str | None, meant: tuple[str, ...]) -> None:
    assert tokens_in(header) == meant


def test_an_amount_arrives_digit_by_digit_and_ids_come_back(peer: PeerServer, client: OcpiClient) -> None:
    peer.route("PUT", "/cdrs/{id}", lambda request: Reply(request.body | request.parts, http_status=201))

    answer = client.put(f"{peer.url}/cdrs/a%20b/", {"total": Decimal("0.30")})

    assert answer.ok
    assert answer.data == {"total": Decimal("0.30"), "id": "a b"}
    assert answer.headers["X-Request-ID"] == answer.request_headers["X-Request-ID"]
    sent = peer.received[0]
    assert sent.tokens[0] == "secret"
    assert (sent.headers["ocpi-from-party-id"], sent.headers["OCPI-TO-COUNTRY-CODE"]) == ("PTP", "FI")


def test_pages_are_followed_to_the_last(peer: PeerServer, client: OcpiClient) -> None:
    objects = [{"id": str(n), "last_updated": f"2026-01-0{n + 1}T00:00:00Z"} for n in range(5)]
    peer.route("GET", "/tariffs", lambda request: paged(objects, request, url=f"{peer.url}/tariffs", most=2))

    found = client.items(f"{peer.url}/tariffs", {"date_from": "2026-01-02T00:00:00Z"})
    before = client.items(f"{peer.url}/tariffs", {"date_to": "2026-01-02T00:00:00Z"})

    assert [item["id"] for item in found] == ["1", "2", "3", "4"]
    assert [item["id"] for item in before] == ["0"]
    assert [request.query.get("offset") for request in peer.received][:2] == [None, "2"]


def test_a_next_page_at_another_host_does_not_get_the_token(peer: PeerServer, client: OcpiClient) -> None:
    link = {"Link": '<http://127.0.0.2:1/tariffs>; rel="next"'}
    peer.route("GET", "/tariffs", lambda request: Reply([], headers=link))

    with pytest.raises(NotOcpi, match="another host"):
        client.items(f"{peer.url}/tariffs")


def test_a_link_begins_where_its_address_does(peer: PeerServer, client: OcpiClient) -> None:
    link = {"Link": f'<<{peer.url}/tariffs?page=2>; rel="next"'}
    peer.route("GET", "/tariffs", lambda asked: Reply([1], headers={} if asked.query.get("page") else link))

    assert client.items(f"{peer.url}/tariffs") == [1, 1]


def test_what_is_not_ocpi_is_named(peer: PeerServer, client: OcpiClient) -> None:
    peer.route("GET", "/page", lambda request: Reply(raw=b"<html>", http_status=502))
    peer.route("GET", "/none", lambda request: not_found())

    page, none = client.get(f"{peer.url}/page"), client.get(f"{peer.url}/none")

    assert (page.ok, page.http_status, page.status_code) == (False, 502, None)
    assert page.problem.startswith("not JSON")
    assert (none.ok, none.http_status, none.status_code) == (False, 404, 2001)


def test_errors_of_the_router_have_an_envelope(peer: PeerServer, client: OcpiClient) -> None:
    peer.route("GET", "/versions", lambda request: Reply([]))

    wrong_method = client.post(f"{peer.url}/versions", {})
    wrong_path = client.get(f"{peer.url}/elsewhere")
    broken = client.call("POST", f"{peer.url}/versions", raw=b'{"a": NaN}')

    assert (wrong_method.http_status, wrong_method.status_code) == (405, 2000)
    assert (wrong_path.http_status, wrong_path.status_code) == (404, 2000)
    assert (broken.http_status, broken.status_code) == (400, 2001)


def test_a_server_can_hang_up_and_refuse_and_come_back(peer: PeerServer, client: OcpiClient) -> None:
    effects: list[str] = []

    def take_and_hang_up(request: Request) -> Reply:
        effects.append(request.body["id"])
        raise Cut

    peer.route("POST", "/cdrs", take_and_hang_up)
    peer.route("GET", "/versions", lambda request: Reply([]))

    with pytest.raises(NoAnswer):
        client.post(f"{peer.url}/cdrs", {"id": "1"})
    peer.stop()
    with pytest.raises(NoAnswer, match="ConnectError"):
        client.get(f"{peer.url}/versions")
    peer.start()

    assert effects == ["1"]
    assert client.get(f"{peer.url}/versions").ok


def test_a_caller_that_dies_before_its_body_is_out_has_asked_for_nothing(peer: PeerServer) -> None:
    peer.route("PATCH", "/sessions", lambda request: Reply([]))
    head = b"PATCH /sessions HTTP/1.1\r\nHost: ptp\r\nContent-Length: 20\r\n\r\n"

    with socket.create_connection((peer.host, peer.port)) as line:
        line.sendall(head + b'{"kwh":')
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(1024)

    assert answer == b""
    assert not peer.received


def test_a_fault_of_a_handler_is_answered_and_the_connection_lives_on(peer: PeerServer) -> None:
    peer.route("GET", "/fault", lambda request: Reply(request.body["nothing"]))
    peer.route("GET", "/versions", lambda request: Reply([]))

    with httpx.Client() as http:
        fault, fine = http.get(f"{peer.url}/fault"), http.get(f"{peer.url}/versions")

    assert (fault.status_code, fault.json()["status_code"]) == (500, 3000)
    assert fine.status_code == 200
