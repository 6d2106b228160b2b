"""What the driver's page says: the phase of a session and its numbers, written out in one language.

Pure translation of rows that were read before; nothing here asks the database or changes anything.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chargers.availability import UnavailableReason, cable_is_in
from chargers.facts import EvseStatus
from payments.models import Payment
from payments.receipts import formats
from payments.receipts.languages import WORDS
from payments.states import WAITING, PaymentState
from sessions_app.models import Session
from sessions_app.states import NEVER_STARTED, RUNNING, SessionState


class Phase(StrEnum):
    """Where a session stands, in the driver's world."""

    ASKING = "asking"  # the charger has not answered yet
    PLUG_IN = "plug_in"  # it waits for a cable
    CONNECTED = "connected"  # cable in, transaction about to begin
    CHARGING = "charging"
    PAUSED_BY_CAR = "paused_by_car"
    PAUSED_BY_CHARGER = "paused_by_charger"
    PAUSED = "paused"  # by whom is not known
    FINISHING = "finishing"  # a stop was asked for, or the books are being closed
    DONE = "done"  # there is a bill
    FREE = "free"  # it ran, nothing is charged
    NOT_STARTED = "not_started"


# Colour and sign of a phase; the words say the same, so neither is ever alone.
TONES = {
    Phase.ASKING: "wait",
    Phase.PLUG_IN: "act",
    Phase.CONNECTED: "wait",
    Phase.CHARGING: "good",
    Phase.PAUSED_BY_CAR: "wait",
    Phase.PAUSED_BY_CHARGER: "wait",
    Phase.PAUSED: "wait",
    Phase.FINISHING: "wait",
    Phase.DONE: "good",
    Phase.FREE: "calm",
    Phase.NOT_STARTED: "bad",
}
_PAUSED_BY = {
    EvseStatus.SUSPENDED_EV: Phase.PAUSED_BY_CAR,
    EvseStatus.SUSPENDED_EVSE: Phase.PAUSED_BY_CHARGER,
}
_OFFLINE = frozenset(
    {UnavailableReason.OFFLINE, UnavailableReason.NO_STATION, UnavailableReason.NOT_REPORTED}
)
_FAULTED = frozenset({UnavailableReason.FAULTED, UnavailableReason.OUT_OF_USE, UnavailableReason.REMOVED})
_OCCUPIED = frozenset({UnavailableReason.OCCUPIED, UnavailableReason.RESERVED})


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything the template prints; no figure is computed there."""

    phase: Phase
    tone: str
    headline: str
    explanation: str
    money: str
    live: bool  # whether there can still be news
    facts: list[Fact] = field(default_factory=list)
    cost: str = ""
    cost_label: str = ""
    used_minor: int = 0
    held_minor: int = 0
    used_text: str = ""
    notes: list[str] = field(default_factory=list)
    updated: str = ""


def phase_of(payment: Payment, session: Session) -> Phase:
    """Return the phase of a session."""
    if session.state in NEVER_STARTED:
        return Phase.NOT_STARTED
    if session.state == SessionState.ENDED:
        if payment.state == PaymentState.AUTHORIZED:
            return Phase.FINISHING
        return Phase.DONE if payment.due_minor else Phase.FREE
    if session.state == SessionState.SUSPENDED:
        return _PAUSED_BY.get(EvseStatus(session.evse.status), Phase.PAUSED)
    if session.state == SessionState.STARTING:
        return Phase.CONNECTED if cable_is_in(session.evse) else Phase.PLUG_IN
    return _BY_STATE[SessionState(session.state)]


_BY_STATE = {
    SessionState.REQUESTED: Phase.ASKING,
    SessionState.CHARGING: Phase.CHARGING,
    SessionState.STOPPING: Phase.FINISHING,
}


def page_of(payment: Payment, session: Session, *, language: str, now: datetime) -> Page:
    """Return the driver's page of a session."""
    words, phase = WORDS[language], phase_of(payment, session)
    running = session.state in RUNNING
    ended = phase in (Phase.DONE, Phase.FREE)
    return Page(
        phase=phase,
        tone=TONES[phase],
        headline=words.headlines[phase],
        explanation=_explanation(session, phase, language),
        money=money_text(payment, language),
        live=not session.is_over or payment.state in WAITING,
        facts=_facts(session, language, now) if running or ended or phase is Phase.FINISHING else [],
        cost=_money(session, session.cost_incl_minor, language),
        cost_label=words.cost if ended else words.cost_so_far,
        used_minor=min(session.cost_incl_minor, session.limit_minor),
        held_minor=session.limit_minor,
        used_text=words.used_of_held.format(
            _money(session, session.cost_incl_minor, language), _money(session, session.limit_minor, language)
        ),
        notes=_notes(session, phase, language),
        updated=words.updated.format(formats.clock(now, session.time_zone, language)),
    )


