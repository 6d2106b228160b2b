"""Terminals (OCPI mod_payments, Receiver Interface, Terminals)."""

from __future__ import annotations

from typing import Any, Final

from payments.conformance import bodies
from payments.conformance.bench import Bench
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import absent, accepted, came, never_a_crash, not_allowed, refused
from payments.conformance.registry import check
from payments.conformance.rules.language import faults
from payments.conformance.rules.partners import TERMINAL
from payments.conformance.verdicts import Level, expect, expect_none
from payments.simulator.ocpi.wire import utc_text

POST: Final = "mod_payments, POST Terminal Method"
GET: Final = "mod_payments, GET Terminal Method"
OBJECT: Final = "mod_payments, Terminal Object"
PLACE: Final = "/terminals"


def _post(bench: Bench, body: Any, slash: str = "") -> Exchange:
    return bench.call("POST", "payments", PLACE + slash, body=body)


def _stored(bench: Bench) -> dict[str, Any]:
    """A terminal that the peer has stored, once for each version. Raises Broken."""

    def store() -> dict[str, Any]:
        body = bodies.full_terminal()
        accepted(_post(bench, body), "a new Terminal")
        return body

    return bench.fact("a terminal", store)


def _read(bench: Bench, body: dict[str, Any]) -> tuple[Exchange, dict[str, Any]]:
    answer = bench.get("payments", f"{PLACE}/{body['terminal_id']}")
    data = accepted(answer, f"terminal {body['terminal_id']}")
    expect_none(faults(TERMINAL, [("Terminal", data)]), answer)
    return answer, data


@check("terminals-01", "A terminal of which only the id is known is taken", section=POST, writes=True)
def a_minimal_terminal_is_taken(bench: Bench) -> None:
    """The object sent here can be just the terminal id; the text's example has no last_updated either."""
    body = bodies.minimal_terminal()
    accepted(_post(bench, body), "a Terminal with its id alone")
    answer, data = _read(bench, body)
    told = f"expected: {body['terminal_id']}; came: {data['terminal_id']}"
    expect(data["terminal_id"] == body["terminal_id"], told, answer)


@check("terminals-02", "A whole terminal is taken", section=POST, writes=True)
def a_full_terminal_is_taken(bench: Bench) -> None:
    """With address, coordinates, references and invoice data."""
    _stored(bench)


@check("terminals-03", "A terminal is given back as it was sent", section=GET, writes=True)
def a_terminal_is_given_back(bench: Bench) -> None:
    """What the provider owns, the provider said; the assignment is the CPO's."""
    body = _stored(bench)
    answer, data = _read(bench, body)
    names = ("terminal_id", "customer_reference", "address", "city", "country", "coordinates", "reference")
    wrong = [f"{n}: {body[n]!r} expected, {data.get(n)!r} came" for n in names if data.get(n) != body[n]]
    expect_none(wrong, answer)


@check(
    "terminals-04",
    "The same terminal again is an update, not an error",
    section=POST + " (no PUT is there)",
    writes=True,
)
def a_terminal_may_come_again(bench: Bench) -> None:
    """An answer may be lost; a second POST must heal it."""
    body = _stored(bench)
    again = {**body, "city": "Espoo", "last_updated": utc_text()}
    accepted(_post(bench, again), "the same Terminal again")
    answer, data = _read(bench, body)
    expect(data.get("city") == "Espoo", f"expected: city Espoo; came: {data.get('city')!r}", answer)


@check(
    "terminals-05",
    "201 for a new terminal, 200 for a known one",
    section="status_codes",
    level=Level.SHOULD,
    writes=True,
)
def created_and_updated_differ(bench: Bench) -> None:
    """POST of the same terminal twice."""
    body = bodies.full_terminal()
    first, second = _post(bench, body), _post(bench, body)
    accepted(second, "the same Terminal again")
    expect(
        (first.http, second.http) == (201, 200),
        f"expected: 201, 200; came: {first.http}, {second.http}",
        second,
    )


