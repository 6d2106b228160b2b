"""The log of OCPI traffic: who said what to whom, without secrets, for people and for tests."""

import logging
import re
import time
from typing import Any, Final

from django.core.cache import cache
from django.db import DatabaseError

from payments import exact_json
from payments.models import OcpiMessage

logger = logging.getLogger(__name__)

LONGEST_BODY: Final = 8_000
LONGEST_ID: Final = 64
# Anybody may knock with a token that nobody knows, as often as the line carries: enough is kept to see what a
# partner does wrong, and not enough to fill the disk.
STRANGERS_PER_MINUTE: Final = 30
LONGEST_OF_STRANGERS: Final = 500
_HIDDEN: Final = "…"
# A token in what should hold none, and what looks like a card number in anything a PTP tells. A body may have been
# cut in the middle of one; bounds keep a hostile body from taking a second.
_TOKEN: Final = re.compile(r'("token"\s*:\s*")(?:[^"\\]|\\(?:.|\Z))*+("|\Z)', re.DOTALL)
# A space of any kind may stand between the digits, and before them, as itself or as JSON escapes it.
_ESCAPE: Final = r"\\u(?:00[aA]0|0009|20[0-9a-fA-F]{2})"
_BREAK: Final = rf"(?:[\s-]|\\[tnr]|{_ESCAPE})?"
_CARD_NUMBER: Final = re.compile(
    rf"(?:(?<![0-9A-Za-z-])|(?<=\\[tnr])|(?<={_ESCAPE}))(?:[0-9]{_BREAK}){{9,60}}([0-9]{{4}})(?![0-9A-Za-z-])"
)


def redacted(body: str) -> str:
    """Return a body as it may be kept: no tokens, no card numbers, not endless."""
    kept = _TOKEN.sub(rf"\g<1>{_HIDDEN}\g<2>", body[:LONGEST_BODY])
    return _CARD_NUMBER.sub(rf"{_HIDDEN}\g<1>", kept).replace("\0", "")


def _without_tokens(body: str) -> str:
    """Return a body of credentials with nothing to read in the place of a token, "" where its place is not known.

    JSON writes one text in many ways, so it is read and written anew; in what is no JSON a token may be anything.
    """
    try:
        told = exact_json.loads_leniently(body.encode())
    except exact_json.UnreadableJson:
        return ""
    return exact_json.dumps(_blanked(told)) if isinstance(told, dict) else ""


def _blanked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _HIDDEN if part and "token" in name.lower() else _blanked(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_blanked(part) for part in value]
    return _HIDDEN if isinstance(value, exact_json.Unreadable) else value


def keep(message: OcpiMessage) -> None:
    """Store a message with its bodies redacted; a log that cannot be written fails no request."""
    if message.connection is None and _too_many_strangers():
        return
    message.request_body, message.response_body = (
        redacted(_without_tokens(body) if _is_of_credentials(message) else body)
        for body in (message.request_body, message.response_body)
    )
    if message.connection is None:
        message.request_body = message.request_body[:LONGEST_OF_STRANGERS]
    message.url = message.url[:500]
    message.request_id, message.correlation_id = (
        message.request_id[:LONGEST_ID],
        message.correlation_id[:LONGEST_ID],
    )
    message.error = message.error[:300]
    try:
        message.save(force_insert=True)
    except DatabaseError:
        logger.exception("an OCPI message could not be logged")


def _is_of_credentials(message: OcpiMessage) -> bool:
    """Also where a platform has taken the version in our address for another, or another case of its letters."""
    return message.module == "credentials" or "credentials" in message.url.lower()


def _too_many_strangers() -> bool:
    """Count a message of somebody unknown and say whether this minute has had enough of them."""
    name = f"ocpi-strangers:{int(time.time()) // 60}"
    cache.add(name, 0, timeout=120)
    try:
        return bool(cache.incr(name) > STRANGERS_PER_MINUTE)
    except ValueError:  # evicted between the two calls
        return False
