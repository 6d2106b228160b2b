"""A platform registers at ours: over our HTTP door, with calls back to a real peer."""

import json

import pytest
from django.utils import timezone

from payments.models import OcpiConnection, OcpiMessage
from payments.ocpi import connections
from payments.simulator.ocpi.wire import token_header
from tests.payments.ocpi_handshake.door import Door
from tests.payments.ocpi_handshake.platform import ITS_TOKEN, role

VERSIONS = ["2.2.1", "2.3.0"]
STATES = OcpiConnection.State


# --- Versions -------------------------------------------------------------------------------------


def test_versions_and_their_eight_modules_are_told_with_absolute_addresses(door):
    status, said = door.call("get", "/ocpi/versions")
    assert status == 200
    assert said["data"] == [
        {"version": version, "url": f"http://testserver/ocpi/{version}"} for version in VERSIONS
    ]

    for version in VERSIONS:
        status, said = door.call("get", f"/ocpi/{version}")
        assert (status, said["data"]["version"]) == (200, version)
        assert {(each["identifier"], each["role"]) for each in said["data"]["endpoints"]} == {
            ("credentials", "SENDER"), ("locations", "SENDER"), ("tariffs", "SENDER"),
            ("sessions", "SENDER"), ("cdrs", "SENDER"), ("commands", "RECEIVER"),
            ("tokens", "RECEIVER"), ("payments", "RECEIVER"),
        }  # fmt: skip
        for each in said["data"]["endpoints"]:
            assert each["url"] == f"http://testserver/ocpi/cpo/{version}/{each['identifier']}"


def test_the_path_may_end_with_a_slash(door):
    assert door.call("get", "/ocpi/versions/")[0] == 200
    assert door.call("get", "/ocpi/cpo/2.2.1/credentials/")[0] == 200


@pytest.mark.parametrize(
    "path", ["/ocpi/versions", "/ocpi/2.3.0", "/ocpi/cpo/2.3.0/credentials", "/ocpi/nothing"]
)
@pytest.mark.parametrize("token", ["wrong", "ä", "x" * 500, ""])
def test_without_a_good_token_every_address_is_401(db, path, token):
    status, said = Door(token).call("get", path)

    assert (status, said["status_code"]) == (401, 2001)
    assert "data" not in said


def test_token_a_opens_versions_and_credentials_and_nothing_else(door):
    assert door.call("get", "/ocpi/versions")[0] == 200
    assert door.call("get")[0] == 200
    assert door.call("get", "/ocpi/cpo/2.3.0/locations")[0] == 401
    assert door.call("get", "/ocpi/nothing")[0] == 401


