"""What can happen to a charging session: the events that `states.apply` understands. Pure values."""

from dataclasses import dataclass
from enum import StrEnum


class StopReason(StrEnum):
    """Why a session stopped, in the driver's world."""

    TERMINAL = "terminal"  # the driver pressed Stop at the payment terminal
    DRIVER = "driver"  # the driver pressed Stop on the session page
    OPERATOR = "operator"  # staff stopped it
    PAID_LIMIT = "paid_limit"  # the held amount is used up
    BATTERY_FULL = "battery_full"  # the vehicle took no energy for the grace time
    UNPLUGGED = "unplugged"  # the cable was pulled
    CHARGER = "charger"  # stopped at the charger, or by it
    FORGOTTEN = "forgotten"  # the charger lost the transaction; ended at the last known meter value
    NONE = ""


class StartOutcome(StrEnum):
    """How the start command ended."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"  # the charger said no
    UNANSWERED = "UNANSWERED"  # what the charger did is unknown: a late start must be watched for
    UNSENT = "UNSENT"  # it never left: the charger was gone


class Alert(StrEnum):
    """What the rooms above must still take note of; they clear it in the transaction that does."""

    UNHEARD = "unheard"  # running, and nothing heard of the charger for long (B18)
    DISOBEYED = "disobeyed"  # it does not stop (B14)
    LATE_STOP = "late_stop"  # it told another end after the session was settled (B20)
    FAULT = "fault"  # a message of it was not applied because of a fault of ours
    NONE = ""


@dataclass(frozen=True, slots=True)
class StartRefused:
    """It cannot start now; no command left (B2, B3)."""

    reason: str


@dataclass(frozen=True, slots=True)
class StartAnswered:
    """The start command is over (B4, B5, B6)."""

    outcome: StartOutcome


@dataclass(frozen=True, slots=True)
class TransactionOpened:
    """The charger reported the transaction of this session."""


@dataclass(frozen=True, slots=True)
class EvseTaken:
    """Someone else's transaction runs on the EVSE (B10)."""


@dataclass(frozen=True, slots=True)
class EnergyPaused:
    """Cable in, no energy (B12): the vehicle takes nothing, or the charger gives nothing (load management)."""

    by_vehicle: bool = True


@dataclass(frozen=True, slots=True)
class EnergyFlows:
    """Energy flows (again)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The charger told something of this transaction: it is alive and not forgotten."""


@dataclass(frozen=True, slots=True)
class TransactionDoubted:
    """The charger reports the EVSE free while the transaction is open (B17)."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Someone wants it to end (B11, B13, B36, B37)."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class StopAnswered:
    """A stop command is over (B14)."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class TransactionClosed:
    """The charger closed the transaction."""

    reason: StopReason


@dataclass(frozen=True, slots=True)
class CloseAsked:
    """Staff close it in the books at its last meter value: the charger will not tell its end any more."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The sweep found `deadline_at` in the past."""


Event = (
    StartRefused
    | StartAnswered
    | TransactionOpened
    | EvseTaken
    | EnergyPaused
    | EnergyFlows
    | Heard
    | TransactionDoubted
    | StopAsked
    | StopAnswered
    | TransactionClosed
    | CloseAsked
    | DeadlinePassed
)
