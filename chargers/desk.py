"""The port through which chargers' facts go up the stairs without an import.

The room above (`sessions_app.transactions`) takes the desk in its `AppConfig.ready()`. Every method is
called inside the database transaction that stores the charger's message, so fact and consequence are one.
"""

from datetime import datetime
from typing import Protocol

from chargers.facts import (
    CommandSettled,
    EvseStatusChanged,
    MessageLost,
    StartAnswer,
    StationBooted,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)


class TransactionDesk(Protocol):
    """Who decides about transactions. No method raises for a charger's mistake: it is stored and judged."""

    def authorize(self, *, station_pk: int, id_tag: str, at: datetime) -> bool:
        """Say whether this id tag may charge at this station now (OCPP 1.6 §4.1)."""

    def started(self, fact: TransactionStarted) -> StartAnswer:
        """Take note of a transaction; not accepted = the charger must stop it (`Invalid`)."""

    def metered(self, fact: TransactionMetered) -> datetime | None:
        """Take note of meter values; returns when `look_again` wants to be called, None for not."""

    def ended(self, fact: TransactionEnded) -> None:
        """Take note of the end; called once per transaction."""

    def ended_late(self, fact: TransactionEnded) -> None:
        """Take note of the charger's own end of a transaction that was closed by inference; called once."""

    def lost(self, fact: MessageLost) -> None:
        """Take note that a message could not be applied: whatever it said is missing in the books."""

    def look_again(self, *, transaction_pk: int, at: datetime) -> datetime | None:
        """Decide anew about the paid limit between two samples; returns the next such moment."""

    def status_changed(self, fact: EvseStatusChanged) -> None:
        """Take note of an EVSE's state."""

    def booted(self, fact: StationBooted) -> None:
        """Take note of a restart of the charger."""

    def command_settled(self, fact: CommandSettled) -> None:
        """Take note of how a command ended."""


_desk: TransactionDesk | None = None


def take_desk(desk: TransactionDesk) -> None:
    """Seat whoever decides about transactions; the last one seated serves."""
    global _desk
    _desk = desk


def current_desk() -> TransactionDesk:
    """Return the seated desk.

    Raises RuntimeError when nobody sits there: an app that decides is missing from INSTALLED_APPS.
    """
    if _desk is None:
        raise RuntimeError("nobody sits at the transaction desk; is sessions_app installed?")
    return _desk
