"""Sums over positions: by day and terminal, by standing, by age. Pure; amounts of different currencies never meet."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from payments.reconciliation.books import Position
from payments.reconciliation.match import SETTLED, Ageing, Standing


@dataclass(slots=True)
class Sums:
    """Count and amounts, in minor units of one currency."""

    count: int = 0
    due_minor: int = 0
    captured_minor: int = 0
    open_minor: int = 0
    written_off_minor: int = 0
    refunded_minor: int = 0
    paid_minor: int = 0
    fee_minor: int = 0
    in_file: int = 0  # how many of them a settlement file names

    def add(self, position: Position) -> None:
        """Count one more."""
        self.count += 1
        self.due_minor += position.due_minor
        self.captured_minor += position.captured_minor
        self.open_minor += position.open_minor
        self.written_off_minor += position.written_off_minor
        self.refunded_minor += position.refunded_minor
        self.paid_minor += position.paid_minor or 0
        self.fee_minor += position.fee_minor
        self.in_file += position.paid_minor is not None


@dataclass(frozen=True, slots=True)
class Key:
    """What a line of the summary is about."""

    day: date
    ptp_id: int
    ptp: str
    terminal_id: int | None
    terminal: str
    currency: str


@dataclass(slots=True)
class DayLine:
    """One day of one terminal in one currency."""

    key: Key
    total: Sums = field(default_factory=Sums)
    by_standing: dict[Standing, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def settled(self) -> bool:
        """Whether nothing of it needs anybody."""
        return set(self.by_standing) <= SETTLED


@dataclass(frozen=True, slots=True)
class Summary:
    """A period at a glance."""

    lines: list[DayLine]  # newest day first
    by_standing: dict[tuple[str, Standing], Sums]  # by currency
    by_age: dict[tuple[str, Ageing], Sums]  # of what is not settled


def summarise(positions: Iterable[Position]) -> Summary:
    """Return the sums of a period."""
    lines: dict[Key, DayLine] = {}
    by_standing: dict[tuple[str, Standing], Sums] = defaultdict(Sums)
    by_age: dict[tuple[str, Ageing], Sums] = defaultdict(Sums)
    for each in positions:
        key = Key(each.day, each.ptp_id, each.ptp, each.terminal_id, each.terminal, each.currency)
        line = lines.setdefault(key, DayLine(key))
        line.total.add(each)
        line.by_standing[each.standing] += 1
        by_standing[each.currency, each.standing].add(each)
        if each.standing not in SETTLED:
            by_age[each.currency, each.ageing].add(each)
    ordered = sorted(lines.values(), key=lambda line: (line.key.ptp, line.key.terminal, line.key.currency))
    ordered.sort(key=lambda line: line.key.day, reverse=True)
    return Summary(ordered, dict(by_standing), dict(by_age))
