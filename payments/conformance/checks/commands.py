"""Commands that shall be refused, and what a refusal looks like (OCPI mod_commands)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from payments.conformance import bodies
from payments.conformance.bench import Bench
from payments.conformance.charging.target import Target, any_place
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import (
    at_once,
    came,
    command_refused,
    command_response,
    never_a_crash,
    not_allowed,
    refused,
)
from payments.conformance.registry import check
from payments.conformance.verdicts import Level, Untried, Weak, expect
from payments.simulator.ocpi.wire import utc_text

START: Final = "mod_commands, StartSession Object"
STOP: Final = "mod_commands, StopSession Object"
RESPONSE: Final = "mod_commands, CommandResponse Object"
CALLBACK: Final = "A peer's URL must not turn the server against others (SSRF)"
FOREIGN: Final = (
    "https://example.org/results",
    "https://example.net:8443/",
    "https://cpo.example.com.example.org/",
)
PRIVATE: Final = (
    "http://169.254.169.254/latest/meta-data/",
    "https://10.0.0.1/",
    "https://192.168.1.1/admin",
    "http://[::ffff:10.0.0.1]/",
    "http://[fd00::1]/",
    "http://2130706433/",
    "http://0x7f000001/",
    "https://localhost.example.org@10.1.2.3/",
)
NO_WEB: Final = (
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/",
    "not a url",
    "//example.org/x",
    "https:///x",
)


def _start(bench: Bench, place: Target, **change: Any) -> Exchange:
    body = bodies.start_session(
        bench.options.party,
        response_url=bench.ptp.response_url("START_SESSION"),
        location_id=place.location_id,
        **place.where,
    )
    whole = {name: value for name, value in {**body, **change}.items() if value is not ...}
    return bench.call("POST", "commands", "/START_SESSION", body=whole)


def _nowhere(bench: Bench, **change: Any) -> Exchange:
    """A StartSession that no peer can carry out."""
    body = bodies.start_session(
        bench.options.party,
        response_url=bench.ptp.response_url("START_SESSION"),
        location_id=bodies.new_id(),
    )
    whole = {name: value for name, value in {**body, **change}.items() if value is not ...}
    return bench.call("POST", "commands", "/START_SESSION", body=whole)


@check(
    "commands-01", "START_SESSION at an unknown location gets 2003", section="status_codes, 2003; " + START
)
def unknown_locations_are_2003(bench: Bench) -> None:
    """The text's own example of this status code."""
    refused(_nowhere(bench), 2003)


@check("commands-02", "START_SESSION at an unknown EVSE or connector is refused", section=START, writes=True)
def unknown_evses_are_refused(bench: Bench) -> None:
    """At a location that exists."""
    place = any_place(bench)
    command_refused(_start(bench, place, evse_uid=bodies.new_id()), "an unknown EVSE")
    command_refused(_start(bench, place, connector_id=bodies.new_id()), "an unknown connector")


@check("commands-03", "START_SESSION without a required field gets 2001", section=START + "; status_codes")
def incomplete_starts_are_refused(bench: Bench) -> None:
    """response_url, token, location_id, each in turn; then a token without uid."""
    for name in ("response_url", "token", "location_id"):
        refused(_nowhere(bench, **{name: ...}), 2001)
    refused(_nowhere(bench, token=bodies.without(bodies.token(bench.options.party), "uid")), 2001)


@check("commands-04", "Values of the wrong type or length get 2001", section=START + "; types")
def malformed_starts_are_refused(bench: Bench) -> None:
    """A reference of 37 characters, a number as location, a token that is a text."""
    for change in ({"authorization_reference": "x" * 37}, {"location_id": 17}, {"token": "card"}):
        refused(_nowhere(bench, **change), 2001)


@check("commands-05", "connector_id needs evse_uid", section=START + ", evse_uid", writes=True)
def a_connector_needs_its_evse(bench: Bench) -> None:
    """Required when connector_id is set."""
    command_refused(_start(bench, any_place(bench), evse_uid=...), "a connector_id without evse_uid")


