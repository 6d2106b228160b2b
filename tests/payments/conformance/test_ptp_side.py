"""The kit's own side of the wire, called as a CPO calls it."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from payments.conformance.ptp_side import PtpSide
from payments.simulator.ocpi.wire import Party, token_header
from tests.chargers.parts import eventually


@pytest.fixture
def side() -> Iterator[PtpSide]:
    with PtpSide(host="127.0.0.1", port=0, public_url="", party=Party("NL", "PTC"), role="PTP") as running:
        yield running


@pytest.fixture
def cpo(side: PtpSide) -> Iterator[httpx.Client]:
    headers = {"Authorization": token_header(side.new_token())}
    with httpx.Client(base_url=f"{side.base}/ocpi/ptp/2.3.0", headers=headers) as client:
        yield client


def test_ids_are_decoded_segment_by_segment(side: PtpSide, cpo: httpx.Client) -> None:
    cpo.put("/sessions/FI/EMB/FI%2AEMB%2AS%2F1", json={"id": "FI*EMB*S/1"})

    (delivery,) = side.since(0, "sessions")
    assert delivery.ids == ("FI", "EMB", "FI*EMB*S/1")


@pytest.mark.parametrize("name", ["2026/001", "X#1", "plain"])
def test_the_location_of_a_cdr_leads_to_it(side: PtpSide, cpo: httpx.Client, name: str) -> None:
    taken = cpo.post("/cdrs", json={"id": name})

    assert cpo.get(taken.headers["Location"]).json()["data"] == {"id": name}
    assert side.stray() == []


def test_the_cdr_that_is_refused_is_not_kept(side: PtpSide, cpo: httpx.Client) -> None:
    side.refuse_next["POST cdrs"] = 1

    assert cpo.post("/cdrs", json={"id": "A"}).status_code == 500
    assert cpo.get("/cdrs/A").status_code == 404
    assert cpo.post("/cdrs", json={"id": "A"}).status_code == 201

    assert [delivery.http_status for delivery in side.since(0, "cdrs")] == [500, 404, 201]


def test_a_stranger_is_written_down_and_changes_nothing(side: PtpSide) -> None:
    url = f"{side.base}/ocpi/ptp/2.3.0/locations/FI/EMB/HARBOUR"

    answer = httpx.put(url, json={"id": "HARBOUR"}, headers={"Authorization": token_header("stolen")})

    assert answer.status_code == 401
    assert [delivery.known_token for delivery in side.since(0)] == [False]
    assert side.mirror.get("/ocpi/ptp/2.3.0/locations/FI/EMB/HARBOUR") is None


def test_a_push_that_is_being_answered_is_no_url_of_the_peers_making(
    side: PtpSide, cpo: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at, put = threading.Event(), side.mirror.put

    def put_later(*arguments: Any) -> bool:
        assert looked_at.wait(20)
        return put(*arguments)

    monkeypatch.setattr(side.mirror, "put", put_later)
    push = threading.Thread(target=cpo.put, args=("/sessions/FI/EMB/S1",), kwargs={"json": {"id": "S1"}})
    push.start()
    eventually(lambda: side.server.received)
    threading.Timer(0.2, looked_at.set).start()

    assert side.stray() == []
    push.join()


def test_a_url_of_the_peers_making_is_told(side: PtpSide, cpo: httpx.Client) -> None:
    cpo.put("/prices/FI/EMB/T1", json={"id": "T1"})

    assert side.stray() == ["PUT /ocpi/ptp/2.3.0/prices/FI/EMB/T1"]
