"""Faults of a charge: results, sessions, EVSE status, CDR, confirmation, and how all that is sent."""

import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from payments.simulator.ocpi.wire import Cut, Reply, Request
from tests.payments.conformance.cpo import Message, Tamper
from tests.payments.conformance.cpo_charging import said
from tests.payments.conformance.cpo_objects import PER_KWH
from tests.payments.conformance.faults import (
    Fault,
    body,
    carrying,
    coded,
    data,
    doubled,
    drop,
    http,
    in_a_hurry,
    lost,
    on,
    put,
    refuse,
    sent,
    status,
    success,
)  # fmt: skip

START, CONFIRMATIONS = "/START_SESSION", "/financial-advice-confirmations"
START_RESULT, STOP_RESULT = "commands START_SESSION", "commands STOP_SESSION"
CARD = {"country_code": "SE", "party_id": "ZZZ", "uid": "X", "type": "RFID", "contract_id": "X"}
LONG_AGO = "2020-01-01T00:00:00Z"


def _slow(reply: Reply) -> Reply:
    time.sleep(0.2)
    return reply


def _second_time(change: Any) -> Tamper:
    """Change the answer to a START_SESSION whose reference has come before."""
    seen: set[str] = set()

    def tamper(request: Request, reply: Reply) -> Reply:
        reference = request.body.get("authorization_reference") if isinstance(request.body, dict) else None
        if not request.path.endswith(START) or reference is None:
            return reply
        known = reference in seen
        seen.add(reference)
        return change(reply) if known else reply

    return tamper


def _cut(reply: Reply) -> Reply:
    raise Cut


def _free_again(message: Message) -> Sequence[Message]:
    return [message, replace(message, body={**message.body, "status": "AVAILABLE"})]


def _elsewhere(message: Message) -> Sequence[Message]:
    return [replace(message, url=f"{message.url}-2")]


def _by_patch(message: Message) -> Sequence[Message]:
    return [replace(message, method="PATCH")]


def _goes_back(message: Message) -> Sequence[Message]:
    return [message, replace(message, body={**message.body, "status": "ACTIVE"})]


def _period(told: Any) -> None:
    told["charging_periods"] = [
        {"start_date_time": LONG_AGO, "dimensions": [{"type": "ENERGY", "volume": 1}]}
    ]


def _falling() -> Any:
    left = [Decimal(50)]

    def fall(told: Any) -> None:
        left[0] -= 1
        told["kwh"] = left[0]

    return fall


def _free(told: Any) -> None:
    for evse in told.get("evses", []):
        evse["status"] = "AVAILABLE"


def _all_free(told: Any) -> None:
    _free(told)
    told["status"] = "AVAILABLE"


