"""Plain words and tones for the states that operators see. A tone is never alone: the words say the same."""

from dataclasses import dataclass
from typing import Final

from chargers.facts import EvseStatus
from payments.states import PaymentState, Review
from sessions_app.states import SessionState


@dataclass(frozen=True, slots=True)
class Sign:
    """A state in words, with the tone of its pill (good, act, wait, bad, calm)."""

    text: str
    tone: str


EVSE: Final[dict[EvseStatus, Sign]] = {
    EvseStatus.UNKNOWN: Sign("Not reported yet", "calm"),
    EvseStatus.AVAILABLE: Sign("Free", "good"),
    EvseStatus.PREPARING: Sign("Cable in", "act"),
    EvseStatus.CHARGING: Sign("Charging", "act"),
    EvseStatus.SUSPENDED_EV: Sign("Paused by car", "wait"),
    EvseStatus.SUSPENDED_EVSE: Sign("Paused by charger", "wait"),
    EvseStatus.FINISHING: Sign("Finished, cable in", "wait"),
    EvseStatus.RESERVED: Sign("Reserved", "wait"),
    EvseStatus.UNAVAILABLE: Sign("Out of use", "calm"),
    EvseStatus.FAULTED: Sign("Fault", "bad"),
}
SESSION: Final[dict[SessionState, Sign]] = {
    SessionState.REQUESTED: Sign("Asking the charger", "wait"),
    SessionState.STARTING: Sign("Waiting for the cable", "act"),
    SessionState.CHARGING: Sign("Charging", "good"),
    SessionState.SUSPENDED: Sign("Paused", "wait"),
    SessionState.STOPPING: Sign("Stopping", "wait"),
    SessionState.ENDED: Sign("Ended", "calm"),
    SessionState.REJECTED: Sign("Could not start", "bad"),
    SessionState.EXPIRED: Sign("Never started", "calm"),
    SessionState.CANCELLED: Sign("Cancelled before start", "calm"),
}
PAYMENT: Final[dict[PaymentState, Sign]] = {
    PaymentState.AUTHORIZED: Sign("Held", "act"),
    PaymentState.CAPTURING: Sign("Waiting for capture", "wait"),
    PaymentState.CAPTURED: Sign("Captured", "good"),
    PaymentState.PARTIALLY_CAPTURED: Sign("Partly captured", "bad"),
    PaymentState.CAPTURE_FAILED: Sign("Capture failed", "bad"),
    PaymentState.RELEASING: Sign("Waiting for release", "wait"),
    PaymentState.RELEASED: Sign("Released", "calm"),
    PaymentState.WRITTEN_OFF: Sign("Written off", "calm"),
    PaymentState.REFUNDING: Sign("Refund on its way", "wait"),
    PaymentState.REFUNDED: Sign("Refunded", "calm"),
}
REVIEW: Final[dict[Review, str]] = {
    Review.UNCONFIRMED: "no confirmation from the PTP",
    Review.UNRELEASED: "release not acknowledged",
    Review.UNSETTLED: "held, and not billed yet",
    Review.AMOUNT_DIFFERS: "confirmed amount differs",
    Review.CURRENCY_DIFFERS: "confirmed in another currency",
    Review.CAPTURED_AFTER_RELEASE: "captured although released",
    Review.CONFIRMED_TWICE: "confirmed again after settling",
    Review.METER_DOUBT: "meter figures do not add up",
    Review.CAPTURE_FAILED: "nothing was captured",
    Review.CAPTURED_LESS: "less was captured than is due",
    Review.CAPTURED_MORE: "more was taken than we may keep",
    Review.FILE_DIFFERS: "the settlement file names another amount",
    Review.CDR_REFUSED: "the PTP refuses the CDR",
    Review.LATE_STOP_DIFFERS: "the charger told another end later",
    Review.UNREFUNDED: "refund not acknowledged",
}
EVENTS: Final[dict[str, str]] = {
    "Requested": "Session requested",
    "Refused": "Could not start",
    "StartRefused": "Could not start",
    "StartAnswered": "Charger answered the start",
    "TransactionOpened": "Charging began",
    "EvseTaken": "Somebody else took the connector",
    "EnergyPaused": "Energy paused",
    "EnergyFlows": "Energy flows",
    "Heard": "Charger heard again",
    "TransactionDoubted": "Charger seems to have forgotten it",
    "StopAsked": "Stop asked for",
    "StopAnswered": "Charger answered the stop",
    "TransactionClosed": "Charging ended",
    "DeadlinePassed": "Deadline passed",
    "Authorized": "Amount held on the card",
    "CdrIssued": "Bill issued, capture asked for",
    "NothingToCharge": "Nothing to charge, release asked for",
    "Confirmed": "Capture confirmed by the PTP",
    "CaptureAccepted": "What was captured accepted by staff",
    "ExcessReturned": "What was taken too much is back",
    "ReleaseAcknowledged": "Release acknowledged",
    "WriteOffAsked": "Open amount written off",
    "RefundAsked": "Refund decided, told to the PTP",
    "RefundAcknowledged": "Refund acknowledged",
    "Flagged": "Flagged for review",
    "ReviewClosed": "Review closed",
    "CloseAsked": "Ended in the books",
    "MeterDoubted": "Meter values in doubt, nothing billed",
    "LateStop": "Charger told its own end, after ours",
    "StrayTransaction": "Charger began what nobody pays for; it was told to stop",
    "MessageLost": "A message of the charger was not applied",
}


def evse(status: str) -> Sign:
    """Return the sign of an EVSE's status."""
    return EVSE[EvseStatus(status)]


def session(state: str) -> Sign:
    """Return the sign of a session's state."""
    return SESSION[SessionState(state)]


def payment(state: str) -> Sign:
    """Return the sign of a payment's state."""
    return PAYMENT[PaymentState(state)]


def review(reason: str) -> str:
    """Return why a payment is flagged, empty when it is not."""
    return REVIEW[Review(reason)] if reason else ""


def event(kind: str) -> str:
    """Return what happened; a kind without words here speaks for itself."""
    return EVENTS.get(kind, kind)
