"""Captures and releases as PTPs report them: repeats, contradictions, too much, too little, too late."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import EVSE
from payments.models import Confirmation
from tests import builders
from tests.payments.ptp_client import problem

REPORT = {
    "confirmation_id": "c-1",
    "status": "SUCCESS",
    "amount": "5.00",
    "currency": "EUR",
    "eft_data": ["VISA", "  APPROVED"],
}


@pytest.fixture
def due(cast):
    """A payment of 5.00 EUR that waits for its capture."""
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    return running.end(energy_wh=10_000, after_seconds=1200)


def capture(terminal, payment, **fields):
    return terminal.post(f"/sessions/{payment.session_id}/capture", REPORT | fields)


def test_final_details_tell_usage_lines_vat_and_total(terminal, due):
    told = terminal.get(f"/sessions/{due.session_id}/settlement").json()

    assert (told["status"], told["payment_status"], told["action"]) == ("ENDED", "CAPTURING", "CAPTURE")
    assert (told["duration_seconds"], told["energy_wh"]) == (1200, 10_000)
    assert told["cost_lines"] == [
        {
            "kind": "energy",
            "volume": "10",
            "unit": "kWh",
            "price": "0.5",
            "vat_percentage": "25.5",
            "excl_vat": "3.98",
            "incl_vat": "5.00",
        }
    ]
    assert told["vat"] == [{"percentage": "25.5", "net": "3.98", "vat": "1.02", "gross": "5.00"}]
    assert told["total"] == {"currency": "EUR", "excl_vat": "3.98", "vat": "1.02", "incl_vat": "5.00"}
    assert told["cdr"]["authorization_reference"] == due.authorization_reference


def test_a_repeated_confirmation_changes_nothing(terminal, due):
    first = capture(terminal, due)

    again = capture(terminal, due)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert Confirmation.objects.get().eft_data == ["VISA", "  APPROVED"]


@pytest.mark.parametrize("fields", [{"amount": "4.00"}, {"status": "FAILED"}, {"eft_data": []}])
def test_the_same_confirmation_with_another_content_is_409(terminal, due, fields):
    capture(terminal, due)

    assert problem(capture(terminal, due, **fields)) == (409, "idempotency_conflict")
    due.refresh_from_db()
    assert (due.state, due.captured_minor) == ("CAPTURED", 500)


def test_one_confirmation_cannot_serve_two_sessions(cast, terminal, due):
    EVSE.objects.update(status="AVAILABLE")
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    other = running.end(energy_wh=10_000, after_seconds=1200)
    capture(terminal, due)

    assert problem(capture(terminal, other)) == (409, "idempotency_conflict")


def test_more_than_due_is_stored_and_flagged(terminal, due):
    answer = capture(terminal, due, amount="6.00")

    told = answer.json()
    assert (answer.status_code, told["review"]) == (200, "amount_differs")
    assert (told["payment_status"], told["captured_amount"]) == ("CAPTURING", "0.00")
    assert Confirmation.objects.get().amount_minor == 600


def test_another_currency_is_stored_and_flagged(terminal, due):
    answer = capture(terminal, due, currency="JPY", amount="5")

    assert (answer.status_code, answer.json()["review"]) == (200, "currency_differs")


def test_less_than_due_leaves_a_rest_that_a_later_capture_closes(terminal, due):
    part = capture(terminal, due, status="PARTIAL_SUCCESS", amount="3.00").json()
    rest = capture(terminal, due, confirmation_id="c-2").json()

    assert (part["payment_status"], part["captured_amount"]) == ("PARTIALLY_CAPTURED", "3.00")
    assert (rest["payment_status"], rest["captured_amount"]) == ("CAPTURED", "5.00")


def test_a_failed_capture_stays_open(terminal, due):
    told = capture(terminal, due, status="FAILED", amount="0.00").json()

    assert (told["payment_status"], told["captured_amount"]) == ("CAPTURE_FAILED", "0.00")


def test_a_release_where_a_capture_is_due_is_refused(terminal, due):
    assert problem(terminal.post(f"/sessions/{due.session_id}/release")) == (409, "wrong_state")


def test_a_release_while_the_session_runs_is_refused(cast, terminal):
    running = cast.running()

    assert problem(terminal.post(f"/sessions/{running.payment.session_id}/release")) == (409, "wrong_state")


def test_a_capture_after_the_release_is_stored_and_flagged(cast, terminal):
    builders.take_offline(cast.station)
    payment = cast.payment()
    terminal.post(f"/sessions/{payment.session_id}/release")

    told = capture(terminal, payment).json()

    assert (told["payment_status"], told["review"]) == ("RELEASED", "captured_after_release")


def test_nothing_charged_is_a_release_without_cdr(cast, terminal):
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    running.end(energy_wh=0, after_seconds=1200)

    told = terminal.get(f"/sessions/{running.payment.session_id}/settlement").json()

    assert (told["status"], told["action"], told["amount"], told["cdr"]) == ("ENDED", "RELEASE", None, None)
    assert told["total"]["incl_vat"] == "0.00"


def test_a_bill_beyond_the_hold_is_the_hold_and_says_what_was_dropped(cast, terminal):
    running = cast.running(authorized_minor=400, now=timezone.now() - timedelta(minutes=20))
    running.end(energy_wh=10_000, after_seconds=1200)

    told = terminal.get(f"/sessions/{running.payment.session_id}/settlement").json()

    assert (told["action"], told["amount"], told["total"]["incl_vat"]) == ("CAPTURE", "4.00", "4.00")
    assert [(line["kind"], line["incl_vat"]) for line in told["cost_lines"]] == [
        ("energy", "5.00"),
        ("write_off", "-1.00"),
    ]
