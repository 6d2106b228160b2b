"""OCPP 1.6J requests of charging stations, translated to facts. Foreign words end here.

Each handler runs on a database thread inside one transaction and returns the answer's payload. A transaction
message (StartTransaction, MeterValues, StopTransaction) is always answered as accepted: what is wrong with it
is stored and judged, because a refusal would make the charger repeat it and block the queue behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.ocpp import station
from chargers.ocpp.numbers import read_integer, read_time
from chargers.ocpp.station import Message, Reply
from chargers.ocpp.v16_transactions import (
    meter_values,
    note_lost,
    start_transaction,
    stop_transaction,
    unapplied_start,
)

Handler = Callable[[Message], Reply]

STATUSES = {
    "Available": EvseStatus.AVAILABLE,
    "Preparing": EvseStatus.PREPARING,
    "Charging": EvseStatus.CHARGING,
    "SuspendedEV": EvseStatus.SUSPENDED_EV,
    "SuspendedEVSE": EvseStatus.SUSPENDED_EVSE,
    "Finishing": EvseStatus.FINISHING,
    "Reserved": EvseStatus.RESERVED,
    "Unavailable": EvseStatus.UNAVAILABLE,
    "Faulted": EvseStatus.FAULTED,
}


@dataclass(frozen=True, slots=True)
class Route:
    """How one action is handled."""

    handle: Handler
    needs_database: bool = True
    # For transaction messages: the answer when a fault of ours kept them from being applied.
    unapplied: Handler | None = None
    note_lost: Callable[[Message], None] | None = None  # tells whom it concerns, in a transaction of its own
    before: str = ""  # failpoints
    after: str = ""

    @property
    def is_transaction_message(self) -> bool:
        return self.unapplied is not None


def boot_notification(message: Message) -> Reply:
    """OCPP 1.6 §4.2: the station is known, or it would not be connected."""
    payload = message.payload
    serial = payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber")
    station.note_boot(
        message,
        {
            "vendor": _text(payload.get("chargePointVendor")),
            "model": _text(payload.get("chargePointModel")),
            "serial_number": _text(serial),
            "firmware_version": _text(payload.get("firmwareVersion")),
        },
    )
    return Reply(
        {
            "status": "Accepted",
            "currentTime": _now(),
            "interval": settings.OCPP_HEARTBEAT_INTERVAL_SECONDS,
        }
    )


def heartbeat(message: Message) -> Reply:
    """OCPP 1.6 §4.6: the time, and no write."""
    return Reply({"currentTime": _now()})


def status_notification(message: Message) -> Reply:
    """OCPP 1.6 §4.9."""
    payload = message.payload
    changed_at, _ = read_time(payload.get("timestamp"), message.received_at)
    station.note_status(
        message,
        number=read_integer(payload.get("connectorId")) or 0,
        status=STATUSES[payload["status"]],
        error_code=_text(payload.get("errorCode")),
        changed_at=changed_at,
    )
    return Reply({})


def authorize(message: Message) -> Reply:
    """OCPP 1.6 §4.1: only the tag of a live session may charge."""
    may = station.may_charge(message, str(message.payload["idTag"]))
    return Reply({"idTagInfo": {"status": "Accepted" if may else "Invalid"}})


def data_transfer(message: Message) -> Reply:
    """OCPP 1.6 §4.3: we know no vendor's extensions."""
    return Reply({"status": "UnknownVendorId"})


def acknowledge(message: Message) -> Reply:
    """Diagnostics, firmware, log and security notices are answered; nothing depends on them yet."""
    return Reply({})


def refuse_certificate(message: Message) -> Reply:
    """Security whitepaper A02: we sign no certificates."""
    return Reply({"status": "Rejected"})


def _unapplied(message: Message) -> Reply:
    return Reply({})


def _unapplied_stop(message: Message) -> Reply:
    return Reply({"idTagInfo": {"status": "Accepted"}})


ROUTES: dict[str, Route] = {
    "BootNotification": Route(boot_notification),
    "Heartbeat": Route(heartbeat, needs_database=False),
    "StatusNotification": Route(status_notification),
    "Authorize": Route(authorize),
    "StartTransaction": Route(
        start_transaction,
        unapplied=unapplied_start,
        note_lost=note_lost,
        before="F08_start_before_tx",
        after="F10_start_after_tx",
    ),
    "MeterValues": Route(meter_values, unapplied=_unapplied, note_lost=note_lost, after="F13_meter_after_tx"),
    "StopTransaction": Route(
        stop_transaction,
        unapplied=_unapplied_stop,
        note_lost=note_lost,
        before="F15_stop_before_tx",
        after="F17_stop_after_tx",
    ),
    "DataTransfer": Route(data_transfer, needs_database=False),
    "DiagnosticsStatusNotification": Route(acknowledge, needs_database=False),
    "FirmwareStatusNotification": Route(acknowledge, needs_database=False),
    "SignedFirmwareStatusNotification": Route(acknowledge, needs_database=False),
    "LogStatusNotification": Route(acknowledge, needs_database=False),
    "SecurityEventNotification": Route(acknowledge, needs_database=False),
    "SignCertificate": Route(refuse_certificate, needs_database=False),
}


def _now() -> str:
    return timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: Any) -> str:
    return value[:50] if isinstance(value, str) else ""
