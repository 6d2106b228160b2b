"""OCPI Session objects: our sessions as a PTP sees them, written whole or as a patch, and read.

OCPI 2.3.0 mod_sessions. Energy is in kWh. A patch holds scalars only: `charging_periods` in a PATCH are
appended by the receiver, so that one sent twice would count twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.prices import Price, price_document, read_price
from payments.ocpi.reading import Reader, given
from payments.ocpi.tariffs import utc_text
from payments.ocpi.tokens import read_cdr_token
from sessions_app.states import SessionState

MAX_KWH: Final = Decimal(10**9)
MAX_PERIODS: Final = 100_000
MAX_DIMENSIONS: Final = 50


class SessionStatus(StrEnum):
    """State of a session, as OCPI knows it."""

    ACTIVE = "ACTIVE"  # accepted: energy flows, or may flow
    COMPLETED = "COMPLETED"  # over, to be billed
    INVALID = "INVALID"  # will not be billed
    PENDING = "PENDING"  # not started yet
    RESERVATION = "RESERVATION"  # started due to a reservation, not charging yet


class AuthMethod(StrEnum):
    """How the driver was let in."""

    AUTH_REQUEST = "AUTH_REQUEST"  # the token's owner was asked
    COMMAND = "COMMAND"  # its token came with a command
    WHITELIST = "WHITELIST"  # a known token


# MONEY.md: one OCPI status for each of our states.
_STATUS: Final = {
    SessionState.REQUESTED: SessionStatus.PENDING,
    SessionState.STARTING: SessionStatus.PENDING,
    SessionState.CHARGING: SessionStatus.ACTIVE,
    SessionState.SUSPENDED: SessionStatus.ACTIVE,
    SessionState.STOPPING: SessionStatus.ACTIVE,
    SessionState.ENDED: SessionStatus.COMPLETED,
    SessionState.REJECTED: SessionStatus.INVALID,
    SessionState.EXPIRED: SessionStatus.INVALID,
    SessionState.CANCELLED: SessionStatus.INVALID,
}


def ocpi_session_status(state: str, nothing_charged: bool) -> SessionStatus:
    """OCPI's status for a state of ours; an ended session without a bill is INVALID: "will not be billed"."""
    status = _STATUS[SessionState(state)]
    return SessionStatus.INVALID if status is SessionStatus.COMPLETED and nothing_charged else status


@dataclass(frozen=True, slots=True)
class SessionValues:
    """A session at one moment.

    `start_at` is when it was asked for while it is PENDING, and when it became ACTIVE from then on.
    `total` includes what is due so far; without it nothing is said about money.
    """

    country_code: str
    party_id: str
    session_id: str
    status: SessionStatus
    start_at: datetime
    energy_kwh: Decimal
    cdr_token: Mapping[str, str]
    location_id: str
    evse_uid: str
    connector_id: str
    currency: str
    updated_at: datetime
    end_at: datetime | None = None
    authorization_reference: str = ""
    auth_method: AuthMethod = AuthMethod.COMMAND
    meter_id: str = ""
    total: Price | None = None
    charging_periods: tuple[Mapping[str, Any], ...] = ()


def kwh(energy_wh: int) -> Decimal:
    """Energy as OCPI writes it."""
    return Decimal(energy_wh).scaleb(-3)


def session_document(values: SessionValues, version: Version) -> dict[str, Any]:
    """Write a whole OCPI Session, for GET and PUT."""
    document = given(
        {
            "country_code": values.country_code,
            "party_id": values.party_id,
            "id": values.session_id,
            "start_date_time": utc_text(values.start_at),
            "end_date_time": utc_text(values.end_at),
            "kwh": values.energy_kwh,
            "cdr_token": dict(values.cdr_token),
            "auth_method": values.auth_method.value,
            "authorization_reference": values.authorization_reference,
            "location_id": values.location_id,
            "evse_uid": values.evse_uid,
            "connector_id": values.connector_id,
            "meter_id": values.meter_id,
            "currency": values.currency,
            "charging_periods": [dict(period) for period in values.charging_periods],
            "total_cost": values.total and price_document(values.total),
            "status": values.status.value,
            "last_updated": utc_text(values.updated_at),
        }
    )
    return in_dialect(Kind.SESSION, document, version)


def patch_document(values: SessionValues, version: Version) -> dict[str, Any]:
    """Write the body of a PATCH: what changes while a session runs, each value absolute.

    Arriving twice or in the wrong order it does no harm beyond showing an older value for a while.
    """
    names = ("end_date_time", "kwh", "total_cost", "status", "last_updated")
    document = session_document(values, version)
    return {name: document[name] for name in names if name in document}


# --- Read -----------------------------------------------------------------------------------------


def parse_session(obj: object, *, path: str = "") -> SessionValues:
    """Read an OCPI Session of either version. Raises `InvalidInput` with every fault."""
    reader = Reader(obj, path)
    values = {
        "country_code": reader.ci_text("country_code", longest=2, required=True),
        "party_id": reader.ci_text("party_id", longest=3, required=True),
        "session_id": reader.ci_text("id", longest=36, required=True),
        "status": reader.choice("status", SessionStatus, required=True),
        "start_at": reader.moment("start_date_time", required=True),
        "end_at": reader.moment("end_date_time"),
        "energy_kwh": reader.number("kwh", most=MAX_KWH, required=True),
        "cdr_token": read_cdr_token(reader, "cdr_token"),
        "auth_method": reader.choice("auth_method", AuthMethod, required=True),
        "authorization_reference": reader.ci_text("authorization_reference", longest=36) or "",
        "location_id": reader.ci_text("location_id", longest=36, required=True),
        "evse_uid": reader.ci_text("evse_uid", longest=36, required=True),
        "connector_id": reader.ci_text("connector_id", longest=36, required=True),
        "meter_id": reader.text("meter_id", longest=255) or "",
        "currency": reader.text("currency", longest=3, required=True),
        "total": read_price(reader.part("total_cost")),
        "charging_periods": read_periods(reader),
        "updated_at": reader.moment("last_updated", required=True),
    }
    reader.require_sound()
    return SessionValues(**values)  # type: ignore[arg-type]  # each is there, or a fault was noted


def read_periods(reader: Reader, *, least: int = 0) -> tuple[Mapping[str, Any], ...]:
    """Read `charging_periods` of a Session or a CDR: times and volumes are checked, the rest is kept."""
    periods = []
    for item in reader.items("charging_periods", most=MAX_PERIODS, least=least):
        item.moment("start_date_time", required=True)
        item.ci_text("tariff_id", longest=36)
        for dimension in item.items("dimensions", most=MAX_DIMENSIONS, least=1):
            dimension.text("type", longest=40, required=True)
            dimension.number("volume", most=MAX_KWH, least=-MAX_KWH, required=True)
        periods.append(item.fields)
    return tuple(periods)
