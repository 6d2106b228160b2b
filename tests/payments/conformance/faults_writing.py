"""Faults in what a provider writes: tokens, terminals, confirmations, commands that must be refused."""

import html
import time
from typing import Any

from payments.simulator.ocpi.wire import Reply, Request
from tests.payments.conformance.cpo_charging import said
from tests.payments.conformance.faults import (
    Fault,
    coded,
    data,
    drop,
    http,
    in_a_hurry,
    on,
    put,
    refuse,
    status,
    success,
)  # fmt: skip

TOKENS, TERMINALS, CONFIRMATIONS = "/tokens/", "/terminals", "/financial-advice-confirmations"
START, STOP = "/START_SESSION", "/STOP_SESSION"


def _slashed(request: Request, _: Reply) -> bool:
    return request.path.endswith("/")


def _says(name: str, value: Any) -> Any:
    return lambda request, _: isinstance(request.body, dict) and request.body.get(name) == value


def _lacks(name: str) -> Any:
    return lambda request, _: isinstance(request.body, dict) and name not in request.body


def _price_has(name: str) -> Any:
    return lambda request, _: (
        isinstance(request.body, dict) and name in (request.body.get("total_costs") or {})
    )


def _result(word: str) -> Any:
    return lambda reply: said(word)


def _slow(reply: Reply) -> Reply:
    time.sleep(0.2)
    return reply


OBJECTS = [
    Fault("tokens-01", "tokens are not taken", on("PUT", TOKENS, refuse(2000))),
    Fault("tokens-02", "another issuer comes back", on("GET", TOKENS, data(put(issuer="?")))),
    Fault("tokens-03", "always 200", on("PUT", TOKENS, http(200, 1000), when=status(201))),
    Fault("tokens-04", "PUT leaves old fields", on("GET", TOKENS, data(put(visual_number="12 34")))),
    Fault("tokens-05", "PATCH changes nothing", on("GET", TOKENS, data(put(valid=True)))),
    Fault("tokens-06", "PATCH without time is taken", on("PATCH", TOKENS, success(), when=coded(2001))),
    Fault("tokens-07", "types are mixed up", on("GET", TOKENS, data(put(type="RFID")))),
    Fault(
        "tokens-08",
        "any type will do",
        on("GET", TOKENS, success({"uid": "x"}), when=lambda q, _: "type" not in q.query),
    ),
    Fault("tokens-09", "an absent token crashes", on("GET", TOKENS, http(500, 3000), when=status(404))),
    Fault("tokens-10", "anybody's tokens are taken", habit="takes any token"),
    Fault("tokens-11", "the path is ignored", habit="ignores the path"),
    Fault("tokens-12", "incomplete tokens are taken", on("PUT", TOKENS, success(), when=coded(2001))),
    Fault("tokens-13", "422 for a wrong type", on("PUT", TOKENS, http(422, 2001), when=coded(2001))),
    Fault("tokens-14", "DELETE is 404", on("DELETE", TOKENS, http(404), when=status(405))),
    Fault("tokens-15", "PATCH of nothing succeeds", on("PATCH", TOKENS, success(), when=coded(2004))),
    Fault(
        "terminals-01",
        "last_updated is required",
        on("POST", TERMINALS, refuse(), when=_lacks("last_updated")),
    ),
    Fault("terminals-02", "terminals are not taken", on("POST", TERMINALS, refuse(2000))),
    Fault("terminals-03", "another city comes back", on("GET", TERMINALS, data(put(city="Oulu")))),
    Fault(
        "terminals-04", "a known terminal is a conflict", on("POST", TERMINALS, http(409), when=status(200))
    ),
    Fault("terminals-05", "always 201", on("POST", TERMINALS, http(201, 1000), when=status(200))),
    Fault("terminals-06", "the slash is redirected", on("POST", TERMINALS, http(308), when=_slashed)),
    Fault("terminals-07", "an absent terminal is 1000", on("GET", TERMINALS, success({}), when=status(404))),
    Fault(
        "terminals-08", "a terminal without id is taken", on("POST", TERMINALS, success(), when=coded(2001))
    ),
    Fault("terminals-09", "400 for a wrong type", on("POST", TERMINALS, http(400, 2001), when=coded(2001))),
    Fault("terminals-10", "no PUT", on("PUT", TERMINALS, http(405))),
    Fault("terminals-11", "no PATCH", on("PATCH", TERMINALS, http(405))),
    Fault("terminals-12", "DELETE succeeds", on("DELETE", TERMINALS, success(), when=status(405))),
    Fault(
        "terminals-13",
        "texts are escaped for a page",
        on("GET", TERMINALS, data(lambda t: t.update(address=html.escape(t.get("address", ""))))),
    ),
    Fault("confirmations-01", "an unknown reference is refused", on("POST", CONFIRMATIONS, refuse())),
    Fault(
        "confirmations-02", "another currency comes back", on("GET", CONFIRMATIONS, data(put(currency="SEK")))
    ),
    Fault(
        "confirmations-03",
        "a second POST is a conflict",
        on("POST", CONFIRMATIONS, http(409), when=status(200)),
    ),
    Fault(
        "confirmations-04",
        "a partial capture is refused",
        on("POST", CONFIRMATIONS, refuse(), when=_says("capture_status_code", "PARTIAL_SUCCESS")),
    ),
    Fault(
        "confirmations-05",
        "one Price alone is read",
        on("POST", CONFIRMATIONS, refuse(), when=_price_has("excl_vat")),
    ),
    Fault(
        "confirmations-06",
        "EFT data are required",
        on("POST", CONFIRMATIONS, refuse(), when=_lacks("eft_data")),
    ),
    Fault(
        "confirmations-07",
        "the first word stays",
        on("GET", CONFIRMATIONS, data(put(capture_status_code="FAILED"))),
    ),
    Fault("confirmations-08", "the slash is redirected", on("POST", CONFIRMATIONS, http(301), when=_slashed)),
    Fault(
        "confirmations-09",
        "incomplete ones are taken",
        on("POST", CONFIRMATIONS, success(), when=coded(2001)),
    ),
    Fault(
        "confirmations-10",
        "422 for a wrong type",
        on("POST", CONFIRMATIONS, http(422, 2001), when=coded(2001)),
    ),
    Fault(
        "confirmations-11", "odd amounts are taken", on("POST", CONFIRMATIONS, success(), when=coded(2001))
    ),
    Fault(
        "confirmations-12", "an absent one is 1000", on("GET", CONFIRMATIONS, success({}), when=status(404))
    ),
    Fault("confirmations-13", "DELETE is 404", on("DELETE", CONFIRMATIONS, http(404), when=status(405))),
]

