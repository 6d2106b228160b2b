"""START_SESSION: a hold that came over OCPI starts one session, at the price that its terminal showed."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE, Command, Connector
from payments.models import OcpiCommand, OutboxMessage, Payment, SeenSite, SeenTariff
from payments.ocpi import start as start_module
from payments.states import PaymentState
from sessions_app.models import Session
from sessions_app.states import SessionState
from tariffs.versions import save_tariff
from tests import builders
from tests.payments.ocpi_commands.platform import (
    HOST,
    platform,
    result_of,
    said,
    show,
    start_body,
    token,
    told,
)
from tests.payments.ptp_client import TerminalClient, problem
from tests.payments.ptp_client import start_body as native_body


def nothing_is_held():
    return not Payment.objects.exists() and not Session.objects.exists() and not Command.objects.exists()


class TestAccepted:
    def test_a_hold_becomes_a_session_and_a_start_command(self, cast, ptp):
        body = start_body(cast)

        answer = ptp.start(body)

        assert said(answer) == (1000, {"result": "ACCEPTED", "timeout": 45})
        payment = Payment.objects.get()
        assert payment.session.state == SessionState.REQUESTED
        assert payment.authorization_reference == body["authorization_reference"]
        assert (payment.connection, payment.ptp, payment.terminal) == (
            ptp.connection,
            cast.ptp,
            cast.terminal,
        )
        assert (payment.authorized_minor, payment.currency) == (6000, "EUR")
        assert Command.objects.get().reference == str(payment.session_id)
        command = OcpiCommand.objects.get()
        assert (command.payment, command.response_url, command.result) == (payment, body["response_url"], "")

    @pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_both_versions_and_both_spellings_of_the_address_are_one_door(self, cast, ptp, version, slash):
        ptp.version = version

        assert result_of(ptp.send("POST", f"commands/START_SESSION{slash}", start_body(cast))) == "ACCEPTED"

    def test_what_bills_carry_of_the_token_is_copied_and_nothing_else_is_asked_of_it(self, cast, ptp):
        ptp.start(start_body(cast, token=token(valid=False, whitelist="NEVER", visual_number="1")))

        assert Payment.objects.get().token == {
            "country_code": "NL",
            "party_id": "PTP",
            "uid": "0e1f6cf8-9f2e-4f0a-bb3f-2a6c8d1f4a11",
            "type": "AD_HOC_USER",
            "contract_id": "NL-PTP-ADHOC",
        }

    def test_the_language_of_the_token_is_the_drivers(self, cast, ptp):
        ptp.start(start_body(cast, token=token(language="SV")))

        assert Payment.objects.get().language == "sv"

    def test_a_session_is_priced_by_the_version_that_the_platform_acknowledged_last(self, cast, ptp):
        SeenTariff.objects.update(hold_minor=4500)
        old = cast.tariff_version
        dearer = builders.tariff_terms(id=old.terms().id, preauthorize_amount=Decimal(80))
        assert save_tariff(dearer).pk != old.pk

        ptp.start(start_body(cast))

        payment = Payment.objects.get()
        assert (payment.session.tariff_version, payment.authorized_minor) == (old, 4500)
        assert payment.session.limit_minor == 4500

    def test_of_several_terminals_none_is_named(self, cast, ptp):
        builders.terminal(of=cast.ptp).evses.add(cast.evse)

        ptp.start(start_body(cast))

        assert Payment.objects.get().terminal is None

    def test_a_terminal_that_is_switched_off_cannot_have_sold_it(self, cast, ptp):
        builders.terminal(of=cast.ptp, at=cast.site, active=False)

        ptp.start(start_body(cast))

        assert Payment.objects.get().terminal == cast.terminal

    def test_the_ids_of_the_request_are_kept_for_its_result(self, cast, ptp):
        ptp.start(start_body(cast), x_correlation_id="tap-7")

        assert OcpiCommand.objects.get().correlation_id == "tap-7"

    def test_it_takes_few_queries(self, cast, ptp, django_assert_max_num_queries):
        body = start_body(cast)

        with django_assert_max_num_queries(34):
            assert result_of(ptp.start(body)) == "ACCEPTED"


class TestRepeated:
    def test_the_same_command_gets_the_stored_answer_and_starts_nothing(self, cast, ptp):
        body = start_body(cast)
        first = said(ptp.start(body))
        builders.start(Payment.objects.get())

        assert said(ptp.start(body)) == first
        assert Session.objects.count() == Command.objects.count() == OcpiCommand.objects.count() == 1

    def test_the_result_goes_to_the_address_that_was_given_last(self, cast, ptp):
        body = start_body(cast)
        ptp.start(body)

        ptp.start(body | {"response_url": f"{HOST}/results/again"})

        assert OcpiCommand.objects.get().response_url == f"{HOST}/results/again"
        assert told(OcpiCommand.objects.get()) == 0

    def test_a_result_that_is_known_is_told_once_more(self, cast, ptp):
        body = start_body(cast)
        ptp.start(body)
        OcpiCommand.objects.update(result="ACCEPTED")

        ptp.start(body)

        assert told(OcpiCommand.objects.get()) == 1
        assert OutboxMessage.objects.get(topic="ocpi.command_result").state == OutboxMessage.State.DUE

    @pytest.mark.parametrize(
        "fields", [{"evse_uid": "another", "connector_id": None}, {"token": token(uid="another")}]
    )
    def test_another_body_under_the_same_reference_is_refused_without_effect(self, cast, ptp, fields):
        body = start_body(cast)
        ptp.start(body)

        other = {name: value for name, value in (body | fields).items() if value is not None}
        status, data = said(ptp.start(other))

        assert (status, data) == (2001, None)
        assert Session.objects.get().state == SessionState.REQUESTED

    def test_a_bad_address_in_a_repeat_changes_nothing(self, cast, ptp):
        body = start_body(cast)
        ptp.start(body)

        assert said(ptp.start(body | {"response_url": "https://evil.example.com/"}))[0] == 2001
        assert OcpiCommand.objects.get().response_url == body["response_url"]

    def test_a_refusal_told_once_stays_for_this_hold_is_released_by_then(self, cast, ptp):
        builders.take_offline(cast.station)
        body = start_body(cast)
        first = said(ptp.start(body))
        builders.bring_online(cast.station)

        assert said(ptp.start(body)) == first
        assert nothing_is_held()
        assert result_of(ptp.start(start_body(cast))) == "ACCEPTED"

    def test_a_hold_that_came_by_the_native_api_starts_nothing_here(self, cast, ptp):
        native = native_body(cast)
        TerminalClient(cast.key).start(native)
        reference = native["authorization_reference"]

        assert said(ptp.start(start_body(cast, authorization_reference=reference)))[0] == 2001
        assert Session.objects.count() == 1

    def test_a_hold_that_came_by_ocpi_starts_nothing_by_the_native_api(self, cast, ptp):
        body = start_body(cast)
        ptp.start(body)

        native = native_body(cast, authorization_reference=body["authorization_reference"])

        assert problem(TerminalClient(cast.key).start(native)) == (422, "idempotency_conflict")
        assert Session.objects.count() == 1

    def test_two_platforms_may_use_the_same_reference(self, cast, ptp):
        other = platform()
        show(other, cast)
        elsewhere = builders.connector(at=builders.evse(at=cast.station), tariff=cast.tariff_version)
        body = start_body(cast)
        ptp.start(body)

        assert result_of(other.start(body | {"evse_uid": elsewhere.evse.uid})) == "ACCEPTED"


class TestRejected:
    def _refused(self, cast, ptp, **fields):
        status, data = said(ptp.start(start_body(cast, **fields)))
        assert (status, data["result"]) == (1000, "REJECTED")
        return {text["language"]: text["text"] for text in data["message"]}

    def test_a_charger_that_is_offline(self, cast, ptp):
        builders.take_offline(cast.station)

        texts = self._refused(cast, ptp)

        assert texts["en"] == "The charger cannot be reached at the moment."
        assert set(texts) == {"en", "de", "fi", "sv"}
        assert nothing_is_held()

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (EvseStatus.CHARGING, "Somebody else is using this connector."),
            (EvseStatus.RESERVED, "Somebody else is using this connector."),
            (EvseStatus.FAULTED, "The charger reports a fault."),
            (EvseStatus.UNAVAILABLE, "The charger reports a fault."),
        ],
    )
    def test_a_charger_that_reports_that_it_cannot(self, cast, ptp, status, words):
        EVSE.objects.update(status=status)

        assert self._refused(cast, ptp)["en"] == words
        assert nothing_is_held()

    def test_a_tariff_whose_hold_is_nothing(self, cast, ptp):
        SeenTariff.objects.update(hold_minor=0)

        assert self._refused(cast, ptp)["en"] == "Card payment is not possible at this charger at the moment."
        assert nothing_is_held()

    def test_another_live_session(self, cast, ptp):
        cast.payment()

        assert self._refused(cast, ptp)["en"] == "Somebody else is using this connector."
        assert Payment.objects.count() == 1

    def test_a_price_that_the_platform_has_never_seen(self, cast, ptp):
        SeenTariff.objects.all().delete()

        assert self._refused(cast, ptp)["en"] == (
            "Card payment is not possible at this charger at the moment."
        )
        assert nothing_is_held()

    def test_another_tariff_than_the_terminal_can_have_shown(self, cast, ptp):
        now = timezone.now()
        SeenSite.objects.create(connection=ptp.connection, site=cast.site, seen_at=now - timedelta(hours=1))
        Connector.objects.update(tariffs_changed_at=now)

        assert self._refused(cast, ptp)["en"] == "The price has just changed. Please start again."

    def test_the_drivers_language_comes_first_then_those_of_the_platform(self, cast, ptp):
        ptp.connection.languages = ["fi", "en"]
        ptp.connection.save()
        builders.take_offline(cast.station)

        assert list(self._refused(cast, ptp, token=token(language="de"))) == ["de", "fi", "en"]

    def test_one_that_is_refused_a_moment_later_is_released_as_by_the_native_door(
        self, cast, ptp, monkeypatch
    ):
        monkeypatch.setattr(start_module, "reason_against", lambda _evse: None)
        EVSE.objects.update(status=EvseStatus.FAULTED)

        assert self._refused(cast, ptp)["en"] == "The charger reports a fault."
        payment = Payment.objects.get()
        assert (payment.state, payment.session.state) == (PaymentState.RELEASING, SessionState.REJECTED)
        assert not OcpiCommand.objects.exists()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Several commands at the same moment, on a database with real concurrency."""

    @staticmethod
    def _at_once(taps):
        barrier = threading.Barrier(len(taps))
        answers = [None] * len(taps)

        def tap(index, ptp, body):
            barrier.wait()
            try:
                answers[index] = said(ptp.start(body))
            finally:
                connection.close()

        threads = [threading.Thread(target=tap, args=(i, *one)) for i, one in enumerate(taps)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_equal_commands_are_one_session_and_one_start(self):
        cast = builders.cast()
        ptp = platform(of=cast)
        body = start_body(cast)

        answers = self._at_once([(ptp, body)] * 4)

        assert answers == [(1000, {"result": "ACCEPTED", "timeout": 45})] * 4
        assert Payment.objects.count() == Command.objects.count() == OcpiCommand.objects.count() == 1

    def test_two_cards_at_one_evse_give_one_session(self):
        cast = builders.cast()
        ptp = platform(of=cast)

        answers = self._at_once([(ptp, start_body(cast)), (ptp, start_body(cast))])

        assert sorted(data["result"] for _, data in answers) == ["ACCEPTED", "REJECTED"]
        assert Command.objects.count() == 1
        refused = Payment.objects.exclude(session__state=SessionState.REQUESTED)
        assert {payment.state for payment in refused} <= {PaymentState.RELEASING}
