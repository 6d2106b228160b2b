"""OCPI parties in a network file: invited once, and never un-registered by importing again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from emabler.network.exporting import export_network, to_json
from payments.models import Contract, OcpiConnection, Ptp
from payments.ocpi import connections
from tests.emabler import network_files as files
from tests.emabler.test_network_import import bring_in, faults

pytestmark = pytest.mark.django_db

LATER = datetime(2100, 1, 1, tzinfo=UTC)
STATES = OcpiConnection.State
TOKEN_A = "token-a-of-the-OCPI-PTP"
CONTRACT = {"customer_reference": "Owner 7", "country_code": "fi", "party_id": "sub"}


def parties(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"ocpi_parties": list(entries)}


def rows() -> list[Any]:
    models = (Ptp, OcpiConnection, Contract)
    return [list(model.objects.order_by("pk").values()) for model in models]


def register(**fields: Any) -> OcpiConnection:
    """Let the platform register, as it would over HTTP."""
    connection = OcpiConnection.objects.get()
    agreed = {"version": "2.3.0", "role": "EMSP", **fields}
    assert connections.settle(
        connection, agreed=agreed, shown=TOKEN_A, server_token="good", now=timezone.now()
    )
    return connection


def test_a_file_invites_a_platform_with_the_token_that_it_names() -> None:
    imported = bring_in(parties(files.ocpi_party(
        role="OTHER", country_code="nl", contracts=[CONTRACT], release_signal="ZERO_COST_CDR",
        invoice_creator="PTP", languages=["de", "en"], our_country_code="SE", our_party_id="ABC",
    )))  # fmt: skip

    assert (imported.secrets, imported.findings) == ([], ())
    connection = connections.find(f"Token {TOKEN_A}")
    assert connection is not None
    assert (connection.ptp.name, connection.state, connection.role) == ("OCPI PTP", STATES.INVITED, "OTHER")
    assert (connection.country_code, connection.party_id) == ("NL", "PTP")
    assert (connection.release_signal, connection.invoice_creator) == ("ZERO_COST_CDR", "PTP")
    assert connection.languages == ["de", "en"]
    assert connections.parties_of(connection) == {("SE", "ABC"), ("FI", "SUB")}
    assert TOKEN_A not in str(rows())


def test_without_a_token_one_is_made_and_shown_once() -> None:
    entry = files.ocpi_party()
    del entry["token_a"], entry["role"]

    (secret,) = bring_in(parties(entry)).secrets

    assert secret["secret"] == "ocpi_party"
    assert (secret["name"], secret["versions_url"]) == ("OCPI PTP", "http://testserver/ocpi/versions")
    assert connections.find(f"Token {secret['token_a']}") is not None
    assert bring_in(parties(entry)).secrets == []
    assert connections.find(f"Token {secret['token_a']}") is not None


def test_importing_again_changes_nothing() -> None:
    document = parties(files.ocpi_party(contracts=[CONTRACT]))
    bring_in(document)
    before = rows()

    bring_in(document, now=LATER)

    assert rows() == before


def test_a_registered_platform_stays_registered() -> None:
    document = parties(files.ocpi_party())
    bring_in(document)
    register()
    before = rows()

    bring_in(document, now=LATER)
    bring_in(parties(files.ocpi_party(token_a="another-token-of-the-test")), now=LATER)

    assert rows() == before


def test_how_a_registered_platform_is_treated_can_be_changed() -> None:
    bring_in(parties(files.ocpi_party(contracts=[CONTRACT])))
    register()

    bring_in(parties(files.ocpi_party(languages=["sv"], invoice_creator="PTP", contracts=[])))

    connection = OcpiConnection.objects.get()
    assert (connection.state, connection.role) == (STATES.REGISTERED, "EMSP")
    assert (connection.languages, connection.invoice_creator) == (["sv"], "PTP")
    assert not Contract.objects.exists()


def test_what_a_file_leaves_out_is_kept() -> None:
    bring_in(parties(files.ocpi_party(
        contracts=[CONTRACT], languages=["sv"], our_country_code="SE", our_party_id="ABC"
    )))  # fmt: skip
    before = rows()

    bring_in(parties(files.ocpi_party()))

    assert rows() == before


def test_a_new_token_replaces_the_one_of_an_invitation() -> None:
    bring_in(parties(files.ocpi_party(our_country_code="SE", our_party_id="ABC")))

    bring_in(parties(files.ocpi_party(token_a="another-token-of-the-test")))

    assert connections.find(f"Token {TOKEN_A}") is None
    found = connections.find("Token another-token-of-the-test")
    assert found is not None
    assert found.our_party_id == "ABC"


def test_an_end_lasts_and_the_token_that_invites_nobody_is_remarked() -> None:
    bring_in(parties(files.ocpi_party()))
    connections.close(register())

    imported = bring_in(parties(files.ocpi_party()))

    assert OcpiConnection.objects.get().state == STATES.UNREGISTERED
    assert [(each.path, each.code) for each in imported.findings] == [
        ("ocpi_parties[0].token_a", "unused_token_a")
    ]


def test_a_terminal_may_belong_to_an_ocpi_party() -> None:
    bring_in(files.network(ptps=[], ocpi_parties=[files.ocpi_party("PTP")]))

    assert Ptp.objects.get().terminals.count() == 1


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "path", "code"),
    [
        ({"name": None}, "name", "required"),
        ({"name": "x" * 101}, "name", "too_large"),
        ({"country_code": None}, "country_code", "required"),
        ({"country_code": "NLD"}, "country_code", "too_large"),
        ({"country_code": "N1"}, "country_code", "invalid"),
        ({"party_id": "P*"}, "party_id", "invalid"),
        ({"party_id": 7}, "party_id", "invalid"),
        ({"role": "CPO"}, "role", "invalid"),
        ({"token_a": "short"}, "token_a", "too_short"),
        ({"token_a": "x" * 65}, "token_a", "too_large"),
        ({"token_a": "with a space in it"}, "token_a", "invalid"),
        ({"token_a": "ä" * 20}, "token_a", "invalid"),
        ({"release_signal": "NONE"}, "release_signal", "invalid"),
        ({"invoice_creator": "ME"}, "invoice_creator", "invalid"),
        ({"languages": ["english"]}, "languages[0]", "too_large"),
        ({"languages": ["en", "en"]}, "languages[1]", "duplicate"),
        ({"our_country_code": "FI"}, "our_party_id", "required"),
        ({"contracts": {}}, "contracts", "invalid"),
        ({"contracts": [{}]}, "contracts[0].customer_reference", "required"),
        ({"contracts": [CONTRACT | {"customer_reference": "x" * 37}]}, "contracts[0].customer_reference", "too_large"),
        ({"contracts": [CONTRACT | {"party_id": "SUBS"}]}, "contracts[0].party_id", "too_large"),
        ({"contracts": [CONTRACT, CONTRACT]}, "contracts[1].customer_reference", "duplicate_customer_reference"),
    ],
)  # fmt: skip
def test_a_faulty_party_is_refused_at_its_field(entry: dict[str, Any], path: str, code: str) -> None:
    assert (f"ocpi_parties[0].{path}", code) in faults(parties(files.ocpi_party() | entry))

    assert not OcpiConnection.objects.exists()


def test_names_and_tokens_stand_once() -> None:
    same = files.ocpi_party("Other", token_a=TOKEN_A)

    assert faults(parties(files.ocpi_party(), files.ocpi_party(token_a="a-different-token"), same)) == [
        ("ocpi_parties[1].name", "duplicate_name"),
        ("ocpi_parties[2].token_a", "duplicate_token_a"),
    ]


def test_the_token_of_another_connection_is_refused() -> None:
    bring_in(parties(files.ocpi_party()))

    assert faults(parties(files.ocpi_party("Other", token_a=TOKEN_A))) == [
        ("ocpi_parties[0].token_a", "duplicate_token_a")
    ]


def test_a_registered_platform_does_not_become_another_party() -> None:
    bring_in(parties(files.ocpi_party()))
    register()

    assert faults(parties(files.ocpi_party(party_id="NEW"))) == [
        ("ocpi_parties[0].party_id", "registered_as_other_party")
    ]


def test_a_misspelt_field_is_remarked_also_in_a_contract() -> None:
    entry = files.ocpi_party(tokenA="x", contracts=[CONTRACT | {"party": "x"}])

    assert [finding.path for finding in bring_in(parties(entry)).findings] == [
        "ocpi_parties[0].tokenA",
        "ocpi_parties[0].contracts[0].party",
    ]


# --- Export ---------------------------------------------------------------------------------------


def test_an_export_holds_no_token_and_imports_to_no_change() -> None:
    bring_in(parties(files.ocpi_party(contracts=[CONTRACT], languages=["sv"])))
    register()
    connections.prepare(name="Not reached yet")
    before = rows()

    exported = export_network()

    assert "token" not in to_json(exported)
    assert [entry["name"] for entry in exported["ocpi_parties"]] == ["OCPI PTP"]
    imported = bring_in(exported, now=LATER)
    assert (imported.secrets, imported.findings) == ([], ())
    assert rows() == before


def test_an_export_invites_the_same_platforms_elsewhere() -> None:
    bring_in(parties(files.ocpi_party(contracts=[CONTRACT], invoice_creator="PTP")))
    exported = export_network()
    OcpiConnection.objects.all().delete()
    Ptp.objects.all().delete()

    (secret,) = [each for each in bring_in(exported).secrets if each["secret"] == "ocpi_party"]

    connection = connections.find(f"Token {secret['token_a']}")
    assert connection is not None
    assert (connection.party_id, connection.invoice_creator) == ("PTP", "PTP")
    assert connection.contracts.get().party_id == "SUB"
