"""AFIR linter: what an ad hoc tariff may charge at a fast charger, and what a driver could not foresee.

Regulation (EU) 2023/1804, Art. 5: at points of 50 kW and more deployed since 13 April 2024 the ad hoc price is
one per kWh, plus an occupancy fee per minute at most; all of it is known before charging starts. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from tariffs.engine.terms import Dimension, Restrictions, Tariff, TariffType, TaxIncluded

MIN_POWER_W: Final = 50_000
IN_FORCE_ON: Final = date(2024, 4, 13)

# Where AFIR is law (EU and EEA, ISO 3166-1 alpha-3), and the languages (ISO 639-1) that drivers there read.
LANGUAGES_OF: Final = {
    "AUT": ("de",), "BEL": ("nl", "fr", "de"), "BGR": ("bg",), "CYP": ("el",), "CZE": ("cs",),
    "DEU": ("de",), "DNK": ("da",), "ESP": ("es",), "EST": ("et",), "FIN": ("fi", "sv"),
    "FRA": ("fr",), "GRC": ("el",), "HRV": ("hr",), "HUN": ("hu",), "IRL": ("en",),
    "ISL": ("is",), "ITA": ("it",), "LIE": ("de",), "LTU": ("lt",), "LUX": ("fr", "de"),
    "LVA": ("lv",), "MLT": ("en",), "NLD": ("nl",), "NOR": ("no",), "POL": ("pl",),
    "PRT": ("pt",), "ROU": ("ro",), "SVK": ("sk",), "SVN": ("sl",), "SWE": ("sv",),
}  # fmt: skip
_WRITTEN_AS: Final = {"nb": "no", "nn": "no"}


class Severity(enum.StrEnum):
    """How much a finding weighs."""

    ERROR = "error"  # not allowed: saving such a tariff onto such an EVSE is refused
    WARNING = "warning"  # allowed, or not known to be forbidden; a driver could be surprised
    INFO = "info"  # good to know


class Rule(enum.StrEnum):
    """The rules by their ids, which stay what they are."""

    FLAT = "afir.flat"  # a fee per session
    TIME = "afir.time"  # a price for the time of charging
    MIN_PRICE = "afir.min-price"  # a least price, whatever is charged
    POWER = "afir.power"  # a price that depends on power
    CURRENT = "afir.current"  # a price that depends on current
    STEP_SIZE = "afir.step-size"  # blocks larger than a Wh or a second
    TAXES_UNKNOWN = "afir.taxes-unknown"  # taxes come on top and nobody says how much
    NET_PRICES = "afir.net-prices"  # prices are written without VAT
    LANGUAGES = "afir.languages"  # no note in a language of the country
    DATE_UNKNOWN = "afir.date-unknown"  # the site has no commissioning date
    RETROFIT = "afir.retrofit"  # deployed before AFIR


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `path` is where it stands in the OCPI tariff, as in `elements[0].price_components[1]`."""

    severity: Severity
    rule: Rule
    message: str
    path: str = ""

    def as_dict(self) -> dict[str, str]:
        """The finding as one JSON object."""
        return {
            "severity": self.severity.value,
            "rule": self.rule.value,
            "message": self.message,
            "path": self.path,
        }


def lint(
    terms: Tariff, *, max_power_w: int, country: str, commissioned_on: date | None
) -> tuple[Finding, ...]:
    """Findings on a tariff for ad hoc use at an EVSE, by its power and its site's country and date.

    `country` is ISO 3166-1 alpha-3. Nothing is found where AFIR does not apply. What would be an error is
    a warning where it is not sure that AFIR binds: the site has no date, or the tariff is one for contracts
    that drivers with a card get only where there is no other (`REGULAR`).
    """
    if max_power_w < MIN_POWER_W or country not in LANGUAGES_OF or not _may_be_ad_hoc(terms):
        return ()
    if commissioned_on is not None and commissioned_on < IN_FORCE_ON:
        message = (
            f"Deployed before {IN_FORCE_ON}: AFIR's price rules do not bind here; "
            "payment by card has to be possible from 2027 on."
        )
        return (Finding(Severity.INFO, Rule.RETROFIT, message),)
    found = [*_forbidden(terms), *_not_foreseeable(terms), *_languages(terms, country)]
    if commissioned_on is None:
        message = "The site has no commissioning date, which decides whether AFIR applies."
        found.append(Finding(Severity.INFO, Rule.DATE_UNKNOWN, message))
    if commissioned_on is None or terms.type is TariffType.REGULAR:
        found = [_softened(finding) for finding in found]
    return tuple(found)


