"""Those who say what really happened, whatever the product's rows tell: the charger, and the card at its PSP."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(slots=True)
class Delivered:
    """One transaction as its charger knows it; `accepted` is what the server answered to its start."""

    id_tag: str
    energy_wh: int | None = None
    accepted: bool | None = None


@dataclass(slots=True)
class Card:
    """What happened to one card for one hold; amounts in major units, as on the wire."""

    amount: Decimal
    effects: list[str] = field(default_factory=lambda: ["hold"])
    captured: Decimal = Decimal(0)


class Psp:
    """Counts effects, and believes the keys it is given: every new one moves money, so one made twice shows."""

    def __init__(self) -> None:
        self.cards: dict[str, Card] = {}
        self._known: set[tuple[str, str]] = set()

    def hold(self, reference: str, amount: Decimal) -> None:
        """Hold an amount on a card."""
        self.cards.setdefault(reference, Card(amount))

    def capture(self, reference: str, amount: Decimal, *, key: str) -> None:
        """Take money from a card."""
        if self._is_new("capture", key):
            card = self.cards[reference]
            card.effects.append("capture")
            card.captured += amount

    def release(self, reference: str, *, key: str) -> None:
        """Drop a hold."""
        if self._is_new("release", key):
            self.cards[reference].effects.append("release")

    def _is_new(self, effect: str, key: str) -> bool:
        new = (effect, key) not in self._known
        self._known.add((effect, key))
        return new
