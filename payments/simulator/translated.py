"""What a PTP knows over OCPI, in the words of our native API, so that the terminal has one set of screens.

Pure: the state of `simulate_ptp` in, bodies out. A PTP knows less over OCPI than over the native API, no
power and no limit in energy, say; such a field says None.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from chargers.availability import UnavailableReason
from payments.ocpi.tariffs import parse_tariff
from payments.simulator.native_api import Body
from payments.simulator.ocpi.amounts import NOTHING, Total, hold_of, read_price
from payments.simulator.ocpi.memory import Objects
from payments.simulator.ocpi.mirror import AD_HOC, object_key
from payments.simulator.ocpi.wire import Json, parse_time
from payments.states import PaymentState
from sessions_app.states import SessionState
from tariffs.engine.errors import InvalidInput
from tariffs.price_text import price_lines, terms_text

State = dict[str, Any]  # of PtpDriver.state
RECEIPTS_FOR: Final = timedelta(hours=24)
PHASES: Final = {"AC_1_PHASE": 1, "AC_2_PHASE": 2, "AC_2_PHASE_SPLIT": 2, "AC_3_PHASE": 3, "DC": 1}
REASONS: Final = {
    "CHARGING": UnavailableReason.OCCUPIED,
    "BLOCKED": UnavailableReason.OCCUPIED,
    "RESERVED": UnavailableReason.RESERVED,
    "INOPERATIVE": UnavailableReason.OUT_OF_USE,
    "OUTOFORDER": UnavailableReason.FAULTED,
    "UNKNOWN": UnavailableReason.OFFLINE,
}
STATES: Final = {
    "PENDING": SessionState.STARTING,
    "ACTIVE": SessionState.CHARGING,
    "COMPLETED": SessionState.ENDED,
    "INVALID": SessionState.EXPIRED,
}
PAYMENTS: Final = {
    "HELD": PaymentState.AUTHORIZED,
    "CAPTURED": PaymentState.CAPTURED,
    "RELEASED": PaymentState.RELEASED,
}


# --- Before the tap -------------------------------------------------------------------------------


def connectors(state: State, terminal_id: str, language: str) -> list[Body]:
    """The connectors that are assigned to a terminal, by what is printed on the chargers: A2 before A10."""
    found = _connectors(state, terminal_id, language)
    return sorted(found, key=lambda each: (_natural(each["label"]), each["connector_id"]))


def _natural(label: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", label)]


def _connectors(state: State, terminal_id: str, language: str) -> Iterator[Body]:
    terminal = state["terminals"].get(terminal_id, {})
    locations, evses = terminal.get("location_ids") or (), terminal.get("evse_uids") or ()
    for location in state["locations"].values():
        for evse in location.get("evses") or ():
            sold = location.get("id") in locations or evse.get("uid") in evses
            if sold and evse.get("status") not in ("REMOVED", "PLANNED"):
                for connector in evse.get("connectors") or ():
                    yield _connector(state, location, evse, connector, language)


def _connector(state: State, location: Json, evse: Json, connector: Json, language: str) -> Body:
    tariff = tariff_of(state["tariffs"], location, connector)
    reason = None if evse.get("status") == "AVAILABLE" else REASONS.get(evse.get("status"), "occupied")
    power_w = connector.get("max_electric_power") or (
        connector.get("max_voltage", 0)
        * connector.get("max_amperage", 0)
        * PHASES.get(connector.get("power_type"), 1)
    )
    return {
        "id": connector_key(location, evse, connector),
        "location_id": location.get("id"),
        "evse_uid": evse.get("uid"),
        "connector_id": connector.get("id"),
        "label": evse.get("physical_reference") or evse.get("evse_id") or evse.get("uid"),
        "standard": connector.get("standard", ""),
        "max_power_w": power_w,
        "available": reason is None and tariff is not None,
        "reason": (reason and str(reason)) or (None if tariff else "no_tariff"),
        "price_lines": lines_of(tariff, language)[0] if tariff else [],
    }


def connector_key(location: Json, evse: Json, connector: Json) -> str:
    """A connector's name in addresses: OCPI's is three names deep."""
    name = f"{object_key(location)}/{evse.get('uid')}/{connector.get('id')}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def tariff_of(tariffs: Objects, location: Json, connector: Json) -> dict[str, Json] | None:
    """The tariff of a card payment there."""
    ids = connector.get("tariff_ids") or ()
    known = [found for each in ids if (found := tariffs.get(object_key(location | {"id": each})))]
    return next((each for kind in (AD_HOC, None) for each in known if each.get("type") == kind), None)


def lines_of(tariff: dict[str, Json], language: str) -> tuple[list[Body], str]:
    """The price as lines, and the terms; from the text alone where the elements cannot be read."""
    try:
        terms = parse_tariff(tariff)
    except InvalidInput:
        texts = {each.get("language"): each.get("text") for each in tariff.get("tariff_alt_text") or ()}
        return [{"text": texts.get(language) or next(iter(texts.values()), "")}], ""
    # Over OCPI the text tells the whole price for terminals that show nothing else; here the lines do.
    wordless = replace(terms, alt_texts=())
    return [{"text": line.text} for line in price_lines(terms, language)], terms_text(wordless, language)


def quote(state: State, connector: Body, language: str) -> Body | None:
    """What is held and what it costs; None where nothing is sold."""
    location = next(each for each in state["locations"].values() if each["id"] == connector["location_id"])
    place = next(
        plug
        for evse in location["evses"]
        for plug in evse.get("connectors") or ()
        if connector_key(location, evse, plug) == connector["id"]
    )
    tariff = tariff_of(state["tariffs"], location, place)
    amount = hold_of(tariff, state["registration"]["version"]) if tariff else None
    if tariff is None or amount is None:
        return None
    lines, terms = lines_of(tariff, language)
    return {
        "quote_id": str(tariff["id"]),
        "currency": str(tariff["currency"]),
        "preauthorize_amount": f"{amount:f}",
        "price_lines": lines,
        "terms": terms,
    }


# --- After the tap --------------------------------------------------------------------------------


def session(state: State, reference: str, now: datetime) -> Body | None:
    """How a tap stands."""
    start = state["starts"].get(reference)
    if start is None:
        return None
    told = _of(state["sessions"], reference) or {}
    cdr = _of(state["cdrs"], reference)
    status = _status(start, told, cdr)
    payment = PAYMENTS[state["psp"]["holds"][reference]["state"]]
    started = told.get("start_date_time") if status in _RAN or cdr else None
    ended = (cdr or told).get("end_date_time")
    total = read_price((cdr or told).get("total_cost")) or NOTHING
    energy_kwh = cdr.get("total_energy") if cdr else told.get("kwh")
    return {
        "id": reference,
        "label": label_of(state, start),
        "authorization_reference": reference,
        "status": str(status),
        "payment_status": str(payment),
        "refusal": None,
        "started_at": started,
        "ended_at": ended,
        "duration_seconds": _seconds(started, ended, now),
        "energy_wh": int(Decimal(energy_kwh or 0) * 1000),
        "power_w": None,
        "cost": {"currency": start["currency"], "incl_vat": f"{total.after_taxes:f}"},
        "limit": {"amount": start["amount"]},
        "settlement": _settlement(start, status, cdr, payment, total),
        "receipt": {"url": receipt_url(state, start)},  # the picture of it is ours to draw
    }


_RAN: Final = (SessionState.CHARGING, SessionState.STOPPING, SessionState.ENDED)


def _status(start: Body, told: Body, cdr: Body | None) -> SessionState:
    if cdr is not None:
        return SessionState.ENDED
    if start["answer"] not in ("", "ACCEPTED") or start["result"] not in ("", "ACCEPTED"):
        return SessionState.REJECTED
    if told:
        status = STATES.get(str(told.get("status")), SessionState.STARTING)
        is_stopping = start["stopping"] and status is SessionState.CHARGING
        return SessionState.STOPPING if is_stopping else status
    if start["released_for"]:
        return SessionState.EXPIRED
    return SessionState.STARTING if start["result"] else SessionState.REQUESTED


def _settlement(
    start: Body, status: SessionState, cdr: Body | None, payment: PaymentState, total: Total
) -> Body | None:
    currency = start["currency"]
    if cdr is not None and total.after_taxes > 0:
        amount = f"{total.after_taxes:f}"
        due = payment is PaymentState.AUTHORIZED
        return {"action": "CAPTURE", "due": due, "amount": amount, "currency": currency}
    if cdr is None and status is SessionState.ENDED:
        return {"action": "PENDING", "due": False, "amount": None, "currency": currency}
    if status in (SessionState.REJECTED, SessionState.EXPIRED, SessionState.ENDED):
        due = payment is PaymentState.AUTHORIZED
        return {"action": "RELEASE", "due": due, "amount": None, "currency": currency}
    return None


def label_of(state: State, start: Body) -> str:
    """What is printed on the charger, or its uid."""
    for location in state["locations"].values():
        for evse in location.get("evses") or ():
            if (location.get("id"), evse.get("uid")) == (start["location_id"], start["evse_uid"]):
                return str(evse.get("physical_reference") or evse.get("evse_id") or evse.get("uid"))
    return str(start["evse_uid"])


def receipt_url(state: State, start: Body) -> str:
    """OCPI 2.3.0 mod_payments, InvoiceCreator: the base URL and the authorization_reference."""
    base = state["terminals"].get(start["terminal_id"], {}).get("invoice_base_url") or ""
    return f"{base.rstrip('/')}/{start['reference']}" if base else ""


def receipts(state: State, terminal_id: str, now: datetime) -> Iterator[Body]:
    """What was settled at a terminal in the last 24 hours, newest first."""
    for reference, start in reversed(state["starts"].items()):
        told = session(state, reference, now)
        fresh = parse_time(start["sent_at"]) > now - RECEIPTS_FOR
        if told is None or not told["settlement"] or start["terminal_id"] != terminal_id or not fresh:
            continue
        card = state["psp"]["holds"][reference]["card"]
        cdr = _of(state["cdrs"], reference)
        yield {
            "id": reference,
            "label": told["label"],
            "card": {"scheme": card["scheme"], "last4": card["last4"]},
            "energy_wh": told["energy_wh"],
            "total": told["cost"],
            "receipt_number": (cdr or {}).get("invoice_reference_id", ""),
        }


def _of(objects: Objects, reference: str) -> dict[str, Json] | None:
    found = (each for each in objects.values() if each.get("authorization_reference") == reference)
    return next((each for each in found if not each.get("credit")), None)


def _seconds(started: str | None, ended: str | None, now: datetime) -> int:
    if not started:
        return 0
    end = parse_time(ended) if ended else now.astimezone(UTC)
    return max(0, int((end - parse_time(started)).total_seconds()))
