"""The tariff editor: what it takes, what stands beside it, and that no shape of a tariff is lost in it."""

import html
import json
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from emabler.portal.tariffs.draft import json_text
from emabler.portal.tariffs.shape import Identity, filled_from, same_meaning, written
from payments.ocpi.tariffs import parse_tariff
from tariffs.engine.terms import (
    AltText,
    DayOfWeek,
    Dimension,
    PriceComponent,
    PriceLimit,
    Reservation,
    TaxIncluded,
)
from tariffs.models import Tariff as StoredTariff
from tests import builders
from tests.emabler.tariff_forms import component, element, form, signed_in, text


@pytest.fixture
def editor() -> Client:
    return signed_in("emil", "change_tariff")


class TestShape:
    """The form and the tariff say the same, or the form says that it cannot."""

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"elements": (element(component("ENERGY", "0.59"), component("PARKING_TIME", "6")),)},
            {
                "elements": (
                    element(component("ENERGY", "0.59")),
                    element(component("PARKING_TIME", "6"), min_duration_seconds=3600),
                )
            },
            {
                "elements": (
                    element(
                        component("ENERGY", "0.39", 250),
                        component("FLAT", "1"),
                        day_of_week=(DayOfWeek.SATURDAY,),
                        start_time=time(22),
                        end_time=time(6),
                        min_kwh=Decimal("0.5"),
                        max_power_kw=Decimal(50),
                        max_duration_seconds=1800,
                    ),
                    element(component("TIME", "2.50"), component("ENERGY", "0.49", 250)),
                )
            },
            {"elements": (element(component("PARKING_TIME", "6"), min_duration_seconds=60),)},
            {"tax_included": TaxIncluded.NO, "min_price": PriceLimit(Decimal(1))},
            {"max_price": PriceLimit(Decimal("39.8406"), Decimal(50))},
            {
                "start_at": datetime(2026, 1, 1, tzinfo=UTC),
                "end_at": datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
                "alt_texts": (AltText("en", "Hi"), AltText("fi", "Moi"), AltText("et", "Tere")),
                "alt_url": "https://example.com/price",
                "type": None,
                "preauthorize_amount": None,
            },
        ],
    )
    def test_what_the_form_can_say_comes_back_as_it_was(self, fields: dict[str, Any]) -> None:
        terms = builders.tariff_terms(**fields)

        filled = filled_from(terms)

        assert filled is not None
        identity = Identity(terms.country_code, terms.party_id, terms.id)
        assert same_meaning(parse_tariff(written(identity, filled).document), terms)

    @pytest.mark.parametrize(
        "elements",
        [
            (element(component("ENERGY", "0.59"), start_date=date(2026, 7, 1)),),
            (element(component("ENERGY", "0.59"), max_current_a=Decimal(16)),),
            (
                element(component("TIME", "5"), reservation=Reservation.RESERVATION),
                element(component("ENERGY", "0.59")),
            ),
            (element(component("ENERGY", "0.59"), component("ENERGY", "0.69")),),
            (element(component("PARKING_TIME", "6"), min_duration_seconds=90),),
            (element(PriceComponent(Dimension.ENERGY, Decimal(1), Decimal(10)), component("FLAT", "1")),),
            (element(component("TIME", "6", 60), max_kwh=Decimal(5)), element(component("TIME", "6", 300))),
        ],
    )
    def test_what_the_form_cannot_say_is_left_to_json(self, elements: Any) -> None:
        terms = builders.tariff_terms(elements=elements)

        assert filled_from(terms) is None
        assert same_meaning(parse_tariff(json.loads(json_text(terms), parse_float=Decimal)), terms)


def test_moments_are_shown_and_taken_to_the_second() -> None:
    at = timezone.now().replace(microsecond=0)
    filled = filled_from(builders.tariff_terms(start_at=at))

    assert filled is not None
    assert filled.main["start_at"] == at


