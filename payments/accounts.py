"""What one payment is: its states, the legal moves between them, its account. Pure values; amounts in minor units."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from payments.events import Review


class PaymentState(StrEnum):
    AUTHORIZED = "AUTHORIZED"  # the PTP holds the amount
    CAPTURING = "CAPTURING"  # a CDR is issued and on its way to the PTP
    CAPTURED = "CAPTURED"  # the confirmation matches the CDR's total
    PARTIALLY_CAPTURED = "PARTIALLY_CAPTURED"  # confirmed less: an open receivable
    CAPTURE_FAILED = "CAPTURE_FAILED"  # confirmed nothing: the whole CDR is open
    RELEASING = "RELEASING"  # the PTP must drop the hold; the signal is on its way
    RELEASED = "RELEASED"  # the PTP acknowledged it
    WRITTEN_OFF = "WRITTEN_OFF"  # the open part was given up by an operator
    REFUNDING = "REFUNDING"  # a credit is on its way
    REFUNDED = "REFUNDED"  # the credit is acknowledged


LEGAL: dict[PaymentState, frozenset[PaymentState]] = {
    PaymentState.AUTHORIZED: frozenset({PaymentState.CAPTURING, PaymentState.RELEASING}),
    PaymentState.CAPTURING: frozenset(
        {PaymentState.CAPTURED, PaymentState.PARTIALLY_CAPTURED, PaymentState.CAPTURE_FAILED}
    ),
    PaymentState.CAPTURED: frozenset({PaymentState.REFUNDING}),
    PaymentState.PARTIALLY_CAPTURED: frozenset(
        {PaymentState.CAPTURED, PaymentState.WRITTEN_OFF, PaymentState.REFUNDING}
    ),
    # Partially: staff accept that less was captured after all.
    PaymentState.CAPTURE_FAILED: frozenset(
        {PaymentState.CAPTURED, PaymentState.PARTIALLY_CAPTURED, PaymentState.WRITTEN_OFF}
    ),
    PaymentState.RELEASING: frozenset({PaymentState.RELEASED}),
    PaymentState.RELEASED: frozenset(),
    PaymentState.WRITTEN_OFF: frozenset(),
    PaymentState.REFUNDING: frozenset({PaymentState.REFUNDED}),
    PaymentState.REFUNDED: frozenset({PaymentState.REFUNDING}),
}

# States in which the PTP still owes us an answer; each has a deadline in its row.
WAITING = frozenset(
    {PaymentState.AUTHORIZED, PaymentState.CAPTURING, PaymentState.RELEASING, PaymentState.REFUNDING}
)
CONFIRMABLE = frozenset(
    {PaymentState.CAPTURING, PaymentState.PARTIALLY_CAPTURED, PaymentState.CAPTURE_FAILED}
)


@dataclass(frozen=True, slots=True)
class Timers:
    """Durations in seconds (MONEY.md T_fac, T_hold)."""

    confirmation_warn_seconds: float
    confirmation_alert_seconds: float
    hold_warn_seconds: float


@dataclass(frozen=True, slots=True)
class Account:
    """What the machine needs to know of one payment; amounts in minor units."""

    state: PaymentState
    authorized_minor: int
    deadline_at: datetime | None
    due_minor: int = 0
    captured_minor: int = 0
    written_off_minor: int = 0  # of what is open: given up by an operator
    refunding_minor: int = 0  # asked to be given back, not acknowledged yet
    refunded_minor: int = 0
    excess_minor: int = 0  # taken beyond what we may keep; it is no part of what was captured
    excess_returned_minor: int = 0  # of the excess: given back by the PTP
    accepted: bool = False  # staff said what was captured
    review: Review | None = None  # what staff are to look at
    reviews_after: tuple[Review, ...] = ()  # and what they are asked next, in this order

    @property
    def open_minor(self) -> int:
        """What is due, not captured and not given up (I7: CDR = captured + open + written off)."""
        return self.due_minor - self.captured_minor - self.written_off_minor

    @property
    def refundable_minor(self) -> int:
        """What may still be given back."""
        return self.captured_minor - self.refunded_minor - self.refunding_minor

    @property
    def owed_minor(self) -> int:
        """What the PTP took beyond what we may keep and has not given back."""
        return self.excess_minor - self.excess_returned_minor
