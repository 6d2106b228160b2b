"""What a PTP has of our part of its terminals, over time: told in order, told again where it is lost, on and off."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payments import outbox
from payments.models import OcpiConnection, OutboxMessage, Terminal
from payments.ocpi.enrolment import amend, enrol
from payments.ocpi.push import locations, pulls, remembered, tariffs, terminals, watch
from payments.ocpi.push.client import CallFailed
from payments.ocpi.start import _terminal_at
from payments.simulator.ocpi.wire import Reply, Request, paged, utc_text
from tests.builders import Cast
from tests.payments.ocpi_push.platform import (
    LOST,
    Platform,
    deliver,
    deliver_all,
    message,
    platform,
    registered,
    reply,
)

OURS = "http://testserver/r/ref/"


@pytest.fixture
def ptp(cast: Cast) -> Iterator[Platform]:
    """A platform with the module `payments`, whose one terminal is assigned to the cast's site."""
    cast.terminal.reference, cast.terminal.document = "SN-1", {"reference": "SN-1"}
    cast.terminal.save()
    with platform(cast, payments=True) as running:
        running.objects[path(running)] = {}
        yield running


def path(ptp: Platform) -> str:
    return f"/ocpi/payments/terminals/{ptp.cast.terminal.terminal_id}"


def state(ptp: Platform) -> str:
    return message(ptp, terminals.TOPIC, ptp.cast.terminal.pk).state


def look(ptp: Platform, at: Any = None) -> None:
    remembered.give_turn_back(ptp.connection, "look")
    watch.look(at or timezone.now())


def told(ptp: Platform) -> None:
    """Let the PTP have all there is."""
    terminals.tell_assigned([ptp.cast.terminal.pk])
    look(ptp)
    deliver_all(ptp)
    look(ptp)
    assert state(ptp) == "DELIVERED"
    ptp.forget_calls()


def tells(ptp: Platform, **fields: Any) -> dict[str, Any]:
    """The terminal as its PTP has it, and whole."""
    ours = {"location_ids": [ptp.cast.site.location_id], "evse_uids": [], "invoice_base_url": OURS}
    return {
        "terminal_id": ptp.cast.terminal.terminal_id,
        "reference": "SN-1",
        "last_updated": utc_text(),
        **ours,
        **fields,
    }


class TestInOrder:
    def test_an_assignment_waits_for_tariffs_and_locations(self, ptp: Platform) -> None:
        terminals.tell_assigned([ptp.cast.terminal.pk])
        look(ptp)
        assert not deliver(ptp, terminals.TOPIC, ptp.cast.terminal.pk)

        deliver_all(ptp)

        kinds = [call.split("/")[0] for call in ptp.calls]
        assert kinds == ["PUT tariffs", "PUT locations", "PATCH payments", "PUT payments"]

    def test_it_does_not_wait_for_ever_behind_a_location_that_is_refused(self, ptp: Platform) -> None:
        terminals.tell_assigned([ptp.cast.terminal.pk])
        look(ptp)
        deliver(ptp, tariffs.TOPIC, ptp.cast.tariff_version.tariff_id)
        for _ in range(outbox.PATIENCE):
            ptp.answers = [reply(2001)]
            deliver(ptp, locations.TOPIC, ptp.cast.site.pk)

        assert deliver(ptp, terminals.TOPIC, ptp.cast.terminal.pk)

    def test_a_few_refusals_are_not_the_end(self, ptp: Platform) -> None:
        terminals.tell_assigned([ptp.cast.terminal.pk])
        said = []
        for _ in range(terminals.REFUSALS):
            said.append(state(ptp))
            ptp.answers = [reply(2003)]
            deliver(ptp, terminals.TOPIC, ptp.cast.terminal.pk)

        assert (said, state(ptp)) == (["DUE"] * terminals.REFUSALS, "GIVEN_UP")

    @pytest.mark.parametrize("answer", [reply(3000), LOST])
    def test_taking_it_all_away_is_repeated_until_it_arrives(self, ptp: Platform, answer: Any) -> None:
        told(ptp)
        ptp.cast.terminal.sites.clear()
        ptp.answers = [answer]

        assert not deliver(ptp, terminals.TOPIC, ptp.cast.terminal.pk)
        assert deliver(ptp, terminals.TOPIC, ptp.cast.terminal.pk)

        assert ptp.objects[path(ptp)]["location_ids"] == []
        assert ptp.methods.count("PATCH") == 2


