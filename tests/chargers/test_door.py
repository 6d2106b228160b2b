"""The handshake: who may come in, and what the others are told."""

import pytest
from pytest_django import Settings
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from chargers.models import ChargingStation
from chargers.ocpp.auth import choose_subprotocol, read_knock
from tests.chargers.parts import PASSWORD, basic, connected, eventually, make_station


def refusal(url: str, identity: str, headers: dict[str, str]) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as raised:
        connect(f"{url}/{identity}", subprotocols=["ocpp1.6"], additional_headers=headers, proxy=None)  # type: ignore[list-item]
    return raised.value


def test_a_known_station_with_its_password_comes_in(server: str) -> None:
    make_station()

    with connected(server) as charger:
        assert charger.socket.subprotocol == "ocpp1.6"
        assert "currentTime" in charger.call("Heartbeat", {})
        assert ChargingStation.objects.get().online


def test_unknown_identity_and_wrong_password_are_told_the_same(server: str) -> None:
    make_station()

    wrong = refusal(server, "CP-1", basic("CP-1", "wrong")).response
    unknown = refusal(server, "CP-9", basic("CP-9", PASSWORD)).response
    missing = refusal(server, "CP-1", {}).response
    others_name = refusal(server, "CP-1", basic("CP-2", PASSWORD)).response
    garbage = refusal(server, "CP-1", {"Authorization": "Basic !!!"}).response

    assert wrong.status_code == 401
    assert "Basic" in wrong.headers["WWW-Authenticate"]
    for other in (unknown, missing, others_name, garbage):
        assert (other.status_code, other.body) == (401, wrong.body)
    assert not ChargingStation.objects.filter(identity="CP-9").exists()


def test_repeated_failures_are_told_to_wait(server: str) -> None:
    make_station()

    codes = [refusal(server, "CP-1", basic("CP-1", "wrong")).response.status_code for _ in range(6)]

    assert codes == [401] * 5 + [429]


def test_profile_two_refuses_plain_sockets(server: str, settings: Settings) -> None:
    make_station()
    settings.OCPP_SECURITY_PROFILE = 2

    assert refusal(server, "CP-1", basic("CP-1", PASSWORD)).response.status_code == 403


def test_profile_two_trusts_the_proxy_only_when_told_to(settings: Settings) -> None:
    scope = {"scheme": "ws", "path": "/ocpp/A", "headers": [(b"x-forwarded-proto", b"https")]}

    settings.SECURE_PROXY_SSL_HEADER = None
    assert not read_knock(scope).secure
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert read_knock(scope).secure
    assert read_knock({**scope, "headers": [], "scheme": "wss"}).secure


def test_profile_zero_needs_no_password_but_a_known_identity(server: str, settings: Settings) -> None:
    make_station()
    settings.OCPP_SECURITY_PROFILE = 0

    with connect(f"{server}/CP-1", subprotocols=["ocpp1.6"], proxy=None) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == "ocpp1.6"
    assert refusal(server, "CP-9", {}).response.status_code == 401


def test_no_version_in_common_is_accepted_without_one_and_closed(server: str) -> None:
    make_station()

    with connected(server, subprotocols=("ocpp2.0.1",)) as charger:
        assert charger.socket.subprotocol is None
        assert charger.close_code() == 1002
    assert ChargingStation.objects.get().connection_id is None


def test_the_version_list_may_be_written_untidily() -> None:
    assert choose_subprotocol(["ocpp2.0.1, ocpp1.6 "]) == "ocpp1.6"
    assert choose_subprotocol([" ocpp1.6"]) == "ocpp1.6"
    assert choose_subprotocol(["ocpp1.60", ""]) is None


@pytest.mark.parametrize("path", ["1.6/CP%201", "CP%201/"])
def test_prefixes_and_percent_codes_lead_to_the_same_station(server: str, path: str) -> None:
    make_station("CP 1")

    with connected(server, "CP 1", path=path) as charger:
        charger.call("Heartbeat", {})


@pytest.mark.parametrize("identity", ["x" * 49, "a%00b", "a%2Fb", "..%2Fadmin", "a'b", "%F0%9F%98%80"])
def test_what_is_no_identity_is_refused_like_an_unknown_one(server: str, identity: str) -> None:
    assert refusal(server, identity, basic(identity, PASSWORD)).response.status_code == 401


def test_other_paths_are_refused(server: str) -> None:
    with pytest.raises(InvalidStatus) as raised:
        connect(server.removesuffix("/ocpp") + "/elsewhere", proxy=None)

    assert raised.value.response.status_code == 404


def test_a_station_that_leaves_is_gone_at_once(server: str) -> None:
    make_station()

    with connected(server) as charger:
        charger.call("Heartbeat", {})

    left = eventually(lambda: ChargingStation.objects.filter(connection_id__isnull=True).first())
    assert left is not None
    assert left.disconnected_at is not None
    assert not left.online
