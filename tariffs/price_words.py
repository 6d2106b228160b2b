"""The words of a price in each language a terminal can show. A new language is one more entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Words:
    """Phrases of one language; `{}` takes a value that is already written out."""

    energy: str
    time: str
    parking: str
    session: str
    per_session: str
    free: str
    otherwise: str
    incl_vat: str
    plus_tax: str
    starting: str  # from a time, date, energy, power or current on
    until: str
    after: str  # a duration of the session has passed
    first: str  # within a first duration of the session
    up_to: str
    below: str
    step: str
    minimum: str
    maximum: str
    free_of_charge: str
    prices_include_vat: str
    taxes_are_added: str
    days: tuple[str, ...]
    decimal_point: str = ","
    money: str = "{amount} {symbol}"


WORDS: Final[dict[str, Words]] = {
    "en": Words(
        energy="Energy",
        time="Charging time",
        parking="Connected, not charging",
        session="Start fee",
        per_session="per session",
        free="free",
        otherwise="otherwise",
        incl_vat="incl. VAT",
        plus_tax="plus tax",
        starting="from {}",
        until="until {}",
        after="after {}",
        first="first {}",
        up_to="up to {}",
        below="below {}",
        step="per started {}",
        minimum="Minimum price per session: {}.",
        maximum="Maximum price per session: {}.",
        free_of_charge="Charging is free of charge.",
        prices_include_vat="All prices include VAT.",
        taxes_are_added="Taxes are added.",
        days=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        decimal_point=".",
    ),
    "de": Words(
        energy="Energie",
        time="Ladezeit",
        parking="Angeschlossen ohne zu laden",
        session="Startgebühr",
        per_session="pro Ladevorgang",
        free="kostenlos",
        otherwise="sonst",
        incl_vat="inkl. MwSt.",
        plus_tax="zzgl. Steuern",
        starting="ab {}",
        until="bis {}",
        after="nach {}",
        first="erste {}",
        up_to="bis {}",
        below="unter {}",
        step="je angefangene {}",
        minimum="Mindestpreis pro Ladevorgang: {}.",
        maximum="Höchstpreis pro Ladevorgang: {}.",
        free_of_charge="Das Laden ist kostenlos.",
        prices_include_vat="Alle Preise enthalten die MwSt.",
        taxes_are_added="Steuern kommen hinzu.",
        days=("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    ),
    "fi": Words(
        energy="Energia",
        time="Latausaika",
        parking="Kytkettynä ilman latausta",
        session="Aloitusmaksu",
        per_session="latauskerralta",
        free="ilmainen",
        otherwise="muulloin",
        incl_vat="sis. alv",
        plus_tax="lisäksi verot",
        starting="{} alkaen",
        until="{} asti",
        after="{} jälkeen",
        first="ensimmäiset {}",
        up_to="{} asti",
        below="alle {}",
        step="jokaiselta alkavalta {}",
        minimum="Vähimmäishinta latauskerralta: {}.",
        maximum="Enimmäishinta latauskerralta: {}.",
        free_of_charge="Lataus on ilmaista.",
        prices_include_vat="Kaikki hinnat sisältävät arvonlisäveron.",
        taxes_are_added="Hintoihin lisätään verot.",
        days=("ma", "ti", "ke", "to", "pe", "la", "su"),
    ),
    "sv": Words(
        energy="Energi",
        time="Laddtid",
        parking="Ansluten utan laddning",
        session="Startavgift",
        per_session="per laddning",
        free="gratis",
        otherwise="annars",
        incl_vat="inkl. moms",
        plus_tax="plus skatt",
        starting="från {}",
        until="till {}",
        after="efter {}",
        first="första {}",
        up_to="upp till {}",
        below="under {}",
        step="per påbörjade {}",
        minimum="Lägsta pris per laddning: {}.",
        maximum="Högsta pris per laddning: {}.",
        free_of_charge="Laddningen är gratis.",
        prices_include_vat="Alla priser inkluderar moms.",
        taxes_are_added="Skatt tillkommer.",
        days=("mån", "tis", "ons", "tors", "fre", "lör", "sön"),
    ),
    "nl": Words(
        energy="Energie",
        time="Laadtijd",
        parking="Aangesloten zonder te laden",
        session="Starttarief",
        per_session="per sessie",
        free="gratis",
        otherwise="anders",
        incl_vat="incl. btw",
        plus_tax="plus belasting",
        starting="vanaf {}",
        until="tot {}",
        after="na {}",
        first="eerste {}",
        up_to="tot {}",
        below="onder {}",
        step="per begonnen {}",
        minimum="Minimumprijs per sessie: {}.",
        maximum="Maximumprijs per sessie: {}.",
        free_of_charge="Laden is gratis.",
        prices_include_vat="Alle prijzen zijn inclusief btw.",
        taxes_are_added="Belasting komt erbij.",
        days=("ma", "di", "wo", "do", "vr", "za", "zo"),
        money="{symbol} {amount}",
    ),
    "fr": Words(
        energy="Énergie",
        time="Temps de charge",
        parking="Branché sans charger",
        session="Frais de démarrage",
        per_session="par session",
        free="gratuit",
        otherwise="sinon",
        incl_vat="TTC",
        plus_tax="hors taxes",
        starting="à partir de {}",
        until="jusqu'à {}",
        after="après {}",
        first="pendant les premières {}",
        up_to="jusqu'à {}",
        below="moins de {}",
        step="par tranche entamée de {}",
        minimum="Prix minimum par session : {}.",
        maximum="Prix maximum par session : {}.",
        free_of_charge="La recharge est gratuite.",
        prices_include_vat="Tous les prix sont TTC.",
        taxes_are_added="Les taxes s'ajoutent.",
        days=("lun", "mar", "mer", "jeu", "ven", "sam", "dim"),
    ),
}

LANGUAGES: Final = tuple(WORDS)


def words_for(language: str) -> Words:
    """The words of that language (`de`, `de-AT`), English where it is not spoken here."""
    return WORDS.get(language.lower().partition("-")[0], WORDS["en"])
