"""A PSP that believes the keys it is given: every new key moves money, so that a key made twice shows."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(slots=True)
class Card:
    """What happened to one card for one hold; amounts in major units, as on the wire."""

    amount: Decimal
    effects: list[str] = field(default_factory=lambda: ["hold"])
    captured: Decimal = Decimal(0)


class Psp:
    """Counts effects. An instruction is told from its repeat by its key alone."""

    def __init__(self) -> None:
        self.cards: dict[str, Card] = {}
        self._known: set[tuple[str, str]] = set()

    def hold(self, reference: str, amount: Decimal) -> None:
        """Hold an amount on a card."""
        self.cards.setdefault(reference, Card(amount))

    def capture(self, reference: str, amount: Decimal, *, key: str) -> None:
        """Take money from a card."""
        if self._is_new("capture", key):
            self.cards[reference].effects.append("capture")
            self.cards[reference].captured += amount

    def release(self, reference: str, *, key: str) -> None:
        """Drop a hold."""
        if self._is_new("release", key):
            self.cards[reference].effects.append("release")

    def _is_new(self, effect: str, key: str) -> bool:
        new = (effect, key) not in self._known
        self._known.add((effect, key))
        return new
