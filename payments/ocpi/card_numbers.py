"""Card numbers in a PTP's texts: taken out before anything is stored, except the last four digits."""

import re
from typing import Final

# 13 to 19 digits, as printed in one run or in groups (ISO/IEC 7812-1). A longer run holds one too. The name
# of a card's application, which every receipt bears, is hexadecimal and begins with a letter: A0000000041010.
_NUMBER: Final = re.compile(r"(?<![0-9])(?<!\b[A-Fa-f])[0-9](?:[ -]?[0-9]){11,}[ -]?[0-9](?![0-9])")
_KEPT_DIGITS: Final = 4


def masked(text: str) -> str:
    """Return the text with every run of 13 digits or more reduced to its last four."""
    return _NUMBER.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    """Stars for the digits, so that the line keeps its length and its groups."""
    left = sum(letter.isdigit() for letter in match[0]) - _KEPT_DIGITS
    letters = []
    for letter in match[0]:
        hidden = letter.isdigit() and left > 0
        left -= letter.isdigit()
        letters.append("*" if hidden else letter)
    return "".join(letters)
