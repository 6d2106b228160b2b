"""The pure life of a payment: settled once, confirmed once, nothing lost and nothing refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments import states
from payments.errors import WrongState
from payments.states import Account, CaptureStatus, Effect, PaymentState, Review, Timers, apply

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
TIMERS = Timers(confirmation_warn_seconds=900, confirmation_alert_seconds=86400, hold_warn_seconds=432_000)
HELD = 5000


def account(state: PaymentState = PaymentState.AUTHORIZED, **changes: object) -> Account:
    deadline = NOW + timedelta(seconds=60) if state in states.WAITING else None
    return replace(Account(state, HELD, deadline), **changes)  # type: ignore[arg-type]


def capturing(due_minor: int = 1234) -> Account:
    return account(PaymentState.CAPTURING, due_minor=due_minor)


def moved(before: Account, event: states.Event) -> tuple[Account, tuple[Effect, ...]]:
    return apply(before, event, NOW, TIMERS)


def confirmed(status: CaptureStatus, amount_minor: int, **changes: object) -> states.Confirmed:
    return states.Confirmed(status, amount_minor, **changes)  # type: ignore[arg-type]


def test_a_cdr_makes_it_due_once_with_a_receipt() -> None:
    after, effects = moved(account(), states.CdrIssued(1234))
    again, no_effects = moved(after, states.CdrIssued(1234))

    assert after.state is PaymentState.CAPTURING
    assert after.due_minor == 1234
    assert effects == (Effect.ISSUE_RECEIPT, Effect.TELL_DUE)
    assert (again, no_effects) == (after, ())


def test_a_cdr_beyond_the_hold_is_a_fault_of_ours_and_goes_nowhere() -> None:
    with pytest.raises(AssertionError):
        moved(account(), states.CdrIssued(HELD + 1))


def test_a_cdr_of_nothing_releases_the_hold() -> None:
    after, effects = moved(account(), states.CdrIssued(0))

    assert after.state is PaymentState.RELEASING
    assert effects == (Effect.TELL_DUE,)


def test_nothing_to_charge_releases_the_hold_and_the_ptp_acknowledges() -> None:
    releasing, _ = moved(account(), states.NothingToCharge())
    released, _ = moved(releasing, states.ReleaseAcknowledged())

    assert released.state is PaymentState.RELEASED
    assert moved(released, states.ReleaseAcknowledged()) == (released, ())


def test_a_release_has_no_place_while_money_is_due() -> None:
    with pytest.raises(WrongState):
        moved(capturing(), states.ReleaseAcknowledged())


def test_success_of_the_due_amount_is_captured() -> None:
    after, _ = moved(capturing(), confirmed(CaptureStatus.SUCCESS, 1234))

    assert after.state is PaymentState.CAPTURED
    assert after.captured_minor == 1234
    assert after.deadline_at is None


def test_partial_success_leaves_an_open_amount() -> None:
    after, _ = moved(capturing(), confirmed(CaptureStatus.PARTIAL_SUCCESS, 1000))

    assert after.state is PaymentState.PARTIALLY_CAPTURED
    assert after.due_minor - after.captured_minor == 234


def test_a_failed_capture_leaves_all_open_until_a_later_success_closes_it() -> None:  # B27
    failed, _ = moved(capturing(), confirmed(CaptureStatus.FAILED, 0))
    assert failed.state is PaymentState.CAPTURE_FAILED
    assert failed.review is Review.CAPTURE_FAILED

    after, _ = moved(failed, confirmed(CaptureStatus.SUCCESS, 1234))

    assert after.state is PaymentState.CAPTURED
    assert after.review is None


@pytest.mark.parametrize(
    ("event", "review"),
    [
        (confirmed(CaptureStatus.SUCCESS, 1235), Review.AMOUNT_DIFFERS),  # B29: more than due
        (confirmed(CaptureStatus.SUCCESS, 1233), Review.AMOUNT_DIFFERS),
        (confirmed(CaptureStatus.PARTIAL_SUCCESS, 1234), Review.AMOUNT_DIFFERS),
        (confirmed(CaptureStatus.FAILED, 5), Review.AMOUNT_DIFFERS),
        (confirmed(CaptureStatus.SUCCESS, 1234, same_currency=False), Review.CURRENCY_DIFFERS),
    ],
)
def test_a_confirmation_that_does_not_add_up_is_flagged_and_books_nothing(
    event: states.Confirmed, review: Review
) -> None:
    after, _ = moved(capturing(), event)

    assert after.state is PaymentState.CAPTURING
    assert after.captured_minor == 0
    assert after.review is review


@pytest.mark.parametrize("state", [PaymentState.RELEASING, PaymentState.RELEASED])
def test_money_taken_for_a_hold_that_should_be_dropped_is_flagged(state: PaymentState) -> None:
    after, _ = moved(account(state), confirmed(CaptureStatus.SUCCESS, 100))

    assert after.state is state
    assert after.review is Review.CAPTURED_AFTER_RELEASE


def test_a_confirmation_after_the_money_is_booked_changes_no_amount() -> None:
    captured, _ = moved(capturing(), confirmed(CaptureStatus.SUCCESS, 1234))

    after, _ = moved(captured, confirmed(CaptureStatus.FAILED, 0))

    assert (after.state, after.captured_minor) == (PaymentState.CAPTURED, 1234)
    assert after.review is Review.CONFIRMED_TWICE


@pytest.mark.parametrize("state", sorted(states.WAITING))
def test_what_is_overdue_asks_for_staff_and_keeps_its_state(state: PaymentState) -> None:  # I6, B28
    late = account(state, deadline_at=NOW - timedelta(seconds=1))

    after, _ = moved(late, states.DeadlinePassed())

    assert after.state is state
    assert after.review is not None
    assert after.deadline_at is not None
    assert after.deadline_at > NOW


@pytest.mark.parametrize("event", [states.NothingToCharge(doubtful=True), states.CdrIssued(0, doubtful=True)])
def test_nothing_to_charge_by_a_meter_that_is_doubted_is_released_and_looked_at(event: states.Event) -> None:
    after, _ = apply(states.begin(HELD, NOW, TIMERS), event, NOW, TIMERS)

    assert after.state is PaymentState.RELEASING
    assert after.review is states.Review.METER_DOUBT


def test_what_staff_accept_beyond_what_is_due_is_owed_back_and_no_part_of_the_capture() -> None:
    over, _ = moved(capturing(), confirmed(CaptureStatus.SUCCESS, HELD + 1))
    assert over.review is Review.AMOUNT_DIFFERS

    after, effects = moved(over, states.CaptureAccepted(HELD + 1))
    back, _ = moved(after, states.ExcessReturned())

    assert (after.state, after.captured_minor, after.open_minor) == (PaymentState.CAPTURED, 1234, 0)
    assert (after.owed_minor, after.review, after.deadline_at) == (
        HELD + 1 - 1234,
        Review.CAPTURED_MORE,
        None,
    )
    assert (back.owed_minor, back.excess_minor, back.review) == (0, HELD + 1 - 1234, None)
    assert effects == ()
    assert moved(back, states.ExcessReturned()) == (back, ())


@pytest.mark.parametrize(
    ("amount_minor", "state", "review"),
    [
        (0, PaymentState.CAPTURE_FAILED, Review.CAPTURE_FAILED),
        (1000, PaymentState.PARTIALLY_CAPTURED, Review.CAPTURED_LESS),
        (1234, PaymentState.CAPTURED, None),
    ],
)
def test_what_staff_accept_ends_like_a_confirmation_of_it(
    amount_minor: int, state: PaymentState, review: Review | None
) -> None:
    doubtful = account(PaymentState.CAPTURING, due_minor=1234, review=Review.CURRENCY_DIFFERS)

    after, _ = moved(doubtful, states.CaptureAccepted(amount_minor))

    assert (after.state, after.captured_minor, after.review) == (state, amount_minor, review)
    assert moved(after, states.CaptureAccepted(amount_minor)) == (after, ())


def test_less_than_is_booked_or_before_anything_is_due_is_never_accepted() -> None:
    booked = account(PaymentState.PARTIALLY_CAPTURED, due_minor=1234, captured_minor=1000)
    for before, amount_minor in ((booked, 999), (account(), 0)):
        with pytest.raises(WrongState):
            moved(before, states.CaptureAccepted(amount_minor))
    with pytest.raises(WrongState):
        moved(booked, states.ExcessReturned())


def test_money_that_came_after_the_claim_was_given_up_is_owed_back() -> None:
    given_up = account(PaymentState.WRITTEN_OFF, due_minor=1234, captured_minor=1000, written_off_minor=234)

    after, _ = moved(given_up, states.CaptureAccepted(1234))

    assert (after.state, after.captured_minor, after.owed_minor) == (PaymentState.WRITTEN_OFF, 1000, 234)


def test_a_later_word_of_what_is_left_answers_the_excess() -> None:
    over = account(PaymentState.CAPTURED, due_minor=1234, captured_minor=1234, excess_minor=100)

    after, _ = moved(over, states.CaptureAccepted(1234))

    assert (after.owed_minor, after.excess_returned_minor, after.review) == (0, 100, None)


def test_only_the_first_confirmation_repeats_what_staff_booked_before_it() -> None:
    booked, _ = moved(capturing(), states.CaptureAccepted(1234))

    same, _ = moved(booked, confirmed(CaptureStatus.SUCCESS, 1234, first=True))
    other, _ = moved(booked, confirmed(CaptureStatus.SUCCESS, 1235, first=True))
    second, _ = moved(booked, confirmed(CaptureStatus.SUCCESS, 1234))

    assert same == booked
    assert other.review is second.review is Review.CONFIRMED_TWICE


def test_a_first_confirmation_may_count_what_has_come_back_meanwhile() -> None:
    over, _ = moved(capturing(), states.CaptureAccepted(1300))
    back, _ = moved(over, states.ExcessReturned())

    for amount_minor in (1300, 1234):  # all that was taken; what is left of it
        after, _ = moved(back, confirmed(CaptureStatus.SUCCESS, amount_minor, first=True))
        assert after == back


def test_closing_a_review_asks_next_for_what_is_open_or_owed() -> None:
    over = account(
        PaymentState.CAPTURED, due_minor=9, captured_minor=9, excess_minor=1, review=Review.CONFIRMED_TWICE
    )

    asked, _ = moved(over, states.ReviewClosed())
    closed, _ = moved(asked, states.ReviewClosed())

    assert (asked.review, closed.review) == (Review.CAPTURED_MORE, None)


def test_the_open_rest_of_a_refunded_payment_is_written_off_and_it_stays_refunded() -> None:
    rest = account(
        PaymentState.REFUNDED, due_minor=10, captured_minor=4, refunded_minor=4, review=Review.CAPTURED_LESS
    )

    after, _ = moved(rest, states.WriteOffAsked())

    assert (after.state, after.open_minor, after.written_off_minor) == (PaymentState.REFUNDED, 0, 6)
    assert after.review is None
    with pytest.raises(WrongState):
        moved(replace(rest, captured_minor=10), states.WriteOffAsked())


EVENTS = st.one_of(
    st.builds(states.CdrIssued, st.integers(0, HELD), st.booleans()),
    st.builds(states.NothingToCharge, st.booleans()),
    st.builds(states.Confirmed, st.sampled_from(CaptureStatus), st.integers(0, 2 * HELD), st.booleans()),
    st.just(states.ReleaseAcknowledged()),
    st.just(states.DeadlinePassed()),
    st.builds(states.CaptureAccepted, st.integers(0, 2 * HELD)),
    st.just(states.ExcessReturned()),
    st.just(states.WriteOffAsked()),
    st.just(states.ReviewClosed()),
)


@given(st.lists(st.tuples(EVENTS, st.integers(0, 200_000)), max_size=30))
@settings(max_examples=400)
def test_any_order_of_events_keeps_the_money_inside_its_bounds(story: list[tuple[states.Event, int]]) -> None:
    current, now, told = states.begin(HELD, NOW, TIMERS), NOW, 0
    for event, seconds in story:
        now += timedelta(seconds=seconds)
        try:
            after, effects = apply(current, event, now, TIMERS)
        except WrongState:
            continue
        assert 0 <= after.captured_minor <= after.due_minor <= after.authorized_minor
        assert 0 <= after.written_off_minor <= after.due_minor - after.captured_minor
        assert 0 <= current.excess_returned_minor <= after.excess_returned_minor <= after.excess_minor
        assert after.captured_minor >= current.captured_minor
        assert after.state == current.state or after.state in states.LEGAL[current.state]
        assert after.state not in states.WAITING or after.deadline_at is not None
        told += Effect.TELL_DUE in effects
        current = after

    assert told <= 1


def test_a_doubt_about_the_meter_is_looked_at_before_what_is_open() -> None:
    doubted = account(PaymentState.CAPTURING, due_minor=1234, review=Review.METER_DOUBT)

    failed, _ = moved(doubted, confirmed(CaptureStatus.FAILED, 0))
    looked_at, _ = moved(failed, states.ReviewClosed())

    assert (failed.state, failed.review) == (PaymentState.CAPTURE_FAILED, Review.METER_DOUBT)
    assert looked_at.review is Review.CAPTURE_FAILED


@pytest.mark.parametrize("doubt", [Review.LATE_STOP_DIFFERS, Review.FILE_DIFFERS, Review.METER_DOUBT])
def test_a_doubt_that_a_confirmation_came_over_is_asked_next(doubt: Review) -> None:
    booked = account(PaymentState.CAPTURED, due_minor=9, captured_minor=9, review=doubt)

    over, _ = moved(booked, confirmed(CaptureStatus.FAILED, 0))
    closed, _ = moved(over, states.ReviewClosed())
    done, _ = moved(closed, states.ReviewClosed())

    assert (over.review, over.reviews_after) == (Review.CONFIRMED_TWICE, (doubt,))
    assert closed == booked
    assert (done.review, done.reviews_after) == (None, ())


def test_what_staff_accept_as_captured_answers_the_file_and_nothing_else() -> None:
    for doubt, left in ((Review.FILE_DIFFERS, None), (Review.LATE_STOP_DIFFERS, Review.LATE_STOP_DIFFERS)):
        booked = account(PaymentState.CAPTURED, due_minor=9, captured_minor=9, review=doubt)
        over, _ = moved(booked, confirmed(CaptureStatus.SUCCESS, 8))

        accepted, _ = moved(over, states.CaptureAccepted(9))

        assert (accepted.review, accepted.reviews_after) == (left, ())


def test_a_doubt_outlives_what_is_written_off() -> None:
    doubted = account(
        PaymentState.PARTIALLY_CAPTURED, due_minor=9, captured_minor=5, review=Review.LATE_STOP_DIFFERS
    )

    after, _ = moved(doubted, states.WriteOffAsked())

    assert (after.state, after.review) == (PaymentState.WRITTEN_OFF, Review.LATE_STOP_DIFFERS)


def test_what_is_owed_is_asked_before_the_doubt() -> None:
    doubted = account(PaymentState.CAPTURED, due_minor=9, captured_minor=9, review=Review.LATE_STOP_DIFFERS)

    owed, _ = moved(doubted, states.CaptureAccepted(12))
    back, _ = moved(owed, states.ExcessReturned())

    assert (owed.review, owed.reviews_after) == (Review.CAPTURED_MORE, (Review.LATE_STOP_DIFFERS,))
    assert (back.review, back.reviews_after) == (Review.LATE_STOP_DIFFERS, ())


def test_several_doubts_wait_for_each_other() -> None:
    late, _ = moved(account(PaymentState.AUTHORIZED), states.Flagged(Review.LATE_STOP_DIFFERS))
    doubted, _ = moved(late, states.NothingToCharge(doubtful=True))
    owed, _ = moved(doubted, states.CaptureAccepted(1))

    asked = [owed.review]
    after, _ = moved(owed, states.ExcessReturned())
    while after.review:
        asked.append(after.review)
        after, _ = moved(after, states.ReviewClosed())

    assert asked == [Review.CAPTURED_MORE, Review.METER_DOUBT, Review.LATE_STOP_DIFFERS]