COMMANDS = [
    Fault(
        "commands-01", "REJECTED in place of 2003", on("POST", START, _result("REJECTED"), when=coded(2003))
    ),
    Fault("commands-02", "an unknown EVSE is started", habit="starts anywhere"),
    Fault("commands-03", "400 for a missing field", on("POST", START, http(400, 2001), when=coded(2001))),
    Fault(
        "commands-04",
        "malformed starts are accepted",
        on("POST", START, _result("ACCEPTED"), when=coded(2001)),
    ),
    Fault("commands-05", "an EVSE is guessed", habit="guesses EVSEs"),
    Fault("commands-06", "a connector is guessed", habit="guesses connectors"),
    Fault("commands-07", "any host is trusted", habit="trusts example.org"),
    Fault("commands-08", "the cloud's metadata is called", habit="trusts 169.254.169.254"),
    Fault("commands-08", "a decimal loopback is called", habit="trusts 2130706433"),
    Fault("commands-09", "no TLS is needed", habit="trusts http://ptp.example.org"),
    Fault(
        "commands-10",
        "no URL crashes",
        on("POST", START, http(500, 3000), when=_says("response_url", "not a url")),
    ),
    Fault("commands-11", "an unknown session is accepted", on("POST", STOP, _result("ACCEPTED"))),
    Fault(
        "commands-12",
        "a stop of nothing is answered",
        on("POST", STOP, _result("UNKNOWN_SESSION"), when=coded(2001)),
    ),
    Fault("commands-13", "a result of its own", on("POST", "/UNLOCK_CONNECTOR", _result("MAYBE"))),
    Fault("commands-14", "yesterday is reserved", on("POST", "/RESERVE_NOW", _result("ACCEPTED"))),
    Fault("commands-15", "a cancellation crashes", on("POST", "/CANCEL_RESERVATION", http(500, 3000))),
    Fault("commands-16", "an unknown command crashes", on("POST", "/OPEN_SESAME", http(500, 3000))),
    Fault("commands-17", "GET is 404", on("GET", START, http(404), when=status(405))),
    Fault("commands-18", "a stranger pays", habit="bills strangers"),
    Fault("commands-19", "a refusal without words", on("POST", START, data(drop("message")))),
    Fault("commands-20", "a slow refusal", on("POST", START, _slow), patch=in_a_hurry),
]

WRITING = [*OBJECTS, *COMMANDS]