class TestGivenUp:
    @pytest.fixture
    def given_up(self, ptp: Platform) -> OutboxMessage:
        look(ptp)
        OutboxMessage.objects.filter(topic=terminals.TOPIC).update(state=OutboxMessage.State.GIVEN_UP)
        deliver_all(ptp)
        return message(ptp, terminals.TOPIC, ptp.cast.terminal.pk)

    def test_it_is_not_told_with_every_look(self, ptp: Platform, given_up: OutboxMessage) -> None:
        look(ptp)

        assert state(ptp) == "GIVEN_UP"

    def test_push_again_means_it_too(self, ptp: Platform, given_up: OutboxMessage) -> None:
        watch.forget(ptp.connection)

        look(ptp)

        assert state(ptp) == "DUE"
        OutboxMessage.objects.filter(pk=given_up.pk).update(state=OutboxMessage.State.GIVEN_UP)
        look(ptp)
        assert state(ptp) == "GIVEN_UP", "once for each time that it is wanted"

    def test_a_platform_that_registers_anew_is_told(self, ptp: Platform, given_up: OutboxMessage) -> None:
        OcpiConnection.objects.update(registered_at=timezone.now())

        look(ptp)

        assert state(ptp) == "DUE"

    def test_so_is_one_that_registers_days_after_the_assignment(self, cast: Cast) -> None:
        connection = registered(cast, state=OcpiConnection.State.INVITED)
        terminals.tell_assigned([cast.terminal.pk])
        row = OutboxMessage.objects.get(topic=terminals.TOPIC, ptp=connection.ptp)
        outbox.deliver(row.pk, now=timezone.now() + timedelta(hours=80))
        row.refresh_from_db()
        assert row.state == "GIVEN_UP"

        with platform(cast, payments=True, registered_at=timezone.now()) as ptp:
            look(ptp)
            assert state(ptp) == "DUE"

    def test_new_tokens_bring_no_second_life(self, ptp: Platform, given_up: OutboxMessage) -> None:
        OcpiConnection.objects.update(token_changed_at=timezone.now())

        look(ptp)

        assert state(ptp) == "GIVEN_UP"


