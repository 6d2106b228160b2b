"""The terminal API from price to receipt: what a PTP's terminal sees when all goes well."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from chargers.models import EVSE, Command
from payments import settlement
from payments.models import Payment
from sessions_app.models import Session
from tariffs.versions import save_tariff
from tests import builders
from tests.payments.ptp_client import TerminalClient, start_body

pytestmark = pytest.mark.django_db


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
    assert (captured.json()["action"], captured.json()["due"]) == ("CAPTURE", False)
    assert terminal.get("/settlements", status="due").json() == {"items": [], "next": None}
    receipts = terminal.get("/receipts", terminal_id=cast.terminal.terminal_id).json()
    assert [r["receipt_number"] for r in receipts["items"]] == [settlement["receipt_number"]]
    assert Session.objects.count() == Command.objects.filter(action="START").count() == 1


def test_connectors_say_what_is_printed_what_it_costs_and_whether_it_is_free(cast, terminal):
    answer = terminal.get("/connectors", terminal_id=cast.terminal.terminal_id)

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer.json() == {
        "items": [
            {
                "id": str(cast.connector.public_id),
                "evse_uid": cast.evse.uid,
                "label": cast.evse.physical_reference,
                "standard": "IEC_62196_T2_COMBO",
                "max_power_w": 150_000,
                "status": "AVAILABLE",
                "available": True,
                "reason": None,
                "price_lines": [
                    {
                        "kind": "energy",
                        "text": "Energy: 0.50 €/kWh incl. VAT",
                        "amount": "0.50",
                        "unit": "kWh",
                    }
                ],
            }
        ],
        "next": None,
    }


def test_a_charger_that_is_gone_is_told_as_gone(cast, terminal):
    builders.take_offline(cast.station)

    item = terminal.get("/connectors", terminal_id=cast.terminal.terminal_id).json()["items"][0]

    assert (item["status"], item["available"], item["reason"]) == ("UNKNOWN", False, "offline")


def test_a_connector_with_a_waiting_session_is_occupied(cast, terminal):
    cast.payment()

    item = terminal.get("/connectors", terminal_id=cast.terminal.terminal_id).json()["items"][0]

    assert (item["available"], item["reason"]) == (False, "occupied")


def test_a_connector_without_a_price_is_not_available(cast, terminal):
    cast.connector.tariffs.clear()

    item = terminal.get("/connectors", terminal_id=cast.terminal.terminal_id).json()["items"][0]

    assert (item["available"], item["reason"], item["price_lines"]) == (False, "no_tariff", [])
    assert terminal.get(f"/connectors/{item['id']}/quote").status_code == 404


def test_a_terminal_sells_its_sites_and_its_own_evses_and_nothing_else(cast, terminal):
    own = builders.connector()
    builders.connector()
    cast.terminal.evses.add(own.evse)

    items = terminal.get("/connectors", terminal_id=cast.terminal.terminal_id).json()["items"]

    assert [item["id"] for item in items] == [str(cast.connector.public_id), str(own.public_id)]


def test_a_quote_is_the_price_before_the_tap_in_the_language_asked_for(cast, terminal):
    before = timezone.now()

    quote = terminal.get(f"/connectors/{cast.connector.public_id}/quote", lang="fi").json()

    assert quote["currency"] == "EUR"
    assert (quote["preauthorize_amount"], quote["minimum_amount"]) == ("60.00", "1.00")
    assert quote["price_lines"][0]["text"].startswith("Energia: 0,50")
    assert quote["terms"]
    assert before < datetime.fromisoformat(quote["valid_until"])


def test_price_shown_is_price_charged(cast, terminal):
    body = start_body(cast)
    dearer = builders.tariff_terms(id=cast.tariff_version.tariff.tariff_id, preauthorize_amount=Decimal(70))
    save_tariff(dearer)

    started = terminal.start(body)

    assert started.status_code == 202
    assert Session.objects.get().tariff_version == cast.tariff_version


def test_the_answer_to_a_tap_names_session_and_receipt(cast, terminal):
    answer = terminal.start(start_body(cast))

    body = answer.json()
    page = body["receipt"]["url"]
    assert answer.status_code == 202
    assert body == {
        "id": str(Session.objects.get().pk),
        "status": "REQUESTED",
        "payment_status": "AUTHORIZED",
        "receipt": {"url": page, "pdf_url": f"{page}.pdf", "qr_svg_url": f"{page}/qr.svg"},
    }


def test_a_session_that_waits_tells_nulls_where_nothing_has_happened(cast, terminal):
    session_id = terminal.start(start_body(cast)).json()["id"]

    body = terminal.get(f"/sessions/{session_id}").json()

    assert (body["started_at"], body["duration_seconds"], body["energy_wh"]) == (None, 0, 0)
    assert body["limit"] == {"amount": "60.00", "energy_wh": None, "reached_at": None}
    assert (body["stop_reason"], body["settlement"]) == (None, None)


def test_stop_is_accepted_while_the_charger_is_asked_and_200_once_it_is_over(cast, terminal):
    running = cast.running(now=timezone.now() - timedelta(minutes=20))
    path = f"/sessions/{running.payment.session_id}"

    first = terminal.post(f"{path}/stop")
    again = terminal.post(f"{path}/stop")
    running.end(energy_wh=10_000, after_seconds=1200, reason="Remote")
    after = terminal.post(f"{path}/stop")

    assert (first.status_code, first.json()["status"]) == (202, "STOPPING")
    assert (again.status_code, again.json()["status"]) == (202, "STOPPING")
    assert (after.status_code, after.json()["status"]) == (200, "ENDED")
    assert after.json()["stop_reason"] == "terminal"
    assert Command.objects.filter(action="STOP").count() == 1


def test_stop_before_the_start_cancels_and_the_hold_is_released(cast, terminal):
    session_id = terminal.start(start_body(cast)).json()["id"]

    answer = terminal.post(f"/sessions/{session_id}/stop")
    settled = settlement.settle(Payment.objects.get().pk, now=timezone.now())

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
    assert settled.state == "RELEASING"


def test_a_heartbeat_notes_the_terminal_as_seen(cast, terminal):
    answer = terminal.post("/heartbeat", {"terminal_id": cast.terminal.terminal_id})

    cast.terminal.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json()["terminal_id"] == cast.terminal.terminal_id
    assert cast.terminal.last_seen_at is not None


def test_receipts_are_those_of_the_last_24_hours_newest_first(cast, terminal):
    now = timezone.now()
    for hours in (30, 5, 2):
        running = cast.running(now=now - timedelta(hours=hours))
        running.end(energy_wh=10_000, after_seconds=1200)
        Payment.objects.filter(pk=running.payment.pk).update(settled_at=now - timedelta(hours=hours))
        EVSE.objects.update(status="AVAILABLE")

    def ended_at(**query):
        query = {"terminal_id": cast.terminal.terminal_id} | query
        return [item["ended_at"] for item in terminal.get("/receipts", **query).json()["items"]]

    assert len(ended_at()) == 2
    assert ended_at() == sorted(ended_at(), reverse=True)
    assert len(ended_at(since=(now - timedelta(hours=3)).isoformat())) == 1
    assert len(ended_at(since=(now - timedelta(days=9)).isoformat())) == 2


def test_a_key_of_one_terminal_needs_no_terminal_id(cast):
    terminal = TerminalClient(builders.api_key(cast.ptp, only=cast.terminal))
    body = start_body(cast)
    del body["terminal_id"]

    assert len(terminal.get("/connectors").json()["items"]) == 1
    assert terminal.get("/receipts").json() == {"items": [], "next": None}
    assert terminal.post("/heartbeat").status_code == 200
    assert terminal.start(body).status_code == 202


def test_use_of_a_key_is_noted_once_a_minute(cast, terminal):
    path = f"/connectors/{cast.connector.public_id}/quote"
    terminal.get(path)
    used_at = cast.ptp.api_keys.get().last_used_at

    terminal.get(path)

    assert used_at is not None
    assert cast.ptp.api_keys.get().last_used_at == used_at