@pytest.mark.django_db
class TestFaults:
    @pytest.mark.parametrize(
        ("fields", "name", "message"),
        [
            ({"energy_price": "-1"}, "energy_price", "A number such as 0.59"),
            ({"energy_price": "1e9"}, "energy_price", "A number such as 0.59"),
            ({"energy_price": "9" * 9}, "energy_price", "At most 1000000."),
            ({"energy_price": ""}, "energy_price", "Write at least one price"),
            ({"vat": "101"}, "vat", "At most 100."),
            ({"vat": ""}, "vat", "Name the rate"),
            ({"energy_step": "99999999"}, "energy_step", "less than or equal"),
            ({"currency": "EUX"}, "currency", "not an ISO 4217 currency"),
            ({"currency": ""}, "currency", "required"),
            ({"tariff_id": "a b"}, "tariff_id", "Letters, digits"),
            ({"type": "NOPE"}, "type", "valid choice"),
            ({"tax_included": ""}, "tax_included", "required"),
            ({"energy_step": "1.5"}, "energy_step", "whole number"),
            ({"energy_step": "9" * 5000}, "energy_step", "whole number"),
            ({"parking_after": "60"}, "parking_price", "missing"),
            ({"min_price_incl": "5", "max_price_incl": "4"}, "max_price_incl", "below the least"),
            ({"min_price_incl": "5", "min_price_excl": "6"}, "min_price_incl", "not below before taxes"),
            ({"start_at": "2026-02-31T00:00"}, "start_at", "valid date"),
            ({"start_at": "0001-01-01T00:00"}, "start_at", "A year from"),
            ({"start_at": "2026-02-01T00:00", "end_at": "2026-01-01T00:00"}, "end_at", "ends before"),
            ({"alt_url": "x\0y"}, "alt_url", "Null characters"),
            ({"rules-count": "1"}, "rules-0-energy_price", "A rule has a price"),
            (
                {
                    "rules-count": "1",
                    "rules-0-energy_price": "1",
                    "rules-0-min_kwh": "5",
                    "rules-0-max_kwh": "5",
                },
                "rules-0-max_kwh",
                "not above",
            ),
            (
                {"notes-count": "1", "notes-0-language": "eng", "notes-0-text": "x"},
                "notes-0-language",
                "Two letters",
            ),
            (
                {"notes-count": "1", "notes-0-language": "en", "notes-0-text": "\u202e"},
                "notes-0-text",
                "Printable",
            ),
            ({"sample-power_kw": "0"}, "sample-power_kw", "From 1 to"),
        ],
    )
    def test_a_fault_stands_beside_its_field_and_nothing_is_stored(
        self, editor: Client, fields: dict[str, str], name: str, message: str
    ) -> None:
        answer = editor.post("/tariffs/new/", form(**fields))

        assert answer.status_code == 200
        beside = re.search(rf'id="id_{name}_error"[^>]*>(.*?)</ul>', answer.content.decode(), re.DOTALL)
        assert beside is not None
        assert message in html.unescape(beside[1])
        assert f'href="#id_{name}"' in answer.content.decode()
        assert not StoredTariff.objects.exists()

    @pytest.mark.parametrize(
        "document",
        [
            "",
            "[]",
            "null",
            "{",
            '{"id": NaN}',
            "[" * 5000,
            '{"id": "\\ud800"}',
            '{"elements": [' + "9" * 5000 + "]}",
            '{"id": 1, "id": 2}',
            '{"elements": [{"price_components": [{"type": "ENERGY", "price": 1e999999999}]}]}',
        ],
    )
    def test_broken_json_is_an_error_in_words(self, editor: Client, document: str) -> None:
        answer = editor.post("/tariffs/new/", form(mode="json", document=document))

        assert answer.status_code == 200
        assert 'id="id_document_error"' in answer.content.decode()

    @pytest.mark.parametrize("count", ["-1", "x", "99999999999999999999", "²", ""])
    def test_a_false_number_of_rows_does_no_harm(self, editor: Client, count: str) -> None:
        fields = {"rules-count": count, "notes-count": count, "based_on": count}

        for action in ("preview", f"remove-rules-{count}", f"up-notes-{count}", "add-"):
            assert editor.post("/tariffs/new/", form(action, **fields)).status_code == 200


