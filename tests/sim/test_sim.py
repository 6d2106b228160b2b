"""The simulator itself: good code survives it, each planted fault does not, and a seed plays the same again."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from payments import states as money
from sessions_app import states as session
from sessions_app.states import FINAL, StartOutcome
from tests.sim.peers import Ptp
from tests.sim.rows import NOTHING_WH, Letter, Order, cost_minor
from tests.sim.run import LivedLife, outcome_of
from tests.sim.server import Server

LIVES = 400
MOST_LIVES_TO_A_CATCH = 3_000


def test_no_life_breaks_an_invariant_or_is_left_without_an_end() -> None:
    broken = [outcome for outcome in map(outcome_of, range(LIVES)) if outcome[2]]
    assert broken == []


def test_a_seed_plays_the_same_life_again() -> None:
    def story(seed: int) -> tuple[object, ...]:
        life = LivedLife(seed)
        life.live()
        rows = life.server.rows
        return rows.life, rows.account, rows.energy_wh, life.world.events, life.ptp.captures

    assert [story(seed) for seed in range(20)] == [story(seed) for seed in range(20)]


def test_lives_end_in_every_way_that_money_can() -> None:
    ends = {outcome_of(seed)[1] for seed in range(2_000)}
    expected = {"CAPTURED", "RELEASED", "PARTIALLY_CAPTURED", "CAPTURE_FAILED", "REFUNDED", "WRITTEN_OFF"}
    assert expected <= ends


# --- Planted faults -------------------------------------------------------------------------------


class BillsBeyondTheHold(Server):
    def _close_books(self) -> None:
        if self.rows.energy_wh >= NOTHING_WH:
            self.rows.cdr_minor = cost_minor(self.rows.energy_wh)


class SendsTheStartAgain(Server):
    def _order_over(self, order: Order, outcome: StartOutcome) -> None:
        if order.kind == "START" and order.sent and outcome is StartOutcome.UNANSWERED:
            order.sent, order.deadline_at = False, self.world.now + timedelta(seconds=30)
            return
        super()._order_over(order, outcome)


class HasNoSweep(Server):
    def plan_sweep(self) -> None:
        pass


class BillsALateStart(Server):
    def transaction_started(self) -> None:
        if self.rows.life is not None and self.rows.life.state in FINAL and not self.rows.transaction:
            self.rows.transaction = "open"
            self.rows.cdr_minor = 1_000
            return
        super().transaction_started()


class GivesTheStopUp(Server):
    def _work_deadlines(self) -> None:
        life = self.rows.life
        if life is not None and life.state is session.SessionState.STOPPING:
            return
        super()._work_deadlines()

    def _move(self, event: session.Event) -> None:
        if not isinstance(event, session.StopAnswered):
            super()._move(event)


class SettlesBeforeTheEnd(Server):
    def _settle(self) -> None:
        account = self.rows.account
        if account is not None and account.state is money.PaymentState.AUTHORIZED and self.rows.energy_wh:
            self._pay(money.CdrIssued(min(cost_minor(self.rows.energy_wh), account.authorized_minor)))
        super()._settle()


class ForgetsWhatIsOnItsWay(Server):
    """The message is not a row: what a crash takes with it is not told any more."""

    def _die(self) -> None:
        super()._die()
        self.rows.letters.clear()


class KeepsWhatWasTakenTooMuch(Server):
    """What the PTP took beyond what is due is nobody's: staff accept it, and it is forgotten."""

    def accept(self, amount_minor: int) -> None:
        account = self.rows.account
        super().accept(amount_minor if account is None else min(amount_minor, account.due_minor))


class CapturesEachDelivery(Ptp):
    """The same CDR under another id at each attempt, as a server without a stable id would send it."""

    def receive(self, letter: Letter) -> None:
        self.known.clear()
        super().receive(letter)


MUTANTS: list[tuple[type[Server], type[Ptp]]] = [
    (BillsBeyondTheHold, Ptp),
    (SendsTheStartAgain, Ptp),
    (HasNoSweep, Ptp),
    (BillsALateStart, Ptp),
    (GivesTheStopUp, Ptp),
    (SettlesBeforeTheEnd, Ptp),
    (ForgetsWhatIsOnItsWay, Ptp),
    (KeepsWhatWasTakenTooMuch, Ptp),
    (Server, CapturesEachDelivery),
]


@pytest.mark.parametrize(("server", "ptp"), MUTANTS)
def test_a_planted_fault_is_caught(server: type[Server], ptp: type[Ptp]) -> None:
    caught = next(_breaks(server, ptp), None)
    assert caught is not None


def _breaks(server: type[Server], ptp: type[Ptp]) -> Iterator[str]:
    for seed in range(MOST_LIVES_TO_A_CATCH):
        try:
            LivedLife(seed, server, ptp).live()
        except Exception as broken:  # noqa: BLE001  (whatever stops the life is the catch)
            yield f"{seed}: {broken}"
