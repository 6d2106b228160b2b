"""The price a driver must see before the tap: the one place that turns a tariff into lines of text.

Order of AFIR Art. 5: per kWh, per minute, per session, other; all including VAT, time per minute. Minimum
and maximum price, and the note of the operator, are in the terms below the lines.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tariffs.engine.document import decimal_string
from tariffs.engine.money import minor_digits, round_half_up
from tariffs.engine.terms import (
    AltText,
    DayOfWeek,
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.engine.totals import limit_totals
from tariffs.price_words import LANGUAGES, Words, words_for

__all__ = ["LANGUAGES", "PriceKind", "PriceLine", "alt_texts", "price_lines", "terms_text"]


class PriceKind(enum.StrEnum):
    """What a price line is for, as the terminal API names it."""

    ENERGY = "energy"  # per kWh
    TIME = "time"  # per minute of charging
    PARKING = "parking"  # per minute connected and not charging
    SESSION = "session"  # once per session


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line: `text` says all of it; `amount` (decimal string, incl. VAT) and `unit` repeat its number."""

    kind: PriceKind
    text: str
    amount: str
    unit: str


_KINDS: Final = {
    Dimension.ENERGY: (PriceKind.ENERGY, "kWh"),
    Dimension.TIME: (PriceKind.TIME, "min"),
    Dimension.PARKING_TIME: (PriceKind.PARKING, "min"),
    Dimension.FLAT: (PriceKind.SESSION, "session"),
}
_SYMBOLS: Final = {"EUR": "€", "GBP": "£", "USD": "$"}
MAX_ALT_TEXT: Final = 512  # OCPI 2.3.0 types, DisplayText
_NO_RESTRICTIONS: Final = Restrictions()


def price_lines(terms: Tariff, language: str) -> list[PriceLine]:
    """The price lines of a tariff in AFIR's order, in that language or else in English."""
    words = words_for(language)
    return [
        _line(terms, words, element, component, alone=alone)
        for dimension in _KINDS
        for element, component, alone in _reachable(terms, dimension)
    ]


def terms_text(terms: Tariff, language: str) -> str:
    """What applies beside the lines: free of charge, least and greatest price, taxes, operator's note."""
    words = words_for(language)
    sentences = [_limit_text(terms, words.minimum, terms.min_price, words)]
    sentences.append(_limit_text(terms, words.maximum, terms.max_price, words))
    if terms.min_price is None and all(component.price == 0 for _, component in terms.session_components()):
        sentences.append(words.free_of_charge)
    elif terms.taxes_unknown():
        sentences.append(words.taxes_are_added)
    elif terms.tax_included is not TaxIncluded.NOT_APPLICABLE:
        sentences.append(words.prices_include_vat)
    sentences.append(_note(terms, language))
    return " ".join(sentence for sentence in sentences if sentence)


def alt_texts(terms: Tariff, languages: Iterable[str] = LANGUAGES) -> tuple[AltText, ...]:
    """What a driver must see as one text per language, for a door that carries nothing else (OCPI DisplayText)."""
    texts = []
    for language in languages:
        lines = "; ".join(line.text for line in price_lines(terms, language))
        whole = f"{lines}. {terms_text(terms, language)}".strip()
        cut = whole if len(whole) <= MAX_ALT_TEXT else whole[: MAX_ALT_TEXT - 1] + "…"
        texts.append(AltText(language, cut))
    return tuple(texts)


def _reachable(terms: Tariff, dimension: Dimension) -> Iterator[tuple[TariffElement, PriceComponent, bool]]:
    """Components that can apply: the first of each element, until one is without restrictions.

    The flag says whether it stands alone, so that a fallback after others can be named as such.
    """
    seen: list[TariffElement] = []
    for element, component in terms.session_components():
        if component.type is not dimension or any(element is earlier for earlier in seen):
            continue
        yield element, component, not seen
        if element.restrictions == _NO_RESTRICTIONS:
            return
        seen.append(element)


def _line(
    terms: Tariff, words: Words, element: TariffElement, component: PriceComponent, *, alone: bool
) -> PriceLine:
    kind, unit = _KINDS[component.type]
    price = terms.unit_price(component)[1] / (60 if unit == "min" else 1)
    amount = _amount(price, terms.currency)
    parts = [f"{getattr(words, kind.value)}: {_price_text(terms, words, component, amount)}"]
    parts += _restriction_texts(words, element.restrictions)
    if element.restrictions == _NO_RESTRICTIONS and not alone:
        parts.append(words.otherwise)
    if component.step_size > 1 and component.price and kind is not PriceKind.SESSION:
        step = component.step_size
        parts.append(words.step.format(f"{step} Wh" if kind is PriceKind.ENERGY else _duration(step)))
    return PriceLine(kind, ", ".join(parts), amount, unit)


