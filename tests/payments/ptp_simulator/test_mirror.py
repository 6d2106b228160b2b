"""Locations, tariffs, sessions and terminals as the CPO pushes them to the PTP in the box."""

from decimal import Decimal

from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.wire import Json
from tests.payments.ptp_simulator.conftest import tap
from tests.payments.ptp_simulator.scripted_cpo import ScriptedCpo, location, owned, tariff

LATER = "2026-02-01T12:00:00Z"
EARLIER = "2026-01-01T12:00:00Z"


def test_lists_are_polled_to_their_last_page_and_what_is_gone_goes(
    cpo: ScriptedCpo, ptp: PtpSimulator
) -> None:
    cpo.locations = [location(f"L{n}") for n in range(5)]
    assert ptp.look()
    five = len(ptp.mirror.locations)
    cpo.locations = cpo.locations[:1]
    assert ptp.look()

    assert (five, len(ptp.mirror.locations)) == (5, 1)


def test_a_location_is_changed_at_every_level(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    url, client = cpo.url(ptp, "locations/FI/CPO/L1"), cpo.client()
    evse = {"uid": "E2", "status": "AVAILABLE", "connectors": [], "last_updated": LATER}

    added = client.put(f"{url}/E2", evse)
    connected = client.put(f"{url}/E2/1", {"id": "1", "tariff_ids": ["T1"], "last_updated": LATER})
    patched = client.patch(f"{url}/E1", {"status": "CHARGING", "last_updated": LATER})
    seen = client.get(url).data

    assert [each.http_status for each in (added, connected, patched)] == [201, 201, 200]
    assert [each["status"] for each in seen["evses"]] == ["CHARGING", "AVAILABLE"]
    assert seen["evses"][1]["connectors"][0]["tariff_ids"] == ["T1"]
    assert seen["last_updated"] == LATER
    assert client.get(f"{url}/E1/1").data["id"] == "1"
    assert client.get(f"{url}/E9").status_code == 2003
    assert client.patch(f"{url}/E9", {"last_updated": LATER}).status_code == 2003


def test_what_was_overtaken_or_is_malformed_is_left_aside(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    url, client = cpo.url(ptp, "locations/FI/CPO/L1"), cpo.client()

    old = client.put(url, location() | {"name": "Old", "last_updated": EARLIER})
    no_stamp = client.patch(f"{url}/E1", {"status": "BLOCKED"})
    wrong_id = client.put(url, location("L2"))

    assert old.ok
    assert (no_stamp.status_code, wrong_id.status_code) == (2001, 2001)
    assert ptp.mirror.locations["FI/CPO/L1"] == location()
    assert len(ptp.complaints) == 3


def test_a_new_tariff_is_held_by_from_then_on(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    url, client = cpo.url(ptp, "tariffs/FI/CPO/T1"), cpo.client()

    changed = client.put(url, tariff(cpo.version, "35.00", last_updated=LATER))
    amount = tap(ptp).amount
    deleted, absent = client.delete(url), client.get(url)

    assert (changed.http_status, amount) == (200, "35.00")
    assert (deleted.ok, absent.http_status) == (True, 404)
    assert any("deleted while a connector names it" in each for each in ptp.complaints)


def test_a_patch_adds_charging_periods_and_a_put_replaces_them(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    url, client = cpo.url(ptp, "sessions/FI/CPO/S1"), cpo.client()
    periods: list[Json] = [{"start_date_time": LATER, "dimensions": []}]
    session = owned(id="S1", status="ACTIVE", charging_periods=periods)

    before = client.patch(url, {"kwh": Decimal("1"), "last_updated": LATER})
    client.put(url, session)
    client.patch(url, {"charging_periods": periods, "kwh": Decimal("1.5"), "last_updated": LATER})
    patched = client.get(url).data
    client.put(url, session | {"status": "COMPLETED", "last_updated": LATER})

    assert before.status_code == 2001
    assert (len(patched["charging_periods"]), patched["kwh"]) == (2, Decimal("1.5"))
    assert len(client.get(url).data["charging_periods"]) == 1


def test_terminals_are_listed_assigned_activated_and_deactivated(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    url, client = cpo.url(ptp, "payments/terminals"), cpo.client()

    client.patch(f"{url}/SIM-OCPI-1", {"location_ids": ["L1"], "evse_uids": ["E1"]})
    client.put(f"{url}/SIM-OCPI-1", {"customer_reference": "ACME", "invoice_base_url": "https://x/r/"})
    one = client.get(f"{url}/SIM-OCPI-1").data
    activated = client.post(f"{url}/activate", {"location_ids": ["L1"], "reference": "SN-77"})
    off = client.post(f"{url}/SIM-OCPI-1/deactivate")
    ptp.tick()
    terminals = client.items(f"{url}/", {"limit": 1})

    assert (one["location_ids"], one["customer_reference"]) == (["L1"], "ACME")
    assert activated.ok
    assert off.ok
    assert {each.get("reference") for each in terminals} == {"SN-SIM-OCPI-1", "SN-77"}
    assert cpo.terminals[-1]["reference"] == "SN-77"
    assert tap(ptp, terminal_id="SIM-OCPI-1").outcome == "not_possible"
    assert client.get(f"{url}/nobody").http_status == 404


def test_confirmations_can_be_fetched(cpo: ScriptedCpo, ptp: PtpSimulator) -> None:
    reference = tap(ptp).authorization_reference
    cpo.push_cdr(ptp, reference, "9.80", "12.30")
    ptp.tick()
    url = cpo.url(ptp, "payments/financial-advice-confirmations")

    [listed] = cpo.client().items(url)

    assert listed == cpo.confirmations[0]
    assert cpo.client().get(f"{url}/{listed['id']}").data == listed
    assert cpo.client().items(url, {"date_to": EARLIER}) == []
