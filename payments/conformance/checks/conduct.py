"""The conduct of the peer over the whole run: every answer that came (OCPI transport_and_format, status_codes)."""

from __future__ import annotations

from typing import Final

from payments.conformance.bench import Bench
from payments.conformance.bodies import new_id
from payments.conformance.exchanges import Exchange
from payments.conformance.registry import check
from payments.conformance.rules.language import moment_problem
from payments.conformance.verdicts import Broken, Level, expect_none

KNOWN_CODES: Final = {1000, 2000, 2001, 2002, 2003, 2004, 3000, 3001, 3002, 3003, 4000, 4001, 4002, 4003}
CUSTOM: Final = {19, 29, 39, 49}  # the ranges that the text reserves
LEAKS: Final = (b"Traceback (most recent call last)", b"<html", b"<!doctype", b"<!DOCTYPE", b"stack trace")
SLOW_SECONDS: Final = 5.0


def _judge(exchanges: list[Exchange], wrong: list[tuple[Exchange, str]]) -> str:
    if wrong:
        told = [f"{exchange.method} {exchange.url}: {what}" for exchange, what in wrong]
        try:
            expect_none(told)
        except Broken as broken:
            raise Broken(str(broken), *(exchange for exchange, _ in wrong[:3])) from None
    return f"{len(exchanges)} answers"


def _answers(bench: Bench) -> list[Exchange]:
    """Every answer so far, and three more: a list, an absent object, a bad parameter."""
    bench.page("locations", limit=1)
    bench.get("locations", f"/{new_id()}")
    bench.page("tariffs", limit="many")
    return bench.caller.exchanges


@check("conduct-01", "No answer was an HTTP 5xx", section="status_codes")
def nothing_crashed(bench: Bench) -> str:
    """Whatever was sent."""
    seen = _answers(bench)
    return _judge(seen, [(e, f"HTTP {e.http}") for e in seen if e.http >= 500])


@check(
    "conduct-02",
    "Every HTTP 2xx is in OCPI's response format",
    section="transport_and_format, Response format",
)
def answers_are_envelopes(bench: Bench) -> str:
    """An object with a status_code that is an integer."""
    seen = _answers(bench)
    return _judge(seen, [(e, e.answer.problem) for e in seen if e.http // 100 == 2 and e.code is None])


@check(
    "conduct-03",
    "HTTP errors are in OCPI's response format too",
    section="transport_and_format, Response format",
    level=Level.SHOULD,
)
def errors_are_envelopes(bench: Bench) -> str:
    """Use HTTP error response codes, including the response format."""
    seen = _answers(bench)
    return _judge(
        seen, [(e, f"HTTP {e.http}, {e.answer.problem}") for e in seen if e.http >= 400 and e.code is None]
    )


@check("conduct-04", "Status codes are those of the text", section="status_codes")
def codes_are_known(bench: Bench) -> str:
    """Or in the ranges for custom codes."""
    seen = [e for e in _answers(bench) if e.code is not None]
    wrong = [(e, f"status_code {e.code}") for e in seen if not _is_known(e.code)]
    return _judge(seen, wrong)


def _is_known(code: int | None) -> bool:
    return code in KNOWN_CODES or (code or 0) // 100 in CUSTOM


@check(
    "conduct-05",
    "Every answer has a timestamp as the text writes it",
    section="transport_and_format, Response format; types, DateTime",
)
def timestamps_are_well_written(bench: Bench) -> str:
    """The time this message was generated."""
    seen = [e for e in _answers(bench) if e.code is not None]
    problems = [(e, moment_problem(e.answer.body.get("timestamp"))) for e in seen]
    return _judge(seen, [(e, f"timestamp: {problem}") for e, problem in problems if problem])


@check("conduct-06", "HTTP and OCPI agree on success", section="status_codes")
def both_layers_agree(bench: Bench) -> str:
    """1000 does not come with an HTTP error; what is wrong never comes as 1000 with HTTP 4xx."""
    seen = [e for e in _answers(bench) if e.code is not None]
    both = [(e, f"HTTP {e.http} with OCPI {e.code}") for e in seen if e.http >= 400 and (e.code or 0) < 2000]
    return _judge(seen, both)


@check("conduct-07", "Nothing was redirected", section="transport_and_format, Interface endpoints")
def nothing_was_redirected(bench: Bench) -> str:
    """A redirect loses bodies and tokens."""
    seen = _answers(bench)
    return _judge(
        seen, [(e, f"HTTP {e.http} to {e.header('location')}") for e in seen if 300 <= e.http < 400]
    )


@check(
    "conduct-08", "No answer shows the server's inside", section="A secret stays a secret", level=Level.SAFETY
)
def nothing_leaks(bench: Bench) -> str:
    """No traceback, no page of a framework."""
    seen = _answers(bench)
    wrong = [(e, f"{leak.decode()!r} in the body") for e in seen for leak in LEAKS if leak in e.answer.raw]
    return _judge(seen, wrong)


@check(
    "conduct-09", "Answers come within five seconds", section="A terminal waits for them", level=Level.SHOULD
)
def answers_are_quick(bench: Bench) -> str:
    """All but the handshake, in which the peer calls us back."""
    seen = [e for e in _answers(bench) if "/credentials" not in e.url]
    return _judge(seen, [(e, f"{e.seconds:.1f} s") for e in seen if e.seconds > SLOW_SECONDS])
