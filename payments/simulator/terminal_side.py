"""What the terminal's page needs of a PTP, whichever way that PTP speaks to us.

Bodies are in the words of our native API (payments.ptp_api.shapes); a PTP that speaks OCPI translates.
Every method raises ApiTrouble when the platform cannot be reached, ApiProblem when it says no.
"""

import uuid
from typing import Protocol

from payments.simulator.native_api import Body
from payments.simulator.platform import Order, Tap
from payments.simulator.psp import Card


class TerminalSide(Protocol):
    """One terminal of a PTP."""

    terminal_id: str

    def heartbeat(self) -> None:
        """Tell that the terminal is alive."""

    def connectors(self, language: str) -> list[Body]:
        """Return the connectors that this terminal sells."""

    def connector(self, connector_id: str, language: str) -> Body | None:
        """Return one of them."""

    def quote(self, connector_id: str, language: str) -> Body:
        """Return price, terms and the amount to hold."""

    def tap(self, tap_id: uuid.UUID, order: Order, card: Card) -> Tap:
        """Hold a card to the reader; the same tap twice is one tap."""

    def session(self, session_id: str) -> Body:
        """Return how a session stands."""

    def stop(self, session_id: str) -> Body:
        """Press Stop."""

    def running(self) -> list[Body]:
        """Return the sessions of this terminal that are not over."""

    def receipts(self) -> list[Body]:
        """Return what was settled at this terminal in the last 24 hours."""

    def settle_due(self) -> int:
        """Capture and release whatever is due."""
