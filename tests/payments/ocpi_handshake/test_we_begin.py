"""We register at a platform, rotate, and leave; it looks back at our real server before it answers."""

import pytest
from django.utils import timezone

from payments.models import OcpiConnection, OcpiMessage
from payments.ocpi import connections, discovery, handshake
from payments.ocpi.dialects import Version
from payments.simulator.ocpi.wire import Cut, OcpiClient, Reply
from tests.payments.ocpi_handshake.door import Door
from tests.payments.ocpi_handshake.platform import ITS_TOKEN, TOKEN_A, looks_back, role

STATES = OcpiConnection.State


@pytest.fixture
def ours(live_server, settings):
    """Our server; returns what one GET of it answers to a token."""
    settings.PUBLIC_URL = live_server.url

    def status(token, path="/ocpi/cpo/2.3.0/locations"):
        client = OcpiClient(token)
        try:
            return client.get(live_server.url + path, routed=False).http_status
        finally:
            client.close()

    return status


@pytest.fixture
def prepared(db):
    return connections.prepare(name="A Platform", country_code="NL", party_id="PTP")


@pytest.fixture
def registered(ours, prepared, platform):
    """A connection that we registered; and the token that the platform has for us."""
    platform.during = looks_back
    handshake.register_at(prepared, platform.versions_url, TOKEN_A, now=timezone.now())
    return prepared


def sent_token(platform):
    return platform.got[-1]["token"]


# --- Register -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "spoken"), [(None, "2.3.0"), (Version.V2_2_1, "2.2.1"), (Version.V2_3_0, "2.3.0")]
)
def test_we_register_in_the_highest_version_or_the_one_asked_for(ours, prepared, platform, asked, spoken):
    platform.during = looks_back

    handshake.register_at(prepared, platform.versions_url, TOKEN_A, version=asked, now=timezone.now())

    now = OcpiConnection.objects.get()
    assert (now.state, now.version, now.versions_url) == (STATES.REGISTERED, spoken, platform.versions_url)
    assert (now.country_code, now.party_id, now.role) == ("NL", "PTP", "PTP")
    assert connections.client_token_of(now) == ITS_TOKEN
    assert now.endpoint("locations") == f"{platform.server.url}/ocpi/{spoken}/locations"
    assert platform.requests() == [
        ("GET", "/ocpi/versions"), ("GET", f"/ocpi/{spoken}"), ("POST", f"/ocpi/{spoken}/credentials"),
    ]  # fmt: skip
    assert {role["role"] for role in platform.got[0]["roles"]} == {"CPO"}
    assert ours(sent_token(platform)) == 200


def test_one_correlation_id_joins_the_calls_that_we_begin_with(ours, prepared, platform):
    handshake.register_at(prepared, platform.versions_url, TOKEN_A, now=timezone.now())
    handshake.rotate(prepared, now=timezone.now())

    calls = OcpiMessage.objects.filter(direction=OcpiMessage.Direction.OUT).order_by("pk")
    ids = list(calls.values_list("correlation_id", flat=True))
    assert len(set(ids[:3])) == len(set(ids[3:])) == 1
    assert len(ids) == 6 and len(set(ids)) == 2  # noqa: PT018


def test_until_it_has_answered_our_token_opens_versions_and_credentials_only(ours, prepared, platform):
    seen = {}

    def look(request):
        token = request.body["token"]
        seen["versions"] = ours(token, "/ocpi/versions")
        seen["locations"] = ours(token)

    platform.during = look
    handshake.register_at(prepared, platform.versions_url, TOKEN_A, now=timezone.now())

    assert seen == {"versions": 200, "locations": 401}
    assert ours(sent_token(platform)) == 200


def test_an_invitation_stands_until_we_have_registered(ours, platform):
    connection, token = connections.invite(name="P", country_code="NL", party_id="PTP", now=timezone.now())
    platform.during = lambda _: Reply(status_code=3001, message="I cannot reach you")
    with pytest.raises(handshake.Declined):
        handshake.register_at(connection, platform.versions_url, TOKEN_A, now=timezone.now())
    assert ours(token, "/ocpi/versions") == 200

    platform.during = looks_back
    handshake.register_at(connection, platform.versions_url, TOKEN_A, now=timezone.now())

    assert ours(token, "/ocpi/versions") == 401


def test_the_party_is_the_platform_s_own_word_where_none_was_named(ours, platform):
    connection = connections.prepare(name="P")

    handshake.register_at(connection, platform.versions_url, TOKEN_A, now=timezone.now())

    assert (connection.country_code, connection.party_id) == ("NL", "PTP")


def test_who_is_registered_is_not_registered_again(registered, platform):
    platform.server.received.clear()

    with pytest.raises(handshake.WrongState):
        handshake.register_at(registered, platform.versions_url, TOKEN_A, now=timezone.now())

    assert not platform.server.received


