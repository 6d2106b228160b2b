"""A terminal of the PTP in the box: the same screens, over OCPI.

It presses the buttons of a `simulate_ptp` that runs as a process of its own; that process holds, captures
and releases by itself.
"""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

from payments.simulator import translated
from payments.simulator.native_api import ApiProblem, ApiTrouble, Body
from payments.simulator.ocpi.driver import PtpDriver, PtpTrouble
from payments.simulator.ocpi.taps import CARDS
from payments.simulator.platform import Order, Tap
from payments.simulator.psp import Card

NOT_FOUND = 404
_OVER = ("REJECTED", "EXPIRED", "ENDED")


class OverOcpi:
    """One terminal (payments.simulator.terminal_side.TerminalSide)."""

    def __init__(self, driver: PtpDriver, *, terminal_id: str) -> None:
        self._driver = driver
        self.terminal_id = terminal_id

    def heartbeat(self) -> None:
        """OCPI knows none; the platform must be there and registered all the same."""
        if not self._state()["registered"]:
            raise ApiTrouble("the PTP is not registered")

    def connectors(self, language: str) -> list[Body]:
        """Return the connectors that this terminal sells."""
        return translated.connectors(self._state(), self.terminal_id, language)

    def connector(self, connector_id: str, language: str) -> Body | None:
        """Return one of them."""
        return next((each for each in self.connectors(language) if each["id"] == connector_id), None)

    def quote(self, connector_id: str, language: str) -> Body:
        """Return price, terms and the amount to hold."""
        connector = self.connector(connector_id, language)
        quote = translated.quote(self._state(), connector, language) if connector else None
        return _found(quote)

    def tap(self, tap_id: uuid.UUID, order: Order, card: Card) -> Tap:
        """Hold a card to the reader; what is held is what was shown."""
        connector = _found(self.connector(order.connector_id, order.language))
        name = next(name for name, each in CARDS.items() if each == card)
        try:
            done = self._driver.tap(
                location_id=connector["location_id"],
                evse_uid=connector["evse_uid"],
                connector_id=connector["connector_id"],
                card=name,
                amount=Decimal(order.amount),
                terminal_id=self.terminal_id,
                reference=str(tap_id),
            )
        except PtpTrouble as trouble:
            raise ApiTrouble(str(trouble)) from trouble
        if done["outcome"] == "declined":
            return Tap("declined")
        if done["outcome"] in ("accepted", "unknown", "refused"):
            return Tap("started", session_id=str(tap_id))
        return Tap("refused", problem=str(done["message"]))

    def session(self, session_id: str) -> Body:
        """Return how a session stands."""
        return _found(translated.session(self._state(), session_id, datetime.now(UTC)))

    def stop(self, session_id: str) -> Body:
        """Press Stop."""
        try:
            return self._driver.stop(session_id)
        except PtpTrouble as trouble:
            raise ApiTrouble(str(trouble)) from trouble

    def running(self) -> list[Body]:
        """Return the sessions of this terminal that are not over, newest first."""
        state, now = self._state(), datetime.now(UTC)
        mine = [name for name, start in state["starts"].items() if start["terminal_id"] == self.terminal_id]
        told = [translated.session(state, name, now) for name in reversed(mine)]
        return [each for each in told if each is not None and each["status"] not in _OVER]

    def receipts(self) -> list[Body]:
        """Return what was settled at this terminal in the last 24 hours."""
        return list(translated.receipts(self._state(), self.terminal_id, datetime.now(UTC)))

    def settle_due(self) -> int:
        """The platform does that by itself."""
        return 0

    def _state(self) -> translated.State:
        try:
            return self._driver.state()
        except PtpTrouble as trouble:
            raise ApiTrouble(str(trouble)) from trouble


def _found(body: Body | None) -> Body:
    if body is None:
        raise ApiProblem(NOT_FOUND, {"code": "not_found"})
    return body