def refusals(
    terms: Tariff, *, max_power_w: int, country: str, commissioned_on: date | None
) -> tuple[Finding, ...]:
    """Why a tariff cannot be saved onto an EVSE: the errors of `lint`. Empty where it can."""
    found = lint(terms, max_power_w=max_power_w, country=country, commissioned_on=commissioned_on)
    return tuple(finding for finding in found if finding.severity is Severity.ERROR)


def _may_be_ad_hoc(terms: Tariff) -> bool:
    return terms.type in (None, TariffType.AD_HOC_PAYMENT, TariffType.REGULAR)


def _softened(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.WARNING) if finding.severity is Severity.ERROR else finding


def _forbidden(terms: Tariff) -> Iterator[Finding]:
    fees = {
        Dimension.FLAT: (Rule.FLAT, "A fee per session is not allowed at 50 kW and more."),
        Dimension.TIME: (
            Rule.TIME,
            "A price for the time of charging is not allowed at 50 kW and more; "
            "an occupancy fee is PARKING_TIME.",
        ),
    }
    for path, dimension, price, _ in _charged(terms):
        if price and dimension in fees:
            yield Finding(Severity.ERROR, *fees[dimension], path)


def _charged(terms: Tariff) -> Iterator[tuple[str, Dimension, Decimal, int]]:
    """Path, dimension, price and step of every component that can price a charging session."""
    for number, element in enumerate(terms.elements):
        if element.restrictions.reservation is None:
            for place, component in enumerate(element.price_components):
                path = f"elements[{number}].price_components[{place}]"
                yield path, component.type, component.price, component.step_size


def _not_foreseeable(terms: Tariff) -> Iterator[Finding]:
    def warning(rule: Rule, message: str, path: str) -> Finding:
        return Finding(Severity.WARNING, rule, message, path)

    if terms.min_price is not None and terms.min_price.before_taxes:
        yield warning(
            Rule.MIN_PRICE, "A least price makes the price per kWh unknown before the end.", "min_price"
        )
    for number, element in enumerate(terms.elements):
        priced = any(component.price for component in element.price_components)
        if priced and element.restrictions.reservation is None:
            for rule, name in _unforeseeable_restrictions(element.restrictions):
                what = "power" if rule is Rule.POWER else "current"
                message = f"The car and the charger decide the {what}; a driver cannot foresee this price."
                yield warning(rule, message, f"elements[{number}].restrictions.{name}")
    for path, dimension, price, step_size in _charged(terms):
        if price and step_size > 1 and dimension is not Dimension.FLAT:
            yield warning(Rule.STEP_SIZE, "More is billed than was used; advised is 1.", f"{path}.step_size")
    if terms.taxes_unknown() and any(price for _, _, price, _ in _charged(terms)):
        yield warning(Rule.TAXES_UNKNOWN, "Taxes come on top and no component says how much.", "tax_included")
    elif terms.tax_included is TaxIncluded.NO and any(
        terms.vat_rate(c) for _, c in terms.session_components()
    ):
        message = "Prices are written without VAT; a driver must see them with it, and may see a rounded one."
        yield warning(Rule.NET_PRICES, message, "tax_included")


def _unforeseeable_restrictions(restrictions: Restrictions) -> Iterator[tuple[Rule, str]]:
    limits = {
        "min_power": (Rule.POWER, restrictions.min_power_kw),
        "max_power": (Rule.POWER, restrictions.max_power_kw),
        "min_current": (Rule.CURRENT, restrictions.min_current_a),
        "max_current": (Rule.CURRENT, restrictions.max_current_a),
    }
    for name, (rule, limit) in limits.items():
        if limit is not None:
            yield rule, name


def _languages(terms: Tariff, country: str) -> Iterator[Finding]:
    """Terminals offer the languages of `tariff_alt_text`; one that is missing is not on the screen."""
    written = {alt.language.partition("-")[0].lower() for alt in terms.alt_texts}
    written = {_WRITTEN_AS.get(language, language) for language in written}
    missing = [language for language in LANGUAGES_OF[country] if language not in written]
    if missing:
        message = f"No text in {', '.join(missing)}; terminals offer the languages of these texts."
        yield Finding(Severity.WARNING, Rule.LANGUAGES, message, "tariff_alt_text")
