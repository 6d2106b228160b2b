"""What can happen to a payment: the events that `states.apply` understands. Pure values; amounts in minor units."""

from dataclasses import dataclass
from enum import StrEnum


class CaptureStatus(StrEnum):
    """What a confirmation says (OCPI 2.3.0 payments, CaptureStatusCode)."""

    SUCCESS = "SUCCESS"  # captured as asked
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"  # captured less
    FAILED = "FAILED"  # captured nothing


class Review(StrEnum):
    """Why staff must look at a payment."""

    UNCONFIRMED = "unconfirmed"  # the deadline passed without a confirmation
    UNRELEASED = "unreleased"  # the deadline passed without the release being acknowledged
    UNSETTLED = "unsettled"  # the hold stands and the session has not ended for days, or cannot be billed
    AMOUNT_DIFFERS = "amount_differs"  # confirmed another amount than the CDR's
    CURRENCY_DIFFERS = "currency_differs"  # confirmed in another currency
    CAPTURED_AFTER_RELEASE = "captured_after_release"  # money was taken for a hold that should be dropped
    CONFIRMED_TWICE = "confirmed_twice"  # a further confirmation after the payment was settled
    METER_DOUBT = "meter_doubt"  # the charger's figures do not add up
    CAPTURE_FAILED = "capture_failed"  # nothing was captured: the CDR is open
    CAPTURED_LESS = "captured_less"  # part of the CDR is open
    CAPTURED_MORE = "captured_more"  # the PTP took more than it may: it must give the excess back
    FILE_DIFFERS = "file_differs"  # the PTP's settlement files name another amount than we booked
    CDR_REFUSED = "cdr_refused"  # the PTP does not take the CDR as it is (B24)
    LATE_STOP_DIFFERS = (
        "late_stop_differs"  # the charger told another end after the session was settled (B20)
    )
    UNREFUNDED = "unrefunded"  # the deadline passed without the refund being acknowledged


@dataclass(frozen=True, slots=True)
class CdrIssued:
    """The session ended and there is something to charge."""

    total_minor: int
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class NothingToCharge:
    """The session is over and nothing is charged: the hold must go. `doubtful`: energy may have been given."""

    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The PTP says what it captured."""

    status: CaptureStatus
    amount_minor: int
    same_currency: bool = True
    first: bool = False  # nothing was confirmed before it


@dataclass(frozen=True, slots=True)
class CaptureAccepted:
    """Staff accept what was captured in all, before refunds: by the PTP's word, its settlement file, or their own."""

    amount_minor: int


@dataclass(frozen=True, slots=True)
class ExcessReturned:
    """The PTP gave back what it took beyond what we may keep."""


@dataclass(frozen=True, slots=True)
class ReleaseAcknowledged:
    """The PTP dropped the hold."""


@dataclass(frozen=True, slots=True)
class WriteOffAsked:
    """Staff give up what is open (B26, B27)."""


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """Staff give back a part or all of what was captured (B36)."""

    amount_minor: int


@dataclass(frozen=True, slots=True)
class RefundAcknowledged:
    """The PTP took the credit."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """Something outside the table that staff must look at (B20, B24)."""

    review: Review


@dataclass(frozen=True, slots=True)
class ReviewClosed:
    """Staff looked at it and say that it is done."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The sweep found `deadline_at` in the past."""


Event = (
    CdrIssued
    | NothingToCharge
    | Confirmed
    | CaptureAccepted
    | ExcessReturned
    | ReleaseAcknowledged
    | WriteOffAsked
    | RefundAsked
    | RefundAcknowledged
    | Flagged
    | ReviewClosed
    | DeadlinePassed
)
