"""Terminals that a PTP tells us of: its facts, our assignment."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from payments.models import Terminal
from payments.ocpi.enrolment import amend, party_of
from tests import builders
from tests.branches.races import at_once
from tests.payments.ocpi_commands.platform import platform, said

ID = "452cf8a1-79aa-4a0e-9aee-dc788586053c"
FULL = {
    "terminal_id": ID,
    "address": "Mannerheimintie 1, Jyväskylä",
    "city": "Helsinki",
    "country": "FIN",
    "coordinates": {"latitude": "51.047599", "longitude": "3.729944"},
    "customer_reference": "HARBOUR",
    "reference": "SN-1",
    "invoice_base_url": "https://ptp.example.com/invoices",
    "invoice_creator": "CPO",
    "location_ids": [],
    "last_updated": "2026-01-31T12:00:00Z",
}


def terminal() -> Terminal:
    return Terminal.objects.get(terminal_id=ID)


def tell(ptp, document=FULL, http_status=201):
    assert said(ptp.send("POST", "payments/terminals/", document), http_status) == (1000, None)


class TestTold:
    def test_an_id_alone_is_a_terminal(self, ptp):
        tell(ptp, {"terminal_id": ID})

        assert (terminal().ptp, terminal().active) == (ptp.connection.ptp, True)
        status, data = said(ptp.send("GET", f"payments/terminals/{ID}"))
        assert (status, data["terminal_id"], data["location_ids"]) == (1000, ID, [])

    def test_a_terminal_is_kept_and_given_back(self, ptp):
        tell(ptp)

        data = said(ptp.send("GET", f"payments/terminals/{ID}/"))[1]

        assert data | {"last_updated": ""} == FULL | {"last_updated": "", "evse_uids": []}
        assert (terminal().customer_reference, terminal().reference) == ("HARBOUR", "SN-1")

    def test_telling_it_again_is_no_second_terminal(self, ptp):
        tell(ptp)
        tell(ptp, {**FULL, "city": "Turku"}, 200)

        assert terminal().document["city"] == "Turku"

    def test_the_short_form_takes_nothing_away_from_one_that_is_known(self, ptp):
        tell(ptp)
        tell(ptp, {"terminal_id": ID}, 200)

        assert terminal().customer_reference == "HARBOUR"

    def test_what_is_no_news_leaves_it_as_it_was(self, ptp):
        tell(ptp)
        before = terminal().updated_at
        tell(ptp, FULL, 200)

        assert terminal().updated_at == before

    def test_a_put_replaces_and_a_patch_changes(self, ptp):
        assert said(ptp.send("PUT", f"payments/terminals/{ID}", FULL), 201)[0] == 1000
        patch = {"city": "Oulu", "last_updated": "2026-02-01T00:00:00Z"}
        assert said(ptp.send("PATCH", f"payments/terminals/{ID}", patch))[0] == 1000
        assert (terminal().document["city"], terminal().reference) == ("Oulu", "SN-1")

        whole = {"reference": "SN-2", "last_updated": "2026-02-02T00:00:00Z"}
        assert said(ptp.send("PUT", f"payments/terminals/{ID}", whole))[0] == 1000
        assert (terminal().reference, terminal().document.get("city")) == ("SN-2", None)

    def test_what_is_sold_goes_on_when_its_ptp_tells_news_of_a_terminal(self, cast, ptp):
        tell(ptp, FULL | {"terminal_id": cast.terminal.terminal_id}, 200)

        assert list(cast.terminal.sites.all()) == [cast.site]


class TestAssignment:
    def test_what_a_ptp_sends_assigns_nothing_and_is_kept_for_staff(self, cast, ptp):
        tell(ptp, FULL | {"location_ids": [cast.site.location_id], "evse_uids": [cast.evse.uid]})

        assert not terminal().sites.exists()
        assert not terminal().evses.exists()
        assert terminal().document["location_ids"] == [cast.site.location_id]

    def test_ours_is_what_it_reads(self, cast, ptp):
        tell(ptp, FULL | {"location_ids": ["theirs"]})
        terminal().sites.add(cast.site)
        terminal().evses.add(cast.evse)

        data = said(ptp.send("GET", f"payments/terminals/{ID}"))[1]

        assert (data["location_ids"], data["evse_uids"]) == ([cast.site.location_id], [cast.evse.uid])


class TestContract:
    def test_a_terminal_belongs_to_the_contract_that_it_names(self, ptp):
        ptp.connection.contracts.create(customer_reference="Harbour", country_code="FI", party_id="SUB")
        tell(ptp)

        assert party_of(terminal(), ptp.connection) == ("FI", "SUB")

    def test_one_that_names_a_contract_that_we_do_not_know_belongs_to_nobody_yet(self, ptp):
        ptp.connection.contracts.create(customer_reference="CITY", country_code="FI", party_id="SUB")
        tell(ptp)

        assert party_of(terminal(), ptp.connection) is None

    def test_without_contracts_it_is_our_one_party(self, ptp):
        tell(ptp)

        assert party_of(terminal(), ptp.connection) == ("FI", "EMB")

    def test_a_party_of_ours_may_be_named_instead(self, ptp):
        ptp.connection.contracts.create(customer_reference="CITY", country_code="FI", party_id="SUB")
        tell(ptp, {"terminal_id": ID, "country_code": "fi", "party_id": "sub"})

        assert party_of(terminal(), ptp.connection) == ("FI", "SUB")


class TestContractNamedByStaff:
    """In the portal; the PTP is told, and tells it back or does not."""

    @pytest.fixture
    def named(self, ptp):
        """Tells a terminal, then lets staff name its contract; returns what it is called after more is told."""

        def name(told, method, path, more):
            tell(ptp, told)
            Terminal.objects.filter(terminal_id=ID).update(customer_reference="QUAY")
            assert said(ptp.send(method, path, more))[0] == 1000
            return terminal().customer_reference

        return name

    @pytest.mark.parametrize("told", [{"terminal_id": ID}, FULL], ids=["of none", "of another"])
    @pytest.mark.parametrize(
        ("method", "path", "more"),
        [
            ("PATCH", f"payments/terminals/{ID}", {"city": "Oulu", "last_updated": "2026-02-01T00:00:00Z"}),
            ("POST", "payments/terminals", {"terminal_id": ID}),
            ("POST", "payments/terminals", {"terminal_id": ID, "last_updated": "2026-02-01T00:00:00Z"}),
            ("PUT", f"payments/terminals/{ID}", {"last_updated": "2026-02-01T00:00:00Z"}),
        ],
        ids=["patched", "short", "whole", "put"],
    )
    def test_it_stays_where_the_ptp_names_none(self, named, told, method, path, more):
        assert named(told, method, path, more) == "QUAY"

    def test_it_stays_where_the_ptp_says_what_it_said_before(self, named):
        whole = FULL | {"city": "Oulu", "last_updated": "2026-02-01T00:00:00Z"}

        assert named(FULL, "POST", "payments/terminals", whole) == "QUAY"

    def test_a_ptp_that_names_another_changes_it(self, named):
        patch = {"customer_reference": "CITY", "last_updated": "2026-02-01T00:00:00Z"}

        assert named(FULL, "PATCH", f"payments/terminals/{ID}", patch) == "CITY"


class TestSpelling:
    """An id is the same in any case (OCPI types, CiString)."""

    OTHER = ID.upper()

    def test_it_is_one_terminal_in_any_case(self, ptp):
        tell(ptp)
        tell(ptp, {"terminal_id": self.OTHER, "city": "Turku"}, 200)
        whole = {"city": "Oulu", "last_updated": "2026-02-01T00:00:00Z"}
        assert said(ptp.send("PUT", f"payments/terminals/{self.OTHER}", whole))[0] == 1000
        patch = {"terminal_id": ID, "address": "Quay 1"}
        assert said(ptp.send("PATCH", f"payments/terminals/{self.OTHER}", patch))[0] == 1000

        data = said(ptp.send("GET", f"payments/terminals/{self.OTHER}"))[1]

        assert (data["terminal_id"], data["city"], data["address"]) == (ID, "Oulu", "Quay 1")
        assert Terminal.objects.filter(terminal_id__iexact=ID).count() == 1

    def test_of_two_that_differ_in_it_alone_the_same_spelling_is_meant(self, ptp):
        for name in (self.OTHER, ID):
            Terminal.objects.create(ptp=ptp.connection.ptp, terminal_id=name)

        tell(ptp, {"terminal_id": self.OTHER, "city": "Turku"}, 200)
        tell(ptp, {"terminal_id": ID, "city": "Oulu"}, 200)

        for name, city in ((self.OTHER, "Turku"), (ID, "Oulu")):
            data = said(ptp.send("GET", f"payments/terminals/{name}"))[1]
            assert (data["terminal_id"], data["city"]) == (name, city)

    def test_another_ptps_is_another_terminal(self, ptp):
        tell(ptp)
        tell(platform(), {"terminal_id": self.OTHER})

    @pytest.mark.postgres
    @pytest.mark.django_db(transaction=True)
    def test_both_spellings_at_once_are_one_terminal(self):
        ptp = platform()
        told = [{"terminal_id": name} for name in (ID, self.OTHER)] * 3

        came = at_once(*[lambda each=each: ptp.send("POST", "payments/terminals", each) for each in told])

        assert sorted(answer.status_code for answer in came) == [200] * 5 + [201]
        assert Terminal.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "path", "second"),
    [
        ("PATCH", f"payments/terminals/{ID}", {"city": "Oulu"}),
        ("POST", "payments/terminals", {"terminal_id": ID, "city": "Oulu"}),
    ],
)
def test_of_two_messages_at_once_none_is_lost(method, path, second):
    ptp = platform()
    tell(ptp, {"terminal_id": ID})

    def send():
        try:
            assert said(ptp.send(method, path, second))[0] == 1000
        finally:
            connection.close()

    other = threading.Thread(target=send)
    with transaction.atomic():
        amend(terminal(), {"address": "Quay 1"}, now=timezone.now())
        other.start()
        other.join(0.5)  # it waits for us, or has read what we are about to change
    other.join()

    assert (terminal().document.get("address"), terminal().document.get("city")) == ("Quay 1", "Oulu")


class TestRefused:
    @pytest.mark.parametrize(
        "fields",
        [
            {"terminal_id": None},
            {"terminal_id": 7},
            {"terminal_id": ""},
            {"terminal_id": "x" * 37},
            {"terminal_id": "köln"},
            {"customer_reference": "x" * 37},
            {"city": ["Turku"]},
            {"coordinates": {"latitude": "north", "longitude": "3.7"}},
            {"invoice_creator": "BANK"},
            {"location_ids": "LOC1"},
            {"location_ids": [7]},
            {"evse_uids": ["x" * 37]},
            {"last_updated": "yesterday"},
        ],
    )
    def test_a_terminal_with_a_fault_is_not_stored(self, ptp, fields):
        before = Terminal.objects.count()

        assert said(ptp.send("POST", "payments/terminals", FULL | fields))[0] == 2001
        assert Terminal.objects.count() == before

    @pytest.mark.parametrize("raw", [b"[]", b'"x"', b"7", b"null"])
    def test_what_is_no_object_is_refused(self, ptp, raw):
        for method in ("PUT", "PATCH"):
            assert said(ptp.send(method, f"payments/terminals/{ID}", raw=raw))[0] == 2001

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_an_address_that_names_another_terminal(self, ptp, method):
        tell(ptp)

        assert said(ptp.send(method, "payments/terminals/another", FULL))[0] == 2001

    def test_a_patch_of_a_terminal_that_is_not_there(self, ptp):
        assert said(ptp.send("PATCH", f"payments/terminals/{ID}", {"city": "Oulu"}))[0] == 2001

    def test_unknown_and_somebody_elses_are_told_the_same(self, ptp):
        tell(ptp)
        stranger = platform()

        answers = [stranger.send("GET", f"payments/terminals/{name}") for name in (ID, "nobody")]

        assert [said(answer, 404)[0] for answer in answers] == [2001, 2001]
        assert answers[0].json()["status_message"] == answers[1].json()["status_message"]

    def test_two_ptps_may_call_their_terminals_the_same(self, ptp):
        tell(ptp)
        tell(platform())

        assert Terminal.objects.filter(terminal_id=ID).count() == 2

    @pytest.mark.parametrize("name", ["x" * 37, "%00", "%2e%2e", "%E2%80%AE", "a%0Ab"])
    def test_what_cannot_be_an_id_names_no_terminal(self, ptp, name):
        assert said(ptp.send("GET", f"payments/terminals/{name}"), 404)[0] == 2001
        assert said(ptp.send("PATCH", f"payments/terminals/{name}", {}))[0] == 2001
        if name != "%2e%2e":
            assert said(ptp.send("PUT", f"payments/terminals/{name}", {}))[0] == 2001


def test_reading_one_takes_few_queries(cast, ptp, django_assert_max_num_queries):
    tell(ptp)
    terminal().sites.add(*(builders.site() for _ in range(3)))

    with django_assert_max_num_queries(7):
        ptp.send("GET", f"payments/terminals/{ID}")
