"""The worked example beside the editor: three sessions priced, what drivers read, what AFIR says, the hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from payments.receipts import formats
from tariffs.afir import LANGUAGES_OF, MIN_POWER_W, Finding, lint
from tariffs.engine.cost import CostLine, LineKind
from tariffs.engine.limit import preauthorize_minor, reach
from tariffs.engine.live import LiveCost
from tariffs.engine.pricing import price
from tariffs.engine.terms import Tariff, TaxIncluded
from tariffs.engine.usage import Segment, SegmentState, Usage
from tariffs.price_text import LANGUAGES, price_lines, terms_text

LANGUAGE = "en"
AC_POWER_W = 11_000
BATTERY_WH = 40_000
HORIZON = timedelta(hours=24)
KINDS = {
    LineKind.ENERGY: "Energy",
    LineKind.TIME: "Charging time",
    LineKind.PARKING_TIME: "Connected, not charging",
    LineKind.FLAT: "Start fee",
    LineKind.ADJUSTMENT: "Least or greatest price",
    LineKind.WRITE_OFF: "Beyond the hold",
}
NAMES = {
    "en": "English",
    "de": "Deutsch",
    "fi": "Suomi",
    "sv": "Svenska",
    "nl": "Nederlands",
    "fr": "Français",
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and when the example plays; `default_hold_minor` counts where the tariff names no amount."""

    power_w: int
    starts_at: datetime
    time_zone: str
    country: str
    default_hold_minor: int


@dataclass(frozen=True)
class Line:
    """One line of a sample's bill."""

    what: str
    how: str
    amount: str


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A session with its bill; `beyond` says when the hold would have ended it earlier."""

    title: str
    about: str
    lines: list[Line]
    total: str
    vat: str
    beyond: str


@dataclass(frozen=True)
class Text:
    """What a terminal shows in one language."""

    code: str
    name: str
    lines: list[str]
    terms: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """All that stands beside the form."""

    samples: list[Sample]
    texts: list[Text]
    fast: tuple[Finding, ...]
    country: str
    afir_applies: bool
    hold: str
    hold_source: str
    reached: str
    headline: str


def example(terms: Tariff, setting: Setting) -> Example:
    """Price and say a tariff. Raises `UnknownTimeZone`."""
    hold_minor = preauthorize_minor(terms, setting.default_hold_minor)
    samples = [_sample(terms, setting, hold_minor, *each) for each in _usages(setting)]
    return Example(
        samples=samples,
        texts=list(texts(terms, setting.country)),
        fast=lint(
            terms,
            max_power_w=max(MIN_POWER_W, setting.power_w),
            country=setting.country,
            commissioned_on=setting.starts_at.date(),
        ),
        country=setting.country,
        afir_applies=setting.country in LANGUAGES_OF,
        hold=_money(hold_minor, terms),
        hold_source=_hold_source(terms),
        reached=_reached(terms, setting, hold_minor),
        headline="; ".join(f"{sample.title}: {sample.total}" for sample in samples),
    )


def texts(terms: Tariff, country: str) -> Iterable[Text]:
    """What a driver reads: in English, in the languages of the notes and in those of the country."""
    notes = [alt.language.partition("-")[0] for alt in terms.alt_texts]
    for code in dict.fromkeys(["en", *notes, *LANGUAGES_OF.get(country, ())]):
        if code in LANGUAGES:
            lines = [line.text for line in price_lines(terms, code)]
            yield Text(code, NAMES.get(code, code), lines, terms_text(terms, code))


def _usages(setting: Setting) -> Iterable[tuple[str, str, Usage]]:
    power_w, ac_w = setting.power_w, min(setting.power_w, AC_POWER_W)
    quick_wh = power_w * Fraction(20, 60)
    yield (
        "20 min at full power",
        f"{_kwh(quick_wh)} at {formats.power(power_w, LANGUAGE)}",
        _usage(setting, timedelta(minutes=20), quick_wh),
    )
    yield (
        "2 h of AC",
        f"{_kwh(ac_w * 2)} at {formats.power(ac_w, LANGUAGE)}",
        _usage(setting, timedelta(hours=2), ac_w * 2),
    )
    took = timedelta(seconds=BATTERY_WH * 3600 // power_w)
    about = f"{_kwh(BATTERY_WH)} in {formats.duration(int(took.total_seconds()))}, then connected for 90 min"
    yield "Full, then parked", about, _usage(setting, took, BATTERY_WH, parked=timedelta(minutes=90))


def _usage(
    setting: Setting, charging: timedelta, energy_wh: int | Fraction, parked: timedelta = timedelta(0)
) -> Usage:
    start_at, full_at = setting.starts_at, setting.starts_at + charging
    segments = [Segment(start_at, full_at, energy_wh)]
    if parked:
        segments.append(Segment(full_at, full_at + parked, 0, SegmentState.PARKED))
    return Usage(setting.time_zone, tuple(segments))


def _sample(terms: Tariff, setting: Setting, hold_minor: int, title: str, about: str, usage: Usage) -> Sample:
    cost = price(terms, usage)
    over = cost.total_incl_minor > hold_minor
    vat = "plus taxes" if cost.taxes_unknown else f"incl. {_money(cost.total_vat_minor, terms)} VAT"
    return Sample(
        title=title,
        about=about,
        lines=[_line(terms, line) for line in cost.lines],
        total=_money(cost.total_incl_minor, terms),
        vat="" if terms.tax_included is TaxIncluded.NOT_APPLICABLE else vat,
        beyond=f"The hold of {_money(hold_minor, terms)} ends it earlier." if over else "",
    )


def _line(terms: Tariff, line: CostLine) -> Line:
    return Line(KINDS[line.dimension], _how(terms, line), _money(line.incl_minor, terms))


def _how(terms: Tariff, line: CostLine) -> str:
    if line.price is None:
        return ""
    per_minute = line.unit == "h"
    rate = (line.price / 60).quantize(Decimal("0.0001"), ROUND_HALF_UP) if per_minute else line.price
    text = formats.price(rate, terms.currency, LANGUAGE)
    if terms.tax_included is TaxIncluded.NO:
        text += " before VAT"
    if line.unit == "session":
        return text
    volume = _minutes(line.volume) if per_minute else _kwh(line.volume * 1000)
    return f"{volume} × {text}"


def _minutes(hours: Fraction) -> str:
    return formats.exact_duration(int(hours * 3600))


def _kwh(energy_wh: int | Fraction) -> str:
    return formats.energy(round(energy_wh), LANGUAGE)


def _money(minor: int, terms: Tariff) -> str:
    return formats.money(minor, terms.currency, LANGUAGE)


def _hold_source(terms: Tariff) -> str:
    if terms.preauthorize_amount is not None:
        return "as the tariff says"
    return "the CPO's amount; a site may set its own"


def _reached(terms: Tariff, setting: Setting, hold_minor: int) -> str:
    """When and at which energy the cost meets the hold at full power."""
    live = LiveCost.begin(terms, setting.time_zone, setting.starts_at)
    found = reach(
        live,
        limit_minor=hold_minor,
        power_w=setting.power_w,
        from_at=setting.starts_at,
        horizon=HORIZON,
    )
    power = formats.power(setting.power_w, LANGUAGE)
    if found is None:
        return f"At {power} it is not used up within 24 hours."
    took = formats.duration(round((found.at - setting.starts_at).total_seconds()))
    return f"At {power} it is used up at {formats.energy(found.energy_wh, LANGUAGE, digits=3)}, after {took}."
