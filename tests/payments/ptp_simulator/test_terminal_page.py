"""The virtual terminal's page over OCPI: the same screens, through a PTP in the box and the wire."""

import re
import uuid
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from payments.simulator import credentials
from payments.simulator.ocpi.control import Control
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.wire import PeerServer
from tests.payments.ptp_simulator.conftest import effects
from tests.payments.ptp_simulator.scripted_cpo import AT, ScriptedCpo

TERMINAL = "SIM-OCPI-1"
PAGE = f"/terminal/{TERMINAL}"


@pytest.fixture
def terminal(ptp: PtpSimulator, cpo: ScriptedCpo, settings: Any, tmp_path: Path) -> Iterator[PtpSimulator]:
    """The page of a terminal that is assigned to the one location, with receipts made by the CPO."""
    settings.VAR_DIR, settings.DEMO = tmp_path, True
    assigned = {"location_ids": ["L1"], "invoice_base_url": "http://testserver/r/"}
    cpo.client().patch(cpo.url(ptp, f"payments/terminals/{TERMINAL}"), assigned)
    for location in ptp.mirror.locations.values():
        connector = {"standard": "IEC_62196_T2_COMBO", "max_electric_power": 150_000}
        location["evses"][0]["connectors"][0] |= connector
        location["evses"][0]["physical_reference"] = "A1"
    with PeerServer() as control:
        Control(ptp).add_to(control)
        credentials.save_ocpi(TERMINAL, control.url)
        yield ptp


def shown(client: Client, path: str = "/", **post: str) -> str:
    """The page's text, with its links; posting follows to where it leads."""
    answer = client.post(PAGE + path, post, follow=True) if post else client.get(PAGE + path, follow=True)
    return re.sub(r"\s+", " ", answer.content.decode().replace("\u00a0", " "))


def tapped(client: Client, card: str = "visa") -> str:
    """Choose the connector and hold a card to the reader; return what is shown then."""
    link = re.search(rf'href="{PAGE}(/start/[^"]+)"', shown(client, "/start/"))
    assert link, "no connector can be chosen"
    offer = re.search(r'name="offer" value="([^"]+)"', shown(client, link[1]))
    assert offer
    return shown(client, "/tap", offer=offer[1], card=card)


def test_from_the_choice_to_the_receipt(terminal: PtpSimulator, cpo: ScriptedCpo, client: Client) -> None:
    choice = shown(client, "/start/")
    assert "A1" in choice
    assert "150 kW" in choice
    assert "0.59" in choice or "0.74" in choice  # 2.2.1 has prices without VAT

    asked = tapped(client)
    reference = cpo.commands[0]["authorization_reference"]
    assert effects(terminal, reference) == ["hold"]
    assert f"{PAGE}/sessions/{reference}/qr.svg" in asked
    cpo.push_result(reference, "ACCEPTED")
    running = {
        "start_date_time": AT,
        "kwh": Decimal("5.5"),
        "total_cost": cpo.cdr("x", "2.60", "3.25")["total_cost"],
    }
    cpo.push_session(terminal, reference, "ACTIVE", **running)
    charging = shown(client, f"/sessions/{reference}/")
    assert "3.25" in charging
    assert "5.50 kWh" in charging
    assert 'value="325" max="5000"' in charging
    shown(client, f"/sessions/{reference}/stop", press="stop")
    assert cpo.commands[-1]["session_id"] == f"S-{reference}"
    assert "Finishing" in shown(client, f"/sessions/{reference}/")

    ended = {
        "total_energy": Decimal("20.8"),
        "start_date_time": AT,
        "end_date_time": AT,
        "invoice_reference_id": "R-1",
    }
    cpo.push_cdr(terminal, reference, "9.80", "12.30", **ended)
    terminal.tick()
    assert "12.30" in shown(client, f"/sessions/{reference}/")
    receipts = shown(client, "/receipts/")
    assert "12.30" in receipts
    assert "VISA 4242" in receipts
    drawing = client.get(f"{PAGE}/sessions/{reference}/qr.svg")
    assert drawing.headers["Content-Type"] == "image/svg+xml"