class TestSwitchedOnAgain:
    @pytest.fixture
    def off(self, ptp: Platform) -> Terminal:
        told(ptp)
        terminals.deactivate(ptp.cast.terminal, now=timezone.now())
        ptp.forget_calls()
        return ptp.cast.terminal

    def active(self, off: Terminal) -> bool:
        return Terminal.objects.get(pk=off.pk).active

    @pytest.mark.parametrize("name", ["SN-1", "sn-1", None])
    @pytest.mark.parametrize("short", [False, True])
    def test_by_its_ptp_after_we_asked(
        self, ptp: Platform, off: Terminal, name: str | None, short: bool
    ) -> None:
        terminals.activate(ptp.connection, reference=name or off.terminal_id, now=timezone.now())
        assert not self.active(off)

        enrol(
            ptp.connection,
            {"terminal_id": off.terminal_id} if short else tells(ptp),
            now=timezone.now(),
        )

        assert self.active(off)
        assert _terminal_at(ptp.cast.connector, ptp.connection) == off

    def test_a_ptp_may_tell_it_before_it_answers_us(
        self, ptp: Platform, off: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ask = terminals._asked

        def early(*arguments: Any, **options: Any) -> Any:
            enrol(ptp.connection, tells(ptp), now=timezone.now())
            return ask(*arguments, **options)

        monkeypatch.setattr(terminals, "_asked", early)
        terminals.activate(ptp.connection, reference="SN-1", now=timezone.now())

        assert self.active(off)

    def test_it_is_assigned_again_as_it_was(self, ptp: Platform, off: Terminal) -> None:
        terminals.activate(ptp.connection, reference="SN-1", now=timezone.now())
        enrol(ptp.connection, tells(ptp, location_ids=[]), now=timezone.now())
        ptp.objects[path(ptp)]["location_ids"] = []

        deliver_all(ptp)

        assert ptp.objects[path(ptp)]["location_ids"] == [ptp.cast.site.location_id]

    def test_what_the_ptp_tells_unasked_leaves_it_off(self, ptp: Platform, off: Terminal) -> None:
        enrol(ptp.connection, tells(ptp), now=timezone.now())
        amend(Terminal.objects.get(pk=off.pk), {"city": "Oulu"}, now=timezone.now())

        assert not self.active(off)

    def test_a_no_to_our_wish_leaves_it_off(self, ptp: Platform, off: Terminal) -> None:
        ptp.answers = [reply(2001)]
        with pytest.raises(CallFailed):
            terminals.activate(ptp.connection, reference="SN-1", now=timezone.now())

        enrol(ptp.connection, tells(ptp), now=timezone.now())

        assert not self.active(off)

    def test_a_wish_is_good_once_and_until_it_is_switched_off(self, ptp: Platform, off: Terminal) -> None:
        terminals.activate(ptp.connection, reference="SN-1", now=timezone.now())
        terminals.deactivate(off, now=timezone.now())
        enrol(ptp.connection, tells(ptp), now=timezone.now())
        assert not self.active(off)

        terminals.activate(ptp.connection, reference="SN-1", now=timezone.now())
        enrol(ptp.connection, tells(ptp), now=timezone.now())
        Terminal.objects.filter(pk=off.pk).update(active=False)
        enrol(ptp.connection, tells(ptp), now=timezone.now())
        assert not self.active(off)


class TestLost:
    """The PTP tells another assignment, or another address of receipts, than we told it."""

    def news(self, ptp: Platform, **fields: Any) -> str:
        enrol(ptp.connection, tells(ptp, **fields), now=timezone.now())
        return state(ptp)

    @pytest.mark.parametrize(
        "fields",
        [
            {"location_ids": []},
            {"location_ids": ["theirs"]},
            {"evse_uids": ["theirs"]},
            {"invoice_base_url": "https://old.example.com/"},
        ],
    )
    def test_it_is_told_ours_again(self, ptp: Platform, fields: dict[str, Any]) -> None:
        told(ptp)
        assert self.news(ptp) == "DELIVERED"

        assert self.news(ptp, **fields) == "DUE"

        deliver_all(ptp)
        kept = ptp.objects[path(ptp)]
        assert kept["location_ids"] == [ptp.cast.site.location_id]
        assert kept["evse_uids"] == []
        if "invoice_base_url" in fields:
            assert kept["invoice_base_url"] == OURS

    def test_what_it_leaves_out_and_had_is_lost_too(self, ptp: Platform) -> None:
        told(ptp)
        self.news(ptp)

        assert self.news(ptp, location_ids=None) == "DUE"

    def test_what_we_took_away_is_taken_away_again(self, ptp: Platform) -> None:
        told(ptp)
        ptp.cast.terminal.sites.clear()
        deliver_all(ptp)
        ptp.objects[path(ptp)]["location_ids"] = ["back"]

        assert self.news(ptp, location_ids=["back"]) == "DUE"

        deliver_all(ptp)
        assert ptp.objects[path(ptp)]["location_ids"] == []

    def test_one_that_goes_on_telling_another_is_told_once_a_day(self, ptp: Platform) -> None:
        told(ptp)
        at = timezone.now()
        for hour in range(49):
            enrol(ptp.connection, tells(ptp, location_ids=[]), now=at + timedelta(hours=hour))
            deliver_all(ptp)
            OutboxMessage.objects.filter(state="DUE").update(next_attempt_at=timezone.now())
            deliver_all(ptp)

        assert ptp.methods.count("PATCH") == 3

    @pytest.mark.parametrize(
        "entry",
        [
            {"location_ids": None, "evse_uids": None, "invoice_base_url": None},
            {"last_updated": None, "location_ids": None, "evse_uids": None, "invoice_base_url": None},
        ],
    )
    def test_one_that_never_tells_them_has_lost_nothing(self, ptp: Platform, entry: dict[str, Any]) -> None:
        told(ptp)

        assert self.news(ptp, **entry) == "DELIVERED"

    def test_where_the_ptp_makes_the_invoice_its_address_is_its_own(self, ptp: Platform) -> None:
        ptp.connection.invoice_creator = OcpiConnection.InvoiceCreator.PTP
        ptp.connection.save()
        told(ptp)

        assert self.news(ptp, invoice_base_url="https://ptp.example.com/") == "DELIVERED"

    def test_what_we_never_told_is_none_of_our_business(self, ptp: Platform) -> None:
        ptp.cast.terminal.sites.clear()
        OutboxMessage.objects.all().delete()

        enrol(ptp.connection, tells(ptp, location_ids=["theirs"]), now=timezone.now())

        assert not OutboxMessage.objects.filter(topic=terminals.TOPIC).exists()

    def test_one_that_is_switched_off_is_left_alone(self, ptp: Platform) -> None:
        told(ptp)
        terminals.deactivate(ptp.cast.terminal, now=timezone.now())

        assert self.news(ptp, location_ids=[]) == "DELIVERED"

    def test_what_is_on_its_way_is_not_begun_again(self, ptp: Platform) -> None:
        told(ptp)
        terminals.tell_assigned([ptp.cast.terminal.pk])
        before = message(ptp, terminals.TOPIC, ptp.cast.terminal.pk).version

        self.news(ptp, location_ids=[])

        assert message(ptp, terminals.TOPIC, ptp.cast.terminal.pk).version == before

    def test_a_patch_of_theirs_counts_as_far_as_it_goes(self, ptp: Platform) -> None:
        told(ptp)
        terminal = Terminal.objects.get(pk=ptp.cast.terminal.pk)

        amend(terminal, {"city": "Oulu"}, now=timezone.now())
        assert state(ptp) == "DELIVERED"
        amend(terminal, {"location_ids": []}, now=timezone.now())
        assert state(ptp) == "DUE"

    def test_the_contract_that_staff_named_is_neither_lost_nor_taken_away(self, ptp: Platform) -> None:
        told(ptp)
        Terminal.objects.filter(pk=ptp.cast.terminal.pk).update(customer_reference="QUAY")
        terminals.tell_assigned([ptp.cast.terminal.pk])
        deliver_all(ptp)

        self.news(ptp, city="Oulu", invoice_base_url=None)
        amend(Terminal.objects.get(pk=ptp.cast.terminal.pk), {"city": "Turku"}, now=timezone.now())
        ptp.cast.terminal.sites.clear()
        deliver_all(ptp)

        assert [each.body.get("customer_reference") for each in ptp.server.received] == ["QUAY", None]
        assert ptp.methods == ["PUT", "PATCH"], "the contract, then the assignment alone"

    def test_the_nightly_pull_finds_it(self, ptp: Platform) -> None:
        told(ptp)
        keep = ptp._keep

        def serve(request: Request) -> Reply:
            if request.method == "GET" and request.path.rstrip("/").endswith("/terminals"):
                return paged([tells(ptp, location_ids=[])], request, url=ptp.server.url)
            return keep(request)

        ptp._keep = serve  # type: ignore[method-assign]
        ptp.objects[path(ptp)]["location_ids"] = []
        pulls.pull_due(timezone.now())
        deliver_all(ptp)

        assert ptp.objects[path(ptp)]["location_ids"] == [ptp.cast.site.location_id]
