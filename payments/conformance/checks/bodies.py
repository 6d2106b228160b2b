"""Bodies that nobody should send (OCPI status_codes; RFC 8259)."""

from __future__ import annotations

from typing import Final

from payments import exact_json
from payments.conformance.bench import Bench
from payments.conformance.checks.transport import stop_nothing
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import came, command_response, never_a_crash, refused, unreadable
from payments.conformance.registry import check
from payments.conformance.verdicts import Level, Weak, expect

READING: Final = "status_codes: not a valid JSON string"
HUGE_BYTES: Final = 5 * 1024 * 1024
JSON_TYPE: Final = "application/json"


def _send(bench: Bench, raw: bytes, content_type: str = JSON_TYPE) -> Exchange:
    return bench.call("POST", "commands", "/STOP_SESSION", raw=raw, headers={"Content-Type": content_type})


@check("bodies-01", "A body that is no JSON gets 400", section=READING)
def broken_json_is_400(bench: Bench) -> None:
    """Cut off, words, bytes that are no UTF-8."""
    for raw in (b'{"session_id": "a', b"not json", b'{"a": "\xff\xfe"}'):
        unreadable(_send(bench, raw))


@check("bodies-02", "NaN and Infinity are no JSON: 400", section=READING + "; RFC 8259 §6")
def nan_is_400(bench: Bench) -> None:
    """Python and others read them unasked; as an amount they compare with nothing."""
    for word in (b"NaN", b"Infinity", b"-Infinity"):
        answer = _send(bench, b'{"session_id": "x", "response_url": "x", "amount": ' + word + b"}")
        unreadable(answer)


@check("bodies-03", "A doubled key is refused", section="RFC 8259 §4", level=Level.EXTENSION)
def doubled_keys_are_refused(bench: Bench) -> None:
    """Two readers would see two different messages."""
    answer = _send(bench, b'{"session_id": "a", "session_id": "b", "response_url": "x"}')
    never_a_crash(answer)
    fit = answer.http == 400 or (answer.code is not None and answer.code >= 2000)
    expect(fit, f"expected: HTTP 400 or an OCPI error; {came(answer)}", answer)


@check("bodies-04", "JSON of another kind gets 2001", section="status_codes, 2xxx")
def other_json_is_2001(bench: Bench) -> None:
    """A list, a text, a number, null: readable, so HTTP 2xx with an OCPI error."""
    for raw in (b"[]", b'"text"', b"17", b"null"):
        refused(_send(bench, raw), 2001)


@check("bodies-05", "Deep nesting is refused, not fallen over", section="Bad input", level=Level.SAFETY)
def deep_nesting_is_refused(bench: Bench) -> None:
    """Fifty thousand lists in each other."""
    answer = _send(bench, b'{"session_id": ' + b"[" * 50_000 + b"]" * 50_000 + b"}")
    never_a_crash(answer)
    fit = answer.http // 100 == 4 or (answer.code is not None and answer.code >= 2000)
    expect(fit, f"expected: a refusal; {came(answer)}", answer)


@check("bodies-06", "An oversized body is refused", section="Bad input", level=Level.SAFETY)
def huge_bodies_are_refused(bench: Bench) -> None:
    """Five megabytes where half a kilobyte is meant."""
    body = stop_nothing(bench, padding="x" * HUGE_BYTES)
    answer = _send(bench, exact_json.dumps(body).encode())
    never_a_crash(answer)
    fit = answer.http in (400, 413) or (answer.code is not None and answer.code >= 2000)
    expect(fit, f"expected: HTTP 413; {came(answer)}", answer)


@check("bodies-07", "application/json with a charset is read", section="transport_and_format, Request format")
def charset_is_no_obstacle(bench: Bench) -> None:
    """Many clients add charset=utf-8."""
    raw = exact_json.dumps(stop_nothing(bench)).encode()
    command_response(_send(bench, raw, "application/json; charset=utf-8"))


@check(
    "bodies-08",
    "A form is not read as a message",
    section="transport_and_format, Request format",
    level=Level.SHOULD,
)
def forms_are_refused(bench: Bench) -> None:
    """Content-Type SHALL be application/json; a browser's form can be sent from any page."""
    answer = _send(bench, b"session_id=x&response_url=y", "application/x-www-form-urlencoded")
    never_a_crash(answer)
    expect(answer.http in (400, 415), f"expected: HTTP 415 or 400; {came(answer)}", answer)


@check(
    "bodies-09",
    "JSON under another Content-Type is refused",
    section="transport_and_format, Request format",
    level=Level.EXTENSION,
)
def other_types_are_refused(bench: Bench) -> None:
    """text/plain is what another site's page can post without asking."""
    raw = exact_json.dumps(stop_nothing(bench)).encode()
    answer = _send(bench, raw, "text/plain")
    never_a_crash(answer)
    if answer.http not in (400, 415):
        raise Weak(f"expected: HTTP 415; {came(answer)}", answer)


@check(
    "bodies-10",
    "Control characters in a text are refused",
    section="types, string: printable only",
    level=Level.SAFETY,
)
def control_characters_are_refused(bench: Bench) -> None:
    """NUL and half a surrogate pair break databases further in."""
    for text in (b"\\u0000", b"a\\nb", b"\\ud800"):
        url = bench.ptp.response_url("STOP_SESSION").encode()
        answer = _send(bench, b'{"session_id": "' + text + b'", "response_url": "' + url + b'"}')
        never_a_crash(answer)
        told = answer.data.get("result") if isinstance(answer.data, dict) else None
        expect(not answer.ok or told != "ACCEPTED", f"expected: a refusal; {came(answer)}", answer)
