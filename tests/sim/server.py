"""Our side of one simulated payment: rows that survive, wake-ups that may be lost, one sweep behind them.

It feeds the two pure tables (`sessions_app.states`, `payments.states`) and carries out their effects, as
`lifecycle.py`, `settlement.py` and `outbox.py` do over the database. A message is worked on in one
transaction: a crash comes before it (nothing happened) or after it (all of it did, and nobody was told).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from payments import states as money
from payments.states import PaymentState
from sessions_app import states as session
from sessions_app.states import FINAL, RUNNING, SessionState, StartOutcome, StopReason
from tests.sim.rows import (
    CENTS_PER_KWH,
    FIRST_RETRY_SECONDS,
    MAX_RETRY_SECONDS,
    MONEY_TIMERS,
    MOST_CHASES,
    NOTHING_WH,
    SENT_FOR_SECONDS,
    SESSION_TIMERS,
    Letter,
    Order,
    Rows,
    cost_minor,
    unseen_doubts,
)
from tests.sim.world import World, must

if TYPE_CHECKING:
    from tests.sim.peers import Charger, Ptp

RECEIVABLE = money.REFUNDABLE | {PaymentState.CAPTURE_FAILED, PaymentState.REFUNDING}


class Server:
    """The backend."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows = Rows()
        self.down_until = 0.0
        self.sweep_at = float("inf")
        self.starts_on_wire = 0
        self.charger: Charger
        self.ptp: Ptp

    # --- How it is reached ------------------------------------------------------------------------

    def ask(self, work: Callable[[], None], reply: Callable[[], None] | None = None) -> None:
        """Work on one message; `reply` goes back unless the server is down or dies with it."""
        world = self.world
        if world.seconds < self.down_until:
            return
        fate = world.rng.random() if world.happens(world.weather.crash) else 1.0
        if fate < 0.5:
            self._die()
            return
        work()
        self.check()
        if fate < 1.0:
            self._die()
        else:
            self._wake()
            if reply is not None:
                world.carry(reply)
        self.plan_sweep()

    def _die(self) -> None:
        self.down_until = self.world.seconds + self.world.rng.choice((0.5, 20, 600))
        self.plan_sweep()

    def _wake(self) -> None:
        """Wake-ups go by a broker that may lose them."""
        world = self.world
        if not world.happens(world.weather.lost):
            world.after(world.rng.uniform(0, 0.5), self.work_through)

    def plan_sweep(self) -> None:
        """The sweep looks at whatever has a time that has come; it runs when the server does."""
        times = [at for at in self._times() if at is not None]
        if not times:
            return
        due = max(0.0, (min(times) - self.world.now).total_seconds())
        at = max(self.world.seconds + due, self.down_until) + self.world.rng.uniform(0.1, 5)
        if at < self.sweep_at - 1e-6 or self.sweep_at <= self.world.seconds:
            self.sweep_at = at
            self.world.after(at - self.world.seconds, lambda: self._sweep(at))

    def _times(self) -> list[datetime | None]:
        rows = self.rows
        times: list[datetime | None] = [order.deadline_at for order in rows.orders if not order.over]
        times += [letter.due_at for letter in rows.letters if not letter.delivered]
        if rows.life is not None and rows.life.state not in FINAL:
            times += [rows.life.deadline_at, rows.stop_at]
        if rows.account is not None:
            times.append(rows.account.deadline_at)
            if rows.account.state is PaymentState.AUTHORIZED and rows.life and rows.life.state in FINAL:
                times.append(self.world.now)
        return times

    def _sweep(self, at: float) -> None:
        if at != self.sweep_at:
            return  # an earlier one was planned since
        self.sweep_at = float("inf")
        if self.world.seconds >= self.down_until:
            self.work_through()
        self.plan_sweep()

    def work_through(self) -> None:
        """What a worker does for a wake-up, and the sweep for everything: look at the rows, act on them."""
        if self.world.seconds < self.down_until or self.rows.life is None:
            return
        self._work_orders()
        self._work_deadlines()
        self._settle()
        for letter in self.rows.letters:
            self._post(letter)
        self.check()
        self.plan_sweep()

    # --- Session ----------------------------------------------------------------------------------

    def open(self, hold_minor: int) -> None:
        """START_SESSION, or POST sessions: the same reference again changes nothing."""
        rows, now = self.rows, self.world.now
        if rows.account is not None:
            return
        rows.account = money.begin(hold_minor, now, MONEY_TIMERS)
        rows.life = session.begin(now, SESSION_TIMERS)
        if not self.charger.online:
            self._move(session.StartRefused("charger_offline"))
            return
        deadline = now + timedelta(seconds=SESSION_TIMERS.command_seconds)
        rows.orders.append(Order("START", deadline))

    def _move(self, event: session.Event) -> None:
        rows = self.rows
        assert rows.life is not None
        before = rows.life.state
        if isinstance(event, session.TransactionOpened):
            rows.life, effects = session.open_transaction(rows.life, self.world.now, SESSION_TIMERS)
        else:
            rows.life, effects = session.apply(rows.life, event, self.world.now, SESSION_TIMERS)
        must(before not in FINAL or rows.life.state is before, "a session that was over moved")
        for effect in effects:
            if effect is session.Effect.SEND_STOP:
                self._order_stop(stray=False)
            elif effect is session.Effect.INFER_END:
                rows.transaction = "closed"
            elif effect is session.Effect.ASK_REVIEW:
                rows.needs_review = True
            elif effect is session.Effect.CLOSE_BOOKS:
                self._close_books()

    def _close_books(self) -> None:
        rows = self.rows
        assert rows.account is not None
        must(rows.cdr_minor is None, "a second CDR for one session (I3)")
        if rows.energy_wh >= NOTHING_WH:
            rows.cdr_minor = min(cost_minor(rows.energy_wh), rows.account.authorized_minor)

    def _order_stop(self, *, stray: bool) -> None:
        deadline = self.world.now + timedelta(seconds=SESSION_TIMERS.stop_seconds)
        self.rows.orders.append(Order("STOP", deadline, stray))

    def _work_orders(self) -> None:
        for order in list(self.rows.orders):
            if order.over:
                continue
            if self.world.now >= order.deadline_at:
                self._order_over(order, StartOutcome.UNANSWERED if order.sent else StartOutcome.UNSENT)
            elif not order.sent and self.charger.online:
                self._send(order)

    def _send(self, order: Order) -> None:
        order.sent = True
        if order.kind == "START":
            self.starts_on_wire += 1
            must(self.starts_on_wire == 1, "a second start command on the wire (I9)")
            self.world.carry(lambda: self.charger.remote_start(order))
        else:
            self.world.carry(lambda: self.charger.remote_stop(order))

    def answered(self, order: Order, *, accepted: bool) -> None:
        """The charger answered a command; late answers find the order over."""
        if not order.over:
            self._order_over(order, StartOutcome.ACCEPTED if accepted else StartOutcome.REJECTED)

    def _order_over(self, order: Order, outcome: StartOutcome) -> None:
        order.over = True
        if order.kind == "START":
            self._move(session.StartAnswered(outcome))
        elif not order.stray:
            self._move(session.StopAnswered(outcome is StartOutcome.ACCEPTED))
        elif outcome is not StartOutcome.ACCEPTED and self.rows.transaction == "stray":
            self._chase()

    def _chase(self) -> None:
        """A stray transaction is stopped again and again for a while; then it is the operator's business."""
        self.rows.chases += 1
        if self.rows.chases < MOST_CHASES:
            self._order_stop(stray=True)

    def _work_deadlines(self) -> None:
        rows, now = self.rows, self.world.now
        assert rows.life is not None
        if rows.stop_at is not None and rows.stop_at <= now and rows.life.state in RUNNING:
            rows.stop_at = None
            self._move(session.StopAsked(StopReason.PAID_LIMIT))
        if rows.life.deadline_at is not None and rows.life.deadline_at <= now:
            self._move(session.DeadlinePassed())

    # --- What the charger tells -------------------------------------------------------------------

    def transaction_started(self) -> None:
        """StartTransaction with our tag; a repeat is the same transaction."""
        rows = self.rows
        if rows.transaction or rows.life is None:
            return
        if rows.life.state in FINAL:
            rows.transaction, rows.needs_review = "stray", True
            self._order_stop(stray=True)
            return
        rows.transaction = "open"
        self._move(session.TransactionOpened())

    def metered(self, energy_wh: int, power_w: int) -> None:
        """A meter value moves energy and the forecast of the paid limit."""
        rows = self.rows
        if rows.transaction != "open" or rows.life is None or rows.life.state in FINAL:
            return
        assert rows.account is not None
        self._move(session.Heard())
        rows.energy_wh = max(rows.energy_wh, energy_wh)
        if power_w and rows.life.state in (SessionState.CHARGING, SessionState.SUSPENDED):
            self._move(session.EnergyFlows())
            left_wh = rows.account.authorized_minor * 1000 / CENTS_PER_KWH - rows.energy_wh
            seconds = max(0.0, left_wh / power_w * 3600 - 2)
            rows.stop_at = self.world.now + timedelta(seconds=min(seconds, 86_400))

    def paused(self) -> None:
        """The vehicle takes no more."""
        if self.rows.transaction == "open":
            self._move(session.EnergyPaused())

    def evse_free(self) -> None:
        """The charger reports the EVSE free while a transaction is open (B17)."""
        if self.rows.transaction == "stray":
            self.rows.transaction = "closed"
        elif self.rows.life is not None and self.rows.transaction == "open":
            self._move(session.TransactionDoubted())

    def transaction_stopped(self, energy_wh: int, reason: StopReason) -> None:
        """StopTransaction; a repeat, or one for a session that was closed without it, bills nothing more."""
        rows = self.rows
        if rows.life is None or rows.account is None:
            return
        if rows.transaction == "stray":
            rows.transaction = "closed"
        if rows.transaction != "open":
            if rows.life.state is SessionState.ENDED and energy_wh != rows.energy_wh:
                self._pay(money.Flagged(money.Review.LATE_STOP_DIFFERS))
            return
        rows.transaction = "closed"
        rows.energy_wh = max(rows.energy_wh, energy_wh)
        self._move(session.TransactionClosed(reason))

    # --- Staff and driver -------------------------------------------------------------------------

    def stop(self, reason: StopReason) -> None:
        """Somebody presses Stop."""
        if self.rows.life is not None and self.rows.life.state not in FINAL:
            self._move(session.StopAsked(reason))

    def close_in_books(self) -> None:
        """Staff close a session whose charger is gone."""
        if self.rows.life is not None and self.rows.life.state in RUNNING:
            self._move(session.CloseAsked())

    def write_off(self) -> None:
        """Staff give up what is open."""
        account = self.rows.account
        if account is not None and account.open_minor and account.state in RECEIVABLE:
            self._pay(money.WriteOffAsked())

    def refund(self, part: float) -> None:
        """Staff give back a part of what was captured."""
        account = self.rows.account
        if account is not None and account.state in money.REFUNDABLE and account.refundable_minor:
            amount = max(1, int(account.refundable_minor * part))
            self._pay(money.RefundAsked(amount))

    def accept(self, amount_minor: int) -> None:
        """Staff accept what was captured in all."""
        self._pay(money.CaptureAccepted(amount_minor))

    def close_review(self) -> None:
        """Staff looked at it; what waits besides is flagged when it stays overdue."""
        self._pay(money.ReviewClosed())

    def excess_returned(self) -> None:
        """Staff say that the PTP gave back what it took too much."""
        self._pay(money.ExcessReturned())

    # --- Money ------------------------------------------------------------------------------------

    def _settle(self) -> None:
        rows = self.rows
        assert rows.life is not None
        assert rows.account is not None
        if rows.life.state in FINAL and rows.account.state is PaymentState.AUTHORIZED:
            if rows.cdr_minor is None:
                self._pay(money.NothingToCharge())
            else:
                self._pay(money.CdrIssued(rows.cdr_minor, self.world.happens(self.world.weather.meter)))
            for parked in list(rows.confirmations.values()):
                self._pay(parked)
        if rows.account.deadline_at is not None and rows.account.deadline_at <= self.world.now:
            self._pay(money.DeadlinePassed())

    def _pay(self, event: money.Event) -> None:
        rows, before = self.rows, self.rows.account
        assert before is not None
        rows.account, effects = money.apply(before, event, self.world.now, MONEY_TIMERS)
        must(not unseen_doubts(before, rows.account, event), "a doubt leaves though nobody looked (S4)")
        for effect in effects:
            if effect is money.Effect.ISSUE_RECEIPT:
                rows.receipts += 1
            elif effect is money.Effect.TELL_DUE:
                topic = "cdr" if rows.account.due_minor else "release"
                rows.letters.append(Letter(topic, self.world.now))
            elif effect is money.Effect.TELL_REFUND:
                rows.credits_minor += rows.account.refunding_minor
                rows.letters.append(Letter("credit", self.world.now))

    def confirmed(self, confirmation_id: str, event: money.Confirmed) -> None:
        """A FinancialAdviceConfirmation; the same one again changes nothing."""
        rows = self.rows
        if rows.account is None or confirmation_id in rows.confirmations:
            return
        event = replace(event, first=not rows.confirmations)
        rows.confirmations[confirmation_id] = event
        self._pay(event)

    def _post(self, letter: Letter) -> None:
        if letter.delivered or letter.due_at > self.world.now:
            return
        wait = min(FIRST_RETRY_SECONDS * 2.0**letter.attempts, MAX_RETRY_SECONDS)
        letter.attempts += 1
        # Until it is answered it is due again: a worker that dies with it leaves it to the next one.
        letter.due_at = self.world.now + timedelta(seconds=max(wait, SENT_FOR_SECONDS))
        self.world.carry(lambda: self.ptp.receive(letter))

    def acknowledged(self, letter: Letter) -> None:
        """The PTP said yes to a message."""
        if letter.delivered:
            return
        letter.delivered = True
        assert self.rows.account is not None
        if letter.topic == "release":
            self._pay(money.ReleaseAcknowledged())
        elif letter.topic == "credit":
            self._pay(money.RefundAcknowledged())

    # --- What must always hold --------------------------------------------------------------------

    def check(self) -> None:
        """The invariants of one payment, after everything that was written."""
        rows = self.rows
        if rows.account is None or rows.life is None:
            return
        account = rows.account
        must(0 <= account.captured_minor <= account.due_minor, "captured more than due (S2)")
        must(account.due_minor <= account.authorized_minor, "due beyond the hold (I4)")
        must(
            account.captured_minor + account.open_minor + account.written_off_minor == account.due_minor,
            "captured, open and written off are not the CDR (I7)",
        )
        must(
            0 <= account.refunded_minor + account.refunding_minor <= account.captured_minor,
            "more given back than was taken",
        )
        must(
            0 <= account.excess_returned_minor <= account.excess_minor, "more of the excess is back than was"
        )
        must(rows.receipts == (1 if account.due_minor else 0), "not one receipt per charge (I10)")
        must(account.due_minor in (0, rows.cdr_minor), "due is not the CDR's total (S3)")
        if rows.cdr_minor is not None:
            must(rows.life.state is SessionState.ENDED, "a CDR for a session that has not ended (I3)")
        waiting = account.state in money.WAITING
        must(not waiting or account.deadline_at is not None, "a waiting payment without a deadline (S4)")
        live = rows.life.state not in FINAL
        must(not live or rows.life.deadline_at is not None, "a live session without a deadline (S4)")
