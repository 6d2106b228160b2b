"""The price before the tap: order, numbers, restrictions in words, languages."""

from datetime import date, time
from decimal import Decimal

import pytest

from payments.ocpi.tariffs import tariff_document
from tariffs.engine.terms import AltText, DayOfWeek, PriceLimit, Reservation, TaxIncluded
from tariffs.price_text import LANGUAGES, alt_texts, price_lines, terms_text

from .cast import component, element, tariff

WEEKDAYS = tuple(day for day in DayOfWeek if day <= DayOfWeek.FRIDAY)
TYPICAL = tariff(
    element(
        component("FLAT", "1.00", "25.5"),
        component("PARKING_TIME", "6.00", "25.5"),
        component("TIME", "3.00", "25.5"),
    ),
    element(component("ENERGY", "0.59", "25.5")),
    tax_included=TaxIncluded.YES,
)


def texts(terms, language="en"):
    return [line.text for line in price_lines(terms, language)]


def test_lines_come_in_the_order_of_afir_and_per_minute():
    lines = [(line.kind, line.amount, line.unit) for line in price_lines(TYPICAL, "en")]

    assert lines == [
        ("energy", "0.59", "kWh"),
        ("time", "0.05", "min"),
        ("parking", "0.10", "min"),
        ("session", "1.00", "session"),
    ]


def test_net_prices_are_shown_with_vat():
    terms = tariff(element(component("ENERGY", "0.50", "24"), component("TIME", "2.00", "10")))

    assert texts(terms) == ["Energy: 0.62 €/kWh incl. VAT", "Charging time: 0.0367 €/min incl. VAT"]


def test_a_price_without_known_taxes_says_so():
    terms = tariff(element(component("ENERGY", "0.50")), currency="CAD")

    assert texts(terms) == ["Energy: 0.50 CAD/kWh plus tax"]
    assert terms_text(terms, "en") == "Taxes are added."


def test_restrictions_are_said_in_words():
    terms = tariff(
        element(
            component("ENERGY", "0.39", "24"), start_time=time(22), end_time=time(0), day_of_week=WEEKDAYS
        ),
        element(
            component("ENERGY", "0.45", "24"),
            day_of_week=(DayOfWeek.SATURDAY, DayOfWeek.SUNDAY),
            max_kwh=Decimal(20),
        ),
        element(component("ENERGY", "0.50", "24"), start_date=date(2026, 12, 1), end_date=date(2027, 1, 1)),
        element(component("ENERGY", "0.55", "24"), min_power_kw=Decimal("50.5")),
        element(component("ENERGY", "0.59", "24")),
        element(component("PARKING_TIME", "6.00", "24", 300), min_duration_seconds=5400),
        tax_included=TaxIncluded.YES,
    )

    assert [text.partition(" incl. VAT, ")[2] for text in texts(terms)] == [
        "Mon–Fri, 22:00–24:00",
        "Sat Sun, up to 20 kWh",
        "from 2026-12-01 until 2026-12-31",
        "from 50.5 kW",
        "otherwise",
        "after 90 min, per started 5 min",
    ]


def test_what_can_never_apply_to_a_session_is_not_shown():
    terms = tariff(
        element(component("TIME", "5.00", "24"), reservation=Reservation.RESERVATION),
        element(component("ENERGY", "0.50", "24"), component("ENERGY", "0.70", "24")),
        element(component("ENERGY", "0.90", "24")),
    )

    assert [line.amount for line in price_lines(terms, "en")] == ["0.62"]


def test_a_free_tariff_says_free():
    terms = tariff(element(component("FLAT", "0.00", step_size=0)))

    assert texts(terms) == ["Start fee: free"]
    assert terms_text(terms, "de") == "Das Laden ist kostenlos."


def test_terms_name_the_limits_with_vat_and_the_operator_s_note():
    terms = tariff(
        element(component("ENERGY", "0.50", "24")),
        min_price=PriceLimit(Decimal(1), Decimal("1.24")),
        max_price=PriceLimit(Decimal(50)),
        alt_texts=(AltText("sv", "Solel."), AltText("en", "Solar power.")),
    )

    assert terms_text(terms, "en") == (
        "Minimum price per session: 1.24 €. Maximum price per session: 62.00 €. All prices include VAT. Solar power."
    )
    assert terms_text(terms, "sv-FI").endswith("Solel.")
    assert terms_text(terms, "fr").endswith("Solar power.")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Energy: 0.59 €/kWh incl. VAT"),
        ("de-AT", "Energie: 0,59 €/kWh inkl. MwSt."),
        ("fi", "Energia: 0,59 €/kWh sis. alv"),
        ("SV", "Energi: 0,59 €/kWh inkl. moms"),
        ("nl", "Energie: € 0,59/kWh incl. btw"),
        ("fr", "Énergie: 0,59 €/kWh TTC"),
        ("pl", "Energy: 0.59 €/kWh incl. VAT"),
        ("", "Energy: 0.59 €/kWh incl. VAT"),
    ],
)
def test_each_language_has_its_words_and_english_stands_in(language, text):
    assert texts(TYPICAL, language)[0] == text


def test_the_whole_price_fits_into_one_text_per_language():
    document = tariff_document(TYPICAL, languages=["en", "fi"])

    english, finnish = document["tariff_alt_text"]
    assert (english["language"], finnish["language"]) == ("en", "fi")
    assert english["text"] == (
        "Energy: 0.59 €/kWh incl. VAT; Charging time: 0.05 €/min incl. VAT; "
        "Connected, not charging: 0.10 €/min incl. VAT; Start fee: 1.00 € per session incl. VAT. "
        "All prices include VAT."
    )
    assert "tariff_alt_text" not in tariff_document(TYPICAL)


def test_a_text_is_never_longer_than_ocpi_allows():
    many = [element(component("ENERGY", "0.50", "24"), min_kwh=Decimal(kwh)) for kwh in range(1, 40)]

    (alt,) = alt_texts(tariff(*many), ["en"])

    assert len(alt.text) == 512
    assert alt.text.endswith("…")


def test_amounts_do_not_depend_on_the_language():
    shown = {tuple(line.amount for line in price_lines(TYPICAL, language)) for language in LANGUAGES}

    assert shown == {("0.59", "0.05", "0.10", "1.00")}


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "59.5"), ("KWD", "59.500"), ("EUR", "59.50")])
def test_amounts_have_at_least_the_currency_s_digits(currency, amount):
    terms = tariff(element(component("ENERGY", "59.5")), currency=currency)

    assert price_lines(terms, "en")[0].amount == amount
