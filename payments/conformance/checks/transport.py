"""Envelope, ids, routing, slashes, methods (OCPI transport_and_format, status_codes)."""

from __future__ import annotations

from typing import Any, Final

from payments.conformance.bench import Bench
from payments.conformance.bodies import new_id
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import (
    absent,
    accepted,
    accepted_list,
    came,
    command_response,
    never_a_crash,
    not_allowed,
    refused,
)
from payments.conformance.registry import check
from payments.conformance.rules.language import moment_problem
from payments.conformance.verdicts import Level, Untried, Weak, expect, expect_none

FORMAT: Final = "transport_and_format, Response format"
IDS: Final = "transport_and_format, Unique message IDs"
ROUTING: Final = "transport_and_format, Message Routing Headers"
LISTS: Final = ("locations", "tariffs", "sessions", "cdrs")


def stop_nothing(bench: Bench, **more: Any) -> dict[str, Any]:
    """A StopSession of a session that nobody knows: a command that changes nothing."""
    return {"response_url": bench.ptp.response_url("STOP_SESSION"), "session_id": new_id(), **more}


def _post(bench: Bench, path: str = "/STOP_SESSION", **more: Any) -> Exchange:
    return bench.call("POST", "commands", path, body=stop_nothing(bench, **more))


@check("transport-01", "Answers have data, status_code and timestamp", section=FORMAT)
def answers_are_envelopes(bench: Bench) -> None:
    """On every list: data a list, status_code an integer, timestamp a DateTime."""
    for module in LISTS:
        answer = bench.page(module, limit=1)
        accepted_list(answer, f"a page of {module}")
        problem = moment_problem(answer.answer.body.get("timestamp"))
        expect(not problem, f"{module}, timestamp: {problem}", answer)


@check("transport-02", "Content-Type is application/json", section=FORMAT)
def answers_are_json(bench: Bench) -> None:
    """With or without a charset."""
    for answer in (bench.page("locations", limit=1), bench.get("locations", f"/{new_id()}")):
        told = answer.header("content-type") or "none"
        expect(
            told.split(";")[0].strip().lower() == "application/json",
            f"expected: application/json; came: {told}",
            answer,
        )


@check("transport-03", "The answer carries the request's X-Request-ID", section=IDS)
def request_id_is_echoed(bench: Bench) -> None:
    """The same value, whatever it looks like."""
    _echoed(bench, "X-Request-ID")


@check("transport-04", "The answer carries the request's X-Correlation-ID", section=IDS)
def correlation_id_is_echoed(bench: Bench) -> None:
    """The same value, whatever it looks like."""
    _echoed(bench, "X-Correlation-ID")


def _echoed(bench: Bench, name: str) -> None:
    for value in (new_id(), "kit.4711/a=b"):
        answer = bench.call("GET", "locations", query={"limit": 1}, headers={name: value})
        expect(
            answer.header(name) == value, f"expected: {name}: {value}; came: {answer.header(name)}", answer
        )


@check("transport-05", "Errors carry the ids too", section=IDS)
def errors_carry_the_ids(bench: Bench) -> None:
    """On HTTP 404 and on an error of the OCPI layer."""
    ids = {"X-Request-ID": new_id(), "X-Correlation-ID": new_id()}
    for answer in (
        bench.call("GET", "locations", f"/{new_id()}", headers=ids),
        bench.call("GET", "locations", query={"limit": "many"}, headers=ids),
    ):
        wrong = [
            f"expected: {k}: {v}; came: {answer.header(k)}" for k, v in ids.items() if answer.header(k) != v
        ]
        expect_none(wrong, answer)


@check("transport-06", "A request without ids is served", section=IDS, level=Level.EXTENSION)
def ids_may_be_missing(bench: Bench) -> None:
    """Many libraries leave them out."""
    bare = {"X-Request-ID": None, "X-Correlation-ID": None}
    accepted(bench.call("GET", "locations", query={"limit": 1}, headers=bare), "a page of locations")


@check("transport-07", "Routing headers come back, to and from swapped", section=ROUTING)
def routing_is_swapped(bench: Bench) -> None:
    """Direct response: TO is the requesting party, FROM the receiving party."""
    cpo, us = bench.connection.cpo, bench.options.party
    if cpo is None:
        raise Untried("The credentials named no CPO.")
    answer = bench.page("locations", limit=1)
    wanted = {
        "OCPI-to-country-code": us.country_code,
        "OCPI-to-party-id": us.party_id,
        "OCPI-from-country-code": cpo.country_code,
        "OCPI-from-party-id": cpo.party_id,
    }
    wrong = [
        f"expected: {name}: {value}; came: {answer.header(name)}"
        for name, value in wanted.items()
        if (answer.header(name) or "").upper() != value.upper()
    ]
    expect_none(wrong, answer)


@check("transport-08", "A request without routing headers is served", section=ROUTING, level=Level.EXTENSION)
def routing_may_be_missing(bench: Bench) -> None:
    """Two platforms with one party each may leave them out."""
    answer = bench.plain("GET", bench.url("locations") + "?limit=1")
    accepted(answer, "a page of locations")