@pytest.mark.django_db
class TestExample:
    def test_preview_prices_three_sessions_and_stores_nothing(self, editor: Client) -> None:
        fields = form("preview", parking_price="0.10", preauthorize_amount="59")

        body = text(editor.post("/tariffs/new/", fields | {"part": "preview"}))

        # 50 kWh, 22 kWh, and 40 kWh with 90 min parked, at 0.59 and 0.10.
        for figure in ("29.50 €", "12.98 €", "32.60 €", "50.00 kWh × 0.59 €", "9.00 €"):
            assert figure in body
        assert "Held on the card: 59.00 €" in body
        assert "used up at 100.000 kWh, after 40 min" in body
        assert "<html" not in body
        assert not StoredTariff.objects.exists()

    def test_a_new_tariff_is_priced_before_it_has_an_id_and_not_saved_so(self, editor: Client) -> None:
        for action in ("preview", "save"):
            body = text(editor.post("/tariffs/new/", form(action, tariff_id="")))

            assert "29.50 €" in body
            assert "Tariff id</a>: This field is required." in body
        assert not StoredTariff.objects.exists()

    def test_it_says_what_drivers_read_and_what_afir_finds(self, editor: Client) -> None:
        builders.site()  # in Finland
        notes = {"notes-count": "1", "notes-0-language": "de", "notes-0-text": "Bitte wegfahren."}

        body = text(editor.post("/tariffs/new/", form("preview", session_fee="1", **notes)))

        assert '<div lang="de">' in body
        assert "Energie: 0,59 €/kWh inkl. MwSt." in body
        assert "Bitte wegfahren." in body
        assert "afir.flat" in body
        assert "AFIR's price rules begin at 50 kW." in body

    def test_a_session_beyond_the_hold_says_so(self, editor: Client) -> None:
        body = text(editor.post("/tariffs/new/", form("preview", preauthorize_amount="20")))

        assert "The hold of 20.00 € ends it earlier." in body

    def test_rows_are_added_moved_and_removed_without_a_script(self, editor: Client) -> None:
        rules = {"rules-count": "2", "rules-0-energy_price": "0.11", "rules-1-energy_price": "0.22"}

        added = editor.post("/tariffs/new/", form("add-rules", **rules)).content.decode()
        moved = editor.post("/tariffs/new/", form("up-rules-1", **rules)).content.decode()
        removed = editor.post("/tariffs/new/", form("remove-rules-0", **rules)).content.decode()

        assert "Rule 3" in added
        assert moved.index('value="0.22"') < moved.index('value="0.11"')
        assert 'value="0.11"' not in removed
        assert 'value="0.22"' in removed

    def test_form_and_json_change_places_with_what_was_written(self, editor: Client) -> None:
        as_json = html.unescape(editor.post("/tariffs/new/", form("to-json")).content.decode())
        document = re.search(r"<textarea[^>]*>(.*)</textarea>", as_json, re.DOTALL)

        assert document is not None
        assert '"price": 0.59' in document[1]
        back = editor.post("/tariffs/new/", form("to-form", mode="json", document=document[1]))
        assert 'value="0.59"' in back.content.decode()

    @pytest.mark.parametrize("currency", ["JPY", "KWD"])
    def test_other_currencies_are_priced_in_their_own_units(self, editor: Client, currency: str) -> None:
        body = text(editor.post("/tariffs/new/", form("preview", currency=currency, tax_included="N/A")))

        assert {"JPY": "30 JPY", "KWD": "29.500 KWD"}[currency] in body
