"""What the terminal's screen shows of a session, from the API's own words alone."""

from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from payments.receipts import formats
from payments.receipts.languages import WORDS
from payments.receipts.page import TONES, Fact, Phase, refusal_key
from payments.receipts.paper import connector_name
from payments.simulator.native_api import Body
from payments.simulator.words import SCREEN_WORDS
from tariffs.engine.money import to_minor

_PHASES = {
    "REQUESTED": Phase.ASKING,
    "STARTING": Phase.PLUG_IN,
    "CHARGING": Phase.CHARGING,
    "SUSPENDED": Phase.PAUSED,
    "STOPPING": Phase.FINISHING,
}
_STOPPABLE = ("REQUESTED", "STARTING", "CHARGING", "SUSPENDED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A session on the terminal's screen."""

    id: str
    label: str
    phase: Phase
    tone: str
    headline: str
    text: str
    money: str
    cost: str
    cost_label: str
    facts: list[Fact] = field(default_factory=list)
    used_minor: int = 0
    held_minor: int = 0
    used_text: str = ""
    stoppable: bool = False
    live: bool = True
    qr_path: str = ""
    page_path: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A connector that can be chosen, or why it cannot."""

    id: str
    label: str
    plug: str
    price: str
    available: bool
    state: str


def money(amount: str, currency: str, language: str) -> str:
    """Return an amount of the wire as the driver reads it."""
    return formats.money(to_minor(Decimal(amount), currency), currency, language)


def choice(connector: Body, language: str) -> Choice:
    """Return a line of the connector list."""
    words = SCREEN_WORDS[language]
    lines = connector["price_lines"]
    reason = str(connector["reason"] or "")
    plug = f"{connector_name(connector['standard'])} · {connector['max_power_w'] // 1000} kW"
    return Choice(
        id=connector["id"],
        label=connector["label"],
        plug=plug,
        price=lines[0]["text"] if lines else "",
        available=connector["available"],
        state=words.free if connector["available"] else words.busy.get(reason, words.out_of_order),
    )


def progress(session: Body, language: str) -> Progress:
    """Return the screen of a session."""
    words, phase = WORDS[language], phase_of(session)
    over = session["settlement"] is not None
    cost, limit = session["cost"], session["limit"]
    currency = cost["currency"]
    shown = money(cost["incl_vat"], currency, language)
    held = money(limit["amount"], currency, language)
    started = session["started_at"] is not None
    return Progress(
        id=session["id"],
        label=session["label"],
        phase=phase,
        tone=TONES[phase],
        headline=words.headlines[phase],
        text=_text(session, phase, language),
        money=_money_text(session, held, language),
        cost=shown if started else "",
        cost_label=words.cost if over else words.cost_so_far,
        facts=_facts(session, language) if started else [],
        used_minor=to_minor(Decimal(cost["incl_vat"]), currency),
        held_minor=to_minor(Decimal(limit["amount"]), currency),
        used_text=words.used_of_held.format(shown, held),
        stoppable=session["status"] in _STOPPABLE,
        live=not over or _unsettled(session["settlement"]),
        qr_path=urlsplit(session["receipt"].get("qr_svg_url", "")).path,
        page_path=urlsplit(session["receipt"]["url"]).path,
    )


def phase_of(session: Body) -> Phase:
    """Return where a session stands."""
    if session["status"] == "ENDED":
        if session["settlement"]["action"] == "PENDING":
            return Phase.FINISHING
        return Phase.DONE if session["settlement"]["amount"] else Phase.FREE
    return _PHASES.get(session["status"], Phase.NOT_STARTED)


def _unsettled(settlement: Body) -> bool:
    """Whether something is still to come: our word on the hold, or the PSP's on it."""
    return bool(settlement["action"] == "PENDING" or settlement["due"])


def _text(session: Body, phase: Phase, language: str) -> str:
    words = WORDS[language]
    if phase is Phase.NOT_STARTED:
        return words.refusals[refusal_key(session["status"], session["refusal"] or "")]
    return "" if phase is Phase.CHARGING else words.explanations[phase]


def _facts(session: Body, language: str) -> list[Fact]:
    words = WORDS[language]
    facts = [Fact(words.energy, formats.energy(session["energy_wh"], language))]
    if session["power_w"] is not None and session["settlement"] is None:
        facts.append(Fact(words.power, formats.power(session["power_w"], language)))
    facts.append(Fact(words.duration, formats.duration(session["duration_seconds"])))
    return facts


def _money_text(session: Body, held: str, language: str) -> str:
    screen, settlement = SCREEN_WORDS[language], session["settlement"]
    if settlement is None:
        return WORDS[language].held_note.format(held)
    if _unsettled(settlement):
        return screen.settling
    if session["payment_status"] == "CAPTURED":
        return screen.paid.format(money(settlement["amount"], settlement["currency"], language))
    return screen.released if session["payment_status"] == "RELEASED" else WORDS[language].questions


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A line behind the Receipt button."""

    id: str
    label: str
    card: str
    text: str
    total: str


def receipt_row(receipt: Body, language: str) -> ReceiptRow:
    """Return a line of the receipt list."""
    total = receipt["total"]
    number = receipt["receipt_number"]
    card = receipt["card"]
    return ReceiptRow(
        id=receipt["id"],
        label=receipt["label"],
        card=" ".join(part for part in (card["scheme"], card["last4"]) if part),
        text=formats.energy(receipt["energy_wh"], language),
        total=money(total["incl_vat"], total["currency"], language)
        if number
        else SCREEN_WORDS[language].not_charged,
    )
