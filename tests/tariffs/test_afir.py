"""What AFIR forbids at a fast charger, what a driver could not foresee, and where it does not apply."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tariffs.afir import Finding, Severity, lint, refusals
from tariffs.engine.terms import AltText, PriceLimit, Reservation, Tariff, TariffType, TaxIncluded

from .cast import component, element, tariff

NOTES = (AltText("fi", "Aurinkosähköä."), AltText("sv", "Solel."))
PER_KWH = component("ENERGY", "0.59", "25.5")
OCCUPANCY = component("PARKING_TIME", "6.00", "25.5")


def fast(*elements: Any, **fields: Any) -> Tariff:
    """An ad hoc tariff, gross, with notes in both languages of Finland."""
    facts = {"tax_included": TaxIncluded.YES, "type": TariffType.AD_HOC_PAYMENT, "alt_texts": NOTES}
    return tariff(*elements, **(facts | fields))


def found(
    terms: Tariff, *, power_w: int = 150_000, country: str = "FIN", on: date | None = date(2025, 6, 1)
) -> list[tuple[str, str, str]]:
    findings = lint(terms, max_power_w=power_w, country=country, commissioned_on=on)
    return [(finding.severity.value, finding.rule.value, finding.path) for finding in findings]


def test_a_price_per_kwh_and_an_occupancy_fee_are_what_afir_wants() -> None:
    assert found(fast(element(PER_KWH), element(OCCUPANCY, min_duration_seconds=3600))) == []


def test_fees_per_session_and_prices_for_charging_time_are_errors() -> None:
    terms = fast(
        element(PER_KWH, component("FLAT", "1.00", "25.5")),
        element(component("TIME", "3.00", "25.5"), min_duration_seconds=3600),
    )

    assert found(terms) == [
        ("error", "afir.flat", "elements[0].price_components[1]"),
        ("error", "afir.time", "elements[1].price_components[0]"),
    ]


@pytest.mark.parametrize(
    "terms",
    [
        fast(element(component("FLAT", "0.00", step_size=0))),  # OCPI's way to say free of charge
        fast(element(component("FLAT", "5.00"), reservation=Reservation.RESERVATION), element(PER_KWH)),
        fast(element(component("TIME", "0"), component("FLAT", "0"), PER_KWH)),
    ],
)
def test_what_costs_nothing_or_prices_a_reservation_is_no_fee(terms: Tariff) -> None:
    assert found(terms) == []


@pytest.mark.parametrize(
    ("terms", "rule", "path"),
    [
        (fast(element(PER_KWH), min_price=PriceLimit(Decimal(1))), "afir.min-price", "min_price"),
        (
            fast(element(PER_KWH, min_power_kw=Decimal(50))),
            "afir.power",
            "elements[0].restrictions.min_power",
        ),
        (
            fast(element(PER_KWH, max_current_a=Decimal(32))),
            "afir.current",
            "elements[0].restrictions.max_current",
        ),
        (
            fast(element(component("ENERGY", "0.59", "25.5", 1000))),
            "afir.step-size",
            "elements[0].price_components[0].step_size",
        ),
        (
            fast(element(component("ENERGY", "0.59")), tax_included=TaxIncluded.NO),
            "afir.taxes-unknown",
            "tax_included",
        ),
        (fast(element(PER_KWH), tax_included=TaxIncluded.NO), "afir.net-prices", "tax_included"),
        (fast(element(PER_KWH), alt_texts=(AltText("en", "Sun."),)), "afir.languages", "tariff_alt_text"),
        (fast(element(PER_KWH), alt_texts=NOTES[:1]), "afir.languages", "tariff_alt_text"),
    ],
)
def test_what_a_driver_could_not_foresee_is_a_warning(terms: Tariff, rule: str, path: str) -> None:
    assert found(terms) == [("warning", rule, path)]


def test_a_maximum_price_times_of_day_and_first_kwh_can_be_foreseen() -> None:
    terms = fast(element(PER_KWH, max_kwh=Decimal(20)), element(PER_KWH), max_price=PriceLimit(Decimal(60)))

    assert found(terms) == []


FEE = fast(element(PER_KWH, component("FLAT", "1.00")))


@pytest.mark.parametrize(
    "place",
    [
        {"power_w": 49_999},
        {"country": "CHE"},
        {"country": "GBR"},
        {"country": ""},
    ],
)
def test_nothing_is_found_outside_of_afir_s_scope(place: dict[str, Any]) -> None:
    assert found(FEE, **place) == []


def test_scope_begins_with_50_kw_and_the_day_of_application() -> None:
    at_the_border = found(FEE, power_w=50_000, country="NOR", on=date(2024, 4, 13))

    assert ("error", "afir.flat", "elements[0].price_components[1]") in at_the_border


def test_an_older_point_is_told_of_the_retrofit() -> None:
    assert found(FEE, on=date(2024, 4, 12)) == [("info", "afir.retrofit", "")]


def test_without_a_date_nothing_is_an_error_and_the_date_is_asked_for() -> None:
    assert found(FEE, on=None) == [
        ("warning", "afir.flat", "elements[0].price_components[1]"),
        ("info", "afir.date-unknown", ""),
    ]


@pytest.mark.parametrize(
    ("kind", "severities"),
    [
        (None, ["error"]),
        (TariffType.AD_HOC_PAYMENT, ["error"]),
        (TariffType.REGULAR, ["warning"]),
        (TariffType.PROFILE_GREEN, []),
    ],
)
def test_only_tariffs_that_a_card_can_be_charged_by_are_looked_at(
    kind: TariffType | None, severities: list[str]
) -> None:
    terms = fast(element(PER_KWH, component("FLAT", "1.00")), type=kind)

    assert [severity for severity, _, _ in found(terms)] == severities


def test_refusals_are_the_errors_alone() -> None:
    terms = fast(element(component("FLAT", "1.00"), PER_KWH), min_price=PriceLimit(Decimal(1)))

    (refusal,) = refusals(terms, max_power_w=350_000, country="DEU", commissioned_on=date(2026, 1, 1))

    assert isinstance(refusal, Finding)
    assert refusal.severity is Severity.ERROR
    assert refusal.as_dict() == {
        "severity": "error",
        "rule": "afir.flat",
        "message": "A fee per session is not allowed at 50 kW and more.",
        "path": "elements[0].price_components[0]",
    }


def test_norwegian_has_two_ways_to_be_written() -> None:
    terms = fast(element(PER_KWH), alt_texts=(AltText("nb", "Solstrøm."),))

    assert found(terms, country="NOR") == []