def money_text(payment: Payment, language: str) -> str:
    """Return in one or two sentences what becomes of the driver's money."""
    words = WORDS[language]
    owed_minor, capturing = payment.account.owed_minor, payment.state == PaymentState.CAPTURING
    amounts = {
        "held": payment.authorized_minor,
        "amount": payment.due_minor if capturing else payment.captured_minor + owed_minor,
        "open": payment.open_minor,
        "refunding": payment.refunding_minor,
        "refunded": payment.refunded_minor,
    }
    written = {name: formats.money(minor, payment.currency, language) for name, minor in amounts.items()}
    released = payment.state in (PaymentState.RELEASING, PaymentState.RELEASED)
    if released and owed_minor:  # what was taken all the same is on the card, whatever should have been
        return words.money[PaymentState.CAPTURED].format(**written)
    sentence = words.money[payment.state].format(**written)
    return f"{sentence} {words.bank_delay}" if released else sentence


def refusal_key(state: str, refusal: str) -> str:
    """Return which of the `refusals` tells the driver why a session never started."""
    if state == SessionState.EXPIRED:
        return "expired"
    if state == SessionState.CANCELLED:
        return "cancelled"
    for key, reasons in (("offline", _OFFLINE), ("faulted", _FAULTED), ("occupied", _OCCUPIED)):
        if refusal in reasons:
            return key
    return "refused"


def _money(session: Session, minor: int, language: str) -> str:
    return formats.money(minor, session.currency, language)


def _explanation(session: Session, phase: Phase, language: str) -> str:
    words = WORDS[language]
    if phase is Phase.NOT_STARTED:
        return f"{words.refusals[refusal_key(session.state, session.refusal)]} {words.explanations[phase]}"
    return words.explanations[phase]


def _facts(session: Session, language: str, now: datetime) -> list[Fact]:
    words = WORDS[language]
    facts = [Fact(words.energy, formats.energy(session.energy_wh, language))]
    if session.power_w is not None and not session.is_over:
        facts.append(Fact(words.power, formats.power(session.power_w, language)))
    facts.append(Fact(words.duration, formats.duration(session.duration_seconds(now))))
    if session.soc_percent is not None and not session.is_over:
        facts.append(Fact(words.battery, f"{session.soc_percent}\u00a0%"))
    return facts


def _notes(session: Session, phase: Phase, language: str) -> list[str]:
    """Return what the driver must know besides: deadlines, silence, the limit, how to stop."""
    words = WORDS[language]
    notes = []
    if phase is Phase.PLUG_IN and session.deadline_at is not None:
        at = formats.clock(session.deadline_at, session.time_zone, language)
        notes.append(words.plug_in_until.format(at))
    if session.stale and session.metered_at is not None and not session.is_over:
        at = formats.clock(session.metered_at, session.time_zone, language)
        notes.append(words.stale.format(at))
    if session.limit_reached_at is not None:
        notes.append(words.used_up)
    if session.state in (SessionState.CHARGING, SessionState.SUSPENDED):
        notes.append(words.how_to_stop)
    return notes
