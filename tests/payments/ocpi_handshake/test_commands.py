"""`ocpi_party` and `ocpi_connect` as an operator meets them."""

import io
import re

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.models import Contract, OcpiConnection
from payments.ocpi import connections
from tests.payments.ocpi_handshake.door import Door
from tests.payments.ocpi_handshake.platform import ITS_TOKEN, TOKEN_A

STATES = OcpiConnection.State
pytestmark = pytest.mark.django_db


def run(*words):
    said = io.StringIO()
    call_command(*words, stdout=said, stderr=io.StringIO())
    return said.getvalue()


def invite(*words, name="A Platform"):
    """Run ocpi_party; return the token that it printed."""
    said = run("ocpi_party", name, "--country", "nl", "--party", "ptp", *words)
    assert "Versions URL: http://testserver/ocpi/versions\n" in said
    return re.search(r"Token A: (\S+)", said)[1]


def test_an_invitation_prints_a_token_that_registers(platform):
    token = invite("--contract", "Owner 7=FI*SUB", "--contract", "Owner 8=fi-two", "--role", "EMSP")

    Door(token).register(platform)

    connection = OcpiConnection.objects.get()
    assert (connection.ptp.name, connection.state) == ("A Platform", STATES.REGISTERED)
    assert (connection.our_country_code, connection.our_party_id) == ("FI", "EMB")
    assert sorted(Contract.objects.values_list("customer_reference", "country_code", "party_id")) == [
        ("Owner 7", "FI", "SUB"), ("Owner 8", "FI", "TWO"),
    ]  # fmt: skip


def test_we_may_answer_as_another_party_of_ours():
    invite("--our-country", "SE", "--our-party", "ABC", "--raw-tokens")

    connection = OcpiConnection.objects.get()
    assert (connection.our_country_code, connection.our_party_id) == ("SE", "ABC")
    assert connection.raw_tokens


def test_a_second_invitation_replaces_the_first():
    first = invite()
    second = invite()

    assert Door(first).call("get", "/ocpi/versions")[0] == 401
    assert Door(second).call("get", "/ocpi/versions")[0] == 200


def test_a_registration_is_ended_by_an_invitation_only_when_that_is_said(platform):
    token = Door(invite()).register(platform)

    with pytest.raises(CommandError, match="--again"):
        invite()
    assert Door(token).call("get")[0] == 200

    invite("--again")
    assert Door(token).call("get")[0] == 401


@pytest.mark.parametrize(
    "words",
    [
        ["--country", "NLD"], ["--country", "1"], ["--party", "PT"], ["--party", "P*P"], ["--role", "CPO"],
        ["--contract", "x"], ["--contract", "=FI*ABC"], ["--contract", "x=FI"], ["--contract", "x" * 37 + "=FI*ABC"],
        ["--our-country", "FI"],
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_and_nothing_is_made(words):
    with pytest.raises(CommandError):
        invite(*words)

    assert not OcpiConnection.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\nb"])
def test_a_name_that_nobody_can_read_is_refused(name):
    with pytest.raises(CommandError):
        invite(name=name)


# --- ocpi_connect ---------------------------------------------------------------------------------


def connect(platform, *words, token=TOKEN_A):
    return run("ocpi_connect", "A Platform", "--url", platform.versions_url, "--token", token, *words)


def test_connecting_registers_and_says_what_was_agreed(platform):
    said = connect(platform, "--version", "2.2.1")

    assert "Registered at NL*PTP (PTP) over OCPI 2.2.1." in said
    assert f"{platform.server.url}/ocpi/2.2.1/locations" in said
    assert ITS_TOKEN not in said
    assert OcpiConnection.objects.get().state == STATES.REGISTERED


def test_the_token_may_come_by_standard_input(platform, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{TOKEN_A}\n"))

    connect(platform, token="-")

    assert OcpiConnection.objects.get().state == STATES.REGISTERED


def test_an_invited_connection_registers_under_its_own_name(platform):
    invite()

    connect(platform, "--country", "NL", "--party", "PTP")

    assert OcpiConnection.objects.get().state == STATES.REGISTERED


@pytest.mark.parametrize("words", [["--country", "DE", "--party", "PTP"], ["--country", "NL"]])
def test_a_connection_cannot_become_somebody_else(platform, words):
    invite()

    with pytest.raises(CommandError):
        connect(platform, *words)

    assert not platform.server.received


def test_a_failure_is_one_sentence_for_the_operator(platform):
    with pytest.raises(CommandError, match=r"Not registered\. .*401.*token"):
        connect(platform, token="wrong")

    assert OcpiConnection.objects.get().state == STATES.INVITED


@pytest.mark.parametrize("token", ["", "ä", "x" * 65])
def test_a_token_that_none_can_be_is_refused(platform, token):
    with pytest.raises(CommandError):
        connect(platform, token=token)


def test_connecting_twice_is_refused(platform):
    connect(platform)

    with pytest.raises(CommandError, match="Registered already"):
        connect(platform)

    assert connections.client_token_of(OcpiConnection.objects.get()) == ITS_TOKEN
    assert OcpiConnection.objects.get().registered_at <= timezone.now()
