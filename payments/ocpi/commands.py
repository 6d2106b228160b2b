"""OCPI commands: the bodies that a PTP posts, and our two answers, now (response) and later (result).

OCPI 2.3.0 mod_commands. Whether a `response_url` may be called at all is for the sender to judge
(payments/outbound.py): here it is an address by its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.reading import Reader, given
from payments.ocpi.tokens import read_cdr_token

MAX_MESSAGE: Final = 512  # DisplayText.text


class CommandType(StrEnum):
    """The last part of the URL that a command is posted to."""

    START_SESSION = "START_SESSION"
    STOP_SESSION = "STOP_SESSION"
    UNLOCK_CONNECTOR = "UNLOCK_CONNECTOR"  # for help desks, never for drivers
    RESERVE_NOW = "RESERVE_NOW"
    CANCEL_RESERVATION = "CANCEL_RESERVATION"


class CommandResponseType(StrEnum):
    """What we say at once."""

    ACCEPTED = "ACCEPTED"  # on its way to the charger; the result follows
    REJECTED = "REJECTED"  # will not be done; no result follows
    NOT_SUPPORTED = "NOT_SUPPORTED"  # not by us, or not by this charger
    UNKNOWN_SESSION = "UNKNOWN_SESSION"  # no such session of this PTP


class CommandResultType(StrEnum):
    """What came of it at the charger."""

    ACCEPTED = "ACCEPTED"  # the charger took the command; nothing may have started yet
    CANCELED_RESERVATION = "CANCELED_RESERVATION"  # by the CPO
    EVSE_OCCUPIED = "EVSE_OCCUPIED"  # another session is there
    EVSE_INOPERATIVE = "EVSE_INOPERATIVE"  # out of service or faulted
    FAILED = "FAILED"  # the charger tried
    NOT_SUPPORTED = "NOT_SUPPORTED"  # the charger does not know the command
    REJECTED = "REJECTED"  # the charger would not
    TIMEOUT = "TIMEOUT"  # the charger did not answer in time
    UNKNOWN_RESERVATION = "UNKNOWN_RESERVATION"  # the charger has no such reservation


@dataclass(frozen=True, slots=True)
class StartSessionBody:
    """A START_SESSION; `token` has exactly the fields of a CdrToken, to be copied to Session and CDR."""

    response_url: str
    token: dict[str, str]
    location_id: str
    evse_uid: str | None = None
    connector_id: str | None = None
    authorization_reference: str | None = None


@dataclass(frozen=True, slots=True)
class StopSessionBody:
    """A STOP_SESSION."""

    response_url: str
    session_id: str


@dataclass(frozen=True, slots=True)
class UnlockConnectorBody:
    """An UNLOCK_CONNECTOR."""

    response_url: str
    location_id: str
    evse_uid: str
    connector_id: str


@dataclass(frozen=True, slots=True)
class ReserveNowBody:
    """A RESERVE_NOW."""

    response_url: str
    token: dict[str, str]
    expires_at: datetime
    reservation_id: str
    location_id: str
    evse_uid: str | None = None
    authorization_reference: str | None = None


@dataclass(frozen=True, slots=True)
class CancelReservationBody:
    """A CANCEL_RESERVATION."""

    response_url: str
    reservation_id: str


CommandBody = (
    StartSessionBody | StopSessionBody | UnlockConnectorBody | ReserveNowBody | CancelReservationBody
)


def parse_command(command: CommandType, obj: object) -> CommandBody:
    """Read the body of a command. Raises `InvalidInput` with every fault."""
    match command:
        case CommandType.START_SESSION:
            return parse_start_session(obj)
        case CommandType.STOP_SESSION:
            return parse_stop_session(obj)
        case CommandType.UNLOCK_CONNECTOR:
            return parse_unlock_connector(obj)
        case CommandType.RESERVE_NOW:
            return parse_reserve_now(obj)
        case CommandType.CANCEL_RESERVATION:
            return parse_cancel_reservation(obj)


def parse_start_session(obj: object) -> StartSessionBody:
    """Read a START_SESSION; a connector without its EVSE is refused. Raises `InvalidInput`."""
    reader = Reader(obj, "")
    fields = _ids(reader, "location_id") | {
        "token": read_cdr_token(reader, "token"),
        "evse_uid": _id(reader, "evse_uid"),
        "connector_id": _id(reader, "connector_id"),
        "authorization_reference": _id(reader, "authorization_reference"),
    }
    if reader.value("connector_id") is not None:
        reader.value("evse_uid", required=True)
    reader.require_sound()
    return StartSessionBody(**fields)


def parse_stop_session(obj: object) -> StopSessionBody:
    """Read a STOP_SESSION. Raises `InvalidInput` with every fault."""
    reader = Reader(obj, "")
    fields = _ids(reader, "session_id")
    reader.require_sound()
    return StopSessionBody(**fields)


def parse_unlock_connector(obj: object) -> UnlockConnectorBody:
    """Read an UNLOCK_CONNECTOR. Raises `InvalidInput` with every fault."""
    reader = Reader(obj, "")
    fields = _ids(reader, "location_id", "evse_uid", "connector_id")
    reader.require_sound()
    return UnlockConnectorBody(**fields)


def parse_reserve_now(obj: object) -> ReserveNowBody:
    """Read a RESERVE_NOW. Raises `InvalidInput` with every fault."""
    reader = Reader(obj, "")
    fields = _ids(reader, "reservation_id", "location_id") | {
        "token": read_cdr_token(reader, "token"),
        "expires_at": reader.moment("expiry_date", required=True),
        "evse_uid": _id(reader, "evse_uid"),
        "authorization_reference": _id(reader, "authorization_reference"),
    }
    reader.require_sound()
    return ReserveNowBody(**fields)


def parse_cancel_reservation(obj: object) -> CancelReservationBody:
    """Read a CANCEL_RESERVATION. Raises `InvalidInput` with every fault."""
    reader = Reader(obj, "")
    fields = _ids(reader, "reservation_id")
    reader.require_sound()
    return CancelReservationBody(**fields)


def _ids(reader: Reader, *names: str) -> dict[str, Any]:
    """The address for the result and these ids, all required."""
    ids = {name: _id(reader, name, required=True) for name in names}
    return {"response_url": reader.url("response_url", required=True), **ids}


def _id(reader: Reader, name: str, *, required: bool = False) -> str | None:
    return reader.ci_text(name, longest=36, required=required)


# --- Answers --------------------------------------------------------------------------------------


def command_response(
    result: CommandResponseType, timeout_seconds: int, messages: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Write a CommandResponse; `messages` are texts for the driver by their ISO 639-1 language."""
    return {"result": result.value, "timeout": timeout_seconds} | _message(messages)


def command_result(result: CommandResultType, messages: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Write a CommandResult; `messages` as above."""
    return {"result": result.value} | _message(messages)


def _message(messages: Mapping[str, str] | None) -> dict[str, Any]:
    texts = [{"language": name, "text": text[:MAX_MESSAGE]} for name, text in (messages or {}).items()]
    return given({"message": texts})