def test_after_an_end_we_register_again(ours, registered, platform):
    handshake.unregister(registered)

    handshake.register_at(registered, platform.versions_url, TOKEN_A, now=timezone.now())

    assert registered.state == STATES.REGISTERED
    assert ours(sent_token(platform)) == 200


# --- What fails -----------------------------------------------------------------------------------


def fails(connection, platform, error, *, token=TOKEN_A, url=""):
    """Try to register; return what the operator is told. The connection is what it was."""
    with pytest.raises(error) as told:
        handshake.register_at(connection, url or platform.versions_url, token, now=timezone.now())
    stored = OcpiConnection.objects.get()
    assert (stored.state, stored.server_token_hash, stored.client_token_sealed) == (STATES.INVITED, "", "")
    return str(told.value)


def test_a_wrong_token_is_said_and_nothing_is_sent(prepared, platform):
    said = fails(prepared, platform, handshake.NotUsable, token="wrong")

    assert "401" in said
    assert "token" in said
    assert not platform.got


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/v",
        "ftp://x/",
        "no url",
        "https://u:p@example.org/v",
        "https://x.example/" + "v" * 250,
    ],
)
def test_an_address_that_we_do_not_call_is_said(prepared, platform, url):
    fails(prepared, platform, discovery.WrongAddress, url=url)


@pytest.mark.parametrize("token", ["", "ä", "two words", "x" * 65, "line\n"])
def test_a_token_that_none_can_be_is_said(prepared, platform, token):
    prepared.raw_tokens = True

    fails(prepared, platform, handshake.WrongToken, token=token)

    assert not platform.server.received


def test_a_platform_that_is_away_is_said(prepared, platform):
    platform.server.stop()

    fails(prepared, platform, handshake.NotUsable)


def test_without_a_version_in_common_nothing_is_sent(prepared, platform):
    platform.versions = ["2.1.1", "2.2"]

    said = fails(prepared, platform, discovery.NoCommonVersion)

    assert said == "It speaks 2.1.1, 2.2; 2.2.1 or 2.3.0 is needed."
    assert not platform.got


def test_without_an_endpoint_of_credentials_nothing_is_sent(prepared, platform):
    platform.modules = {"locations": "RECEIVER"}

    fails(prepared, platform, discovery.EndpointsMissing)

    assert not platform.got


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status_code=2001, message="no"), handshake.Declined),
        (Reply(status_code=2000, http_status=405), handshake.Declined),
        (Reply(raw=b"not allowed", http_status=405), handshake.NotUsable),
    ],
)
def test_a_refusal_closes_our_doors_to_the_token_that_we_sent(ours, prepared, platform, reply, error):
    platform.during = lambda _: reply

    fails(prepared, platform, error)

    assert ours(sent_token(platform), "/ocpi/versions") == 401


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>", http_status=502),
        Reply({}),
        Reply(None),
        Reply({"token": "x y", "url": "https://x.example/", "roles": [role("PTP", "NL", "PTP")]}),
    ],
)
def test_an_answer_that_is_lost_or_unreadable_leaves_a_connection_that_can_be_registered(
    ours, prepared, platform, reply
):
    platform.during = lambda _: reply
    fails(prepared, platform, handshake.NotUsable)
    platform.during = looks_back

    handshake.register_at(prepared, platform.versions_url, TOKEN_A, now=timezone.now())

    assert ours(sent_token(platform)) == 200


def test_a_lost_answer_is_said_to_be_one(prepared, platform):
    def cut(_request):
        raise Cut

    platform.during = cut

    assert "may have taken" in fails(prepared, platform, handshake.NotUsable)


def test_a_platform_that_is_somebody_else_is_unregistered_at_once(ours, prepared, platform):
    platform.roles = [role("PTP", "NL", "OTH")]

    said = fails(prepared, platform, handshake.WrongParty)

    assert "NL*PTP" in said
    assert platform.requests()[-1] == ("DELETE", "/ocpi/2.3.0/credentials")
    assert ITS_TOKEN in platform.server.received[-1].tokens
    assert ours(sent_token(platform), "/ocpi/versions") == 401


def test_when_the_platform_registers_meanwhile_one_of_the_two_counts(ours, platform):
    connection, token = connections.invite(name="P", country_code="NL", party_id="PTP", now=timezone.now())

    def meanwhile(request):
        platform.during = lambda _: None
        mine = OcpiClient(token)
        answer = mine.post(request.body["url"].replace("versions", "cpo/2.3.0/credentials"),
                           platform.credentials(), routed=False)  # fmt: skip
        meanwhile.token = answer.data["token"]
        mine.close()

    platform.during = meanwhile

    with pytest.raises(handshake.WrongState):
        handshake.register_at(connection, platform.versions_url, TOKEN_A, now=timezone.now())

    assert OcpiConnection.objects.get().state == STATES.REGISTERED
    assert ours(meanwhile.token) == 200


