"""OCPI's envelope and status codes (OCPI 2.3.0 transport_and_format, status_codes): the same both ways."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any


class Status(IntEnum):
    """OCPI status codes; what they say of a request that reached the OCPI layer."""

    SUCCESS = 1000
    CLIENT_ERROR = 2000  # generic
    INVALID = 2001  # invalid or missing parameters
    NOT_ENOUGH = 2002  # not enough information, say an authorisation request without a location
    UNKNOWN_LOCATION = 2003
    UNKNOWN_TOKEN = 2004
    SERVER_ERROR = 3000  # generic
    CLIENT_API_UNUSABLE = 3001  # we cannot use the API of the one who asks
    UNSUPPORTED_VERSION = 3002
    NO_MATCHING_ENDPOINTS = 3003


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one of our endpoints answers; `data` is written with Decimal numbers."""

    data: Any = None
    status: int = Status.SUCCESS
    message: str = ""
    http_status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def envelope(self, now: datetime) -> dict[str, Any]:
        """Return the body: `{data, status_code, status_message?, timestamp}`."""
        body: dict[str, Any] = {} if self.data is None else {"data": self.data}
        body["status_code"] = int(self.status)
        if self.message:
            body["status_message"] = self.message
        # Milliseconds tell answers of one second apart; more digits are not allowed.
        body["timestamp"] = now.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        return body


class OcpiError(Exception):
    """A request that is answered with an OCPI status other than success.

    OCPI: what reached the OCPI layer is answered with HTTP 2xx; another `http_status` is for what did not.
    """

    def __init__(
        self,
        status: Status,
        message: str,
        *,
        http_status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reply = Reply(status=status, message=message, http_status=http_status, headers=headers or {})


def unknown(what: str, *, status: Status = Status.INVALID) -> OcpiError:
    """Return the error for a GET of an object that is not there, or not there for this party."""
    return OcpiError(status, f"There is no such {what}.", http_status=404)


def created(data: Any = None) -> Reply:
    """Return the answer to an object that is new here."""
    return Reply(data=data, http_status=201)
