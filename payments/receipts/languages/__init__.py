"""The languages that drivers read; a new one is a module here and a line in `WORDS`."""

from collections.abc import Iterable
from typing import Final

from payments.receipts.languages.de import GERMAN
from payments.receipts.languages.en import ENGLISH
from payments.receipts.languages.fi import FINNISH
from payments.receipts.languages.sv import SWEDISH
from payments.receipts.words import Words

WORDS: Final[dict[str, Words]] = {"en": ENGLISH, "de": GERMAN, "fi": FINNISH, "sv": SWEDISH}
NAMES: Final[dict[str, str]] = {"en": "English", "de": "Deutsch", "fi": "Suomi", "sv": "Svenska"}
FALLBACK: Final = "en"


def choose(wishes: Iterable[str]) -> str:
    """Return the first wished language that is spoken here (`de-AT` is `de`), English when none is."""
    for wish in wishes:
        language = wish.strip().lower().partition("-")[0]
        if language in WORDS:
            return language
    return FALLBACK
