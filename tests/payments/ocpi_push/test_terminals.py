"""Terminals at their PTP: assignment, where receipts are, on and off; and what is fetched from it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments.models import Confirmation, OcpiConnection, OutboxMessage, Payment, Terminal
from payments.ocpi.push import pulls, terminals, watch
from payments.ocpi.push.client import CallFailed
from payments.settlement import OCPI_CDR, OCPI_SESSION
from payments.simulator.ocpi.wire import Reply, Request, not_found, paged, utc_text
from payments.states import PaymentState, Review
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_push.platform import LOST, Platform, deliver, message, platform, reply


@pytest.fixture
def ptp(cast: Cast) -> Iterator[Platform]:
    """A platform with the module `payments`; its one terminal stands at no site yet."""
    cast.terminal.sites.clear()
    with platform(cast, payments=True) as running:
        yield running


@pytest.fixture
def terminal(cast: Cast) -> Terminal:
    return cast.terminal


def deliver_terminal(ptp: Platform, terminal: Terminal) -> bool:
    return deliver(ptp, terminals.TOPIC, terminal.pk)


class TestAssignment:
    def test_assigning_a_site_is_patched_to_the_ptp(self, ptp: Platform, terminal: Terminal) -> None:
        ptp.objects[f"/ocpi/payments/terminals/{terminal.terminal_id}"] = {}
        terminal.sites.add(ptp.cast.site)

        assert deliver_terminal(ptp, terminal)

        first = ptp.server.received[0]
        assert ptp.calls[0] == f"PATCH payments/terminals/{terminal.terminal_id}"
        assert first.body["location_ids"] == [ptp.cast.site.location_id]
        assert first.body["evse_uids"] == []

    def test_the_ptp_is_told_where_receipts_are(self, ptp: Platform, terminal: Terminal) -> None:
        ptp.objects[f"/ocpi/payments/terminals/{terminal.terminal_id}"] = {}
        Terminal.objects.filter(pk=terminal.pk).update(
            customer_reference="Harbour", document={"address": "Quay 1", "city": "Helsinki"}
        )
        terminal.sites.add(ptp.cast.site)

        deliver_terminal(ptp, terminal)

        assert ptp.methods == ["PATCH", "PUT"]
        assert ptp.last.body["invoice_base_url"] == "http://testserver/r/ref/"
        assert ptp.last.body["invoice_creator"] == "CPO"
        assert ptp.last.body["customer_reference"] == "Harbour"
        assert ptp.last.body["address"] == "Quay 1"  # the PTP's own facts are not taken away
        assert ptp.last.body["location_ids"] == [ptp.cast.site.location_id]

    def test_where_the_ptp_makes_the_invoice_its_address_is_left_alone(self, cast: Cast) -> None:
        with platform(cast, payments=True, invoice_creator=OcpiConnection.InvoiceCreator.PTP) as ptp:
            ptp.objects[f"/ocpi/payments/terminals/{cast.terminal.terminal_id}"] = {}
            cast.terminal.evses.add(cast.evse)

            deliver_terminal(ptp, cast.terminal)

            assert ptp.methods == ["PATCH"]

    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("how", ["add", "remove", "clear", "set"])
    def test_every_way_to_assign_is_noticed_from_both_sides(
        self, ptp: Platform, terminal: Terminal, how: str, reverse: bool
    ) -> None:
        site = ptp.cast.site
        if how in ("remove", "clear"):
            terminal.sites.add(site)
        OutboxMessage.objects.all().delete()
        side, other = (site.terminals, terminal) if reverse else (terminal.sites, site)

        if how == "clear":
            side.clear()
        elif how == "set":
            side.set([other])
        else:
            getattr(side, how)(other)

        assert OutboxMessage.objects.filter(topic=terminals.TOPIC, subject=str(terminal.pk)).exists()

    def test_the_same_assignment_is_not_sent_twice(self, ptp: Platform, terminal: Terminal) -> None:
        ptp.objects[f"/ocpi/payments/terminals/{terminal.terminal_id}"] = {}
        terminal.sites.add(ptp.cast.site)
        deliver_terminal(ptp, terminal)
        ptp.forget_calls()

        terminal.sites.remove(ptp.cast.site)
        terminal.sites.add(ptp.cast.site)
        deliver_terminal(ptp, terminal)

        assert ptp.calls == []

    def test_what_was_assigned_before_the_handshake_is_told_after_it(self, cast: Cast) -> None:
        OutboxMessage.objects.all().delete()
        with platform(cast, payments=True) as ptp:
            watch.look(timezone.now())

            assert message(ptp, terminals.TOPIC, cast.terminal.pk).state == "DUE"
            watch.look(timezone.now() + timedelta(seconds=5))
            assert message(ptp, terminals.TOPIC, cast.terminal.pk).version == 1

    def test_a_platform_that_registers_anew_is_told_again(self, ptp: Platform, terminal: Terminal) -> None:
        ptp.objects[f"/ocpi/payments/terminals/{terminal.terminal_id}"] = {}
        terminal.sites.add(ptp.cast.site)
        deliver_terminal(ptp, terminal)
        assert terminals.untold(ptp.connection) == []

        ptp.connection.registered_at = timezone.now() + timedelta(seconds=1)

        assert terminals.untold(ptp.connection) == [terminal]

    def test_a_terminal_of_the_native_api_is_nobodys_news(self, db: None) -> None:
        cast = builders.cast()

        cast.terminal.sites.clear()

        assert not OutboxMessage.objects.exists()

    def test_the_address_may_be_set_apart_from_the_modules(self, ptp: Platform, terminal: Terminal) -> None:
        ptp.connection.terminals_url = f"{ptp.server.url}/ocpi/elsewhere/"
        ptp.connection.save()
        ptp.objects[f"/ocpi/elsewhere/{terminal.terminal_id}"] = {}
        terminal.sites.add(ptp.cast.site)

        deliver_terminal(ptp, terminal)

        assert ptp.calls[0] == f"PATCH elsewhere/{terminal.terminal_id}"


class TestOnAndOff:
    def test_a_terminal_is_activated_by_its_reference(self, ptp: Platform) -> None:
        terminals.activate(
            ptp.connection,
            reference="SN-1",
            sites=[ptp.cast.site],
            customer_reference="C",
            now=timezone.now(),
        )

        assert ptp.calls == ["POST payments/terminals/activate"]
        assert ptp.last.body["reference"] == "SN-1"
        assert ptp.last.body["location_ids"] == [ptp.cast.site.location_id]
        assert "terminal_id" not in ptp.last.body

    def test_a_terminal_is_deactivated_at_the_ptp_and_then_here(
        self, ptp: Platform, terminal: Terminal
    ) -> None:
        terminals.deactivate(terminal, now=timezone.now())

        assert ptp.calls == [f"POST payments/terminals/{terminal.terminal_id}/deactivate"]
        assert not Terminal.objects.get(pk=terminal.pk).active

    @pytest.mark.parametrize("no", [reply(2001), LOST])
    def test_a_no_is_told_to_who_asked_and_changes_nothing(
        self, ptp: Platform, terminal: Terminal, no: object
    ) -> None:
        ptp.answers = [no]  # type: ignore[list-item]

        with pytest.raises(CallFailed):
            terminals.deactivate(terminal, now=timezone.now())

        assert Terminal.objects.get(pk=terminal.pk).active


# --- Pulls ----------------------------------------------------------------------------------------


def captured(payment: Payment, number: int = 1, **fields: Any) -> dict[str, Any]:
    """A confirmation as the platform has it."""
    facts = {
        "id": f"fac-{number}",
        "authorization_reference": payment.authorization_reference,
        "total_costs": {"excl_vat": 5, "incl_vat": 5},
        "currency": "EUR",
        "eft_data": ["VISA"],
        "capture_status_code": "SUCCESS",
        "last_updated": utc_text(),
    }
    return facts | fields


class TestPulls:
    @pytest.fixture
    def lists(self, ptp: Platform) -> dict[str, list[Any]]:
        """What the platform has, by the last part of the address."""
        held: dict[str, list[Any]] = {"terminals": [], "financial-advice-confirmations": []}

        def serve(request: Request) -> Reply:
            name = request.path.rstrip("/").rpartition("/")[2]
            return paged(held[name], request, url=f"{ptp.server.url}{request.path}", most=2)

        ptp._keep = serve  # type: ignore[method-assign]
        return held

    @pytest.fixture
    def capturing(self, ptp: Platform) -> Payment:
        """A payment of 5.00 EUR whose CDR has arrived."""
        payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
        deliver(ptp, OCPI_SESSION, payment.pk)
        deliver(ptp, OCPI_CDR, payment.pk)
        ptp.forget_calls()
        return payment

    def test_confirmations_that_were_lost_are_fetched_page_after_page_and_booked_once(
        self, capturing: Payment, ptp: Platform, lists: dict[str, list[Any]]
    ) -> None:
        others = [captured(capturing, n, authorization_reference=f"other-{n}") for n in range(2, 5)]
        lists["financial-advice-confirmations"] = [*others, captured(capturing)]

        first = pulls.pull_confirmations(ptp.connection, now=timezone.now())
        pulls.pull_confirmations(ptp.connection, now=timezone.now())

        capturing.refresh_from_db()
        assert (first.taken, capturing.state) == (4, PaymentState.CAPTURED)
        assert len(ptp.calls) == 4
        assert Confirmation.objects.count() == 4  # three of holds that we do not know

    def test_the_next_pull_begins_a_day_before_the_last_one(
        self, ptp: Platform, lists: dict[str, list[Any]]
    ) -> None:
        now = timezone.now()
        pulls.pull_confirmations(ptp.connection, now=now)
        ptp.connection.refresh_from_db()
        pulls.pull_confirmations(ptp.connection, now=now)

        assert "date_from" not in ptp.server.received[0].query
        assert ptp.last.query["date_from"][:19] == (now - timedelta(days=1)).isoformat()[:19]

    def test_one_that_cannot_be_read_keeps_none_of_the_others_back(
        self, capturing: Payment, ptp: Platform, lists: dict[str, list[Any]]
    ) -> None:
        lists["financial-advice-confirmations"] = [
            {"id": "broken", "last_updated": utc_text()},
            captured(capturing),
        ]

        pulled = pulls.pull_confirmations(ptp.connection, now=timezone.now())

        assert (pulled.taken, len(pulled.faults)) == (1, 1)
        capturing.refresh_from_db()
        assert capturing.state == PaymentState.CAPTURED

    def test_a_pull_that_broke_off_begins_again_where_it_began(
        self, ptp: Platform, lists: dict[str, list[Any]]
    ) -> None:
        ptp.answers = [reply(3000)]

        with pytest.raises(CallFailed):
            pulls.pull_confirmations(ptp.connection, now=timezone.now())

        ptp.connection.refresh_from_db()
        assert ptp.connection.confirmations_pulled_at is None

    def test_terminals_are_taken_as_if_the_ptp_had_posted_them(
        self, ptp: Platform, lists: dict[str, list[Any]]
    ) -> None:
        lists["terminals"] = [
            {"terminal_id": f"T{n}", "reference": f"SN{n}", "location_ids": [], "last_updated": utc_text()}
            for n in range(3)
        ]

        pulled = pulls.pull_terminals(ptp.connection, now=timezone.now())

        assert pulled.taken == 3
        assert Terminal.objects.get(ptp=ptp.connection.ptp, terminal_id="T2").reference == "SN2"

    def test_every_platform_is_asked_once_a_night(self, ptp: Platform, lists: dict[str, list[Any]]) -> None:
        now = timezone.now()

        assert pulls.pull_due(now) == 1
        assert pulls.pull_due(now + timedelta(hours=22)) == 0
        assert pulls.pull_due(now + timedelta(hours=24)) == 1

    def test_an_overdue_confirmation_is_asked_for_at_once(
        self, capturing: Payment, ptp: Platform, lists: dict[str, list[Any]]
    ) -> None:
        now = timezone.now()
        pulls.pull_due(now)
        lists["financial-advice-confirmations"] = [captured(capturing)]
        Payment.objects.filter(pk=capturing.pk).update(review=Review.UNCONFIRMED)

        assert pulls.pull_due(now + timedelta(minutes=16)) == 1

        capturing.refresh_from_db()
        assert (capturing.state, capturing.review) == (PaymentState.CAPTURED, "")

    def test_a_platform_that_is_down_is_not_asked(self, ptp: Platform, lists: dict[str, list[Any]]) -> None:
        ptp.connection.ptp.failures_in_row = 5
        ptp.connection.ptp.save()

        assert pulls.pull_due(timezone.now()) == 0
        assert ptp.calls == []

    def test_a_platform_without_the_lists_is_asked_again_in_an_hour(self, ptp: Platform) -> None:
        now = timezone.now()
        for minutes in range(0, 65, 5):
            pulls.pull_due(now + timedelta(minutes=minutes))

        lists = ("confirmations", "terminals")
        assert [call.rpartition("-")[2].rpartition("/")[2] for call in ptp.calls] == [*lists, *lists]

    @pytest.mark.parametrize("given", ["confirmations", "terminals"])
    def test_a_platform_with_one_of_the_lists_gives_that_one_every_night(
        self, ptp: Platform, lists: dict[str, list[Any]], given: str
    ) -> None:
        keep = ptp._keep

        def serve(request: Request) -> Reply:
            return keep(request) if given in request.path else not_found()

        ptp._keep = serve  # type: ignore[method-assign]
        lists["terminals"] = [{"terminal_id": "T1", "last_updated": utc_text()}]
        now = timezone.now()

        gave = [pulls.pull_due(now + timedelta(hours=hours)) for hours in range(0, 26, 2)]

        ptp.connection.refresh_from_db()
        assert sum(gave) == 2, "at once, and in the next night"
        assert (ptp.connection.terminals_pulled_at is None) == (given == "confirmations")
        assert Terminal.objects.filter(terminal_id="T1").exists() == (given == "terminals")

    def test_terminals_are_not_fetched_with_every_confirmation_that_is_overdue(
        self, capturing: Payment, ptp: Platform, lists: dict[str, list[Any]]
    ) -> None:
        now = timezone.now()
        pulls.pull_due(now)
        ptp.forget_calls()
        Payment.objects.filter(pk=capturing.pk).update(review=Review.UNCONFIRMED)

        pulls.pull_due(now + timedelta(minutes=16))

        assert ptp.calls == ["GET payments/financial-advice-confirmations"]
