"""What staff change of an OCPI connection in the portal: settings, contracts, terminals, the handshake."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from payments.models import Contract, OcpiConnection, OutboxMessage, Terminal
from payments.ocpi.connections import authorization_of, find
from payments.ocpi.push import remembered, watch
from payments.simulator.ocpi.wire import Reply
from tests import builders
from tests.emabler.ocpi_cast import CHANGE, connection, staff
from tests.emabler.tariff_forms import text
from tests.emabler.test_portal_ocpi import HOME, NEW, SETTINGS, journalled
from tests.payments.ocpi_handshake.platform import ITS_TOKEN, TOKEN_A, Platform, role

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    return staff("olga", *CHANGE)


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A PTP's platform, NL*PTP, over real HTTP."""
    running = Platform()
    with running.server:
        yield running


class TestSettings:
    def test_they_are_stored_and_journalled_by_name(self, operator: Client) -> None:
        linked = connection()

        operator.post(f"{HOME}{linked.pk}/settings", SETTINGS)

        linked.refresh_from_db()
        assert (linked.release_signal, linked.invoice_creator) == ("ZERO_COST_CDR", "PTP")
        assert linked.languages == ["fi", "en"]
        assert linked.more_hosts == ["callback.ptp.example", "192.0.2.7"]
        assert linked.terminals_url == "https://ptp.example/terminals"
        assert linked.raw_tokens is True
        who, what = journalled()[0]
        assert who == "olga"
        assert "Terminals URL" in what
        assert "Nothing changed." in text(operator.post(f"{HOME}{linked.pk}/settings", SETTINGS, follow=True))
        assert len(journalled()) == 1

    @pytest.mark.parametrize(
        ("field", "value", "complaint"),
        [
            ("languages", "fi, xx", "no texts in xx"),
            ("more_hosts", "https://ptp.example/", "not the name of a host"),
            ("more_hosts", "a\n" * 3 + "b..c", "not the name of a host"),
            ("more_hosts", "\n".join(f"h{n}.example" for n in range(21)), "At most 20 hosts"),
            ("terminals_url", "ftp://ptp.example/", "must be an https URL"),
            ("terminals_url", "javascript:alert(1)", "must be an https URL"),
            ("terminals_url", "https://user:secret@ptp.example/", "must not carry a user"),
            ("confirmations_url", "https://ptp.example/" + "x" * 500, "at most 500"),
            ("release_signal", "NONE", "Select a valid choice"),
        ],
    )
    def test_a_bad_field_says_what_is_wrong_and_nothing_is_stored(
        self, operator: Client, field: str, value: str, complaint: str
    ) -> None:
        linked = connection()

        response = operator.post(f"{HOME}{linked.pk}/settings", SETTINGS | {field: value})

        assert response.status_code == 200
        assert complaint in text(response)
        linked.refresh_from_db()
        assert linked.languages == []
        assert journalled() == []

    def test_plain_http_is_for_the_demo_alone(self, operator: Client, settings: Any) -> None:
        linked = connection()
        plain = SETTINGS | {"terminals_url": "http://127.0.0.1:9000/terminals"}

        settings.ALLOW_LOOPBACK_PEERS = False
        assert "must be https" in text(operator.post(f"{HOME}{linked.pk}/settings", plain))
        settings.ALLOW_LOOPBACK_PEERS = True
        assert operator.post(f"{HOME}{linked.pk}/settings", plain).status_code == 302


class TestContracts:
    def test_a_contract_is_added_once_and_removed(self, operator: Client) -> None:
        linked = connection()
        builders.site(country_code="SE", party_id="SUB")
        said = {"customer_reference": "Kiosk-7", "party": "SE*SUB"}

        operator.post(f"{HOME}{linked.pk}/contracts", said)
        again = operator.post(f"{HOME}{linked.pk}/contracts", said)

        contract = Contract.objects.get()
        assert (contract.customer_reference, contract.country_code, contract.party_id) == (
            "Kiosk-7",
            "SE",
            "SUB",
        )
        assert "has a contract already" in text(again)
        operator.post(f"{HOME}{linked.pk}/contracts/{contract.pk}/remove")
        gone = operator.post(f"{HOME}{linked.pk}/contracts/{contract.pk}/remove", follow=True)
        assert not Contract.objects.exists()
        assert "removed already" in text(gone)
        assert [what for _, what in journalled()] == [
            "Contract Kiosk-7 added, for SE*SUB.",
            "Contract Kiosk-7 removed.",
        ]

    def test_a_contract_of_another_platform_is_not_removed(self, operator: Client) -> None:
        theirs = Contract.objects.create(
            connection=connection(), customer_reference="C", country_code="FI", party_id="EMB"
        )

        operator.post(f"{HOME}{connection().pk}/contracts/{theirs.pk}/remove")

        assert Contract.objects.filter(pk=theirs.pk).exists()

    def test_we_speak_for_no_party_that_is_not_ours(self, operator: Client) -> None:
        linked = connection()

        operator.post(f"{HOME}{linked.pk}/contracts", {"customer_reference": "C", "party": "DE*XXX"})

        assert not Contract.objects.exists()