def test_a_declined_card_and_a_refused_start_are_told(
    terminal: PtpSimulator, cpo: ScriptedCpo, client: Client
) -> None:
    declined = tapped(client, "declined")
    cpo.answers = ["REJECTED"]
    refused = tapped(client)
    terminal.tick()

    assert "Card declined" in declined
    assert "tone-bad" in refused
    assert effects(terminal, cpo.commands[0]["authorization_reference"]) == ["hold", "release"]


def test_a_stop_that_fails_can_be_pressed_again(
    terminal: PtpSimulator, cpo: ScriptedCpo, client: Client
) -> None:
    tapped(client)
    reference = cpo.commands[0]["authorization_reference"]
    cpo.push_session(terminal, reference, "ACTIVE", start_date_time=AT)
    page = f"/sessions/{reference}/"

    stopping = shown(client, f"{page}stop", press="stop")
    cpo.client().post(cpo.commands[-1]["response_url"], {"result": "TIMEOUT"})
    failed = shown(client, page)
    cpo.answers = ["REJECTED"]
    refused = shown(client, f"{page}stop", press="stop")

    button = f'action="{PAGE}{page}stop"'
    assert [button in each for each in (stopping, failed, refused)] == [False, True, True]


def test_connectors_stand_in_the_order_of_their_labels_whatever_the_cpo_says_last(
    terminal: PtpSimulator, cpo: ScriptedCpo, client: Client
) -> None:
    location = terminal.mirror.locations["FI/CPO/L1"]
    first = location["evses"][0]
    location["evses"].insert(0, deepcopy(first) | {"uid": "E2", "physical_reference": "A10"})
    location["evses"].append(deepcopy(first) | {"uid": "E3", "physical_reference": "A2"})

    answer = cpo.client().put(cpo.url(terminal, "locations/FI/CPO/L1/E1"), first | {"status": "CHARGING"})

    assert answer.ok
    page = shown(client, "/start/")
    assert page.index("In use") < page.index("Free")
    assert re.findall(r'class="badge">(\w+)<', page) == ["A1", "A2", "A10"]


def test_a_text_that_repeats_the_price_is_not_shown_beside_it(terminal: PtpSimulator, client: Client) -> None:
    notes = [{"language": "en", "text": "Energy: all of it again."}]
    terminal.mirror.tariffs["FI/CPO/T1"]["tariff_alt_text"] = notes
    link = re.search(rf'href="{PAGE}(/start/[^"]+)"', shown(client, "/start/"))
    assert link

    offer = shown(client, link[1])

    assert "/kWh" in offer
    assert "again." not in offer


def test_what_is_not_free_cannot_be_chosen(terminal: PtpSimulator, cpo: ScriptedCpo, client: Client) -> None:
    terminal.mirror.locations["FI/CPO/L1"]["evses"][0]["status"] = "OUTOFORDER"

    page = shown(client, "/start/")

    assert "Out of order" in page
    assert f'href="{PAGE}/start/' not in page


def test_a_platform_that_is_not_there_or_not_registered_is_out_of_order(
    terminal: PtpSimulator, cpo: ScriptedCpo, client: Client
) -> None:
    running = client.get(f"{PAGE}/").status_code
    unknown = client.get(f"{PAGE}/sessions/{uuid.uuid4()}/").status_code
    terminal.registrar.unregister()
    unregistered = client.get(f"{PAGE}/").status_code
    credentials.save_ocpi(TERMINAL, "http://127.0.0.1:9")
    gone = client.get(f"{PAGE}/").status_code

    assert [running, unknown, unregistered, gone] == [200, 404, 503, 503]


def test_an_unanswered_start_shows_that_the_charger_is_asked(
    terminal: PtpSimulator, cpo: ScriptedCpo, client: Client
) -> None:
    cpo.server.stop()

    page = tapped(client)

    assert "tone-wait" in page
    assert '<span class="count">1</span>' in shown(client)
