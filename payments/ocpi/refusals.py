"""Why a command was not carried out, in the words that a terminal shows to the driver."""

from collections.abc import Iterable, Mapping
from typing import Final

from payments.ocpi.commands import CommandResultType
from payments.ocpi.seen import NotSeen
from payments.receipts.languages import WORDS
from payments.receipts.page import refusal_key
from sessions_app.states import SessionState

_NOT_SOLD: Final = {
    "en": "Card payment is not possible at this charger at the moment.",
    "de": "An dieser Ladesäule ist Kartenzahlung gerade nicht möglich.",
    "fi": "Korttimaksu ei ole juuri nyt mahdollista tällä laturilla.",
    "sv": "Kortbetalning är inte möjlig vid den här laddaren just nu.",
}
_PRICE_CHANGED: Final = {
    "en": "The price has just changed. Please start again.",
    "de": "Der Preis hat sich gerade geändert. Bitte beginnen Sie noch einmal.",
    "fi": "Hinta on juuri muuttunut. Aloita alusta.",
    "sv": "Priset har just ändrats. Börja om från början.",
}
_PRICE: Final[Mapping[str, Mapping[str, str]]] = {
    NotSeen.NOTHING_SOLD: _NOT_SOLD,
    NotSeen.TARIFF_NOT_SEEN: _NOT_SOLD,
    NotSeen.SITE_NOT_SEEN: _PRICE_CHANGED,
    NotSeen.NOT_IN_FORCE: _PRICE_CHANGED,
}
# Refusals that the driver's page has no words of its own for.
_KEYS: Final = {"evse_taken": "occupied", "charger_offline": "offline"}
_STOP: Final[Mapping[str, Mapping[str, str]]] = {
    CommandResultType.REJECTED: {
        "en": "The charger refused to stop. Please unplug the car.",
        "de": "Die Ladesäule hat das Beenden abgelehnt. Bitte ziehen Sie den Stecker am Auto.",
        "fi": "Laturi ei suostunut lopettamaan. Irrota kaapeli autosta.",
        "sv": "Laddaren vägrade att stoppa. Koppla ur bilen.",
    },
    CommandResultType.TIMEOUT: {
        "en": "The charger does not answer. Please unplug the car.",
        "de": "Die Ladesäule antwortet nicht. Bitte ziehen Sie den Stecker am Auto.",
        "fi": "Laturi ei vastaa. Irrota kaapeli autosta.",
        "sv": "Laddaren svarar inte. Koppla ur bilen.",
    },
}

Texts = dict[str, str]  # by ISO 639-1 language, the driver's own first


def why_not_started(refusal: str, languages: Iterable[str], *, state: str = SessionState.REJECTED) -> Texts:
    """Say why a session did not start; `refusal` is a NotSeen, or what the session's row names."""
    if refusal in _PRICE:
        texts = _PRICE[refusal]
    else:
        key = _KEYS.get(refusal) or refusal_key(state, refusal)
        texts = {language: words.refusals[key] for language, words in WORDS.items()}
    return {language: texts[language] for language in languages}


def why_not_stopped(result: str, languages: Iterable[str]) -> Texts:
    """Say why a session goes on although a stop was asked for."""
    return {language: _STOP[result][language] for language in languages}


def spoken(first: str, offered: Iterable[str] = ()) -> list[str]:
    """Return the languages to speak: the driver's, then those offered at the terminal, or all we have."""
    wishes = [first, *(list(offered) or WORDS)]
    known = [wish.lower().partition("-")[0] for wish in wishes if isinstance(wish, str)]
    return list(dict.fromkeys(language for language in known if language in WORDS)) or ["en"]
