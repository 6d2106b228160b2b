"""Words of OCPI's wire: token header, times, JSON, envelope, status codes (OCPI transport_and_format)."""

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NoReturn

Json = Any

SUCCESS: Final = 1000  # OCPI status_codes
CLIENT_ERROR: Final = 2000
INVALID_PARAMETERS: Final = 2001
UNKNOWN_LOCATION: Final = 2003
SERVER_ERROR: Final = 3000
CLIENT_API_UNUSABLE: Final = 3001
UNSUPPORTED_VERSION: Final = 3002
ENDPOINTS_MISSING: Final = 3003


class NoAnswer(Exception):
    """The peer could not be reached, was too slow, or hung up before it answered."""


class NotOcpi(Exception):
    """The peer answered, but not as OCPI says; the message tells what was wrong."""


@dataclass(frozen=True, slots=True)
class Party:
    """A party of a platform, as routing headers and credentials name it."""

    country_code: str
    party_id: str


def token_header(token: str, *, raw: bool = False) -> str:
    """Write the Authorization header; `raw` is the older habit without base64 (OCPI transport_and_format)."""
    return "Token " + (token if raw else base64.b64encode(token.encode()).decode("ascii"))


def tokens_in(header: str | None) -> tuple[str, ...]:
    """Return what an Authorization header may mean: decoded, with its newline cut off, then as it stands."""
    scheme, _, value = (header or "").strip().partition(" ")
    value = value.strip()
    if scheme.lower() != "token" or not value:
        return ()
    with suppress(binascii.Error, UnicodeDecodeError):
        return base64.b64decode(value, validate=True).decode().rstrip("\r\n"), value
    return (value,)


def utc_text(at: datetime | None = None) -> str:
    """Write an OCPI DateTime with milliseconds and `Z`; now by default."""
    text = (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """Read an OCPI DateTime; without an offset it is UTC. Raises ValueError."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read_json(raw: bytes) -> Json:
    """Read JSON with Decimal for numbers that have a fraction; newlines and depth pass. Raises NotOcpi."""
    try:
        return json.loads(raw.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise NotOcpi(f"not JSON: {str(fault)[:200]}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def envelope(data: Json = None, status_code: int = SUCCESS, message: str = "") -> dict[str, Json]:
    """Return an OCPI response; `data` None is left out."""
    said: dict[str, Json] = {"status_code": status_code, "timestamp": utc_text()}
    if data is not None:
        said["data"] = data
    if message:
        said["status_message"] = message
    return said