@check(
    "commands-06",
    "An EVSE that asks for a connector is not started without",
    section="mod_locations, START_SESSION_CONNECTOR_REQUIRED",
    writes=True,
)
def a_required_connector_is_required(bench: Bench) -> None:
    """The capability obliges the provider; the CPO must not guess."""
    place = any_place(bench)
    if not place.connector_required:
        raise Untried("The EVSE does not have START_SESSION_CONNECTOR_REQUIRED.")
    command_refused(_start(bench, place, connector_id=...), "a missing connector_id")


@check(
    "commands-07",
    "A response_url at a foreign host is refused",
    section=CALLBACK,
    level=Level.SAFETY,
    writes=True,
)
def foreign_callbacks_are_refused(bench: Bench) -> None:
    """The result goes to the registered platform and nowhere else."""
    for url in FOREIGN:
        command_refused(_start(bench, any_place(bench), response_url=url), f"response_url {url}")


@check(
    "commands-08",
    "A response_url at a private address is refused",
    section=CALLBACK,
    level=Level.SAFETY,
    writes=True,
)
def private_callbacks_are_refused(bench: Bench) -> None:
    """Link-local, private, mapped, decimal, hexadecimal, behind a user name."""
    for url in PRIVATE:
        command_refused(_start(bench, any_place(bench), response_url=url), f"response_url {url}")


@check(
    "commands-09",
    "A response_url without TLS at another host is refused",
    section="transport_and_format, Security and authentication",
    level=Level.SAFETY,
    writes=True,
)
def bare_callbacks_are_refused(bench: Bench) -> None:
    """The result carries our token."""
    url = "http://ptp.example.org/results"
    command_refused(_start(bench, any_place(bench), response_url=url), f"response_url {url}")


@check("commands-10", "A response_url that is none gets 2001", section="types, URL; status_codes")
def odd_callbacks_are_refused(bench: Bench) -> None:
    """Other schemes, no host, no URL at all, 256 characters."""
    for url in (*NO_WEB, "https://ptp.example.org/" + "x" * 240):
        answer = _nowhere(bench, response_url=url)
        never_a_crash(answer)
        fit = answer.code in (2001, 2003) or (answer.ok and command_response(answer) != "ACCEPTED")
        expect(fit, f"expected: OCPI 2001 for {url[:60]}; {came(answer)}", answer)


@check(
    "commands-11",
    "STOP_SESSION of an unknown session says UNKNOWN_SESSION",
    section="mod_commands, CommandResponseType",
)
def unknown_sessions_are_told(bench: Bench) -> None:
    """A CommandResponse, not an error: the request was well formed."""
    body = {"response_url": bench.ptp.response_url("STOP_SESSION"), "session_id": bodies.new_id()}
    answer = bench.call("POST", "commands", "/STOP_SESSION", body=body)
    result = command_response(answer)
    if result == "REJECTED":
        raise Weak("expected: UNKNOWN_SESSION; came: REJECTED", answer)
    expect(result == "UNKNOWN_SESSION", f"expected: UNKNOWN_SESSION; came: {result}", answer)


@check("commands-12", "STOP_SESSION without session_id gets 2001", section=STOP + "; status_codes")
def incomplete_stops_are_refused(bench: Bench) -> None:
    """Missing; then no text."""
    url = bench.ptp.response_url("STOP_SESSION")
    for body in ({"response_url": url}, {"response_url": url, "session_id": 17}):
        refused(bench.call("POST", "commands", "/STOP_SESSION", body=body), 2001)


@check(
    "commands-13",
    "UNLOCK_CONNECTOR is answered: NOT_SUPPORTED or better",
    section="mod_commands, UnlockConnector Object",
    writes=True,
)
def unlocking_is_answered(bench: Bench) -> str:
    """For help desk operators only; a terminal may get NOT_SUPPORTED."""
    place = any_place(bench)
    body = {
        "response_url": bench.ptp.response_url("UNLOCK_CONNECTOR"),
        "location_id": place.location_id,
        **place.where,
    }
    return command_response(bench.call("POST", "commands", "/UNLOCK_CONNECTOR", body=body))


