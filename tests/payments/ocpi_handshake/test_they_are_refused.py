"""What a platform is told when its registration fails, in OCPI's words; the invitation stands."""

import threading

import pytest

from payments import outbound
from payments.models import OcpiConnection
from payments.ocpi import discovery
from payments.outbound import Limits
from payments.simulator.ocpi.wire import Cut, Reply, token_header
from tests.payments.ocpi_handshake.platform import role

STATES = OcpiConnection.State


def refused(door, stored, body, *, version="2.3.0"):
    """POST credentials that are refused; return the OCPI status. The invitation stands."""
    status, said = door.call("post", body=body, version=version)
    assert status == 200
    assert said["status_message"]
    assert stored().state == STATES.INVITED
    assert door.call("get", "/ocpi/versions")[0] == 200
    return said["status_code"]


@pytest.mark.parametrize(
    "changes",
    [
        {"token": None}, {"token": ""}, {"token": "two words"}, {"token": "ä"}, {"token": "x" * 65}, {"token": 7},
        {"url": None}, {"url": "ftp://127.0.0.1/"}, {"url": "/ocpi/versions"}, {"url": 7},
        {"roles": None}, {"roles": []}, {"roles": {}}, {"roles": ["PTP"]}, {"roles": [{"role": "PTP"}]},
    ],
)  # fmt: skip
def test_credentials_with_faults_are_2001(door, platform, stored, changes):
    assert refused(door, stored, platform.credentials(**changes)) == 2001
    assert not platform.requests()


@pytest.mark.parametrize("body", [[], '"text"', 7, {}])
def test_a_body_that_is_no_credentials_is_2001(door, stored, body):
    assert refused(door, stored, body) == 2001


def test_a_body_that_is_no_json_is_400(door):
    answer = door.http.post(
        "/ocpi/cpo/2.3.0/credentials", "{", content_type="application/json",
        headers={"Authorization": token_header(door.token)},
    )  # fmt: skip

    assert (answer.status_code, answer.json()["status_code"]) == (400, 2000)


@pytest.mark.parametrize(
    "roles",
    [
        [role("PTP", "NL", "OTH")],
        [role("PTP", "DE", "PTP")],
        [role("CPO", "NL", "PTP")],
        [role("HUB", "NL", "PTP"), role("EMSP", "NL", "XXX")],
    ],
)
def test_a_party_that_was_not_invited_is_2001(door, platform, stored, roles):
    platform.roles = roles

    assert refused(door, stored, platform.credentials()) == 2001
    assert not platform.requests()


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/v",
        "https://169.254.169.254/",
        "http://192.168.1.1/v",
        "https://u:p@example.org/",
        "https://[::]/v",
        "https://[::10.0.0.1]/v",
        "https://[64:ff9b:1::a00:1]/v",
    ],
)
def test_a_versions_url_into_our_own_network_is_2001(door, platform, stored, url):
    assert refused(door, stored, platform.credentials(url=url)) == 2001


def test_a_platform_cannot_ask_our_name_server_for_what_is_next_door(door, platform, monkeypatch):
    async def resolved(_host, _port):
        return ["10.20.30.40"]

    monkeypatch.setattr(outbound, "_resolved", resolved)

    _, said = door.call("post", body=platform.credentials(url="https://db.internal/versions"))

    assert said["status_code"] == 2001
    assert "db.internal leads to an address that we do not call" in said["status_message"]
    assert "10.20.30.40" not in str(said)


def test_outside_the_demo_the_loopback_is_not_called(door, platform, stored, settings):
    settings.ALLOW_LOOPBACK_PEERS = False

    assert refused(door, stored, platform.credentials()) == 2001
    assert not platform.requests()


def test_a_platform_that_is_away_is_3001(door, platform, stored):
    platform.server.stop()

    assert refused(door, stored, platform.credentials()) == 3001


def test_a_platform_that_does_not_know_its_own_token_is_3001(door, platform, stored):
    platform.accepts = set()

    assert refused(door, stored, platform.credentials()) == 3001


def test_a_platform_that_is_too_slow_is_3001(door, platform, stored, monkeypatch):
    monkeypatch.setattr(discovery, "LOOK", Limits(call_seconds=0.2))
    release = threading.Event()
    platform.server._around = lambda request, handler: (release.wait(5), handler(request))[1]

    try:
        assert refused(door, stored, platform.credentials()) == 3001
    finally:
        release.set()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>"), Reply(None), Reply({}), Reply([]), Reply([{"version": "2.3.0"}]),
        Reply([{"version": "2.3.0", "url": "x"}]), Reply(status_code=3000), Reply([], http_status=500),
        Reply([{"version": "2.3.0", "url": "https://10.0.0.1/"}]), Reply(raw=b"x" * 70_000),
    ],
)  # fmt: skip
def test_versions_that_cannot_be_read_are_3001(door, platform, stored, reply):
    platform.server._around = lambda _request, _handler: reply

    assert refused(door, stored, platform.credentials()) == 3001


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>"), Reply(None), Reply([]), Reply({"version": "2.3.0"}), Reply({"endpoints": [{}]}),
        Reply(status_code=2000), Reply({"endpoints": [{"identifier": "credentials", "url": "ftp://x/"}]}),
        Reply({"endpoints": [{"identifier": "credentials", "url": "https://u:p@x/"}]}),
    ],
)  # fmt: skip
def test_details_that_cannot_be_read_are_3001(door, platform, stored, reply):
    platform.server._around = lambda request, handler: (
        handler(request) if request.path.endswith("versions") else reply
    )

    assert refused(door, stored, platform.credentials()) == 3001


def test_a_platform_that_hangs_up_is_3001(door, platform, stored):
    def cut(_request, _handler):
        raise Cut

    platform.server._around = cut

    assert refused(door, stored, platform.credentials()) == 3001


@pytest.mark.parametrize("versions", [["2.1.1", "2.2"], ["2.2.1"]])
def test_a_platform_that_does_not_speak_the_version_of_the_path_is_3002(door, platform, stored, versions):
    platform.versions = versions

    assert refused(door, stored, platform.credentials(), version="2.3.0") == 3002


def test_a_platform_without_credentials_of_its_own_is_3003(door, platform, stored):
    platform.modules = {"locations": "RECEIVER"}

    assert refused(door, stored, platform.credentials()) == 3003


def test_a_platform_that_only_polls_is_registered(door, platform, stored):
    platform.modules = {"credentials": "RECEIVER"}

    door.register(platform)

    assert stored().endpoints == {"credentials:RECEIVER": f"{platform.server.url}/ocpi/2.3.0/credentials"}


def test_after_a_failure_the_same_token_a_registers(door, platform, stored):
    platform.server.stop()
    refused(door, stored, platform.credentials())
    platform.server.start()

    door.register(platform)

    assert stored().state == STATES.REGISTERED
