"""Platforms that answer, and not as anyone would: no worker, no money and no token is lost to them."""

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from chargers.facts import CommandOutcome
from payments import outbound, outbox
from payments.models import Contract, OcpiMessage, OutboxMessage, ToldCdr
from payments.ocpi import message_log
from payments.ocpi.push import client, pulls
from payments.ocpi.push.client import Unfinished
from payments.settlement import OCPI_CDR, OCPI_SESSION
from payments.simulator.ocpi.wire import Reply, Request
from tests import builders
from tests.payments.ocpi_push.platform import Platform, deliver, deliver_all, message, platform


def test_a_fault_in_telling_a_session_does_not_keep_its_cdr_back_for_ever(
    ptp: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)

    def broken(_: OutboxMessage) -> outbox.Delivery:
        raise RuntimeError("a fault of ours")

    monkeypatch.setitem(outbox._carriers, OCPI_SESSION, broken)
    for _ in range(outbox.PATIENCE):
        assert not deliver(ptp, OCPI_SESSION, payment.pk)

    assert message(ptp, OCPI_SESSION, payment.pk).last_error == "fault: RuntimeError"
    assert deliver(ptp, OCPI_CDR, payment.pk)
    assert ptp.calls == ["POST cdrs"]


@pytest.mark.parametrize("location", ["http://[", "//[x", "https://host:99999999/"])
def test_a_cdr_whose_address_is_none_has_arrived_all_the_same(ptp: Platform, location: str) -> None:
    payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
    deliver(ptp, OCPI_SESSION, payment.pk)
    ptp.answers = [Reply(http_status=201, headers={"Location": location})]

    assert deliver(ptp, OCPI_CDR, payment.pk)

    assert message(ptp, OCPI_CDR, payment.pk).state == OutboxMessage.State.DELIVERED


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example", "xn--", ".example"])
def test_an_address_whose_host_can_have_none_is_refused(host: str) -> None:
    with pytest.raises(outbound.Refused):
        outbound.send("GET", f"https://{host}/ocpi", headers={})