@check(
    "commands-14", "RESERVE_NOW that has expired is not accepted", section="mod_commands, ReserveNow Object"
)
def expired_reservations_are_refused(bench: Bench) -> None:
    """NOT_SUPPORTED, REJECTED or an error."""
    body = {
        "response_url": bench.ptp.response_url("RESERVE_NOW"),
        "token": bodies.token(bench.options.party),
        "expiry_date": utc_text(datetime.now(UTC) - timedelta(days=1)),
        "reservation_id": bodies.new_id(),
        "location_id": any_place(bench).location_id,
    }
    command_refused(bench.call("POST", "commands", "/RESERVE_NOW", body=body), "a reservation of yesterday")


@check(
    "commands-15",
    "CANCEL_RESERVATION of an unknown reservation is answered",
    section="mod_commands, CancelReservation Object",
)
def unknown_reservations_are_refused(bench: Bench) -> None:
    """NOT_SUPPORTED, REJECTED or an error; never a crash."""
    body = {"response_url": bench.ptp.response_url("CANCEL_RESERVATION"), "reservation_id": bodies.new_id()}
    answer = bench.call("POST", "commands", "/CANCEL_RESERVATION", body=body)
    command_refused(answer, "an unknown reservation")


@check("commands-16", "A command that does not exist is refused", section="mod_commands, CommandType")
def unknown_commands_are_refused(bench: Bench) -> None:
    """404, or an OCPI error, or NOT_SUPPORTED."""
    answer = bench.call("POST", "commands", "/OPEN_SESAME", body={"response_url": "x"})
    never_a_crash(answer)
    if answer.ok:
        command_refused(answer, "a command that does not exist")


@check(
    "commands-17", "Commands are posted: other methods get 405", section="mod_commands, Receiver Interface"
)
def commands_are_posted(bench: Bench) -> None:
    """GET, PUT, PATCH, DELETE are n/a."""
    for method in ("GET", "PUT", "DELETE"):
        body: dict[str, str] | None = {} if method == "PUT" else None
        not_allowed(bench.call(method, "commands", "/START_SESSION", body=body))


@check(
    "commands-18",
    "A token of another party starts nothing",
    section="mod_commands, StartSession Object: SHALL only use tokens that are owned by this eMSP",
    level=Level.SAFETY,
    writes=True,
)
def other_parties_tokens_start_nothing(bench: Bench) -> None:
    """Using tokens of others is not allowed: somebody else would get the bill."""
    token = {**bodies.token(bench.options.party), "country_code": "ZZ", "party_id": "ZZZ"}
    command_refused(_start(bench, any_place(bench), token=token), "a token of ZZ-ZZZ")


@check(
    "commands-19",
    "A refusal tells the driver why",
    section=RESPONSE + ", message",
    level=Level.SHOULD,
    writes=True,
)
def refusals_have_words(bench: Bench) -> None:
    """The terminal shows the message; without it the driver stands there."""
    answer = _start(bench, any_place(bench), connector_id=bodies.new_id())
    if answer.ok and command_response(answer) != "ACCEPTED":
        expect(answer.data.get("message"), "expected: a message of at least one language; none came", answer)
        return
    expect(not answer.ok and answer.answer.message, f"expected: words; {came(answer)}", answer)


@check(
    "commands-20",
    "A refusal comes within a second",
    section="mod_commands, Flow: to prevent long blocking calls",
    level=Level.SHOULD,
)
def refusals_are_quick(bench: Bench) -> str:
    """Of an unknown location and of an unknown session."""
    stop = {"response_url": bench.ptp.response_url("STOP_SESSION"), "session_id": bodies.new_id()}
    return at_once(_nowhere(bench), bench.call("POST", "commands", "/STOP_SESSION", body=stop))