def _price_text(terms: Tariff, words: Words, component: PriceComponent, amount: str) -> str:
    if component.price == 0:
        return words.free
    _, unit = _KINDS[component.type]
    money = _money(amount, terms.currency, words)
    priced = f"{money} {words.per_session}" if unit == "session" else f"{money}/{unit}"
    return f"{priced} {suffix}" if (suffix := _tax_suffix(terms, words, component)) else priced


def _tax_suffix(terms: Tariff, words: Words, component: PriceComponent) -> str:
    if terms.tax_included is TaxIncluded.YES or terms.vat_rate(component):
        return words.incl_vat
    return words.plus_tax if terms.taxes_unknown() else ""


def _restriction_texts(words: Words, restrictions: Restrictions) -> list[str]:
    texts = [
        _days(words, restrictions.day_of_week),
        _times(words, restrictions.start_time, restrictions.end_time),
        _dates(words, restrictions),
        _range(words, restrictions.min_kwh, restrictions.max_kwh, "kWh", words.up_to),
        _range(words, restrictions.min_power_kw, restrictions.max_power_kw, "kW", words.below),
        _range(words, restrictions.min_current_a, restrictions.max_current_a, "A", words.below),
        _durations(words, restrictions.min_duration_seconds, restrictions.max_duration_seconds),
    ]
    return [text for text in texts if text]


def _days(words: Words, days: tuple[DayOfWeek, ...]) -> str:
    """Days as runs: Mon–Fri, or Sat, Sun; every day says nothing."""
    if len(days) in (0, 7):
        return ""
    runs: list[list[DayOfWeek]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [[words.days[day] for day in run] for run in runs]
    return " ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else " ".join(run) for run in names)


def _times(words: Words, start: time | None, end: time | None) -> str:
    last = "24:00" if end == time(0) else f"{end:%H:%M}" if end else ""
    if start and last:
        return "" if start == end else f"{start:%H:%M}–{last}"
    if start:
        return words.starting.format(f"{start:%H:%M}")
    return words.until.format(last) if end and end != time(0) else ""


def _dates(words: Words, restrictions: Restrictions) -> str:
    """The end date is exclusive in OCPI; a driver reads the last day on which the price holds."""
    first, last = restrictions.start_date, restrictions.end_date
    texts = [words.starting.format(first.isoformat())] if first else []
    if last:
        texts.append(words.until.format((last - timedelta(days=1)).isoformat()))
    return " ".join(texts)


def _range(words: Words, low: Decimal | None, high: Decimal | None, unit: str, ceiling: str) -> str:
    least = _number(low, words) if low else ""
    most = "" if high is None else _number(high, words)
    if least and most:
        return f"{least}–{most} {unit}"
    if least:
        return words.starting.format(f"{least} {unit}")
    return ceiling.format(f"{most} {unit}") if most else ""


def _durations(words: Words, low: int | None, high: int | None) -> str:
    texts = [words.after.format(_duration(low))] if low else []
    if high is not None:
        texts.append((words.until if low else words.first).format(_duration(high)))
    return " ".join(texts)


def _duration(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def _limit_text(terms: Tariff, phrase: str, limit: PriceLimit | None, words: Words) -> str:
    if limit is None:
        return ""
    amount = _amount(limit_totals(terms, limit).incl, terms.currency)
    return phrase.format(_money(amount, terms.currency, words))


def _note(terms: Tariff, language: str) -> str:
    """The operator's own words, in the language asked for, else English, else the first."""
    notes = {alt.language.partition("-")[0].lower(): alt.text for alt in terms.alt_texts}
    wanted = (language.lower().partition("-")[0], "en", *notes)
    return next((notes[name] for name in wanted if name in notes), "")


def _amount(price: Fraction, currency: str) -> str:
    """The currency's digits, and up to two more where the price needs them: 0.59, 0.0333."""
    digits = minor_digits(currency)
    value = Decimal(round_half_up(price * 10 ** (digits + 2))).scaleb(-digits - 2)
    text = f"{value:f}"
    while text.endswith("0") and len(text.partition(".")[2]) > digits:
        text = text[:-1]
    return text.rstrip(".")


def _number(value: Decimal, words: Words) -> str:
    return decimal_string(value).replace(".", words.decimal_point)


def _money(amount: str, currency: str, words: Words) -> str:
    symbol = _SYMBOLS.get(currency, currency)
    return words.money.format(amount=amount.replace(".", words.decimal_point), symbol=symbol)