class TestTerminal:
    def test_places_are_found_assigned_and_taken_away_and_the_ptp_is_told(self, operator: Client) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp)
        cast.terminal.sites.clear()
        other = builders.evse(at=builders.station(at=builders.site(name="Airport")))
        here = f"{HOME}{linked.pk}/terminals/{cast.terminal.pk}/"

        assert f"evse-{other.pk}" in text(operator.get(f"{here}?q=airport"))
        places = [f"site-{cast.site.pk}", f"evse-{other.pk}", "site-999", "nonsense"]
        told = operator.post(f"{here}assign", {"place": places}, follow=True)
        assert "It sells at 2 places more now." in text(told)
        assert list(cast.terminal.sites.all()) == [cast.site]
        assert list(cast.terminal.evses.all()) == [other]
        waiting = OutboxMessage.objects.get(topic="ocpi.terminal")
        assert waiting.subject == str(cast.terminal.pk)

        operator.post(f"{here}unassign", {"place": [f"site-{cast.site.pk}"]})
        assert not cast.terminal.sites.exists()
        assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
            f"Assigned to {cast.site}, Airport · {other.label}.",
            f"Taken from {cast.site}.",
        ]
        assert "Choose sites or EVSEs first" in text(operator.post(f"{here}assign", follow=True))

    def test_it_sells_nothing_of_a_party_that_is_not_its_own(self, operator: Client) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp)
        foreign = builders.site(country_code="SE", party_id="SUB", name="Elsewhere")
        here = f"{HOME}{linked.pk}/terminals/{cast.terminal.pk}/"

        assert "Elsewhere" not in text(operator.get(f"{here}?q=else"))
        operator.post(f"{here}assign", {"place": f"site-{foreign.pk}"})

        assert foreign not in cast.terminal.sites.all()

    def test_one_that_names_an_unknown_contract_is_assigned_after_the_contract_is_there(
        self, operator: Client
    ) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp)
        Contract.objects.create(connection=linked, customer_reference="A", country_code="FI", party_id="EMB")
        Terminal.objects.filter(pk=cast.terminal.pk).update(customer_reference="B")
        cast.terminal.sites.clear()
        here = f"{HOME}{linked.pk}/terminals/{cast.terminal.pk}/"

        assert "names contract B, which is not known here" in text(operator.get(here))
        operator.post(f"{here}assign", {"place": f"site-{cast.site.pk}"})
        assert not cast.terminal.sites.exists()
        operator.post(f"{here}contract", {"contract": Contract.objects.get().pk})
        operator.post(f"{here}assign", {"place": f"site-{cast.site.pk}"})

        assert cast.terminal.sites.exists()
        cast.terminal.refresh_from_db()
        assert cast.terminal.customer_reference == "A"

    def test_the_contract_of_another_platform_is_not_taken(self, operator: Client) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp)
        foreign = Contract.objects.create(
            connection=connection(), customer_reference="X", country_code="FI", party_id="EMB"
        )

        operator.post(f"{HOME}{linked.pk}/terminals/{cast.terminal.pk}/contract", {"contract": foreign.pk})

        cast.terminal.refresh_from_db()
        assert cast.terminal.customer_reference == ""


class TestHandshake:
    def test_we_connect_rotate_and_end_it(self, operator: Client, platform: Platform) -> None:
        operator.post(f"{HOME}new/", NEW | {"begin": "connect", "country_code": "", "party_id": ""})
        made = OcpiConnection.objects.get()
        here = f"{HOME}{made.pk}/"

        told = operator.post(f"{here}connect/", {"url": platform.versions_url, "token": TOKEN_A}, follow=True)
        made.refresh_from_db()
        assert "we speak OCPI 2.3.0" in text(told)
        assert (made.state, made.country_code, made.party_id) == ("REGISTERED", "NL", "PTP")
        first = platform.got[0]["token"]
        assert find(authorization_of(first)) == made

        assert "Both tokens are new" in text(operator.post(f"{here}rotate/", follow=True))
        assert find(authorization_of(first)) is None
        assert find(authorization_of(platform.got[1]["token"])) == made

        assert "The registration is ended." in text(operator.post(f"{here}unregister/", follow=True))
        made.refresh_from_db()
        assert made.state == "UNREGISTERED"
        whats = " ".join(what for _, what in journalled())
        for phrase in ("Connect to them: Registered", "Rotate the tokens:", "End the registration:"):
            assert phrase in whats
        for secret in (TOKEN_A, ITS_TOKEN, first):
            assert secret not in whats
            assert secret not in text(operator.get(here))

    def test_what_went_wrong_is_said_in_words_journalled_and_changes_nothing(
        self, operator: Client, platform: Platform
    ) -> None:
        linked = connection(registered=False, country_code="NL", party_id="PAY")
        here = f"{HOME}{linked.pk}/connect/"

        wrong_token = operator.post(here, {"url": platform.versions_url, "token": "wrong"})
        assert wrong_token.status_code == 200
        assert 'role="alert"' in text(wrong_token)
        assert "wrong" not in text(wrong_token).split('name="token"')[1][:300]
        platform.roles = [role("PTP", "NL", "XXX")]
        assert "NL*PAY" in text(operator.post(here, {"url": platform.versions_url, "token": TOKEN_A}))

        linked.refresh_from_db()
        assert linked.state == "INVITED"
        assert len(journalled()) == 2
        assert all("Connect to them: failed." in what for _, what in journalled())

    @pytest.mark.parametrize(
        ("said", "complaint"),
        [
            ({"url": "", "token": "a"}, "This field is required"),
            ({"url": "ptp", "token": "a"}, "must be an https URL"),
            ({"url": "https://ptp.example/", "token": "a b"}, "without spaces"),
            ({"url": "https://ptp.example/", "token": "ä"}, "printable ASCII"),
            ({"url": "https://ptp.example/", "token": "x" * 65}, "at most 64"),
        ],
    )
    def test_an_address_or_token_that_cannot_be_is_refused_before_any_call(
        self, operator: Client, said: dict[str, str], complaint: str
    ) -> None:
        linked = connection(registered=False)

        assert complaint in text(operator.post(f"{HOME}{linked.pk}/connect/", said))
        assert journalled() == []

    @pytest.mark.parametrize(
        ("registered", "slug"),
        [(True, "connect"), (False, "rotate"), (False, "unregister"), (False, "pull-terminals")],
    )
    def test_what_makes_no_sense_now_is_neither_offered_nor_done(
        self, operator: Client, registered: bool, slug: str
    ) -> None:
        linked = connection(registered=registered)
        here = f"{HOME}{linked.pk}/"

        assert f"{here}{slug}/" not in text(operator.get(here))
        assert "cannot be done now" in text(operator.post(f"{here}{slug}/", follow=True))
        assert journalled() == []


