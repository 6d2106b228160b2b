"""Money, numbers and moments as a reader of the language writes them, in the site's time zone."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from payments.receipts.languages import WORDS
from tariffs.engine.errors import UnknownCurrency
from tariffs.engine.money import minor_digits
from tariffs.price_words import words_for

_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
_NO_BREAK = "\u00a0"
_MINUS = "\u2212"


def digits_of(currency: str) -> int:
    """Digits after the point, 2 for what is no currency that we know: a PTP may tell of any."""
    try:
        return minor_digits(currency)
    except UnknownCurrency:
        return 2


def money(minor: int, currency: str, language: str) -> str:
    """Return an amount with its currency, e.g. `12,30 €`; nothing breaks it over two lines."""
    exact = Decimal(abs(minor)).scaleb(-digits_of(currency))
    amount = f"{exact:f}".replace(".", WORDS[language].decimal_point)
    text = words_for(language).money.format(amount=amount, symbol=_SYMBOLS.get(currency, currency))
    return (_MINUS if minor < 0 else "") + text.replace(" ", _NO_BREAK)


def number(value: Decimal | str, language: str, *, digits: int | None = None) -> str:
    """Return a number with the language's decimal mark, rounded for display to `digits` if given."""
    exact = Decimal(value)
    text = f"{exact:f}" if digits is None else f"{exact:.{digits}f}"
    return text.replace("-", _MINUS).replace(".", WORDS[language].decimal_point)


def energy(energy_wh: int, language: str, *, digits: int = 2) -> str:
    """Return an energy as kWh."""
    return f"{number(Decimal(energy_wh) / 1000, language, digits=digits)}{_NO_BREAK}kWh"


def power(power_w: int, language: str) -> str:
    """Return a power as kW with one digit."""
    return f"{number(Decimal(power_w) / 1000, language, digits=1)}{_NO_BREAK}kW"


def exact_duration(seconds: int) -> str:
    """Return a duration to the second, as a bill needs it: `12 min 34 s`, `1 h 05 min 09 s`."""
    text, rest = duration(seconds), seconds % 60
    return f"{text}{_NO_BREAK}{rest:02d}{_NO_BREAK}s" if seconds >= 60 and rest else text


def duration(seconds: int) -> str:
    """Return a duration as `1 h 05 min`, `12 min` or `45 s`; the units are the same in every language here."""
    minutes, rest = divmod(max(0, seconds), 60)
    if minutes == 0:
        return f"{rest}{_NO_BREAK}s"
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes}{_NO_BREAK}min"
    return f"{hours}{_NO_BREAK}h{_NO_BREAK}{minutes:02d}{_NO_BREAK}min"


def moment(at: datetime, time_zone: str, language: str) -> str:
    """Return date and time at the site."""
    return at.astimezone(ZoneInfo(time_zone)).strftime(WORDS[language].moment)


def clock(at: datetime, time_zone: str, language: str) -> str:
    """Return the time of day at the site."""
    return at.astimezone(ZoneInfo(time_zone)).strftime(WORDS[language].clock)


def percent(rate: str | None, language: str) -> str:
    """Return a VAT rate, or the words for none."""
    if rate is None:
        return WORDS[language].no_rate
    return f"{number(Decimal(rate).normalize() + 0, language)}{_NO_BREAK}%"


def price(rate: Decimal, currency: str, language: str) -> str:
    """Return a unit price with its currency; it may be finer than the currency's coins."""
    exact = rate.normalize() + 0
    digits = max(minor_digits(currency), -int(exact.as_tuple().exponent))
    text = words_for(language).money.format(
        amount=number(exact, language, digits=digits), symbol=_SYMBOLS.get(currency, currency)
    )
    return text.replace(" ", _NO_BREAK)
