"""Tokens: stored and given back as they came, and nobody sees another platform's."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.models import StoredToken
from tests.branches.races import at_once
from tests.payments.ocpi_commands.platform import platform, said, token

PATH = "tokens/NL/PTP"


def path(document: dict, *, party: str = "NL/PTP", kind: str = "") -> str:
    return f"tokens/{party}/{document['uid']}" + (f"?type={kind}" if kind else "")


def test_a_token_is_stored_changed_and_given_back(ptp):
    document = token(type="RFID", visual_number="DF000", energy_contract={"supplier_name": "Sun"})

    assert said(ptp.send("PUT", path(document), document), 201) == (1000, None)
    assert said(ptp.send("GET", path(document))) == (1000, document)
    changed = document | {"valid": False, "last_updated": "2026-02-01T00:00:00Z"}
    assert said(ptp.send("PUT", path(document), changed)) == (1000, None)
    assert said(ptp.send("GET", path(document) + "/")) == (1000, changed)


@pytest.mark.parametrize("number", ["1e1000000", "1e999999999"])
def test_a_number_that_would_hold_a_worker_up_is_refused_where_nobody_reads_it(ptp, number):
    document = token(type="RFID")
    raw = json.dumps(document | {"unknown": 0}).replace('"unknown": 0', f'"unknown": {number}').encode()

    assert said(ptp.send("PUT", path(document), raw=raw), 400)[0] == 2000
    assert not StoredToken.objects.exists()


def test_a_patch_changes_what_it_names(ptp):
    document = token(type="RFID", visual_number="DF000")
    ptp.send("PUT", path(document), document)

    patch = {"valid": False, "last_updated": "2026-02-01T00:00:00Z"}

    assert said(ptp.send("PATCH", path(document), patch)) == (1000, None)
    assert said(ptp.send("GET", path(document)))[1] == document | patch


@pytest.mark.parametrize(
    "patch",
    [
        {"valid": False},
        {"valid": "no", "last_updated": "2026-02-01T00:00:00Z"},
        {"uid": "another", "last_updated": "2026-02-01T00:00:00Z"},
        {"last_updated": "yesterday"},
        [],
    ],
)
def test_a_patch_with_a_fault_changes_nothing(ptp, patch):
    document = token(type="RFID")
    ptp.send("PUT", path(document), document)

    assert said(ptp.send("PATCH", path(document), patch))[0] == 2001
    assert said(ptp.send("GET", path(document)))[1] == document


def test_a_patch_of_a_token_that_is_not_there_is_2004(ptp):
    patch = {"valid": False, "last_updated": "2026-02-01T00:00:00Z"}

    assert said(ptp.send("PATCH", f"{PATH}/nobody", patch))[0] == 2004


class TestSpelling:
    """A uid is the same in any case (OCPI types, CiString)."""

    PATCH = {"valid": False, "last_updated": "2026-02-01T00:00:00Z"}

    def test_it_is_one_token_in_any_case(self, ptp):
        first, second = token(type="RFID", uid="AbC1"), token(type="RFID", uid="ABC1")
        said(ptp.send("PUT", f"{PATH}/AbC1", first), 201)

        assert said(ptp.send("GET", f"{PATH}/abC1"))[1] == first
        assert said(ptp.send("PUT", f"{PATH}/abc1", second))[0] == 1000
        assert (
            said(ptp.send("PATCH", f"{PATH}/aBC1", self.PATCH | {"uid": "ABC1", "party_id": "ptp"}))[0]
            == 1000
        )
        assert said(ptp.send("GET", f"{PATH}/AbC1"))[1] == second | self.PATCH | {"party_id": "ptp"}
        assert StoredToken.objects.count() == 1

    def test_one_that_was_stored_as_it_came_is_found_by_that(self, ptp):
        document = token(type="RFID", uid="AbC1")
        ptp.send("PUT", path(document), document)
        StoredToken.objects.update(uid="AbC1")

        assert said(ptp.send("PATCH", path(document), self.PATCH))[0] == 1000
        assert said(ptp.send("PUT", path(document), document))[0] == 1000
        assert said(ptp.send("GET", path(document)))[1] == document

    def test_it_is_found_by_the_key_of_the_table(self, ptp):
        document = token(type="RFID", uid="AbC1")
        ptp.send("PUT", path(document), document)

        with CaptureQueriesContext(connection) as queries:
            ptp.send("GET", f"{PATH}/ABC1")

        asked = [each["sql"] for each in queries if "payments_storedtoken" in each["sql"]]
        assert len(asked) == 1
        assert "'abc1'" in asked[0]
        assert not re.search("upper|lower|like", asked[0], re.IGNORECASE)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_patches_at_once_none_is_lost():
    ptp = platform()
    document = token(type="RFID")
    ptp.send("PUT", path(document), document)
    patches = [{"valid": False}, {"issuer": "Sun"}, {"language": "fi"}, {"group_id": "G"}] * 2

    at_once(
        *[
            lambda each=each: ptp.send(
                "PATCH", path(document), each | {"last_updated": document["last_updated"]}
            )
            for each in patches
        ]
    )

    kept = said(ptp.send("GET", path(document)))[1]
    assert kept == document | {"valid": False, "issuer": "Sun", "language": "fi", "group_id": "G"}


def test_the_same_uid_may_stand_for_tokens_of_several_types(ptp):
    rfid, user = token(type="RFID"), token(type="AD_HOC_USER")
    ptp.send("PUT", path(rfid), rfid)
    ptp.send("PUT", path(user, kind="AD_HOC_USER"), user)

    assert said(ptp.send("GET", path(rfid)))[1]["type"] == "RFID"
    assert said(ptp.send("GET", path(user, kind="AD_HOC_USER")))[1]["type"] == "AD_HOC_USER"
    assert said(ptp.send("GET", path(user, kind="OTHER")), 404)[0] == 2001


def test_without_its_type_an_rfid_token_is_meant(ptp):
    user = token()
    ptp.send("PUT", path(user), user)

    assert said(ptp.send("GET", path(user)), 404)[0] == 2001
    assert said(ptp.send("GET", path(user, kind="AD_HOC_USER")))[1] == user


def test_unknown_and_somebody_elses_are_told_the_same(ptp):
    document = token(type="RFID")
    ptp.send("PUT", path(document), document)
    stranger = platform()

    known, never = (
        stranger.send("GET", path(document)),
        stranger.send("GET", f"{PATH}/nobody"),
    )

    assert said(known, 404)[0] == said(never, 404)[0] == 2001
    assert known.json()["status_message"] == never.json()["status_message"]
    assert said(stranger.send("GET", f"tokens/DE/XYZ/{document['uid']}"), 404)[0] == 2001


@pytest.mark.parametrize("party", ["DE/XYZ", "NL/XYZ", "XX/PTP"])
def test_a_token_of_another_party_is_not_taken(ptp, party):
    country_code, party_id = party.split("/")
    document = token(country_code=country_code, party_id=party_id)

    assert said(ptp.send("PUT", path(document, party=party), document))[0] == 2001
    assert not StoredToken.objects.exists()


def test_a_party_that_the_platform_registered_besides_its_first_is_its_own(ptp):
    ptp.connection.roles = [{"role": "EMSP", "country_code": "de", "party_id": "ABC"}, "nonsense", {}]
    ptp.connection.save()
    document = token(country_code="DE", party_id="ABC", type="RFID")

    assert said(ptp.send("PUT", path(document, party="DE/ABC"), document), 201)[0] == 1000
    assert said(ptp.send("GET", path(document, party="de/abc")))[1] == document


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        (f"{PATH}/another", {}),
        (f"{PATH}/{token()['uid']}?type=RFID", {}),
        (f"tokens/NL/XYZ/{token()['uid']}", {}),
        (f"{PATH}/{token()['uid']}", {"party_id": "XYZ"}),
        (f"{PATH}/{token()['uid']}", {"valid": "yes"}),
        (f"{PATH}/{token()['uid']}", {"valid": None}),
        (f"{PATH}/{token()['uid']}", {"contract_id": 7}),
        (f"{PATH}/{token()['uid']}", {"whitelist": "SOMETIMES"}),
        (f"{PATH}/{token()['uid']}", {"issuer": "x" * 65}),
        (f"{PATH}/{token()['uid']}", {"last_updated": "2026-02-31T00:00:00Z"}),
    ],
)
def test_a_token_with_a_fault_or_at_another_address_is_not_stored(ptp, address, fields):
    assert said(ptp.send("PUT", address, token(**fields)))[0] == 2001
    assert not StoredToken.objects.exists()


@pytest.mark.parametrize("uid", ["x" * 37, "%00", "a%00b", "%2e%2e", "%E2%80%AE", "a%0Ab"])
def test_what_cannot_be_a_uid_names_no_token(ptp, uid):
    assert said(ptp.send("GET", f"{PATH}/{uid}"), 404)[0] == 2001
    assert said(ptp.send("GET", f"{PATH}/known?type={uid}"), 404)[0] == 2001
    assert said(ptp.send("PATCH", f"{PATH}/{uid}", {}))[0] == 2004


def test_tokens_are_never_deleted(ptp):
    assert said(ptp.send("DELETE", f"{PATH}/x"), 405)[0] == 2000
