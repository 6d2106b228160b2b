"""A platform updates its registration, leaves, comes back; and two handshakes at once."""

import threading

import pytest
from django.db import connection as database
from django.utils import timezone

from payments.models import OcpiConnection
from payments.ocpi import connections
from tests.payments.ocpi_handshake.door import Door
from tests.payments.ocpi_handshake.platform import ITS_TOKEN, role

STATES = OcpiConnection.State


# --- Update and end -------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [("2.2.1", "2.3.0"), ("2.3.0", "2.2.1"), ("2.3.0", "2.3.0")])
def test_an_update_changes_tokens_endpoints_and_version(door, platform, stored, before, after):
    door.token = door.register(platform, version=before)
    platform.accepts, platform.gives = {"another-token"}, "another-token"
    platform.modules = {"credentials": "SENDER", "cdrs": "RECEIVER"}
    registered_at = stored().registered_at

    status, said = door.call("put", body=platform.credentials(), version=after)

    assert (status, said["status_code"]) == (200, 1000)
    now = stored()
    assert (now.state, now.version) == (STATES.REGISTERED, after)
    assert sorted(now.endpoints) == ["cdrs:RECEIVER", "credentials:RECEIVER"]
    assert connections.client_token_of(now) == "another-token"
    assert now.registered_at == registered_at
    assert door.call("get")[0] == 401
    assert Door(said["data"]["token"]).call("get")[0] == 200


def test_an_update_that_fails_changes_nothing(door, platform, stored):
    door.token = door.register(platform)
    before = stored()
    platform.accepts = set()

    status, said = door.call("put", body=platform.credentials(token="never-good"))

    assert (status, said["status_code"]) == (200, 3001)
    assert (stored().server_token_hash, stored().endpoints) == (before.server_token_hash, before.endpoints)
    assert connections.client_token_of(stored()) == ITS_TOKEN
    assert door.call("get", "/ocpi/cpo/2.3.0/locations")[0] == 200


def test_an_update_cannot_make_another_party_of_it(door, platform, stored):
    door.token = door.register(platform)

    status, said = door.call("put", body=platform.credentials(roles=[role("PTP", "NL", "NEW")]))

    assert (status, said["status_code"]) == (200, 2001)
    assert stored().party_id == "PTP"


def test_who_leaves_is_no_longer_known(door, platform, stored):
    door.token = door.register(platform)

    status, said = door.call("delete")

    assert (status, said["status_code"]) == (200, 1000)
    now = stored()
    assert (now.state, now.server_token_hash, now.client_token_sealed) == (STATES.UNREGISTERED, "", "")
    assert door.call("get", "/ocpi/versions")[0] == 401
    assert door.call("delete")[0] == 401


@pytest.mark.parametrize("how", ["unregistered", "registered", "lost"])
def test_an_invitation_lets_a_platform_in_again(door, platform, stored, how):
    """Also when its answer was lost, and it never got its new token."""
    door.token = token = door.register(platform)
    if how == "unregistered":
        door.call("delete")

    _, door.token = connections.invite(
        name="A Platform", country_code="NL", party_id="PTP", now=timezone.now()
    )
    door.register(platform)

    assert stored().state == STATES.REGISTERED
    assert OcpiConnection.objects.count() == 1
    assert Door(token).call("get")[0] == 401


# --- Two at once ----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["post", "put"])
def test_of_two_handshakes_at_once_one_wins(platform, method):
    _, token = connections.invite(name="P", country_code="NL", party_id="PTP", now=timezone.now())
    if method == "put":
        token = Door(token).register(platform)
    together = threading.Barrier(2, timeout=20)

    def wait(request, handler):
        if request.path.endswith("2.3.0"):
            together.wait()  # both have passed the first check
        return handler(request)

    platform.server._around = wait
    answers = []

    def handshake():
        answers.append(Door(token).call(method, body=platform.credentials()))
        database.close()

    threads = [threading.Thread(target=handshake) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    won = [said["data"]["token"] for status, said in answers if status == 200]
    assert sorted(status for status, _ in answers) == [200, {"post": 405, "put": 401}[method]]
    assert Door(won[0]).call("get", "/ocpi/cpo/2.3.0/locations")[0] == 200