@pytest.mark.parametrize(
    "path", ["/ocpi/", "/ocpi/2.1.1", "/ocpi/cpo/2.1.1/credentials", "/ocpi/cpo/2.3.0/hubclientinfo"]
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_what_is_not_there_is_404_in_the_envelope(door, platform, path, method):
    door.token = door.register(platform)

    status, said = door.call(method, path)

    assert (status, said["status_code"]) == (404, 2001)
    assert said["timestamp"].endswith("Z")


# --- Registration ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["PTP", "OTHER", "EMSP"])
def test_a_platform_registers_in_any_role_and_version(door, platform, stored, version, name):
    platform.roles = [role("CPO", "NL", "PTP"), role(name, "nl", "ptp")]

    status, said = door.call("post", body=platform.credentials(), version=version)

    assert (status, said["status_code"]) == (200, 1000)
    ours = said["data"]
    assert ours["url"] == "http://testserver/ocpi/versions"
    assert [(each["role"], each["country_code"], each["party_id"]) for each in ours["roles"]] == [
        ("CPO", "FI", "EMB")
    ]
    assert ours["roles"][0]["business_details"]["name"]
    now = stored()
    assert (now.state, now.version, now.role) == (STATES.REGISTERED, version, name)
    assert (now.country_code, now.party_id) == ("NL", "PTP")
    assert now.endpoint("credentials") == f"{platform.server.url}/ocpi/{version}/credentials"
    assert now.endpoint("locations") == f"{platform.server.url}/ocpi/{version}/locations"
    assert now.endpoint("payments", "SENDER") == f"{platform.server.url}/ocpi/{version}/payments"
    assert now.roles == platform.roles
    assert connections.client_token_of(now) == ITS_TOKEN
    assert now.registered_at is not None
    assert platform.requests() == [("GET", "/ocpi/versions"), ("GET", f"/ocpi/{version}")]
    assert Door(ours["token"]).call("get", "/ocpi/cpo/2.3.0/locations")[0] == 200
    assert door.call("get", "/ocpi/versions")[0] == 401  # token A is dead


def test_every_contract_s_party_is_told(door, invited, platform):
    connections.set_contracts(invited[0], {"Site owner 7": ("FI", "SUB")})

    _, said = door.call("post", body=platform.credentials())

    assert [each["party_id"] for each in said["data"]["roles"]] == ["EMB", "SUB"]


def test_no_token_is_stored_in_clear_or_logged(door, platform, stored):
    token = door.register(platform)

    row = str(OcpiConnection.objects.filter(pk=stored().pk).values().get())
    traffic = str(list(OcpiMessage.objects.values()))
    assert OcpiMessage.objects.count() == 3
    for secret in (token, ITS_TOKEN, door.token):
        assert secret not in row
        assert secret not in traffic
        assert token_header(secret) not in traffic


@pytest.mark.parametrize("spelt", [r'"t\u006fken"', '"TOKEN"', "'token'"])
def test_a_token_that_is_spelt_in_another_way_is_not_logged_either(door, platform, spelt):
    body = json.dumps(platform.credentials()).replace('"token"', spelt)

    door.call("post", body=body)

    message = OcpiMessage.objects.get(direction=OcpiMessage.Direction.IN, method="POST")
    assert ITS_TOKEN not in message.request_body
    assert ITS_TOKEN not in message.response_body


def test_one_correlation_id_joins_the_calls_of_a_handshake(door, platform):
    door.register(platform)

    assert len(set(OcpiMessage.objects.values_list("correlation_id", flat=True))) == 1


def test_a_raw_token_of_an_old_peer_is_good_as_well(invited, platform):
    assert Door(invited[1], raw=True).call("get", "/ocpi/versions")[0] == 200


def test_get_tells_our_credentials_with_the_token_that_was_shown(door, platform):
    assert door.call("get")[1]["data"]["token"] == door.token

    door.token = door.register(platform)

    _, said = door.call("get")
    assert said["data"]["token"] == door.token
    assert said["data"]["url"] == "http://testserver/ocpi/versions"


def test_who_is_registered_cannot_register_again(door, platform, stored):
    door.token = door.register(platform)

    status, said = door.call("post", body=platform.credentials())

    assert (status, said["status_code"]) == (405, 2000)
    assert door.call("get", "/ocpi/cpo/2.3.0/locations")[0] == 200


@pytest.mark.parametrize("method", ["put", "delete"])
def test_who_is_not_registered_can_neither_update_nor_leave(door, platform, stored, method):
    status, said = door.call(method, body=platform.credentials() if method == "put" else None)

    assert (status, said["status_code"]) == (405, 2000)
    assert stored().state == STATES.INVITED
    assert not platform.requests()


def test_patch_is_405(door):
    status, said = door.call("patch", body={})

    assert (status, said["status_code"]) == (405, 2000)


def test_without_a_named_party_the_platform_s_own_word_is_taken(db, platform):
    connection, token = connections.invite(name="X", country_code="", party_id="", now=timezone.now())
    platform.roles = [role("CPO", "DE", "AAA"), role("EMSP", "DE", "BBB"), role("PTP", "DE", "CCC")]

    Door(token).register(platform)

    connection.refresh_from_db()
    assert (connection.country_code, connection.party_id, connection.role) == ("DE", "CCC", "PTP")


def test_endpoints_without_a_role_get_that_of_a_ptp(door, platform, stored):
    platform.modules = dict.fromkeys(("credentials", "cdrs", "payments"), "")

    door.register(platform)

    assert sorted(stored().endpoints) == ["cdrs:RECEIVER", "credentials:RECEIVER", "payments:SENDER"]