@check(
    "transport-09", "A request to a party that is not there gets nothing", section=ROUTING, level=Level.SAFETY
)
def strangers_get_nothing(bench: Bench) -> None:
    """The TO headers select the party; another party's data must not come instead."""
    to_nobody = {"OCPI-to-country-code": "ZZ", "OCPI-to-party-id": "ZZZ"}
    answer = bench.call("GET", "locations", query={"limit": 1}, headers=to_nobody)
    never_a_crash(answer)
    expect(not (answer.ok and answer.data), f"expected: an error or nothing; {came(answer)}", answer)


@check(
    "transport-10",
    "GET is the same with and without a trailing slash",
    section="mod_locations and others, examples",
)
def slashes_do_not_matter_for_reading(bench: Bench) -> None:
    """The text's examples have both; a redirect loses headers in many clients."""
    for module in LISTS:
        query = {"limit": "1"} | ({"date_from": "2000-01-01T00:00:00Z"} if module == "sessions" else {})
        for slash in ("", "/"):
            answer = bench.call("GET", module, slash, query=query)
            told = f"expected: a page of {module} at …{slash or ' (no slash)'}; {came(answer)}"
            expect(answer.ok, told, answer)


@check("transport-11", "POST is the same with and without a trailing slash", section="mod_payments, examples")
def slashes_do_not_matter_for_posting(bench: Bench) -> None:
    """A redirect would lose the body."""
    for slash in ("", "/"):
        answer = _post(bench, f"/STOP_SESSION{slash}")
        expect(answer.http // 100 == 2, f"expected: HTTP 2xx at …STOP_SESSION{slash}; {came(answer)}", answer)
        command_response(answer)


@check(
    "transport-12",
    "Fields that the text does not know are no reason to refuse",
    section="transport_and_format, Non-specified JSON fields",
)
def unknown_fields_are_accepted(bench: Bench) -> None:
    """An OCPI platform SHALL NOT reject payloads for them; on 2.2.1 that is custom."""
    plain = command_response(_post(bench))
    answer = _post(bench, x_terminal_mood="fine", nested={"a": [1, {"b": None}]})
    told = command_response(answer)
    expect(told == plain, f"expected: {plain}, as without the fields; came: {told}", answer)


@check(
    "transport-13", "An absent object gets 404 with an envelope", section="status_codes", level=Level.SHOULD
)
def absent_objects_are_404(bench: Bench) -> None:
    """A GET for what does not exist."""
    absent(bench.get("locations", f"/{new_id()}"))


@check(
    "transport-14",
    "A method that a module does not have gets 405",
    section="mod_locations and others, Interfaces",
)
def other_methods_are_405(bench: Bench) -> None:
    """The lists of a CPO are read-only."""
    for module in LISTS:
        for method in ("POST", "DELETE"):
            body = {"id": "x"} if method == "POST" else None
            not_allowed(bench.call(method, module, body=body))
    not_allowed(bench.get("commands", "/STOP_SESSION"))


@check("transport-15", "Errors of the OCPI layer are HTTP 2xx", section="status_codes")
def ocpi_errors_are_http_2xx(bench: Bench) -> None:
    """To a request that has reached the OCPI layer an HTTP error MUST NOT be returned."""
    for answer in (
        bench.call("POST", "commands", "/STOP_SESSION", body={"session_id": new_id()}),
        bench.call("POST", "commands", "/START_SESSION", body={}),
        bench.page("tariffs", offset="first"),
    ):
        refused(answer)


@check("transport-16", "An error says what was wrong", section=FORMAT, level=Level.SHOULD)
def errors_have_words(bench: Bench) -> None:
    """status_message helps whoever debugs."""
    answer = bench.call("POST", "commands", "/STOP_SESSION", body={"session_id": new_id()})
    refused(answer)
    expect(answer.answer.message, "expected: a status_message; none came", answer)


@check(
    "transport-17", "Odd ids in a path are answered, not crashed on", section="Bad input", level=Level.SAFETY
)
def odd_paths_are_answered(bench: Bench) -> None:
    """Dots, encoded slashes and NULs, letters of another script, far too long."""
    for name in ("..%2f..%2fetc", "%00", "%E2%80%AE", "a%0Ab", "x" * 300, "'%22%3B--", "%ff"):
        answer = bench.get("locations", f"/{name}")
        never_a_crash(answer)
        expect(not answer.ok, f"expected: no such location; {came(answer)}", answer)


@check(
    "transport-18",
    "A party is found whatever the case of its letters",
    section="types, CiString",
    level=Level.SHOULD,
)
def parties_have_no_case(bench: Bench) -> None:
    """CiString is case-insensitive, so is the party in a routing header."""
    cpo = bench.connection.cpo
    if cpo is None:
        raise Untried("The credentials named no CPO.")
    lower = {"OCPI-to-country-code": cpo.country_code.lower(), "OCPI-to-party-id": cpo.party_id.lower()}
    answer = bench.call("GET", "locations", query={"limit": 1}, headers=lower)
    if not answer.ok:
        raise Weak(f"expected: a page of locations; {came(answer)}", answer)