class TestWhatIsStillToBeCaptured:
    @pytest.fixture
    def ended(self, ptp: Platform) -> Any:
        """A payment of 5.00 EUR at a party whose contract ends before anything could be told."""
        Contract.objects.create(
            connection=ptp.connection, customer_reference="c", country_code="FI", party_id="EMB"
        )
        ptp.connection.our_party_id = "OTH"
        ptp.connection.save()
        payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
        Contract.objects.all().delete()
        return payment

    def test_a_contract_that_ends_does_not_take_the_bills_of_its_sessions_along(
        self, ptp: Platform, ended: Any
    ) -> None:
        deliver_all(ptp)

        assert [call.split("/")[0] for call in ptp.calls if "locations" not in call] == [
            "PUT sessions",
            "POST cdrs",
        ]

    def test_a_clock_that_was_ahead_for_a_while_hides_no_cdr(self, ptp: Platform) -> None:
        refused = ptp.payment()
        builders.answer_start(refused, CommandOutcome.REJECTED)
        ahead = timezone.now() + timedelta(days=1)
        ToldCdr.objects.create(connection=ptp.connection, payment=refused, told_at=ahead)
        payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
        deliver(ptp, OCPI_SESSION, payment.pk)

        assert deliver(ptp, OCPI_CDR, payment.pk)
        assert ptp.calls[-1] == "POST cdrs"

    def test_a_bill_that_is_not_to_be_found_is_not_taken_for_told(
        self, ptp: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payment = ptp.running().end(energy_wh=10_000, after_seconds=1200)
        deliver(ptp, OCPI_SESSION, payment.pk)
        monkeypatch.setattr("payments.ocpi.told_cdrs.stamp_due", lambda _: None)

        assert not deliver(ptp, OCPI_CDR, payment.pk)

        assert message(ptp, OCPI_CDR, payment.pk).state == OutboxMessage.State.DUE


class TestEndlessLists:
    @pytest.fixture
    def endless(self, cast: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        """A platform whose list goes on and on, a page a second; the seconds are counted and not waited for."""
        seconds = [0.0]
        clock = SimpleNamespace(monotonic=lambda: seconds[0], perf_counter=time.perf_counter)
        monkeypatch.setattr(pulls, "time", clock)
        monkeypatch.setattr(client, "time", clock)
        with platform(cast, payments=True) as ptp:

            def serve(request: Request) -> Reply:
                seconds[0] += 1
                place = int(request.query.get("offset", 0)) + 1
                following = f"{ptp.server.url}{request.path}?offset={place}"
                return Reply([], headers={"Link": f'<{following}>; rel="next"'})

            ptp._keep = serve  # type: ignore[method-assign]
            yield ptp

    def test_a_list_without_an_end_does_not_take_a_worker_for_hours(
        self, endless: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls, "PULL_FOR_SECONDS", 3.5)

        assert pulls.pull_due(timezone.now()) == 0

        assert len(endless.calls) == 4 < client.MOST_PAGES

    def test_a_list_that_was_too_long_goes_on_where_it_stopped(self, endless: Platform) -> None:
        with pytest.raises(Unfinished):
            pulls.pull_confirmations(endless.connection, now=timezone.now(), until=3.5)
        last = int(endless.last.query["offset"])
        endless.forget_calls()

        with pytest.raises(Unfinished):
            pulls.pull_confirmations(endless.connection, now=timezone.now(), until=6.5)

        assert int(endless.server.received[0].query["offset"]) == last + 1

    def test_a_link_that_is_no_address_ends_the_list(self, endless: Platform) -> None:
        endless.answers = [Reply([], headers={"Link": '<http://[>; rel="next"'})]

        with pytest.raises(client.BadAnswer):
            pulls.pull_confirmations(endless.connection, now=timezone.now())


class TestWhatIsLogged:
    def test_strangers_cannot_fill_the_log(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(message_log, "STRANGERS_PER_MINUTE", 3)
        monkeypatch.setattr("payments.ocpi.message_log.time.time", lambda: 60.0 * 1_000_000)
        for _ in range(10):
            message_log.keep(
                OcpiMessage(direction="IN", method="POST", url="/ocpi/versions", request_body="x" * 9_000)
            )

        kept = list(OcpiMessage.objects.all())
        assert [len(each.request_body) for each in kept] == [message_log.LONGEST_OF_STRANGERS] * 3

    @pytest.mark.parametrize(
        "body",
        [
            r'{"token":"abc\"the-rest"}',
            r'{"token" : "abc\\the-rest"}',
            '{"roles":"' + "x" * (message_log.LONGEST_BODY - 40) + '","token":"the-rest-of-a-long-one"}',
            '{"token":"the-rest\\',
        ],
        ids=["quote", "backslash", "cut", "cut in an escape"],
    )
    def test_no_part_of_a_token_is_kept_however_it_is_written_or_cut(self, body: str) -> None:
        assert "the-rest" not in message_log.redacted(body)

    @pytest.mark.parametrize(
        ("body", "kept"),
        [
            (r'{"t\u006fken": "the-rest", "url": "https://a/"}', '{"token":"…","url":"https://a/"}'),
            ('{"Token": "the-rest", "token_a": "the-rest"}', '{"Token":"…","token_a":"…"}'),
            (
                '{"token": ["the-rest"], "data": [{"token": {"is": "the-rest"}}]}',
                '{"token":"…","data":[{"token":"…"}]}',
            ),
            ('{"token": "the-rest", "token": 7}', '{"token":"…"}'),
            ('{"token": null, "roles": [{"name": "Älv\t"}]}', '{"token":null,"roles":[{"name":"Älv\\t"}]}'),
            ("{'token': 'the-rest'}", ""),
            ('{"token": "the-rest"', ""),
            ("token=the-rest", ""),
            ('"the-rest"', ""),
            ('["the-rest"]', ""),
            ("", ""),
        ],
    )
    @pytest.mark.parametrize(
        ("module", "url"),
        [("credentials", "/anywhere"), ("", "/ocpi/cpo/2.1.1/Credentials")],
        ids=["ours", "none"],
    )
    def test_of_credentials_is_kept_what_is_known_to_be_no_token(
        self, db: None, module: str, url: str, body: str, kept: str
    ) -> None:
        message_log.keep(
            OcpiMessage(
                direction="IN", method="POST", url=url, module=module, request_body=body, response_body=body
            )
        )

        message = OcpiMessage.objects.get()
        assert (message.request_body, message.response_body) == (kept, kept)

    def test_long_credentials_are_cut_after_their_token_is_taken_out(self, db: None) -> None:
        body = '{"roles": "' + "x" * message_log.LONGEST_BODY + r'", "t\u006fken": "the-rest"}'
        message_log.keep(
            OcpiMessage(
                direction="OUT",
                method="POST",
                url="/",
                module="credentials",
                request_body=body,
                response_body=body,
            )
        )

        message = OcpiMessage.objects.get()
        assert message.request_body == '{"roles":"' + "x" * (message_log.LONGEST_OF_STRANGERS - 10)
        assert message.response_body == '{"roles":"' + "x" * (message_log.LONGEST_BODY - 10)

    def test_a_card_number_is_found_in_whatever_surrounds_it(self) -> None:
        kept = message_log.redacted('{"eft_data": ["CARD 4111 1111 1111 1111 VISA", "4111111111111111"]}')

        assert kept == '{"eft_data": ["CARD …1111 VISA", "…1111"]}'

    @pytest.mark.parametrize(
        "space", ["\u00a0", "\u202f", "\t", r"\u00a0", r"\u202F", r"\t"], ids=lambda space: ascii(space)
    )
    def test_a_card_number_is_found_between_spaces_of_any_kind(self, space: str) -> None:
        number = space.join(("4111", "1111", "1111", "1111"))

        kept = message_log.redacted(f'{{"eft_data": ["CARD{space}{number}", "{number}"]}}')

        assert kept == f'{{"eft_data": ["CARD{space}…1111", "…1111"]}}'
