"""The terminal API from price to receipt: what a PTP's terminal sees when all goes well."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import Command
from payments.models import Payment
from sessions_app.models import Session
from tests import builders
from tests.payments.ptp_client import TerminalClient, start_body

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return builders.cast()


@pytest.fixture
def terminal(cast):
    return TerminalClient(cast.key)


def test_a_payment_goes_from_price_to_capture_through_the_api_alone(cast, terminal):
    connectors = terminal.get("/connectors", terminal_id=cast.terminal.terminal_id).json()
    connector = connectors["items"][0]
    quote = terminal.get(f"/connectors/{connector['id']}/quote", lang="en").json()
    body = start_body(cast, quote_id=quote["quote_id"], authorized_amount=quote["preauthorize_amount"])
    started = terminal.start(body)
    assert started.status_code == 202, started.content
    session_path = f"/sessions/{started.json()['id']}"
    running = builders.start(
        Payment.objects.get(session=started.json()["id"]), at=timezone.now() - timedelta(minutes=20)
    )
    running.meter(energy_wh=5000, after_seconds=600, power_w=30_000)
    live = terminal.get(session_path).json()
    assert (live["status"], live["payment_status"]) == ("CHARGING", "AUTHORIZED")
    assert live["cost"] == {"currency": "EUR", "incl_vat": "2.50", "excl_vat": "1.99"}
    assert terminal.get(f"{session_path}/settlement").json()["action"] == "PENDING"

    running.end(energy_wh=10_000, after_seconds=1200)

    due = terminal.get("/settlements", status="due").json()
    assert [item["id"] for item in due["items"]] == [started.json()["id"]]
    settlement = terminal.get(f"{session_path}/settlement").json()
    assert settlement == due["items"][0]
    assert (settlement["action"], settlement["amount"]) == ("CAPTURE", "5.00")
    report = {
        "confirmation_id": "c-1",
        "status": "SUCCESS",
        "amount": settlement["amount"],
        "currency": "EUR",
        "eft_data": ["VISA ****4242", "APPROVED"],
    }
    captured = terminal.post(f"{session_path}/capture", report)
    assert captured.status_code == 200, captured.content
    assert captured.json()["payment_status"] == "CAPTURED"
    assert captured.json()["action"] == "NONE"
    assert terminal.get("/settlements", status="due").json() == {"items": [], "next": None}
    receipts = terminal.get("/receipts", terminal_id=cast.terminal.terminal_id).json()
    assert [r["receipt_number"] for r in receipts["items"]] == [settlement["receipt_number"]]
    assert Session.objects.count() == Command.objects.filter(action="START").count() == 1
