"""What the terminal's screen says, in the languages a driver can choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenWords:
    """Phrases of one language; `{}` takes a value that is written out."""

    welcome: str
    start: str
    stop: str
    receipt: str
    language: str
    back: str
    home: str
    choose_connector: str
    free: str
    busy: Mapping[str, str]  # keys: the API's reason why a connector is not available
    hold_text: str
    hold_card: str
    accept: str
    tap: str
    tap_declined: str
    declined: str
    declined_text: str
    refused: str
    refused_text: str
    again: str
    scan: str
    scan_text: str
    open_page: str
    which_session: str
    nothing_runs: str
    receipts_title: str
    no_receipts: str
    not_charged: str
    out_of_order: str
    out_of_order_text: str
    paid: str
    released: str
    settling: str
    simulated: str


_EN = ScreenWords(
    welcome="Charge with your card",
    start="Start",
    stop="Stop",
    receipt="Receipt",
    language="Language",
    back="Back",
    home="Done",
    choose_connector="Which connector?",
    free="Free",
    busy={
        "occupied": "In use",
        "offline": "Not reachable",
        "not_reported": "Not ready",
        "faulted": "Out of order",
        "out_of_use": "Out of order",
        "reserved": "Reserved",
        "no_tariff": "No card payment",
    },
    hold_text="{} will be held on your card. You pay only what you use; the rest is released.",
    hold_card="Hold your card to the reader",
    accept="By tapping you accept the price and the terms.",
    tap="Tap card",
    tap_declined="Tap a card that is declined",
    declined="Card declined",
    declined_text="Your bank did not approve the amount. Nothing was held or charged.",
    refused="This did not work",
    refused_text="The connector could not be started. The amount on your card was released.",
    again="Try again",
    scan="Follow on your phone",
    scan_text="Scan to watch the charging and to keep your receipt.",
    open_page="Open the page",
    which_session="Which one shall stop?",
    nothing_runs="Nothing is charging with a card from this terminal.",
    receipts_title="Last 24 hours",
    no_receipts="No receipt in the last 24 hours.",
    not_charged="Nothing charged",
    out_of_order="Out of order",
    out_of_order_text="This terminal has no connection at the moment. Please try again shortly.",
    paid="{} was charged to your card. The rest of the hold is released.",
    released="Nothing was charged. The hold on your card was released.",
    settling="Settling with your card …",
    simulated="A simulated terminal: no real card is held or charged.",
)
_DE = ScreenWords(
    welcome="Laden mit Karte",
    start="Start",
    stop="Stopp",
    receipt="Beleg",
    language="Sprache",
    back="Zurück",
    home="Fertig",
    choose_connector="Welcher Anschluss?",
    free="Frei",
    busy={
        "occupied": "Belegt",
        "offline": "Nicht erreichbar",
        "not_reported": "Nicht bereit",
        "faulted": "Gestört",
        "out_of_use": "Außer Betrieb",
        "reserved": "Reserviert",
        "no_tariff": "Keine Kartenzahlung",
    },
    hold_text="{} werden auf Ihrer Karte vorgemerkt. Sie bezahlen nur, was Sie laden; der Rest wird frei.",
    hold_card="Karte an das Lesegerät halten",
    accept="Mit dem Vorhalten nehmen Sie Preis und Bedingungen an.",
    tap="Karte vorhalten",
    tap_declined="Karte, die abgelehnt wird",
    declined="Karte abgelehnt",
    declined_text="Ihre Bank hat den Betrag nicht genehmigt. Nichts wurde vorgemerkt oder abgebucht.",
    refused="Das hat nicht geklappt",
    refused_text="Der Anschluss konnte nicht gestartet werden. Der Betrag auf Ihrer Karte wurde freigegeben.",
    again="Noch einmal",
    scan="Auf dem Handy verfolgen",
    scan_text="Scannen, um das Laden zu verfolgen und den Beleg zu behalten.",
    open_page="Seite öffnen",
    which_session="Welcher Ladevorgang soll enden?",
    nothing_runs="Mit einer Karte von diesem Terminal lädt gerade nichts.",
    receipts_title="Letzte 24 Stunden",
    no_receipts="Kein Beleg in den letzten 24 Stunden.",
    not_charged="Nichts abgebucht",
    out_of_order="Außer Betrieb",
    out_of_order_text="Dieses Terminal hat gerade keine Verbindung. Bitte versuchen Sie es gleich wieder.",
    paid="{} wurden von Ihrer Karte abgebucht. Der Rest wird frei.",
    released="Es wurde nichts abgebucht. Der Betrag auf Ihrer Karte wurde freigegeben.",
    settling="Abrechnung mit Ihrer Karte …",
    simulated="Ein simuliertes Terminal: keine echte Karte wird belastet.",
)
_FI = ScreenWords(
    welcome="Lataa kortilla",
    start="Aloita",
    stop="Lopeta",
    receipt="Kuitti",
    language="Kieli",
    back="Takaisin",
    home="Valmis",
    choose_connector="Mikä liitin?",
    free="Vapaa",
    busy={
        "occupied": "Käytössä",
        "offline": "Ei yhteyttä",
        "not_reported": "Ei valmis",
        "faulted": "Epäkunnossa",
        "out_of_use": "Poissa käytöstä",
        "reserved": "Varattu",
        "no_tariff": "Ei korttimaksua",
    },
    hold_text="Kortiltasi varataan {}. Maksat vain siitä, mitä lataat; loput vapautetaan.",
    hold_card="Näytä korttia lukijalle",
    accept="Näyttämällä korttia hyväksyt hinnan ja ehdot.",
    tap="Näytä korttia",
    tap_declined="Kortti, joka hylätään",
    declined="Kortti hylättiin",
    declined_text="Pankkisi ei hyväksynyt summaa. Mitään ei varattu eikä veloitettu.",
    refused="Tämä ei onnistunut",
    refused_text="Liitintä ei voitu käynnistää. Kortilta varattu summa vapautettiin.",
    again="Yritä uudelleen",
    scan="Seuraa puhelimella",
    scan_text="Lue koodi, niin voit seurata latausta ja saat kuitin.",
    open_page="Avaa sivu",
    which_session="Mikä lopetetaan?",
    nothing_runs="Tämän päätteen kortilla ei lataudu nyt mikään.",
    receipts_title="Viimeiset 24 tuntia",
    no_receipts="Ei kuitteja viimeisten 24 tunnin ajalta.",
    not_charged="Ei veloitettu",
    out_of_order="Epäkunnossa",
    out_of_order_text="Päätteellä ei ole nyt yhteyttä. Yritä hetken kuluttua uudelleen.",
    paid="Kortiltasi veloitettiin {}. Loput vapautetaan.",
    released="Mitään ei veloitettu. Kortin varaus vapautettiin.",
    settling="Veloitetaan korttia …",
    simulated="Simuloitu maksupääte: oikeaa korttia ei veloiteta.",
)
_SV = ScreenWords(
    welcome="Ladda med kort",
    start="Start",
    stop="Stopp",
    receipt="Kvitto",
    language="Språk",
    back="Tillbaka",
    home="Klar",
    choose_connector="Vilket uttag?",
    free="Ledig",
    busy={
        "occupied": "Upptagen",
        "offline": "Nås inte",
        "not_reported": "Inte redo",
        "faulted": "Ur funktion",
        "out_of_use": "Ur bruk",
        "reserved": "Reserverad",
        "no_tariff": "Ingen kortbetalning",
    },
    hold_text="{} reserveras på ditt kort. Du betalar bara för det du laddar; resten frigörs.",
    hold_card="Håll kortet mot läsaren",
    accept="När du visar kortet godkänner du pris och villkor.",
    tap="Visa kortet",
    tap_declined="Kort som nekas",
    declined="Kortet nekades",
    declined_text="Banken godkände inte beloppet. Inget reserverades eller drogs.",
    refused="Det gick inte",
    refused_text="Uttaget kunde inte startas. Beloppet på ditt kort har frigjorts.",
    again="Försök igen",
    scan="Följ i mobilen",
    scan_text="Skanna för att följa laddningen och spara kvittot.",
    open_page="Öppna sidan",
    which_session="Vilken ska stoppas?",
    nothing_runs="Inget laddas med ett kort från den här terminalen.",
    receipts_title="Senaste 24 timmarna",
    no_receipts="Inget kvitto de senaste 24 timmarna.",
    not_charged="Inget drogs",
    out_of_order="Ur funktion",
    out_of_order_text="Terminalen har ingen anslutning just nu. Försök igen om en stund.",
    paid="{} drogs från ditt kort. Resten frigörs.",
    released="Inget drogs. Reservationen på kortet har frigjorts.",
    settling="Avräknar med kortet …",
    simulated="En simulerad terminal: inget riktigt kort debiteras.",
)
SCREEN_WORDS: Final[dict[str, ScreenWords]] = {"en": _EN, "de": _DE, "fi": _FI, "sv": _SV}
