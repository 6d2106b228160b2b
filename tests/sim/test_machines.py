"""The two pure tables under hypothesis: any order of any events; a break is shrunk to its shortest story."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from payments import states as money
from payments.errors import WrongState
from payments.states import Account, CaptureStatus, PaymentState
from sessions_app import states as session
from sessions_app.errors import IllegalMove
from sessions_app.states import FINAL, Life, StartOutcome, StopReason
from tests.sim.rows import MONEY_TIMERS, SESSION_TIMERS, unseen_doubts

START = datetime(2026, 1, 1, tzinfo=UTC)
AMOUNTS = st.integers(min_value=0, max_value=120)
HELD = 100


class PaymentMachine(RuleBasedStateMachine):
    """Any events in any order: money stays within its bounds and never goes back."""

    account: Account
    now: datetime

    @initialize()
    def open(self) -> None:
        self.now, self.told = START, 0
        self.account = money.begin(HELD, START, MONEY_TIMERS)
        self.trail: list[PaymentState] = [self.account.state]

    def _apply(self, event: money.Event) -> None:
        before = self.account
        try:
            self.account, effects = money.apply(before, event, self.now, MONEY_TIMERS)
        except WrongState:
            return
        assert not unseen_doubts(before, self.account, event)
        self.told += effects.count(money.Effect.TELL_DUE)
        if self.account.state is not before.state:
            self.trail.append(self.account.state)
        again, more = money.apply(before, event, self.now, MONEY_TIMERS)
        assert (again, more) == (self.account, effects)

    @rule(total=st.integers(min_value=0, max_value=HELD), doubtful=st.booleans())
    def cdr(self, total: int, doubtful: bool) -> None:
        self._apply(money.CdrIssued(total, doubtful))

    @rule()
    def nothing(self) -> None:
        self._apply(money.NothingToCharge())

    @rule(status=st.sampled_from(CaptureStatus), amount=AMOUNTS, same=st.booleans())
    def confirmation(self, status: CaptureStatus, amount: int, same: bool) -> None:
        self._apply(money.Confirmed(status, amount, same))

    @rule(
        event=st.sampled_from(
            (
                money.ReleaseAcknowledged(),
                money.WriteOffAsked(),
                money.RefundAcknowledged(),
                money.ReviewClosed(),
                money.ExcessReturned(),
                money.Flagged(money.Review.CDR_REFUSED),
                money.Flagged(money.Review.LATE_STOP_DIFFERS),
                money.Flagged(money.Review.FILE_DIFFERS),
            )
        )
    )
    def told_or_asked(self, event: money.Event) -> None:
        self._apply(event)

    @rule(amount=AMOUNTS)
    def accepted(self, amount: int) -> None:
        self._apply(money.CaptureAccepted(amount))
        if self.account.accepted and self.account.state is not PaymentState.AUTHORIZED:
            before = self.account
            self._apply(money.CaptureAccepted(before.captured_minor + before.owed_minor))
            asked = {"review": self.account.review, "reviews_after": self.account.reviews_after}
            assert self.account == replace(before, **asked)

    @rule(amount=AMOUNTS)
    def refund(self, amount: int) -> None:
        self._apply(money.RefundAsked(amount))

    @rule(seconds=st.integers(min_value=1, max_value=10**6))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self._apply(money.DeadlinePassed())

    @invariant()
    def money_adds_up(self) -> None:
        account = self.account
        assert 0 <= account.captured_minor <= account.due_minor <= account.authorized_minor
        assert account.captured_minor + account.open_minor + account.written_off_minor == account.due_minor
        assert 0 <= account.excess_returned_minor <= account.excess_minor
        assert 0 <= account.refunded_minor + account.refunding_minor <= account.captured_minor

    @invariant()
    def it_is_told_once_what_is_due(self) -> None:
        assert self.told == (self.account.state is not PaymentState.AUTHORIZED)

    @invariant()
    def no_state_is_left_and_entered_again(self) -> None:
        refunds = (PaymentState.REFUNDING, PaymentState.REFUNDED)
        once = [state for state in self.trail if state not in refunds]
        assert len(once) == len(set(once))

    @invariant()
    def whatever_waits_has_a_deadline(self) -> None:
        assert self.account.state not in money.WAITING or self.account.deadline_at is not None


_EVENTS: tuple[session.Event, ...] = (
    session.StartRefused("offline"),
    *(session.StartAnswered(outcome) for outcome in StartOutcome),
    session.TransactionOpened(),
    session.EvseTaken(),
    session.EnergyPaused(by_vehicle=True),
    session.EnergyPaused(by_vehicle=False),
    session.EnergyFlows(),
    session.Heard(),
    session.TransactionDoubted(),
    session.StopAsked(StopReason.TERMINAL),
    session.StopAnswered(accepted=True),
    session.StopAnswered(accepted=False),
    session.TransactionClosed(StopReason.UNPLUGGED),
    session.CloseAsked(),
)


class SessionMachine(RuleBasedStateMachine):
    """Any events in any order: the books are closed once, and only of what ran."""

    life: Life
    now: datetime

    @initialize()
    def request(self) -> None:
        self.now, self.closed = START, 0
        self.life = session.begin(START, SESSION_TIMERS)

    def _apply(self, event: session.Event) -> None:
        before = self.life
        try:
            self.life, effects = session.apply(before, event, self.now, SESSION_TIMERS)
        except IllegalMove:
            return
        self.closed += effects.count(session.Effect.CLOSE_BOOKS)
        assert before.state not in FINAL or (self.life is before and not effects)

    @rule(event=st.sampled_from(_EVENTS))
    def something(self, event: session.Event) -> None:
        self._apply(event)

    @rule(seconds=st.integers(min_value=1, max_value=100_000))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self._apply(session.DeadlinePassed())

    @invariant()
    def books_are_closed_once_at_the_end(self) -> None:
        assert self.closed == (self.life.state is session.SessionState.ENDED)

    @invariant()
    def whatever_lives_has_a_deadline(self) -> None:
        assert self.life.state in FINAL or self.life.deadline_at is not None


def _case(machine: type[RuleBasedStateMachine]) -> Any:
    case = machine.TestCase
    case.settings = settings(max_examples=150, stateful_step_count=30)
    return case


TestPaymentMachine = _case(PaymentMachine)
TestSessionMachine = _case(SessionMachine)