CHARGE = [
    Fault("charge-01", "the start is rejected", on("POST", START, lambda r: said("REJECTED"))),
    Fault("charge-02", "the start takes its time", on("POST", START, _slow), patch=in_a_hurry),
    Fault("charge-03", "the result is lost", sending=sent("POST", START_RESULT, lost), never_comes=True),
    Fault(
        "charge-04",
        "the result comes twice",
        sending=sent("POST", START_RESULT, doubled),
        comes_twice=True,
    ),
    Fault(
        "charge-04",
        "the result of the stop comes twice",
        sending=sent("POST", STOP_RESULT, doubled),
        comes_twice=True,
    ),
    Fault("charge-05", "the second answer is another", _second_time(lambda r: said("REJECTED"))),
    Fault("charge-06", "every POST starts", habit="starts again"),
    Fault("charge-07", "bodies are not compared", habit="does not compare"),
    Fault("charge-08", "a busy EVSE is started", habit="starts busy EVSEs"),
    Fault("charge-08", "two answers to a double tap", habit="changes its mind"),
    Fault("charge-09", "PATCH comes first", sending=sent("PUT", "sessions", _by_patch, status="PENDING")),
    Fault("charge-10", "no PENDING", sending=sent("PUT", "sessions", lost, status="PENDING")),
    Fault(
        "charge-11",
        "ACTIVE after COMPLETED",
        sending=sent("PUT", "sessions", _goes_back, status="COMPLETED"),
        comes_twice=True,
    ),
    Fault("charge-12", "a session without currency", sending=sent("PUT", "sessions", body(drop("currency")))),
    Fault("charge-13", "another token", sending=sent("PUT", "sessions", body(put(cdr_token=CARD)))),
    Fault(
        "charge-14",
        "the start goes back",
        sending=sent("PUT", "sessions", body(put(start_date_time=LONG_AGO)), status="ACTIVE"),
    ),
    Fault(
        "charge-15",
        "PATCH without last_updated",
        sending=sent("PATCH", "sessions", body(drop("last_updated"))),
    ),
    Fault("charge-16", "a period with every PATCH", sending=sent("PATCH", "sessions", body(_period))),
    Fault("charge-17", "energy falls", sending=sent("PATCH", "sessions", body(_falling()))),
    Fault("charge-18", "no progress", sending=sent("PATCH", "sessions", lost)),
    Fault(
        "charge-19",
        "an older state comes later",
        sending=sent("PATCH", "sessions", body(put(last_updated=LONG_AGO))),
    ),
    Fault("charge-20", "the EVSE stays AVAILABLE", on("GET", "/locations/LOC-1$", data(_free))),
    Fault("charge-21", "the status is not pushed", sending=sent("*", "locations", lost), never_comes=True),
    Fault(
        "charge-21",
        "the EVSE is told to be free",
        sending=sent("*", "locations", body(_all_free)),
        never_comes=True,
    ),
    Fault(
        "charge-21",
        "it is free again at once",
        sending=sent("PATCH", "locations", _free_again),
        never_comes=True,
    ),
    Fault(
        "charge-21",
        "an EVSE that nobody knows is told of",
        sending=sent("PATCH", "locations", _elsewhere),
        never_comes=True,
    ),
    Fault("charge-22", "the stop has no result", sending=sent("POST", STOP_RESULT, lost), never_comes=True),
    Fault(
        "charge-23",
        "no end",
        sending=sent("PUT", "sessions", body(drop("end_date_time")), status="COMPLETED"),
    ),
    Fault(
        "charge-24", "the list says something else", on("GET", "/sessions/?$", data(put(kwh=Decimal("99"))))
    ),
    Fault("charge-25", "a stop of nothing is promised", habit="stops again", never_comes=True),
    Fault("charge-26", "the second start is hung up on", _second_time(_cut)),
]


def _new_id() -> Any:
    count = [0]

    def change(told: Any) -> None:
        count[0] += 1
        told["id"] = f"CDR-{count[0]}"

    return change


def _in_wh(told: Any) -> None:
    for period in told["charging_periods"]:
        for dimension in period["dimensions"]:
            dimension["volume"] *= 1000


def _no_vat(told: Any) -> None:
    told["total_cost"] = {"before_taxes": told["total_cost"]["before_taxes"]}


def _too_much(told: Any) -> None:
    told["total_cost"] = {
        "before_taxes": Decimal("500.00"),
        "taxes": [{"name": "VAT", "amount": Decimal("127.50")}],
    }


def _cdr(change: Any) -> Any:
    return sent("POST", "cdrs", body(change))


BILL = [
    Fault("billing-01", "the CDR is not pushed", sending=sent("POST", "cdrs", lost), never_comes=True),
    Fault("billing-02", "one try only", habit="tries once", never_comes=True),
    Fault("billing-03", "a new id each time", sending=_cdr(_new_id())),
    Fault("billing-04", "two deliveries of a bill", sending=sent("POST", "cdrs", doubled), comes_twice=True),
    Fault("billing-05", "no total_time", sending=_cdr(drop("total_time"))),
    Fault("billing-06", "seven decimals", sending=_cdr(put(total_energy=Decimal("1.2345678")))),
    Fault("billing-07", "another session", sending=_cdr(put(session_id="S-0"))),
    Fault("billing-08", "another EVSE", sending=_cdr(lambda c: c["cdr_location"].update(evse_uid="EVSE-9"))),
    Fault("billing-09", "a total without VAT", sending=_cdr(_no_vat)),
    Fault("billing-10", "more than was reserved", sending=_cdr(_too_much)),
    Fault(
        "billing-11",
        "parts of another sum",
        sending=_cdr(put(total_energy_cost={"before_taxes": PER_KWH * 1000, "taxes": []})),
    ),
    Fault("billing-12", "periods in Wh", sending=_cdr(_in_wh)),
    Fault("billing-13", "time in seconds", sending=_cdr(put(total_time=42))),
    Fault("billing-14", "no tariff with the bill", sending=_cdr(put(tariffs=[]))),
    Fault("billing-15", "the bill is not listed", on("GET", "/cdrs/?$", success([]))),
    Fault(
        "billing-16",
        "the session told another price",
        sending=sent("PUT", "sessions", body(_too_much), status="COMPLETED"),
    ),
    Fault("billing-17", "the confirmation is refused", on("POST", CONFIRMATIONS, refuse())),
    Fault("billing-18", "the second is a conflict", on("POST", CONFIRMATIONS, http(409), when=status(200))),
]


