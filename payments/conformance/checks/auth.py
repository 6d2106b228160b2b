"""The Authorization header (OCPI transport_and_format, Authorization header)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Final

from payments.conformance.bench import ROUTED, Bench
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import accepted, unauthorized
from payments.conformance.registry import Stage, check
from payments.conformance.verdicts import Level, expect, expect_none

HEADER: Final = "transport_and_format, Authorization header"
METHOD: Final = {"commands": "POST", "tokens": "GET", "payments": "GET"}
PATH: Final = {
    "commands": "/STOP_SESSION",
    "tokens": "/NL/PTC/conformance-kit",
    "payments": "/terminals/conformance-kit",
}


def _with(authorization: str | None) -> dict[str, str | None]:
    return {"Authorization": authorization}


@check("auth-01", "A request without token gets 401", section=HEADER, stage=Stage.INVITED)
def missing_token_is_refused(bench: Bench) -> None:
    """No header at all."""
    unauthorized(bench.plain("GET", bench.options.url, headers=_with(None)))


@check("auth-02", "Another scheme than Token gets 401", section=HEADER, stage=Stage.INVITED)
def other_scheme_is_refused(bench: Bench) -> None:
    """The right token, called Bearer."""
    encoded = base64.b64encode(bench.token.encode()).decode()
    unauthorized(bench.plain("GET", bench.options.url, headers=_with(f"Bearer {encoded}")))


@check("auth-03", "A token that is no base64 gets 401", section=HEADER, stage=Stage.INVITED)
def malformed_token_is_refused(bench: Bench) -> None:
    """Neither a crash nor a welcome; also for no value and for bytes that are no text."""
    for value in ("Token", "Token %%%", "Token /w==", "Token a b c", "Token " + "A" * 3_000):
        unauthorized(bench.plain("GET", bench.options.url, headers=_with(value)))


@check("auth-04", "An unknown token gets 401", section=HEADER, stage=Stage.INVITED)
def unknown_token_is_refused(bench: Bench) -> None:
    """Well formed, but nobody's; also the right one with a letter more."""
    for token in (secrets.token_urlsafe(24), bench.token + "x"):
        unauthorized(bench.plain("GET", bench.options.url, token=token))


@check(
    "auth-05",
    "A token encoded with its newline is understood",
    section=HEADER + " (the text's own examples are encoded so)",
    level=Level.SHOULD,
    stage=Stage.INVITED,
)
def newline_is_forgiven(bench: Bench) -> None:
    """The text's own examples decode to a token with a newline."""
    encoded = base64.b64encode(bench.token.encode() + b"\n").decode()
    answer = bench.plain("GET", bench.options.url, headers=_with(f"Token {encoded}"))
    accepted(answer, "the versions, as for the token without newline")


@check("auth-06", "Token A opens no functional module", section=HEADER, stage=Stage.INVITED)
def token_a_opens_no_module(bench: Bench) -> None:
    """401 on everything but versions and credentials."""
    for module in ROUTED:
        unauthorized(_ask(bench, module, token=bench.options.token))


@check("auth-07", "Every functional module asks for a token", section=HEADER)
def modules_ask_for_a_token(bench: Bench) -> None:
    """Without the header each answers 401, whatever the body."""
    for module in ROUTED:
        unauthorized(_ask(bench, module, headers=_with(None)))


@check("auth-08", "Every functional module refuses an unknown token", section=HEADER)
def modules_refuse_unknown_tokens(bench: Bench) -> None:
    """A well-formed token that is nobody's."""
    for module in ROUTED:
        unauthorized(_ask(bench, module, token=secrets.token_urlsafe(24)))


@check("auth-09", "Token A opens nothing after the registration", section="credentials, Registration")
def token_a_is_used_up(bench: Bench) -> None:
    """It was thrown away; 401 also on versions."""
    token = bench.options.token
    unauthorized(_ask(bench, "locations", token=token))
    unauthorized(bench.plain("GET", bench.options.url, token=token))


@check(
    "auth-10",
    "401 comes in OCPI's response format",
    section="transport_and_format, Response format",
    level=Level.SHOULD,
)
def refusal_is_an_envelope(bench: Bench) -> None:
    """Errors of the HTTP layer include the response format."""
    answer = bench.plain("GET", bench.options.url, headers=_with(None))
    unauthorized(answer)
    told = f"expected: an envelope with a status code of 2000 and more; came: {answer.answer}"
    expect(answer.code is not None and answer.code >= 2000, told, answer)
    expect(answer.data in (None, [], {}), f"expected: no data; came: {answer.data!r}", answer)


@check(
    "auth-11", "A refusal does not repeat the token", section="A secret stays a secret", level=Level.SAFETY
)
def refusal_keeps_the_secret(bench: Bench) -> None:
    """Answers are logged where headers are not."""
    token = "guess-" + secrets.token_urlsafe(24)
    answer = bench.plain("GET", bench.options.url, token=token)
    unauthorized(answer)
    leaks = [where for where, text in _texts(answer.answer.raw, dict(answer.answer.headers)) if token in text]
    expect_none([f"the token stands in the answer's {where}" for where in leaks], answer)


def _texts(raw: bytes, headers: dict[str, str]) -> list[tuple[str, str]]:
    return [("body", raw.decode("utf-8", "replace")), ("headers", str(headers))]


def _ask(
    bench: Bench, module: str, *, token: str | None = None, headers: Mapping[str, str | None] | None = None
) -> Exchange:
    body = {"conformance": "kit"} if module == "commands" else None
    method, path = METHOD.get(module, "GET"), PATH.get(module, "")
    return bench.call(method, module, path, body=body, token=token, headers=headers)
