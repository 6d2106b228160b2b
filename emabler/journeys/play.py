"""One scenario while it is played: what driver, terminal, PTP and charger do, and what must come of it.

The acts are the same through every door; how they are done is each door's own. Sessions and payments are
spoken of in our words, whatever the door calls them.
"""

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from emabler.journeys.charger import Charger
from emabler.journeys.errors import Mismatch
from emabler.journeys.report import Outcome, Report
from emabler.journeys.server import Server

Energy = int  # Wh


@dataclass(kw_only=True)
class Play(ABC):
    """Acts raise `Mismatch` when something is not as it must be."""

    scenario: str
    server: Server
    charger: Charger
    report: Report
    outcome: Outcome = field(default_factory=Outcome)

    # --- Before and at the tap --------------------------------------------------------------------

    @abstractmethod
    def choose(self) -> None:
        """The driver chooses the connector; the terminal shows price and terms."""

    @abstractmethod
    def tap(self, *, hold: str | None = None) -> None:
        """The driver taps a good card; the PSP holds the money."""

    @abstractmethod
    def tap_empty_card(self) -> None:
        """The driver taps a card without money; the PSP declines."""

    @abstractmethod
    def start(self) -> None:
        """The PTP asks for the session, and gets one."""

    @abstractmethod
    def start_again_and_again(self) -> None:
        """The PTP asks for the same session several times, and gets one."""

    @abstractmethod
    def refused(self) -> None:
        """The PTP asks for the session, and is told at once that it cannot start."""

    # --- The session ------------------------------------------------------------------------------

    @abstractmethod
    def charge(self, *, beyond_wh: int = 250) -> Energy:
        """Wait until energy has flowed and its cost is shown; return how much energy."""

    @abstractmethod
    def press_stop(self) -> None:
        """The driver presses Stop at the terminal."""

    def at_charger(self, words: str) -> None:
        """Somebody or something acts at the charger."""
        self.charger.say(words)
        self.report.step("at the charger", act=words)

    @abstractmethod
    def end(self, status: str, *, reason: str | None = None) -> None:
        """Wait until the session is over, in this state and for this reason."""

    # --- The money --------------------------------------------------------------------------------

    @abstractmethod
    def capture(self) -> None:
        """What is due is captured, once, and confirmed; the receipt says the same."""

    @abstractmethod
    def release(self) -> None:
        """The PTP drops the hold."""

    @abstractmethod
    def check_limit(self) -> None:
        """The hold is used up: captured is the hold or a little less."""

    # --- Looking ----------------------------------------------------------------------------------

    @abstractmethod
    def wait_until_gone(self) -> None:
        """Wait until the terminal shows the charger as gone."""

    @abstractmethod
    def check_free(self) -> None:
        """The connector is still free."""

    @abstractmethod
    def captures(self) -> int:
        """How often the PSP captured."""

    @abstractmethod
    def look(self) -> None:
        """Fill the outcome with what is known last."""

    @abstractmethod
    def close(self) -> None:
        """Hang up."""

    def remember(self) -> None:
        """Fill the outcome, also after a step that failed."""
        with contextlib.suppress(Mismatch):
            self.outcome.remote_starts = self.charger.remote_starts
            self.look()
