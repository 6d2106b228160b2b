"""What answers are expected, and how a disappointment is worded: expected first, then what came."""

from __future__ import annotations

from typing import Any, Final

from payments.conformance.exchanges import Exchange
from payments.conformance.rules.language import Aspect, Kind, faults
from payments.conformance.rules.partners import COMMAND_RESPONSE
from payments.conformance.verdicts import Broken, Untried, Weak, expect, expect_none

REFUSALS: Final = ("REJECTED", "NOT_SUPPORTED", "UNKNOWN_SESSION")

AT_ONCE_SECONDS: Final = 1.0  # to a command; the charger's own word comes later


def came(exchange: Exchange) -> str:
    """Say what came back."""
    return f"came: {exchange.answer}"


def accepted(exchange: Exchange, what: str) -> Any:
    """HTTP 2xx and OCPI 1xxx; return the data. Raises Broken."""
    expect(exchange.ok, f"expected: {what} (HTTP 2xx, OCPI 1000); {came(exchange)}", exchange)
    return exchange.data


def accepted_list(exchange: Exchange, what: str) -> list[Any]:
    """The same for a list. Raises Broken."""
    data = accepted(exchange, what)
    if not isinstance(data, list):
        raise Broken(f"expected: a list in `data`; came: {type(data).__name__}", exchange)
    return data


def refused(exchange: Exchange, code: int = 2001, *also: int) -> None:
    """An error of the OCPI layer: HTTP 2xx with this status code. Raises Broken; Weak for another 2xxx."""
    wanted = "/".join(map(str, (code, *also)))
    if exchange.code in (code, *also) and exchange.http // 100 == 2:
        return
    told = f"expected: HTTP 2xx with OCPI {wanted}; {came(exchange)}"
    if exchange.http // 100 != 2:
        raise Broken(f"{told}. What has reached the OCPI layer must not get an HTTP error.", exchange)
    if exchange.code is not None and 2000 <= exchange.code < 3000:
        raise Weak(told, exchange)
    raise Broken(told, exchange)


def absent(exchange: Exchange) -> None:
    """GET of an object that is not there: HTTP 404 with an envelope. Raises Broken; Weak for a 2xxx in HTTP 200."""
    told = f"expected: HTTP 404 with an OCPI 2xxx; {came(exchange)}"
    if exchange.http == 404:
        expect(exchange.code is not None and 2000 <= exchange.code < 3000, told, exchange)
        return
    if exchange.http // 100 == 2 and exchange.code is not None and 2000 <= exchange.code < 3000:
        raise Weak(told, exchange)
    raise Broken(told, exchange)


def not_allowed(exchange: Exchange) -> None:
    """A method that the module does not have: HTTP 405 with an envelope. Raises Broken."""
    expect(exchange.http == 405, f"expected: HTTP 405; {came(exchange)}", exchange)
    if exchange.code is None:
        raise Weak("HTTP 405 came, but without OCPI's response format", exchange)


def unauthorized(exchange: Exchange) -> None:
    """No or a bad token: HTTP 401. Raises Broken."""
    expect(exchange.http == 401, f"expected: HTTP 401; {came(exchange)}", exchange)


def unreadable(exchange: Exchange) -> None:
    """What is no JSON: HTTP 400. Raises Broken; Weak where the envelope is missing."""
    expect(exchange.http == 400, f"expected: HTTP 400; {came(exchange)}", exchange)
    if exchange.code is None:
        raise Weak("HTTP 400 came, but without OCPI's response format", exchange)


def never_a_crash(exchange: Exchange) -> None:
    """Whatever was sent, the answer is not a 5xx. Raises Broken."""
    expect(exchange.http < 500, f"expected: a typed refusal; {came(exchange)}", exchange)


def command_response(exchange: Exchange) -> str:
    """A CommandResponse; return its result. Raises Broken."""
    data = accepted(exchange, "a CommandResponse")
    expect_none(faults(COMMAND_RESPONSE, [("CommandResponse", data)]), exchange)
    return str(data["result"])


def command_refused(exchange: Exchange, why: str) -> None:
    """A command that may not be carried out: an OCPI 2xxx, or a CommandResponse other than ACCEPTED.

    Raises Broken.
    """
    if exchange.ok:
        result = command_response(exchange)
        expect(result in REFUSALS, f"expected: a refusal, for {why}; came: {result}", exchange)
        return
    told = f"expected: a refusal, for {why} (HTTP 2xx); {came(exchange)}"
    fit = exchange.http // 100 == 2 and exchange.code is not None and 2000 <= exchange.code < 3000
    expect(fit, told, exchange)


def follows(kind: Kind, objects: list[tuple[str, Any]], *aspects: Aspect) -> str:
    """All objects keep these rules; return how many there were. Raises Broken, Untried without objects."""
    if not objects:
        raise Untried("There is no object to look at.")
    expect_none(faults(kind, objects, *aspects))
    return f"{len(objects)} looked at"


def at_once(*exchanges: Exchange) -> str:
    """Each was answered within a second; return the slowest. Raises Broken."""
    slowest = max(exchanges, key=lambda exchange: exchange.seconds)
    told = f"expected: within {AT_ONCE_SECONDS} s; came after {slowest.seconds:.2f} s"
    expect(slowest.seconds < AT_ONCE_SECONDS, told, slowest)
    return f"{slowest.seconds * 1000:.0f} ms"
