"""The life of a payment: a pure table of legal moves and one pure function over it (MONEY.md).

The PTP preauthorises and captures; we tell it what to capture, exactly once, and book what it confirms.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from payments.accounts import CONFIRMABLE, LEGAL, WAITING, Account, PaymentState, Timers
from payments.errors import WrongState
from payments.events import (
    CaptureAccepted,
    CaptureStatus,
    CdrIssued,
    Confirmed,
    DeadlinePassed,
    Event,
    ExcessReturned,
    Flagged,
    NothingToCharge,
    RefundAcknowledged,
    RefundAsked,
    ReleaseAcknowledged,
    Review,
    ReviewClosed,
    WriteOffAsked,
)

# The table's vocabulary is one: whoever imports the states speaks of its events too.
__all__ = [
    "CONFIRMABLE",
    "LEGAL",
    "REFUNDABLE",
    "WAITING",
    "Account",
    "CaptureAccepted",
    "CaptureStatus",
    "CdrIssued",
    "Confirmed",
    "DeadlinePassed",
    "Effect",
    "Event",
    "ExcessReturned",
    "Flagged",
    "NothingToCharge",
    "Outcome",
    "PaymentState",
    "RefundAcknowledged",
    "RefundAsked",
    "ReleaseAcknowledged",
    "Review",
    "ReviewClosed",
    "Timers",
    "WriteOffAsked",
    "apply",
    "begin",
]


class Effect(StrEnum):
    """What the caller must carry out, in the same database transaction."""

    ISSUE_RECEIPT = "ISSUE_RECEIPT"  # number and freeze it
    TELL_DUE = "TELL_DUE"  # final details to the PTP, at least once
    TELL_REFUND = "TELL_REFUND"  # the credit to the PTP, at least once


Outcome = tuple[Account, tuple[Effect, ...]]


def begin(authorized_minor: int, now: datetime, timers: Timers) -> Account:
    """Return the account of a hold that was just reported to us."""
    deadline = now + timedelta(seconds=timers.hold_warn_seconds)
    return Account(PaymentState.AUTHORIZED, authorized_minor, deadline)


def apply(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """Return the next account and the effects of `event`; a repeat changes nothing.

    Raises WrongState for an event that the state has no room for.
    """
    after, effects = _HANDLERS[type(event)](account, event, now, timers)
    if after.state != account.state and after.state not in LEGAL[account.state]:
        raise WrongState(account.state)
    return _with_what_waits(account, after, event), effects


# Doubts that no answer of a PTP settles, and that nothing would raise again.
_LASTING = frozenset({Review.METER_DOUBT, Review.LATE_STOP_DIFFERS, Review.FILE_DIFFERS})


def _with_what_waits(before: Account, after: Account, event: Event) -> Account:
    """A lasting doubt that something else came over waits, and is asked next when staff are done with that."""
    waits = list(before.reviews_after)
    covered = before.review in _LASTING and after.review not in (None, before.review)
    if covered and before.review is not None and not isinstance(event, ReviewClosed):
        waits.insert(0, before.review)
    if isinstance(event, CaptureAccepted):  # what was captured is known now
        waits = [doubt for doubt in waits if doubt is not Review.FILE_DIFFERS]
    waits = [doubt for doubt in dict.fromkeys(waits) if doubt is not after.review]
    asked = after.review or (waits.pop(0) if waits else None)
    return replace(after, review=asked, reviews_after=tuple(waits))


def _cdr_issued(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, CdrIssued)
    if account.state is not PaymentState.AUTHORIZED:
        return account, ()
    # A database constraint says the same; here it stops a fault before it becomes a message to the PTP.
    assert 0 <= event.total_minor <= account.authorized_minor, "a CDR never exceeds its hold"
    if event.total_minor == 0:
        return _nothing_to_charge(account, NothingToCharge(event.doubtful), now, timers)
    after = replace(
        account,
        state=PaymentState.CAPTURING,
        due_minor=event.total_minor,
        deadline_at=now + timedelta(seconds=timers.confirmation_warn_seconds),
        review=_review_at_the_end(account, event.doubtful),
    )
    return after, (Effect.ISSUE_RECEIPT, Effect.TELL_DUE)


def _review_at_the_end(account: Account, doubtful: bool) -> Review | None:
    """A session that has ended is no longer overdue."""
    if doubtful:
        return Review.METER_DOUBT
    return None if account.review is Review.UNSETTLED else account.review


def _nothing_to_charge(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, NothingToCharge)
    if account.state is not PaymentState.AUTHORIZED:
        return account, ()
    after = replace(
        account,
        state=PaymentState.RELEASING,
        deadline_at=now + timedelta(seconds=timers.confirmation_warn_seconds),
        review=_review_at_the_end(account, event.doubtful),
    )
    return after, (Effect.TELL_DUE,)


def _confirmed(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """Book a confirmation; a money fact that does not fit is flagged, never refused (B29)."""
    assert isinstance(event, Confirmed)
    if account.state is PaymentState.AUTHORIZED:
        return account, ()  # faster than our own settlement: it is stored, and matched then (B30)
    if account.state in (PaymentState.RELEASING, PaymentState.RELEASED):
        taken = event.amount_minor > 0
        return (replace(account, review=Review.CAPTURED_AFTER_RELEASE) if taken else account), ()
    if account.state not in CONFIRMABLE:
        known = event.first and event.same_currency and event.amount_minor in _taken_minor(account)
        return (account if known else replace(account, review=Review.CONFIRMED_TWICE)), ()
    if not event.same_currency:
        return replace(account, review=Review.CURRENCY_DIFFERS), ()
    if not _adds_up(account, event):
        return replace(account, review=Review.AMOUNT_DIFFERS), ()
    return _book(account, event), ()


def _taken_minor(account: Account) -> tuple[int, int]:
    """What the PTP may say that it took, where staff booked it before: all of it, or what is left of it."""
    return account.captured_minor + account.excess_minor, account.captured_minor + account.owed_minor


def _adds_up(account: Account, event: Confirmed) -> bool:
    """Whether status and amount agree with each other and with what is due."""
    if event.status is CaptureStatus.SUCCESS:
        return event.amount_minor == account.due_minor
    if event.status is CaptureStatus.PARTIAL_SUCCESS:
        return account.captured_minor <= event.amount_minor < account.due_minor
    return event.amount_minor == 0


_BOOKED = {
    CaptureStatus.SUCCESS: PaymentState.CAPTURED,
    CaptureStatus.PARTIAL_SUCCESS: PaymentState.PARTIALLY_CAPTURED,
    CaptureStatus.FAILED: PaymentState.CAPTURE_FAILED,
}


def _book(account: Account, event: Confirmed) -> Account:
    """A first or a better confirmation moves the account; one that says less than is booked does not."""
    state = _BOOKED[event.status]
    if account.state is not PaymentState.CAPTURING and state is not PaymentState.CAPTURED:
        same = state is account.state and event.amount_minor == account.captured_minor
        return account if same else replace(account, review=Review.CONFIRMED_TWICE)
    # A doubt about the meter is looked at first; what is open is asked when that is closed (`_rest`).
    doubted = account.review is Review.METER_DOUBT
    review = account.review if doubted else _OPEN_REVIEW.get(state) or _settled_review(account)
    return replace(account, state=state, captured_minor=event.amount_minor, deadline_at=None, review=review)


# A receivable is open: staff retry at the PTP or write it off.
_OPEN_REVIEW = {
    PaymentState.CAPTURE_FAILED: Review.CAPTURE_FAILED,
    PaymentState.PARTIALLY_CAPTURED: Review.CAPTURED_LESS,
}


def _settled_review(account: Account) -> Review | None:
    """A late or better confirmation answers what was only missing; doubts about the meter stay."""
    answered = (
        Review.UNCONFIRMED,
        Review.CAPTURE_FAILED,
        Review.CAPTURED_LESS,
        Review.AMOUNT_DIFFERS,
        Review.CURRENCY_DIFFERS,
        Review.CDR_REFUSED,
    )
    return None if account.review in answered else account.review


def _capture_accepted(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """Book what staff accept was captured in all; what is beyond our due is owed back, and no part of it (I7)."""
    assert isinstance(event, CaptureAccepted)
    if account.state is PaymentState.AUTHORIZED or event.amount_minor < account.captured_minor:
        raise WrongState(account.state)
    taken_minor = min(event.amount_minor, account.due_minor - account.written_off_minor)
    owed_minor = event.amount_minor - taken_minor
    news_minor = owed_minor - account.owed_minor
    after = replace(
        account,
        captured_minor=taken_minor,
        accepted=True,
        excess_minor=account.excess_minor + max(0, news_minor),
        excess_returned_minor=account.excess_returned_minor + max(0, -news_minor),
    )
    if account.state in CONFIRMABLE:
        after = replace(after, state=_accepted_state(taken_minor, account.due_minor), deadline_at=None)
    return replace(after, review=_rest(after) or _accepted_review(account)), ()


def _accepted_state(taken_minor: int, due_minor: int) -> PaymentState:
    if taken_minor == due_minor:
        return PaymentState.CAPTURED
    return PaymentState.PARTIALLY_CAPTURED if taken_minor else PaymentState.CAPTURE_FAILED


def _accepted_review(account: Account) -> Review | None:
    """What was captured is known now; whatever else staff were to look at stays."""
    answered = (
        Review.CAPTURED_AFTER_RELEASE,
        Review.CONFIRMED_TWICE,
        Review.CAPTURED_MORE,
        Review.FILE_DIFFERS,
    )
    return None if account.review in answered else _settled_review(account)


def _rest(account: Account) -> Review | None:
    """What the account itself still asks of staff."""
    if account.owed_minor:
        return Review.CAPTURED_MORE
    if account.state is PaymentState.CAPTURING or not account.open_minor:
        return None
    return Review.CAPTURED_LESS if account.captured_minor else Review.CAPTURE_FAILED


def _excess_returned(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """All that was taken too much has gone back; a repeat changes nothing."""
    if not account.excess_minor:
        raise WrongState(account.state)
    after = replace(account, excess_returned_minor=account.excess_minor)
    review = _rest(after) if account.review is Review.CAPTURED_MORE else account.review
    return replace(after, review=review), ()


def _release_acknowledged(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    if account.state is PaymentState.RELEASED:
        return account, ()
    if account.state is not PaymentState.RELEASING:
        raise WrongState(account.state)
    review = None if account.review is Review.UNRELEASED else account.review
    return replace(account, state=PaymentState.RELEASED, deadline_at=None, review=review), ()


def _write_off_asked(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """Give up what is open; where a part of the rest was refunded, the state goes on telling of the refund."""
    if account.state is PaymentState.WRITTEN_OFF:
        return account, ()
    refunds = (PaymentState.REFUNDING, PaymentState.REFUNDED)
    if account.state not in (*_OPEN_REVIEW, *refunds) or not account.due_minor > account.captured_minor:
        raise WrongState(account.state)
    refunded = account.state in refunds
    stays = account.review in _LASTING or (refunded and account.review not in _OPEN_REVIEW.values())
    after = replace(
        account,
        state=account.state if refunded else PaymentState.WRITTEN_OFF,
        written_off_minor=account.due_minor - account.captured_minor,
        review=account.review if stays else None,
    )
    return after, ()


REFUNDABLE = frozenset({PaymentState.CAPTURED, PaymentState.PARTIALLY_CAPTURED, PaymentState.REFUNDED})


def _refund_asked(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """One refund at a time, never more than what was captured."""
    assert isinstance(event, RefundAsked)
    if account.state not in REFUNDABLE or not 0 < event.amount_minor <= account.refundable_minor:
        raise WrongState(account.state)
    after = replace(
        account,
        state=PaymentState.REFUNDING,
        refunding_minor=event.amount_minor,
        deadline_at=now + timedelta(seconds=timers.confirmation_warn_seconds),
    )
    return after, (Effect.TELL_REFUND,)


def _refund_acknowledged(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    if account.state is PaymentState.REFUNDED:
        return account, ()
    if account.state is not PaymentState.REFUNDING:
        raise WrongState(account.state)
    after = replace(
        account,
        state=PaymentState.REFUNDED,
        refunded_minor=account.refunded_minor + account.refunding_minor,
        refunding_minor=0,
        deadline_at=None,
        review=None if account.review is Review.UNREFUNDED else account.review,
    )
    return after, ()


def _flagged(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    assert isinstance(event, Flagged)
    return replace(account, review=account.review or event.review), ()


def _review_closed(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """Staff are done with it. What is open or owed besides is asked next; what waits is flagged when overdue."""
    rest = _rest(account)
    return replace(account, review=None if account.review in (None, rest) else rest), ()


_OVERDUE = {
    PaymentState.AUTHORIZED: Review.UNSETTLED,
    PaymentState.CAPTURING: Review.UNCONFIRMED,
    PaymentState.RELEASING: Review.UNRELEASED,
    PaymentState.REFUNDING: Review.UNREFUNDED,
}


def _deadline_passed(account: Account, event: Event, now: datetime, timers: Timers) -> Outcome:
    """Overdue: ask staff, keep the state, look again later; the message to the PTP goes on being retried."""
    if account.deadline_at is None or account.deadline_at > now or account.state not in WAITING:
        return account, ()
    deadline = now + timedelta(seconds=timers.confirmation_alert_seconds)
    return replace(account, review=account.review or _OVERDUE[account.state], deadline_at=deadline), ()


_HANDLERS: dict[type, Callable[[Account, Event, datetime, Timers], Outcome]] = {
    CdrIssued: _cdr_issued,
    NothingToCharge: _nothing_to_charge,
    Confirmed: _confirmed,
    CaptureAccepted: _capture_accepted,
    ExcessReturned: _excess_returned,
    ReleaseAcknowledged: _release_acknowledged,
    WriteOffAsked: _write_off_asked,
    RefundAsked: _refund_asked,
    RefundAcknowledged: _refund_acknowledged,
    Flagged: _flagged,
    ReviewClosed: _review_closed,
    DeadlinePassed: _deadline_passed,
}
