"""A payment service provider in memory: holds on cards, taken once or dropped once.

Amounts are decimal strings in major units, as on the wire. Every effect on a card is written down, so that a
test can count them.
"""

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any


class PspError(Exception):
    """Something that a PSP refuses."""


class UnknownHold(PspError):
    """There is no such hold."""


class HoldIsGone(PspError):
    """The hold was dropped, or already taken with another amount."""


class HoldState(StrEnum):
    """What became of a hold."""

    HELD = "HELD"  # the amount is reserved on the card
    CAPTURED = "CAPTURED"  # taken, all of it or less
    RELEASED = "RELEASED"  # dropped; the card owes nothing


@dataclass(frozen=True, slots=True)
class Card:
    """A test card."""

    scheme: str
    last4: str
    application: str
    application_id: str
    declined: bool = False


VISA = Card("VISA", "4242", "VISA CREDIT", "A0000000031010")
MASTERCARD = Card("MASTERCARD", "4444", "DEBIT MASTERCARD", "A0000000041010")
EMPTY = Card("VISA", "0002", "VISA DEBIT", "A0000000031010", declined=True)


@dataclass(slots=True)
class Hold:
    """One preauthorisation."""

    reference: str
    amount: str
    currency: str
    card: Card
    authorization_code: str
    state: HoldState = HoldState.HELD
    captured: str = "0"


@dataclass(slots=True)
class Psp:
    """Preauthorise, capture, release; a repeat of the same has no second effect."""

    holds: dict[str, Hold] = field(default_factory=dict)
    declined: list[str] = field(default_factory=list)
    effects: list[tuple[str, str]] = field(default_factory=list)  # what happened to cards, in order
    refunds: dict[str, tuple[str, str]] = field(default_factory=dict)  # document → (reference, amount)

    def preauthorise(self, reference: str, amount: str, currency: str, card: Card) -> Hold | None:
        """Hold an amount on a card; None when the issuer declines."""
        if reference in self.holds:
            return self.holds[reference]
        if card.declined:
            if reference not in self.declined:
                self.declined.append(reference)
            return None
        code = f"{(len(self.effects) + 1) * 4711 % 1_000_000:06d}"
        hold = self.holds[reference] = Hold(reference, amount, currency, card, code)
        self.effects.append(("hold", reference))
        return hold

    def capture(self, reference: str, amount: str) -> Hold:
        """Take an amount of a hold, once, and drop the rest. Raises UnknownHold, HoldIsGone."""
        hold = self._find(reference)
        if hold.state is HoldState.CAPTURED and Decimal(hold.captured) == Decimal(amount):
            return hold
        if hold.state is not HoldState.HELD or Decimal(amount) > Decimal(hold.amount):
            raise HoldIsGone(reference)
        hold.state, hold.captured = HoldState.CAPTURED, amount
        self.effects.append(("capture", reference))
        return hold

    def release(self, reference: str) -> Hold:
        """Drop a hold, once. Raises UnknownHold, HoldIsGone."""
        hold = self._find(reference)
        if hold.state is HoldState.CAPTURED:
            raise HoldIsGone(reference)
        if hold.state is HoldState.HELD:
            hold.state = HoldState.RELEASED
            self.effects.append(("release", reference))
        return hold

    def refund(self, reference: str, amount: str, *, document: str) -> Hold:
        """Give some of what was taken back, once per document. Raises UnknownHold, HoldIsGone."""
        hold = self._find(reference)
        if document in self.refunds:
            return hold
        before = sum(
            (Decimal(given) for to, given in self.refunds.values() if to == reference), start=Decimal(0)
        )
        if hold.state is not HoldState.CAPTURED or before + Decimal(amount) > Decimal(hold.captured):
            raise HoldIsGone(reference)
        self.refunds[document] = (reference, amount)
        self.effects.append(("refund", reference))
        return hold

    def count(self, effect: str, reference: str) -> int:
        """Return how often a card was touched in this way."""
        return self.effects.count((effect, reference))

    def _find(self, reference: str) -> Hold:
        if reference not in self.holds:
            raise UnknownHold(reference)
        return self.holds[reference]

    def to_state(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Psp":
        """Return what `to_state` gave."""
        holds = {
            name: Hold(**{**hold, "card": Card(**hold["card"]), "state": HoldState(hold["state"])})
            for name, hold in state.get("holds", {}).items()
        }
        effects = [(kind, reference) for kind, reference in state.get("effects", [])]
        refunds = {
            name: (reference, amount) for name, (reference, amount) in state.get("refunds", {}).items()
        }
        return cls(holds, list(state.get("declined", [])), effects, refunds)


def slip(hold: Hold, *, terminal_id: str) -> list[str]:
    """Return the lines of the card receipt (OCPI 2.3.0 payments, eft_data)."""
    amounts = Decimal(hold.amount), Decimal(hold.captured)
    digits = max(0, *(-int(amount.as_tuple().exponent) for amount in amounts))
    held, captured = (f"{amount:.{digits}f}" for amount in amounts)
    return [
        f"{hold.card.application} CONTACTLESS",
        f"CARD **** **** **** {hold.card.last4}",
        f"AID {hold.card.application_id}",
        f"AUTHORISATION CODE {hold.authorization_code}",
        f"TERMINAL {terminal_id}",
        f"PREAUTHORISED {hold.currency} {held}",
        f"CAPTURED {hold.currency} {captured}",
    ]