# --- Rotate ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, Version.V2_2_1])
def test_a_rotation_changes_both_tokens_and_may_change_the_version(ours, registered, platform, version):
    old = sent_token(platform)
    platform.gives = "another-token-of-the-platform"
    platform.accepts |= {platform.gives}
    platform.modules = {"credentials": "SENDER", "cdrs": "RECEIVER"}
    during = []
    platform.during = lambda request: (looks_back(request), during.append(ours(old)))[0]

    handshake.rotate(registered, version=version, now=timezone.now())

    assert during == [200]  # what is under way with the old token goes on
    assert ours(old) == 401
    assert ours(sent_token(platform)) == 200
    now = OcpiConnection.objects.get()
    assert now.version == (version or Version.V2_3_0)
    assert connections.client_token_of(now) == platform.gives
    assert sorted(now.endpoints) == ["cdrs:RECEIVER", "credentials:RECEIVER"]
    assert platform.requests()[-1] == ("PUT", f"/ocpi/{now.version}/credentials")


def test_a_rotation_that_is_refused_changes_nothing(ours, registered, platform):
    old = sent_token(platform)
    platform.during = lambda _: Reply(status_code=3001)

    with pytest.raises(handshake.Declined):
        handshake.rotate(registered, now=timezone.now())

    assert ours(old) == 200
    assert ours(sent_token(platform)) == 401
    assert connections.client_token_of(OcpiConnection.objects.get()) == ITS_TOKEN


def test_after_a_lost_answer_the_platform_may_use_either_token(ours, registered, platform):
    def cut(_request):
        raise Cut

    old = sent_token(platform)
    platform.during = cut

    with pytest.raises(handshake.NotUsable):
        handshake.rotate(registered, now=timezone.now())

    assert (ours(old), ours(sent_token(platform))) == (200, 200)
    platform.during = looks_back
    handshake.rotate(registered, now=timezone.now())
    assert (ours(old), ours(sent_token(platform))) == (401, 200)


def test_a_rotation_that_was_cut_on_our_side_is_mended_by_an_update_of_the_platform(
    ours, registered, platform, monkeypatch
):
    def die(*_, **__):
        raise KeyboardInterrupt

    platform.gives = "another-token-of-the-platform"
    platform.accepts |= {platform.gives}
    with monkeypatch.context() as patched:
        patched.setattr(connections, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            handshake.rotate(registered, now=timezone.now())
    platform.accepts = {platform.gives}
    assert connections.client_token_of(OcpiConnection.objects.get()) == ITS_TOKEN
    fresh = sent_token(platform)
    assert ours(fresh) == 200

    status, said = Door(fresh).call("put", body=platform.credentials(token=platform.gives))

    assert (status, said["status_code"]) == (200, 1000)
    assert connections.client_token_of(OcpiConnection.objects.get()) == platform.gives
    assert (ours(fresh), ours(said["data"]["token"])) == (401, 200)


def test_who_is_not_registered_has_nothing_to_rotate_or_end(prepared):
    with pytest.raises(handshake.WrongState):
        handshake.rotate(prepared, now=timezone.now())
    with pytest.raises(handshake.WrongState):
        handshake.unregister(prepared)


def test_a_token_that_cannot_be_read_any_more_is_said(registered, settings):
    settings.SEALING_KEY = "another-key-altogether"

    with pytest.raises(handshake.WrongState, match="cannot be read"):
        handshake.rotate(registered, now=timezone.now())


# --- Leave ----------------------------------------------------------------------------------------


def test_an_end_is_told_to_the_platform(ours, registered, platform):
    assert handshake.unregister(registered) == ""

    assert platform.requests()[-1] == ("DELETE", "/ocpi/2.3.0/credentials")
    assert ITS_TOKEN in platform.server.received[-1].tokens
    assert registered.state == STATES.UNREGISTERED
    assert ours(sent_token(platform), "/ocpi/versions") == 401


@pytest.mark.parametrize(("status", "told"), [(405, True), (401, True), (500, False)])
def test_an_end_is_one_whatever_the_platform_answers(ours, registered, platform, status, told):
    platform.server._around = lambda _request, _handler: Reply(status_code=2000, http_status=status)

    assert (handshake.unregister(registered) == "") == told

    assert OcpiConnection.objects.get().state == STATES.UNREGISTERED


def test_a_platform_that_is_away_is_left_all_the_same(ours, registered, platform):
    platform.server.stop()

    assert "not told" in handshake.unregister(registered)

    assert ours(sent_token(platform), "/ocpi/versions") == 401
