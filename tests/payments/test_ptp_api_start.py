"""POST sessions: one hold is one session, whatever is repeated, refused or tried."""

import json
import threading
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from chargers.models import Command
from payments.models import IdempotentAnswer, Payment, Quote
from sessions_app.models import Session
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
from tests import builders
from tests.payments.ptp_client import TerminalClient, problem, start_body


def test_the_same_key_with_the_same_body_gets_the_stored_answer(cast, terminal):
    body = start_body(cast)
    first = terminal.start(body, "key-1")
    builders.start(Payment.objects.get())

    again = terminal.start(body, "key-1")

    assert (again.status_code, again.json()) == (202, first.json())
    assert again.json()["status"] == "REQUESTED"
    assert Session.objects.count() == Command.objects.count() == 1


def test_the_same_reference_under_another_key_gets_the_stored_answer(cast, terminal):
    body = start_body(cast)
    first = terminal.start(body, "key-1")

    again = terminal.start(body, "key-2")

    assert (again.status_code, again.json()) == (202, first.json())
    assert Payment.objects.count() == 1


def test_the_stored_answer_outlives_the_quote(cast, terminal):
    body = start_body(cast)
    first = terminal.start(body, "key-1")
    Quote.objects.update(valid_until=timezone.now() - timedelta(hours=1))

    assert terminal.start(body, "key-1").json() == first.json()


def test_a_body_that_is_spelled_otherwise_is_the_same_body(cast, terminal):
    body = start_body(cast)
    first = terminal.start(body, "key-1")
    respelled = dict(reversed(body.items())) | {"connector_id": body["connector_id"].upper()}

    assert terminal.start(respelled, "key-1").json() == first.json()


@pytest.mark.parametrize(
    ("field", "value"),
    [("authorized_amount", "61.00"), ("authorization_reference", "another"), ("language", "fi")],
)
def test_the_same_key_with_another_body_is_refused(cast, terminal, field, value):
    body = start_body(cast)
    terminal.start(body, "key-1")

    answer = terminal.start(body | {field: value}, "key-1")

    assert problem(answer) == (422, "idempotency_conflict")
    assert Payment.objects.count() == 1


def test_the_same_reference_with_another_body_is_refused(cast, terminal):
    body = start_body(cast)
    terminal.start(body)

    assert problem(terminal.start(body | {"authorized_amount": "61.00"})) == (422, "idempotency_conflict")


def test_a_hold_that_came_through_another_door_is_refused(cast, terminal):
    other = cast.payment()

    answer = terminal.start(start_body(cast, authorization_reference=other.authorization_reference))

    assert problem(answer) == (422, "idempotency_conflict")


def test_two_ptps_may_use_the_same_key_and_reference(cast, terminal):
    stranger = builders.cast()
    body = start_body(cast, authorization_reference="ref-1")
    theirs = start_body(stranger, authorization_reference="ref-1")

    assert terminal.start(body, "key-1").status_code == 202
    assert TerminalClient(stranger.key).start(theirs, "key-1").status_code == 202


@pytest.mark.parametrize("length", [1, 190, 191, 255])
def test_keys_up_to_255_characters_are_kept(cast, terminal, length):
    body = start_body(cast)
    key = "k" * length
    first = terminal.start(body, key)

    assert terminal.start(body, key).json() == first.json()
    assert problem(terminal.start(start_body(cast), key)) == (422, "idempotency_conflict")


def test_a_tap_without_a_key_is_refused(cast, terminal):
    assert problem(terminal.post("/sessions", start_body(cast))) == (400, "idempotency_key_missing")


@pytest.mark.parametrize("key", ["k" * 256, "two words", "ключ".encode().decode("latin-1")])
def test_a_key_that_is_not_visible_ascii_is_refused(cast, terminal, key):
    assert problem(terminal.start(start_body(cast), key)) == (400, "invalid_body")
    assert not IdempotentAnswer.objects.exists()


def test_a_refused_body_does_not_use_up_its_key(cast, terminal):
    body = start_body(cast)
    assert problem(terminal.start(body | {"authorized_amount": "0.50"}, "key-1")) == (422, "amount_too_low")

    assert terminal.start(body, "key-1").status_code == 202


# --- Connectors that cannot start -----------------------------------------------------------------


def test_a_charger_that_is_offline_is_told_at_once_with_the_release(cast, terminal):
    builders.take_offline(cast.station)
    body = start_body(cast)

    answer = terminal.start(body, "key-1")

    assert problem(answer) == (409, "connector_unavailable")
    session = Session.objects.get()
    told = answer.json()
    assert (told["session_id"], told["reason"]) == (str(session.pk), "offline")
    assert told["settlement"]["action"] == "RELEASE"
    assert (session.state, session.payment.state) == ("REJECTED", "RELEASING")
    again = terminal.start(body, "key-1")
    assert problem(again) == (409, "connector_unavailable")
    assert again.json() == told
    assert not Command.objects.exists()


def test_the_second_of_two_taps_at_one_connector_is_released(cast, terminal):
    bodies = [start_body(cast), start_body(cast)]

    answers = [terminal.start(body) for body in bodies]

    assert [answer.status_code for answer in answers] == [202, 409]
    assert answers[1].json()["reason"] == "occupied"
    assert sorted(Payment.objects.values_list("state", flat=True)) == ["AUTHORIZED", "RELEASING"]