def _keeps_raw(cpo: Any) -> None:
    """Send the token as it is, without base64."""

    def unencoded(message: Message) -> Sequence[Message]:
        return [replace(message, headers={**message.headers, "Authorization": f"Token {cpo.client_token}"})]

    cpo.sendings.append(unencoded)


def _elsewhere(message: Message) -> Sequence[Message]:
    return [replace(message, url=message.url.replace("/tariffs/", "/prices/"))]


def _other_path(message: Message) -> Sequence[Message]:
    return [replace(message, url=message.url + "X")]


PUSHES = [
    Fault("pushes-01", "the token without base64", setup=_keeps_raw),
    Fault("pushes-02", "one X-Request-ID for all", habit="repeats its request id"),
    Fault("pushes-02", "no X-Request-ID", habit="sends no ids"),
    Fault(
        "pushes-03", "bodies as text", sending=sent("PUT", "sessions", carrying(Content_Type="text/plain"))
    ),
    Fault("pushes-04", "no routing", sending=sent("*", "sessions", carrying(OCPI_to_party_id=None))),
    Fault("pushes-05", "another id in the path", sending=sent("PUT", "sessions", _other_path)),
    Fault("pushes-06", "a location without city", sending=sent("PUT", "locations", body(drop("city")))),
    Fault("pushes-07", "PATCH without time", sending=sent("PATCH", "locations", body(drop("last_updated")))),
    Fault("pushes-08", "a URL of its own making", sending=sent("PUT", "tariffs", _elsewhere)),
    Fault("pushes-09", "a push without token", sending=sent("PUT", "tariffs", carrying(Authorization=None))),
]


def _strange(item: Any) -> None:
    item["cdr_token"]["party_id"] = "ZZZ"


def _no_credit(cpo: Any) -> None:
    for name in ("credit", "credit_reference_id"):
        cpo.cdrs["2.3.0"][1].pop(name)


def _positive_credit(cpo: Any) -> None:
    bill, credit = cpo.cdrs["2.3.0"]
    credit["total_cost"] = bill["total_cost"]


SESSIONS, CDRS = "/sessions/?$", "/cdrs/?$"
RECORDS = [
    Fault("records-01", "no date is needed", on("GET", SESSIONS, success([]), when=coded(2001))),
    Fault("records-02", "sessions without currency", on("GET", SESSIONS, data(drop("currency")))),
    Fault("records-03", "a status of its own", on("GET", SESSIONS, data(put(status="RUNNING")))),
    Fault("records-04", "everybody's sessions", on("GET", SESSIONS, data(_strange))),
    Fault("records-05", "preferences for nothing", on("PUT", "/charging_preferences", success("ACCEPTED"))),
    Fault("records-06", "CDRs without total", on("GET", CDRS, data(drop("total_cost")))),
    Fault("records-07", "a currency in words", on("GET", CDRS, data(put(currency="euro")))),
    Fault("records-08", "everybody's CDRs", on("GET", CDRS, data(_strange))),
    Fault("records-09", "one id for all CDRs", on("GET", CDRS, data(put(id="CDR")))),
    Fault("records-10", "billed twice", setup=_no_credit),
    Fault("records-11", "a credit that charges", setup=_positive_credit),
    Fault(
        "records-12",
        "a float's noise",
        on("GET", CDRS, data(put(total_energy=Decimal("0.30000000000000004")))),
    ),
]

CHARGING = [*CHARGE, *BILL, *PUSHES, *RECORDS]
