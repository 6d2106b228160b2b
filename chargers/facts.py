"""What a charger told us, in our words: frozen facts that carry no protocol and no framework.

Times are aware UTC. `*_at` from the charger's own clock stand beside `received_at` from ours, because a
charger's clock may be wrong (MONEY.md B34) and a queued message may be hours old (B20).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class EvseStatus(StrEnum):
    """The state of one EVSE; the finer words are OCPP 1.6's, 2.x maps onto them."""

    UNKNOWN = "UNKNOWN"  # never reported
    AVAILABLE = "AVAILABLE"  # free, no cable
    PREPARING = "PREPARING"  # cable in, no transaction: may be started
    CHARGING = "CHARGING"  # energy flows
    SUSPENDED_EV = "SUSPENDED_EV"  # the vehicle takes nothing (often: full)
    SUSPENDED_EVSE = "SUSPENDED_EVSE"  # the charger gives nothing
    FINISHING = "FINISHING"  # transaction over, cable still in
    RESERVED = "RESERVED"
    UNAVAILABLE = "UNAVAILABLE"  # taken out of use
    FAULTED = "FAULTED"


class CommandAction(StrEnum):
    """What can be asked of a charger, in our words."""

    START = "START"
    STOP = "STOP"
    CUT_POWER = "CUT_POWER"  # zero power for a running transaction
    UNLOCK = "UNLOCK"
    RESET = "RESET"
    TRIGGER = "TRIGGER"
    READ_CONFIGURATION = "READ_CONFIGURATION"
    WRITE_CONFIGURATION = "WRITE_CONFIGURATION"


class CommandOutcome(StrEnum):
    """How a command ended, seen from the one who asked."""

    ACCEPTED = "ACCEPTED"  # the charger said yes
    REJECTED = "REJECTED"  # the charger said no, or answered an error
    UNANSWERED = "UNANSWERED"  # it left, no answer came in time: what the charger did is unknown
    UNSENT = "UNSENT"  # its deadline passed before any socket could take it: the charger knows nothing


@dataclass(frozen=True, slots=True)
class MeterReading:
    """One sample of an EVSE's meter.

    `register_wh` is the import register in Wh (normally a lifetime counter); None when the sample had none
    that could be read. `context` is OCPP's reading context (`Sample.Periodic`, `Transaction.Begin`, …).
    """

    sampled_at: datetime
    received_at: datetime
    register_wh: int | None = None
    power_w: int | None = None
    current_a: Decimal | None = None
    soc_percent: int | None = None
    context: str = "Sample.Periodic"
    problem: str = ""  # why a value could not be used, for the record


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A value that the meter signed, as text and unverified (OCPP 1.6 §7.43, `SignedData`).

    `digest` is the SHA-256 of what was sent, hex; it names the value also where `problem` says why `text` could
    not be kept.
    """

    sampled_at: datetime
    received_at: datetime
    text: str
    digest: str
    context: str
    measurand: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TransactionStarted:
    """A charger opened a transaction. Ids are primary keys of `chargers` rows."""

    transaction_pk: int
    station_pk: int
    evse_pk: int
    id_tag: str
    meter_start_wh: int | None
    started_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class TransactionMetered:
    """Meter values of a running transaction."""

    transaction_pk: int
    readings: tuple[MeterReading, ...]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """A charger closed a transaction; `meter_stop_wh` is None when it named none that could be read.

    Also its end told late, after the transaction had been closed by inference (MONEY.md B20).
    """

    transaction_pk: int
    meter_stop_wh: int | None
    ended_at: datetime
    received_at: datetime
    reason: str  # OCPP stop reason, `Local` when absent (OCPP 1.6 §6.45)
    readings: tuple[MeterReading, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class MessageLost:
    """A transaction message that a fault of ours kept from being applied; its evidence is stored.

    What it was about: the transaction where it named one of the station's, else the id tag.
    """

    station_pk: int
    transaction_pk: int | None
    id_tag: str
    action: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class EvseStatusChanged:
    """An EVSE reported its state."""

    evse_pk: int
    status: EvseStatus
    error_code: str
    changed_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class StationBooted:
    """A charger started up; transactions it may have forgotten are judged later (MONEY.md B16, B17)."""

    station_pk: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class CommandSettled:
    """A command is over. `reference` is what the asker gave when it queued the command."""

    command_pk: int
    station_pk: int
    action: CommandAction
    reference: str
    outcome: CommandOutcome
    detail: str
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """What the desk says of a transaction that a charger started."""

    accepted: bool
    look_again_at: datetime | None = None