@check("terminals-06", "A terminal is taken at …/terminals/ too", section=POST + ", examples", writes=True)
def the_slash_of_the_examples_works(bench: Bench) -> None:
    """The text's examples post there."""
    accepted(_post(bench, bodies.minimal_terminal(), "/"), "a Terminal at …/terminals/")


@check("terminals-07", "An absent terminal gets 404", section="status_codes", level=Level.SHOULD)
def an_absent_terminal_is_404(bench: Bench) -> None:
    """An id that nobody has sent."""
    absent(bench.get("payments", f"{PLACE}/{bodies.new_id()}"))


@check("terminals-08", "A terminal without id gets 2001", section=OBJECT + "; status_codes", writes=True)
def a_terminal_needs_its_id(bench: Bench) -> None:
    """Missing, empty, no text."""
    for body in ({"city": "Helsinki"}, {"terminal_id": ""}, {"terminal_id": 4711}):
        refused(_post(bench, body), 2001)


@check("terminals-09", "Values of the wrong type or length get 2001", section=OBJECT + "; types", writes=True)
def malformed_terminals_are_refused(bench: Bench) -> None:
    """37 characters, an unknown invoice_creator, coordinates as a text, a country of two letters."""
    for change in (
        {"terminal_id": "x" * 37},
        {"invoice_creator": "BANK"},
        {"coordinates": "60.1,24.9"},
        {"location_ids": "LOC1"},
        {"last_updated": "yesterday"},
    ):
        refused(_post(bench, {**bodies.full_terminal(), **change}), 2001)


@check(
    "terminals-10",
    "PUT updates a terminal",
    section="beyond mod_payments: libraries in the field use it",
    level=Level.EXTENSION,
    writes=True,
)
def put_is_understood(bench: Bench) -> None:
    """The text has POST alone on the CPO's side; public libraries know PUT alone."""
    body = _stored(bench)
    changed = {**body, "city": "Vantaa", "last_updated": utc_text()}
    accepted(
        bench.call("PUT", "payments", f"{PLACE}/{body['terminal_id']}", body=changed), "the changed Terminal"
    )
    answer, data = _read(bench, body)
    expect(data.get("city") == "Vantaa", f"expected: city Vantaa; came: {data.get('city')!r}", answer)


@check(
    "terminals-11",
    "PATCH changes a terminal",
    section="beyond mod_payments: a provider mentions it",
    level=Level.EXTENSION,
    writes=True,
)
def patch_is_understood(bench: Bench) -> None:
    """One field; the rest stays."""
    body = _stored(bench)
    change = {"reference": "SN-000456", "last_updated": utc_text()}
    accepted(bench.call("PATCH", "payments", f"{PLACE}/{body['terminal_id']}", body=change), "the change")
    answer, data = _read(bench, body)
    wanted, got = ("SN-000456", body["address"]), (data.get("reference"), data.get("address"))
    expect(got == wanted, f"expected: reference and address {wanted}; came: {got}", answer)


@check(
    "terminals-12",
    "A terminal cannot be deleted",
    section="mod_payments, Terminals Interface",
    level=Level.SHOULD,
)
def terminals_are_not_deleted(bench: Bench) -> None:
    """The module has no DELETE."""
    not_allowed(bench.call("DELETE", "payments", f"{PLACE}/{bodies.new_id()}"))


@check(
    "terminals-13", "A dangerous address does no harm", section="Bad input", level=Level.SAFETY, writes=True
)
def odd_texts_are_kept_or_refused(bench: Bench) -> None:
    """Markup and formulas are data: kept as they are, or refused."""
    body = {**bodies.full_terminal(), "address": "<script>alert(1)</script> =1+1"}
    answer = _post(bench, body)
    never_a_crash(answer)
    if not answer.ok:
        return
    told, data = _read(bench, body)
    expect(data.get("address") == body["address"], f"expected: the text as it was sent; {came(told)}", told)
