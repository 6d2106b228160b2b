"""The people of the CPO: some act of their own now and then, and the review inbox, which they work through."""

from __future__ import annotations

from payments.states import Review
from sessions_app.states import StopReason
from tests.sim.peers import Ptp
from tests.sim.server import Server
from tests.sim.world import World

LOOKS_EVERY_SECONDS = 4 * 3600.0


class Staff:
    """They do what the inbox offers, each act once or twice, and ask the PTP where nobody else can tell."""

    def __init__(self, world: World, server: Server, ptp: Ptp) -> None:
        self.world, self.server, self.ptp = world, server, ptp

    def live(self, until: float) -> None:
        """Plan what they do of their own accord, and some looks at the inbox, before `until`."""
        rng, server = self.world.rng, self.server
        acts = (
            (0.05, server.close_in_books),
            (0.1, server.write_off),
            (0.15, lambda: server.refund(rng.choice((0.1, 0.5, 1.0)))),
            (0.05, lambda: server.refund(1.0)),
            (0.05, lambda: server.stop(StopReason.OPERATOR)),
            (0.3, self._work_the_inbox),
            (0.3, self._work_the_inbox),
        )
        for probability, act in acts:
            if rng.random() < probability:
                self.world.after(rng.uniform(0, until), lambda act=act: server.ask(act))  # type: ignore[misc]

    def look_after_it(self) -> None:
        """Look at the inbox every few hours from now on; where nothing waits, nothing is asked of the server."""
        account = self.server.rows.account
        if account is not None and account.review is not None:
            self.server.ask(self._work_the_inbox)
        self.world.after(LOOKS_EVERY_SECONDS, self.look_after_it)

    def _work_the_inbox(self) -> None:
        account, server = self.server.rows.account, self.server
        if account is None or account.review is None:
            return
        if account.review is Review.AMOUNT_DIFFERS:
            self._accept([*server.rows.confirmations.values()][-1].amount_minor)
        elif account.review in (
            Review.CURRENCY_DIFFERS,
            Review.CONFIRMED_TWICE,
            Review.CAPTURED_AFTER_RELEASE,
        ):
            self._accept(sum(self.ptp.captures) - self.ptp.returned)
        elif account.review is Review.UNCONFIRMED and self.ptp.answer_minor is not None:
            self._accept(self.ptp.answer_minor)
        elif account.review is Review.CAPTURED_MORE:
            self.ptp.give_back(account.owed_minor)
            server.excess_returned()
        elif account.review in (Review.LATE_STOP_DIFFERS, Review.METER_DOUBT):
            server.close_review()

    def _accept(self, amount_minor: int) -> None:
        account = self.server.rows.account
        if account is None or amount_minor < account.captured_minor:
            return
        for _ in range(self.world.rng.choice((1, 1, 2))):  # a form may be sent twice
            self.server.accept(amount_minor)
