"""The pure life of a session: every branch of MONEY.md that moves it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app import states
from sessions_app.errors import IllegalMove
from sessions_app.states import Effect, Life, SessionState, StartOutcome, StopReason, Timers, apply

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
TIMERS = Timers(
    command_seconds=30,
    start_seconds=120,
    stop_seconds=60,
    final_meter_seconds=120,
    full_battery_grace_seconds=600,
    stale_seconds=900,
    review_seconds=86400,
    reboot_grace_seconds=600,
)


def life(state: SessionState, **changes: object) -> Life:
    deadline = None if state in states.FINAL else NOW + timedelta(seconds=30)
    return replace(Life(state=state, deadline_at=deadline), **changes)  # type: ignore[arg-type]


def overdue(state: SessionState, **changes: object) -> Life:
    return life(state, deadline_at=NOW - timedelta(seconds=1), **changes)


def moved(before: Life, event: states.Event) -> tuple[Life, tuple[Effect, ...]]:
    return apply(before, event, NOW, TIMERS)


def test_an_accepted_start_waits_for_the_cable_as_long_as_the_charger_does() -> None:
    after, effects = moved(life(SessionState.REQUESTED), states.StartAnswered(StartOutcome.ACCEPTED))

    assert after.state is SessionState.STARTING
    assert after.deadline_at == NOW + timedelta(seconds=120)
    assert effects == ()


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (StartOutcome.REJECTED, SessionState.REJECTED),  # B4
        (StartOutcome.UNSENT, SessionState.REJECTED),  # B2: the charger knows nothing of it
        (StartOutcome.UNANSWERED, SessionState.EXPIRED),  # B5: it may still start
    ],
)
def test_a_start_that_fails_ends_the_session(outcome: StartOutcome, state: SessionState) -> None:
    after, _ = moved(life(SessionState.REQUESTED), states.StartAnswered(outcome))

    assert after.state is state
    assert after.deadline_at is None


def test_a_transaction_that_overtakes_the_answer_counts_as_the_answer() -> None:
    after, _ = states.open_transaction(life(SessionState.REQUESTED), NOW, TIMERS)

    assert after.state is SessionState.CHARGING
    assert moved(after, states.StartAnswered(StartOutcome.UNANSWERED)) == (after, ())


def test_nobody_plugs_in_and_the_session_expires() -> None:  # B6
    after, _ = moved(overdue(SessionState.STARTING), states.DeadlinePassed())

    assert after.state is SessionState.EXPIRED


def test_a_deadline_that_moved_is_not_passed() -> None:
    before = life(SessionState.STARTING)

    assert moved(before, states.DeadlinePassed()) == (before, ())


def test_someone_else_on_the_evse_expires_a_waiting_session() -> None:  # B10
    after, _ = moved(life(SessionState.STARTING), states.EvseTaken())

    assert after.state is SessionState.EXPIRED


@pytest.mark.parametrize("state", [SessionState.REQUESTED, SessionState.STARTING])
def test_a_stop_before_the_start_cancels(state: SessionState) -> None:  # B37
    after, effects = moved(life(state), states.StopAsked(StopReason.TERMINAL))

    assert after.state is SessionState.CANCELLED
    assert effects == ()


@pytest.mark.parametrize("state", [SessionState.CHARGING, SessionState.SUSPENDED])
def test_a_stop_is_sent_once_however_often_it_is_asked(state: SessionState) -> None:  # B11, B13
    after, effects = moved(life(state), states.StopAsked(StopReason.PAID_LIMIT))
    again, no_effects = moved(after, states.StopAsked(StopReason.TERMINAL))

    assert after.state is SessionState.STOPPING
    assert effects == (Effect.SEND_STOP,)
    assert (again, no_effects) == (after, ())
    assert again.stop_reason is StopReason.PAID_LIMIT


def test_a_full_battery_is_stopped_after_the_grace_time() -> None:  # B12
    paused, _ = moved(life(SessionState.CHARGING), states.EnergyPaused())
    later = paused.deadline_at
    assert later == NOW + timedelta(seconds=600)

    after, effects = apply(paused, states.DeadlinePassed(), later, TIMERS)

    assert after.state is SessionState.STOPPING
    assert after.stop_reason is StopReason.BATTERY_FULL
    assert effects == (Effect.SEND_STOP,)


def test_meter_values_do_not_lengthen_the_grace_time() -> None:
    paused, _ = moved(life(SessionState.CHARGING), states.EnergyPaused())

    after, _ = apply(paused, states.Heard(), NOW + timedelta(seconds=300), TIMERS)

    assert after.deadline_at == paused.deadline_at


def test_a_charger_that_gives_nothing_is_not_taken_for_a_full_battery() -> None:
    paused, _ = moved(life(SessionState.CHARGING), states.EnergyPaused(by_vehicle=False))
    assert paused.state is SessionState.SUSPENDED

    after, effects = apply(paused, states.DeadlinePassed(), NOW + timedelta(seconds=901), TIMERS)

    assert (after.state, after.stale) == (SessionState.SUSPENDED, True)
    assert effects == ()


def test_a_pause_of_the_charger_that_becomes_one_of_the_vehicle_starts_the_grace_time() -> None:
    paused, _ = moved(life(SessionState.CHARGING), states.EnergyPaused(by_vehicle=False))

    after, _ = apply(paused, states.EnergyPaused(by_vehicle=True), NOW + timedelta(seconds=100), TIMERS)

    assert after.deadline_at == NOW + timedelta(seconds=700)


@pytest.mark.parametrize("state", sorted(states.RUNNING))
def test_staff_close_a_session_whose_charger_is_dead_at_its_last_value(state: SessionState) -> None:
    after, effects = moved(life(state), states.CloseAsked())

    assert (after.state, after.stop_reason) == (SessionState.ENDED, StopReason.OPERATOR)
    assert effects == (Effect.INFER_END, Effect.CLOSE_BOOKS)


def test_a_grace_time_of_zero_never_stops() -> None:
    timers = replace(TIMERS, full_battery_grace_seconds=0)
    paused, _ = apply(life(SessionState.CHARGING), states.EnergyPaused(), NOW, timers)

    after, effects = apply(paused, states.DeadlinePassed(), paused.deadline_at, timers)  # type: ignore[arg-type]

    assert after.state is SessionState.SUSPENDED
    assert after.stale
    assert effects == ()


def test_a_stop_that_is_not_obeyed_is_repeated_and_the_third_time_staff_hear_of_it() -> None:  # B14
    current, _ = moved(life(SessionState.CHARGING), states.StopAsked(StopReason.TERMINAL))
    reviews = []
    now = NOW
    for _ in range(4):
        refused, refused_effects = apply(current, states.StopAnswered(accepted=False), now, TIMERS)
        assert refused.deadline_at is not None
        now = refused.deadline_at
        current, effects = apply(refused, states.DeadlinePassed(), now, TIMERS)
        assert Effect.SEND_STOP in effects
        reviews.append(Effect.ASK_REVIEW in refused_effects + effects)

    assert current.state is SessionState.STOPPING
    assert any(reviews)


def test_a_charger_that_forgot_the_transaction_ends_it_at_its_last_value() -> None:  # B17
    doubted, _ = moved(life(SessionState.CHARGING), states.TransactionDoubted())
    assert doubted.deadline_at == NOW + timedelta(seconds=600)

    after, effects = apply(doubted, states.DeadlinePassed(), doubted.deadline_at, TIMERS)

    assert after.state is SessionState.ENDED
    assert after.stop_reason is StopReason.FORGOTTEN
    assert effects == (Effect.INFER_END, Effect.CLOSE_BOOKS)


@pytest.mark.parametrize(
    "answer", [states.StopAnswered(accepted=False), states.StopAnswered(accepted=True)], ids=["no", "yes"]
)
def test_what_a_charger_says_to_a_stop_takes_nothing_from_the_grace_of_a_doubt(
    answer: states.Event,
) -> None:  # B17
    stopping, _ = moved(life(SessionState.CHARGING), states.StopAsked(StopReason.TERMINAL))
    doubted, _ = moved(stopping, states.TransactionDoubted())

    after, _ = moved(doubted, answer)

    assert after.deadline_at == NOW + timedelta(seconds=600)


def test_a_stop_that_is_asked_for_in_doubt_leaves_the_charger_its_grace() -> None:  # B17
    doubted, _ = moved(life(SessionState.CHARGING), states.TransactionDoubted())

    after, effects = moved(doubted, states.StopAsked(StopReason.TERMINAL))

    assert after.deadline_at == NOW + timedelta(seconds=600)
    assert effects == (Effect.SEND_STOP,)


def test_a_charger_that_is_believed_while_it_stops_is_asked_again_as_soon_as_any_other() -> None:  # B14
    stopping, _ = moved(life(SessionState.CHARGING), states.StopAsked(StopReason.TERMINAL))
    doubted, _ = moved(stopping, states.TransactionDoubted())

    after, _ = moved(doubted, states.Heard())

    assert after.deadline_at == NOW + timedelta(seconds=180)


def test_a_charger_that_goes_on_after_its_reboot_is_believed() -> None:  # B16
    doubted, _ = moved(life(SessionState.CHARGING), states.TransactionDoubted())

    after, _ = moved(doubted, states.Heard())

    assert not after.doubted
    assert after.deadline_at == NOW + timedelta(seconds=900)


def test_a_silent_charger_becomes_stale_and_then_a_case_for_staff() -> None:  # B18
    stale, no_effects = moved(overdue(SessionState.CHARGING), states.DeadlinePassed())
    assert stale.stale
    assert no_effects == ()

    after, effects = apply(stale, states.DeadlinePassed(), stale.deadline_at, TIMERS)  # type: ignore[arg-type]

    assert after.state is SessionState.CHARGING
    assert effects == (Effect.ASK_REVIEW,)


@pytest.mark.parametrize("state", sorted(states.RUNNING))
def test_a_closed_transaction_ends_the_session_and_closes_its_books(state: SessionState) -> None:
    after, effects = moved(life(state), states.TransactionClosed(StopReason.UNPLUGGED))

    assert after.state is SessionState.ENDED
    assert after.stop_reason is StopReason.UNPLUGGED
    assert effects == (Effect.CLOSE_BOOKS,)


def test_who_asked_for_the_stop_is_the_reason_not_what_the_charger_says() -> None:
    stopping, _ = moved(life(SessionState.CHARGING), states.StopAsked(StopReason.TERMINAL))

    after, _ = moved(stopping, states.TransactionClosed(StopReason.CHARGER))

    assert after.stop_reason is StopReason.TERMINAL


def test_a_transaction_cannot_close_that_never_opened() -> None:
    with pytest.raises(IllegalMove):
        moved(life(SessionState.STARTING), states.TransactionClosed(StopReason.CHARGER))


EVENTS: list[states.Event] = [
    states.StartAnswered(StartOutcome.ACCEPTED),
    states.StartAnswered(StartOutcome.REJECTED),
    states.StartAnswered(StartOutcome.UNANSWERED),
    states.TransactionOpened(),
    states.EvseTaken(),
    states.EnergyPaused(),
    states.EnergyFlows(),
    states.Heard(),
    states.TransactionDoubted(),
    states.StopAsked(StopReason.TERMINAL),
    states.StopAnswered(accepted=True),
    states.StopAnswered(accepted=False),
    states.TransactionClosed(StopReason.CHARGER),
    states.DeadlinePassed(),
]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 100_000)), max_size=40))
@settings(max_examples=300)
def test_any_order_of_events_keeps_the_table_and_books_are_closed_at_most_once(
    story: list[tuple[states.Event, int]],
) -> None:
    current, now, closed = states.begin(NOW, TIMERS), NOW, 0
    for event, seconds in story:
        now += timedelta(seconds=seconds)
        try:
            after, effects = apply(current, event, now, TIMERS)
        except IllegalMove:
            continue
        assert after.state == current.state or after.state in states.LEGAL[current.state]
        assert (after.deadline_at is None) == (after.state in states.FINAL)
        closed += Effect.CLOSE_BOOKS in effects
        current = after

    assert closed <= 1
    assert closed == (current.state is SessionState.ENDED)


@given(st.lists(st.sampled_from(EVENTS), max_size=20))
@settings(max_examples=200)
def test_when_the_world_falls_silent_a_session_that_never_started_ends(story: list[states.Event]) -> None:
    current, now = states.begin(NOW, TIMERS), NOW
    for event in story:
        now += timedelta(seconds=1)
        try:
            current, _ = apply(current, event, now, TIMERS)
        except IllegalMove:
            continue

    reviewed = False
    for _ in range(10):
        if current.deadline_at is None:
            break
        now = max(now, current.deadline_at)
        current, effects = apply(current, states.DeadlinePassed(), now, TIMERS)
        reviewed = reviewed or Effect.ASK_REVIEW in effects

    assert current.state in states.FINAL or reviewed


@pytest.mark.parametrize("news", [states.EnergyFlows(), states.EnergyPaused()])
@pytest.mark.parametrize("state", sorted(states.RUNNING))
def test_a_charger_that_tells_how_energy_goes_has_forgotten_nothing(
    state: SessionState, news: states.Event
) -> None:  # B16
    after, _ = moved(life(state, doubted=True, stale=True), news)

    assert not after.doubted
    assert not after.stale


def test_a_charger_that_was_silent_before_the_battery_was_full_is_stopped_after_the_grace() -> None:  # B12
    paused, _ = moved(life(SessionState.CHARGING, stale=True), states.EnergyPaused())
    assert paused.deadline_at is not None

    after, effects = apply(paused, states.DeadlinePassed(), paused.deadline_at, TIMERS)

    assert after.state is SessionState.STOPPING
    assert effects == (Effect.SEND_STOP,)


def test_a_charger_that_is_away_for_weeks_is_still_asked_to_stop() -> None:
    after, _ = moved(life(SessionState.STOPPING, stop_attempts=5000), states.StopAnswered(accepted=False))

    assert after.deadline_at == NOW + timedelta(seconds=TIMERS.stop_retry_max_seconds)