def test_a_released_hold_is_acknowledged_once_and_again(cast, terminal):
    builders.take_offline(cast.station)
    session_id = terminal.start(start_body(cast)).json()["session_id"]
    assert [i["id"] for i in terminal.get("/settlements", status="due").json()["items"]] == [session_id]

    first = terminal.post(f"/sessions/{session_id}/release")
    again = terminal.post(f"/sessions/{session_id}/release")

    assert (first.status_code, first.json()["payment_status"]) == (200, "RELEASED")
    assert (again.status_code, again.json()["due"]) == (200, False)
    assert terminal.get("/settlements", status="due").json()["items"] == []


# --- Quotes ---------------------------------------------------------------------------------------


def test_a_quote_that_is_over_is_refused(cast, terminal):
    body = start_body(cast)
    Quote.objects.update(valid_until=timezone.now() - timedelta(seconds=1))

    assert problem(terminal.start(body)) == (422, "quote_expired")
    assert not Session.objects.exists()


def test_a_quote_of_nobody_of_another_connector_and_of_another_ptp_is_unknown(cast, terminal):
    neighbour = builders.connector(at=builders.evse(at=cast.station))
    stranger = builders.cast()

    assert problem(terminal.start(start_body(cast, quote_id=str(uuid.uuid4())))) == (422, "unknown_quote")
    elsewhere = start_body(cast, connector_id=str(neighbour.public_id))
    assert problem(terminal.start(elsewhere)) == (422, "unknown_quote")
    assert problem(terminal.start(start_body(cast, quote_id=str(stranger.quote().pk)))) == (
        422,
        "unknown_quote",
    )


def test_a_connector_that_the_terminal_does_not_sell_is_not_found(cast, terminal):
    stranger = builders.cast()
    body = start_body(cast, connector_id=str(stranger.connector.public_id))

    assert problem(terminal.start(body)) == (404, "not_found")


def test_a_hold_below_the_minimum_names_the_minimum(cast, terminal):
    answer = terminal.start(start_body(cast, authorized_amount="0.99"))

    assert problem(answer) == (422, "amount_too_low")
    assert answer.json()["minimum_amount"] == "1.00"


def test_a_hold_that_the_start_alone_uses_up_is_too_low(db):
    prices = (
        PriceComponent(Dimension.FLAT, Decimal(5), builders.VAT),
        PriceComponent(Dimension.ENERGY, Decimal("0.50"), builders.VAT),
    )
    cast = builders.cast(terms=builders.tariff_terms(elements=(TariffElement(prices),)))

    answer = TerminalClient(cast.key).start(start_body(cast, authorized_amount="5.00"))

    assert problem(answer) == (422, "amount_too_low")
    assert answer.json()["minimum_amount"] == "6.00"


def test_a_flat_price_may_be_held_to_the_cent(db):
    flat = TariffElement((PriceComponent(Dimension.FLAT, Decimal(5), builders.VAT),))
    cast = builders.cast(terms=builders.tariff_terms(elements=(flat,), preauthorize_amount=Decimal(5)))

    assert TerminalClient(cast.key).start(start_body(cast, authorized_amount="5.00")).status_code == 202


def test_a_hold_in_another_currency_is_refused_before_energy_flows(cast, terminal):
    answer = terminal.start(start_body(cast, currency="SEK"))

    assert problem(answer) == (422, "currency_mismatch")
    assert not Session.objects.exists()


# --- Races ----------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """The same hold from several threads, on a database with real concurrency."""

    @staticmethod
    def _post_at_once(key, requests):
        barrier = threading.Barrier(len(requests))
        answers = [None] * len(requests)

        def tap(index, body, idempotency_key):
            barrier.wait()
            try:
                answers[index] = TerminalClient(key).start(body, idempotency_key)
            finally:
                connection.close()

        threads = [threading.Thread(target=tap, args=(i, *request)) for i, request in enumerate(requests)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def test_equal_taps_are_one_session_and_one_command(self):
        cast = builders.cast()
        body = start_body(cast)

        answers = self._post_at_once(cast.key, [(body, "key-1")] * 4)

        assert [a.status_code for a in answers] == [202] * 4
        assert len({json.dumps(a.json(), sort_keys=True) for a in answers}) == 1
        assert Session.objects.count() == Command.objects.filter(action="START").count() == 1

    def test_one_reference_under_several_keys_is_one_session(self):
        cast = builders.cast()
        body = start_body(cast)

        answers = self._post_at_once(cast.key, [(body, f"key-{number}") for number in range(4)])

        assert {a.status_code for a in answers} == {202}
        assert len({json.dumps(a.json(), sort_keys=True) for a in answers}) == 1
        assert Payment.objects.count() == Command.objects.filter(action="START").count() == 1

    def test_two_cards_at_one_connector_give_one_session_and_one_release(self):
        cast = builders.cast()
        bodies = [start_body(cast), start_body(cast)]

        answers = self._post_at_once(cast.key, [(body, body["quote_id"]) for body in bodies])

        assert sorted(a.status_code for a in answers) == [202, 409]
        assert sorted(Payment.objects.values_list("state", flat=True)) == ["AUTHORIZED", "RELEASING"]
        assert Command.objects.filter(action="START").count() == 1

    def test_one_key_for_two_holds_starts_one_of_them(self):
        cast = builders.cast()
        bodies = [start_body(cast), start_body(cast)]

        answers = self._post_at_once(cast.key, [(body, "key-1") for body in bodies])

        assert sorted(a.status_code for a in answers) == [202, 422]
        assert Payment.objects.count() == 1