class TestPulls:
    def test_terminals_and_confirmations_are_fetched(self, operator: Client, platform: Platform) -> None:
        linked = _registered_at(operator, platform)
        terminal = {
            "terminal_id": "T-9",
            "last_updated": "2026-11-02T12:00:00Z",
            "location_ids": [],
            "evse_uids": [],
        }
        for family, data in (("terminals", [terminal, {"no": "id"}]), ("financial-advice-confirmations", [])):
            platform.server.route("GET", f"/ocpi/2.3.0/payments/{family}", lambda _, data=data: Reply(data))
        here = f"{HOME}{linked.pk}/"

        told = text(operator.post(f"{here}pull-terminals/", follow=True))
        assert "1 terminal came. 1 could not be taken" in told
        assert "T-9" in told
        assert "0 confirmations came." in text(operator.post(f"{here}pull-confirmations/", follow=True))

    def test_a_platform_without_the_list_says_so(self, operator: Client, platform: Platform) -> None:
        linked = _registered_at(operator, platform)

        answer = text(operator.post(f"{HOME}{linked.pk}/pull-terminals/"))

        assert "Nothing could be pulled" in answer
        assert "failed" in journalled()[-1][1]

    def test_everything_is_pushed_again_by_forgetting_what_they_have(
        self, operator: Client, platform: Platform
    ) -> None:
        linked = _registered_at(operator, platform)
        site = builders.cast().site
        watch.look_for(linked, now=timezone.now())
        OutboxMessage.objects.all().delete()
        remembered.note(linked, remembered.Kind.SITE, str(site.pk), {}, now=timezone.now())

        told = operator.post(f"{HOME}{linked.pk}/push-again/", follow=True)

        assert "is being sent anew" in text(told)
        assert not linked.pushes.exists()
        assert watch.look_for(linked, now=timezone.now())
        assert OutboxMessage.objects.filter(topic="ocpi.location", subject=str(site.pk)).exists()

    def test_a_terminal_is_activated_and_switched_off(self, operator: Client, platform: Platform) -> None:
        linked = _registered_at(operator, platform)
        terminal = builders.terminal(of=linked.ptp)
        base = "/ocpi/2.3.0/payments/terminals"
        platform.server.route("POST", f"{base}/activate", lambda _: Reply())
        here = f"{HOME}{linked.pk}/"

        told = text(operator.post(f"{here}activate/", {"reference": "SN-1"}, follow=True))
        assert "The PTP activates SN-1" in told
        refused = text(operator.post(f"{here}terminals/{terminal.pk}/off/"))
        assert "It is still in use" in refused
        platform.server.route("POST", f"{base}/{terminal.terminal_id}/deactivate", lambda _: Reply())
        operator.post(f"{here}terminals/{terminal.pk}/off/")

        terminal.refresh_from_db()
        assert terminal.active is False
        assert f"{here}terminals/{terminal.pk}/off/" not in text(
            operator.get(f"{here}terminals/{terminal.pk}/")
        )


def _registered_at(operator: Client, platform: Platform) -> OcpiConnection:
    linked = connection(registered=False, country_code="NL", party_id="PTP")
    operator.post(f"{HOME}{linked.pk}/connect/", {"url": platform.versions_url, "token": TOKEN_A})
    linked.refresh_from_db()
    assert linked.is_registered
    return linked
