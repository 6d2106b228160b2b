"""OCPI connections in the portal: who may do what, what the pages say, what is journalled, what it costs."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.models import (
    Contract,
    OcpiCommand,
    OcpiConnection,
    OutboxMessage,
    Ptp,
    SeenSite,
    SeenTariff,
    StoredToken,
    Terminal,
)
from payments.ocpi.connections import authorization_of, find, versions_url
from tariffs.versions import save_tariff
from tests import builders
from tests.emabler.ocpi_cast import CHANGE, HOSTILE, connection, message, outgoing, staff
from tests.emabler.tariff_forms import component, element, text

pytestmark = pytest.mark.django_db
HOME = "/connections/"
DEAR = (element(component("ENERGY", "0.99")),)
NEW = {
    "name": "Payter",
    "role": "PTP",
    "country_code": "nl",
    "party_id": "pay",
    "our_party": "FI*EMB",
    "begin": "invite",
}
SETTINGS = {
    "release_signal": "ZERO_COST_CDR",
    "invoice_creator": "PTP",
    "languages": "fi, EN",
    "terminals_url": "https://ptp.example/terminals",
    "confirmations_url": "",
    "more_hosts": "Callback.ptp.example\n192.0.2.7",
    "raw_tokens": "on",
}


@pytest.fixture
def viewer() -> Client:
    return staff("vera")


@pytest.fixture
def operator() -> Client:
    return staff("olga", *CHANGE)


def three_minutes_ago() -> datetime:
    """A moment that a page still calls so if the test takes half a minute."""
    return timezone.now() - timedelta(minutes=3, seconds=15)


def journalled() -> list[tuple[str, str]]:
    return [
        (entry.user.get_username(), entry.get_change_message()) for entry in LogEntry.objects.order_by("pk")
    ]


class TestDoor:
    def test_strangers_are_sent_to_the_login(self) -> None:
        pk, sent = connection().pk, message(None).pk
        for path in ("", "new/", f"{pk}/", f"{pk}/invite/", "log/", f"log/{sent}/", "outbox/"):
            assert Client().get(HOME + path)["Location"].startswith("/login/?next=/connections/")

    def test_a_viewer_sees_everything_and_changes_nothing(self, viewer: Client) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp)
        waiting = outgoing(cast.ptp)
        here = f"{HOME}{linked.pk}/"

        for path in (HOME, here, f"{here}terminals/{cast.terminal.pk}/", f"{HOME}log/", f"{HOME}outbox/"):
            response = viewer.get(path)
            assert response.status_code == 200
            assert 'method="post"' not in text(response).split("<main")[1]
        for path in (
            "new/",
            f"{linked.pk}/invite/",
            f"{linked.pk}/settings",
            f"{linked.pk}/contracts",
            f"{linked.pk}/contracts/1/remove",
            f"{linked.pk}/terminals/{cast.terminal.pk}/assign",
            f"{linked.pk}/terminals/{cast.terminal.pk}/unassign",
            f"outbox/{waiting.pk}/send",
            f"outbox/{waiting.pk}/give-up",
            f"outbox/all/{cast.ptp.pk}/send",
        ):
            assert viewer.post(HOME + path, NEW).status_code == 403, path
        assert journalled() == []

    def test_what_changes_something_needs_the_form_token_and_a_post(self) -> None:
        linked = connection()
        guarded = Client(enforce_csrf_checks=True)
        guarded.cookies = staff("olga", *CHANGE).cookies

        assert guarded.post(f"{HOME}{linked.pk}/invite/").status_code == 403
        assert guarded.post(f"{HOME}{linked.pk}/settings", SETTINGS).status_code == 403
        assert guarded.get(f"{HOME}{linked.pk}/settings").status_code == 405
        assert guarded.get(f"{HOME}outbox/all/{linked.ptp_id}/send").status_code == 405
        linked.refresh_from_db()
        assert linked.is_registered

    def test_what_does_not_exist_is_not_found(self, operator: Client) -> None:
        linked = connection()
        stranger = builders.terminal()
        for path in ("9999/", f"{10**30}/", "9999/invite/", f"{linked.pk}/nothing/", "log/9999/"):
            assert operator.get(HOME + path).status_code == 404, path
        assert operator.get(f"{HOME}{linked.pk}/terminals/{stranger.pk}/").status_code == 404
        assert operator.post(f"{HOME}{linked.pk}/terminals/{stranger.pk}/assign").status_code == 404
        assert operator.post(f"{HOME}9999/settings", SETTINGS).status_code == 404


class TestList:
    def test_an_empty_list_says_what_to_do(self, viewer: Client, operator: Client) -> None:
        assert "Invite the first one" in text(operator.get(HOME))
        assert "Someone who may change connections" in text(viewer.get(HOME))

    def test_a_connection_shows_its_state_its_traffic_and_its_outbox(self, viewer: Client) -> None:
        at = three_minutes_ago()
        linked = connection(builders.ptp(name="Payter"), last_heard_at=at, last_reached_at=at)
        outgoing(linked.ptp)
        outgoing(linked.ptp, state=OutboxMessage.State.GIVEN_UP)
        outgoing(linked.ptp, state=OutboxMessage.State.DELIVERED)

        body = text(viewer.get(f"{HOME}?part=live"))

        for phrase in ("Payter", "NL*PAY", "OCPI 2.3.0", "Registered", "3 min ago", "Answers"):
            assert phrase in body
        assert "1 waiting" in body
        assert "1 given up" in body

    def test_a_platform_that_answers_nobody_says_so_in_words(self, viewer: Client) -> None:
        linked = connection()
        Ptp.objects.filter(pk=linked.ptp_id).update(
            failures_in_row=7, probe_at=timezone.now() + timezone.timedelta(seconds=30)
        )

        assert "7 calls in a row reached nobody, asked again at" in text(viewer.get(HOME))

    def test_fifty_connections_cost_what_one_does(
        self, viewer: Client, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(50):
            linked = connection(our_party_id=f"E{number:02}")
            builders.terminal(of=linked.ptp)
            Contract.objects.create(
                connection=linked, customer_reference="C", country_code="FI", party_id="EMB"
            )
            outgoing(linked.ptp)

        with django_assert_max_num_queries(14):
            assert "50 waiting" not in text(viewer.get(HOME))


class TestInvitation:
    def test_token_a_is_shown_once_opens_our_door_and_is_stored_nowhere(self, operator: Client) -> None:
        response = operator.post(f"{HOME}new/", NEW)

        made = OcpiConnection.objects.get(ptp__name="Payter")
        token = re.findall(r'id="token-a">([^<]+)<', response.content.decode())[0]
        assert versions_url() in text(response)
        assert "no-store" in response["Cache-Control"]
        assert find(authorization_of(token)) == made
        assert (made.country_code, made.party_id, made.state) == ("NL", "PAY", "INVITED")
        assert journalled() == [("olga", "Created in the portal and invited.")]
        for path in (
            f"{HOME}{made.pk}/",
            f"{HOME}{made.pk}/invite/",
            f"/admin/payments/ocpiconnection/{made.pk}/change/",
        ):
            assert token not in text(operator.get(path))

    @pytest.mark.parametrize(
        ("field", "value", "complaint"),
        [
            ("country_code", "N", "Exactly 2 letters"),
            ("country_code", "", "Enter both"),
            ("party_id", "P-Y", "Exactly 3 letters or digits"),
            ("our_party", "XX*XXX", "Select a valid choice"),
            ("role", "CPO", "Select a valid choice"),
            ("name", " ", "required"),
            ("name", "x" * 101, "at most 100"),
        ],
    )
    def test_a_bad_field_says_what_is_wrong(
        self, operator: Client, field: str, value: str, complaint: str
    ) -> None:
        response = operator.post(f"{HOME}new/", NEW | {field: value})

        assert complaint in text(response)
        assert not OcpiConnection.objects.exists()

    def test_a_name_is_taken_once(self, operator: Client) -> None:
        operator.post(f"{HOME}new/", NEW)
        before = OcpiConnection.objects.get().server_token_hash

        assert "of this name already" in text(operator.post(f"{HOME}new/", NEW | {"name": " Payter "}))
        assert OcpiConnection.objects.get().server_token_hash == before

    def test_where_we_begin_no_token_is_made(self, operator: Client) -> None:
        response = operator.post(
            f"{HOME}new/", NEW | {"begin": "connect", "country_code": "", "party_id": ""}
        )

        made = OcpiConnection.objects.get()
        assert response["Location"] == f"{HOME}{made.pk}/connect/"
        assert made.server_token_hash == ""
        assert "Not invited yet" in text(operator.get(HOME))

    def test_an_invitation_anew_is_confirmed_first_and_ends_the_registration(self, operator: Client) -> None:
        linked = connection()

        assert "no longer good" in text(operator.get(f"{HOME}{linked.pk}/invite/"))
        linked.refresh_from_db()
        assert linked.is_registered
        response = operator.post(f"{HOME}{linked.pk}/invite/")

        linked.refresh_from_db()
        assert linked.state == OcpiConnection.State.INVITED
        assert 'id="token-a"' in text(response)
        assert "Invited anew" in journalled()[0][1]


class TestPage:
    def test_the_checklist_tells_what_is_missing_and_then_that_nothing_is(self, viewer: Client) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp, endpoints={})
        cast.terminal.sites.clear()
        Terminal.objects.update(customer_reference="NOBODY")
        Contract.objects.create(connection=linked, customer_reference="C1", country_code="FI", party_id="EMB")
        here = f"{HOME}{linked.pk}/"

        body = text(viewer.get(here))
        for phrase in (
            "No endpoint for charging points, prices, sessions and bills (CDRs)",
            "0 of 1 site as they are now",
            "0 of 1 tariff in the newest version",
            "1 terminal of 1 cannot sell",
            "customer reference that no contract here has",
            "No financial advice confirmation has come yet",
        ):
            assert phrase in body

        _go_live(linked, cast)
        body = text(viewer.get(here))
        assert "8 of 8 steps are done" in body
        assert "The last confirmation came 3 min ago" in body

    def test_a_newer_price_and_another_choice_of_tariffs_are_not_known_yet(self, viewer: Client) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp)
        _go_live(linked, cast)
        other = builders.tariff_version()
        cast.connector.tariffs.add(other.tariff)
        save_tariff(builders.tariff_terms(id=cast.tariff_version.tariff.tariff_id, elements=DEAR))

        body = text(viewer.get(f"{HOME}{linked.pk}/"))

        assert "0 of 1 site as they are now" in body
        assert "0 of 2 tariffs in the newest version" in body

    def test_identity_endpoints_and_journal_are_shown(self, operator: Client) -> None:
        linked = connection(
            roles=[
                {
                    "role": "PTP",
                    "country_code": "NL",
                    "party_id": "PAY",
                    "business_details": {"name": "Payter BV"},
                },
                7,
            ]
        )
        operator.post(f"{HOME}{linked.pk}/settings", SETTINGS)

        body = text(operator.get(f"{HOME}{linked.pk}/"))

        for phrase in (
            "https://ptp.example/ocpi/2.3.0/cdrs",
            "https://ptp.example/ocpi/versions",
            "PTP NL*PAY Payter BV",
            "Settings changed",
        ):
            assert phrase in body
        assert linked.server_token_hash not in body

    def test_hostile_strings_stay_text_and_no_page_has_inline_code(self, operator: Client) -> None:
        cast = builders.cast(name=HOSTILE)
        linked = connection(
            cast.ptp,
            versions_url=HOSTILE,
            endpoints={HOSTILE: HOSTILE},
            roles=[{"role": HOSTILE, "business_details": {"name": HOSTILE}}],
            role=HOSTILE[:20],
            more_hosts=[HOSTILE],
        )
        Terminal.objects.update(
            terminal_id=HOSTILE[:36], customer_reference=HOSTILE[:36], reference=HOSTILE[:36]
        )
        Contract.objects.create(
            connection=linked, customer_reference=HOSTILE[:36].lower(), country_code="FI", party_id="EMB"
        )
        here = f"{HOME}{linked.pk}/"

        for path in (HOME, here, f"{here}invite/", f"{here}terminals/{cast.terminal.pk}/?q={HOSTILE}"):
            body = operator.get(path).content.decode()
            assert "<svg" not in body
            assert "&lt;svg" in body
            assert not re.search(r"<style|\sstyle=|\son\w+=\"", body)

    def test_a_thousand_terminals_cost_what_one_does(
        self, operator: Client, django_assert_max_num_queries: Any
    ) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp)
        made = Terminal.objects.bulk_create(
            Terminal(ptp=cast.ptp, terminal_id=f"BULK-{number:04}") for number in range(1000)
        )
        for terminal in made[:5]:
            terminal.sites.add(cast.site)

        with django_assert_max_num_queries(19):
            body = text(operator.get(f"{HOME}{linked.pk}/"))
        assert "Page 1 of 21" in body
        assert "995 terminals of 1001 cannot sell" in body


def _go_live(linked: OcpiConnection, cast: builders.Cast) -> None:
    """Let everything be there that a platform needs to sell."""
    now = timezone.now()
    cast.connector.refresh_from_db()
    OcpiConnection.objects.filter(pk=linked.pk).update(endpoints=connection().endpoints)
    cast.terminal.sites.add(cast.site)
    Terminal.objects.filter(pk=cast.terminal.pk).update(customer_reference="c1")
    Contract.objects.get_or_create(
        connection=linked, customer_reference="C1", country_code="FI", party_id="EMB"
    )
    version = cast.tariff_version
    SeenTariff.objects.create(
        connection=linked, tariff=version.tariff, version=version, hold_minor=6000, seen_at=now
    )
    SeenSite.objects.create(connection=linked, site=cast.site, seen_at=cast.connector.tariffs_changed_at)
    cast.ptp.confirmations.create(
        payment=None,
        confirmation_id="fac-1",
        status="SUCCESS",
        amount_minor=1,
        currency="EUR",
        request_hash="-",
        received_at=three_minutes_ago(),
    )


class TestRecords:
    def test_the_records_show_everything_but_secrets_and_let_nobody_write(self, admin_client: Client) -> None:
        cast = builders.cast()
        linked = connection(cast.ptp, pending_token_hash="p" * 64, client_token_sealed="sealed-secret")
        _go_live(linked, cast)
        row = message(linked, request_body="what they said")
        command = OcpiCommand.objects.create(
            connection=linked,
            kind="STOP_SESSION",
            payment=cast.payment(),
            response_url="-",
            deadline_at=timezone.now(),
        )
        token = StoredToken.objects.create(
            connection=linked, country_code="NL", party_id="PAY", uid="TOKEN-1", document={}
        )

        for record in (linked, row, command, token, SeenTariff.objects.get(), SeenSite.objects.get()):
            name = f"admin:payments_{record._meta.model_name}"
            assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
            change = reverse(f"{name}_change", args=[record.pk])
            body = text(admin_client.get(change))
            assert not any(secret in body for secret in (linked.server_token_hash, "p" * 64, "sealed-secret"))
            assert admin_client.post(change, {}).status_code == 403
            assert admin_client.post(reverse(f"{name}_delete", args=[record.pk])).status_code == 403
            assert admin_client.get(reverse(f"{name}_add")).status_code == 403
        assert "what they said" in text(
            admin_client.get(reverse("admin:payments_ocpimessage_change", args=[row.pk]))
        )
