"""A desk that writes down what it is told and says what the test wants."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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


@dataclass
class FakeDesk:
    """Implements `chargers.desk.TransactionDesk`; `fail_at` makes a method raise, `on` adds an act to one."""

    accepts: bool = True
    look_again_at: datetime | None = None
    next_looks: list[datetime | None] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    late: list[TransactionEnded] = field(default_factory=list)
    looks: list[tuple[int, datetime]] = field(default_factory=list)
    asked_tags: list[str] = field(default_factory=list)
    on: dict[str, Callable[[Any], None]] = field(default_factory=dict)

    def authorize(self, *, station_pk: int, id_tag: str, at: datetime) -> bool:
        self.asked_tags.append(id_tag)
        return self.accepts

    def started(self, fact: TransactionStarted) -> StartAnswer:
        self._note("started", fact)
        return StartAnswer(accepted=self.accepts, look_again_at=self.look_again_at)

    def metered(self, fact: TransactionMetered) -> datetime | None:
        self._note("metered", fact)
        return self.look_again_at

    def ended(self, fact: TransactionEnded) -> None:
        self._note("ended", fact)

    def ended_late(self, fact: TransactionEnded) -> None:
        self.late.append(fact)

    def lost(self, fact: MessageLost) -> None:
        self._note("lost", fact)

    def look_again(self, *, transaction_pk: int, at: datetime) -> datetime | None:
        self.looks.append((transaction_pk, at))
        return self.next_looks.pop(0) if self.next_looks else None

    def status_changed(self, fact: EvseStatusChanged) -> None:
        self._note("status_changed", fact)

    def booted(self, fact: StationBooted) -> None:
        self._note("booted", fact)

    def command_settled(self, fact: CommandSettled) -> None:
        self._note("command_settled", fact)

    def of(self, kind: type) -> list[Any]:
        """Return what it was told of one kind."""
        return [fact for fact in self.told if isinstance(fact, kind)]

    def _note(self, name: str, fact: Any) -> None:
        if name in self.on:
            self.on[name](fact)
        self.told.append(fact)
