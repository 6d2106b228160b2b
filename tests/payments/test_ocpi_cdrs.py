"""CDRs in OCPI 2.3.0 shape: required fields, exact numbers, volumes and costs that add up."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from payments.exact_json import dumps
from payments.ocpi.cdrs import cdr_document
from payments.ocpi.tariffs import parse_tariff
from sessions_app.models import CDR
from tariffs.engine.document import from_document
from tariffs.engine.terms import Dimension, PriceComponent, Restrictions, TariffElement
from tests import builders

# OCPI 2.3.0 mod_cdrs, CDR object and CdrLocation class: properties of cardinality 1.
REQUIRED = {
    "country_code",
    "party_id",
    "id",
    "start_date_time",
    "end_date_time",
    "cdr_token",
    "auth_method",
    "cdr_location",
    "currency",
    "charging_periods",
    "total_cost",
    "total_energy",
    "total_time",
    "last_updated",
}
LOCATION = {"id", "address", "city", "country", "coordinates", "evse_uid", "evse_id", "connector_id"} | {
    "connector_standard",
    "connector_format",
    "connector_power_type",
}


def charged(
    terms=None, *, samples=((5000, 600),), energy_wh=10_000, after_seconds=1200, authorized_minor=6000
):
    """The CDR of a session with these samples (energy, seconds) and this end."""
    cast = builders.cast(terms=terms)
    running = cast.running(authorized_minor=authorized_minor, now=timezone.now() - timedelta(hours=3))
    for sample_wh, seconds in samples:
        running.meter(energy_wh=sample_wh, after_seconds=seconds)
    running.end(energy_wh=energy_wh, after_seconds=after_seconds)
    return CDR.objects.select_related("session__evse__site", "session__connector").get()


def written(cdr, **options):
    """As the wire has it, numbers as Decimal."""
    return json.loads(dumps(cdr_document(cdr, **options)), parse_float=Decimal, parse_int=Decimal)


def volumes(document, kind):
    periods = document["charging_periods"]
    return [d["volume"] for period in periods for d in period["dimensions"] if d["type"] == kind]


@pytest.mark.django_db
class TestCdr:
    def test_a_cdr_has_all_that_ocpi_requires(self):
        cdr = charged()

        document = written(cdr)

        session = cdr.session
        assert document.keys() >= REQUIRED
        assert document["cdr_location"].keys() >= LOCATION
        assert document["id"] == str(cdr.pk)
        assert document["session_id"] == str(session.pk)
        assert document["authorization_reference"] == session.authorization_reference
        assert (document["auth_method"], document["cdr_token"]["type"]) == ("COMMAND", "AD_HOC_USER")
        assert document["start_date_time"].endswith("Z")
        assert len(document["start_date_time"]) == 20
        assert document["cdr_location"]["coordinates"] == {
            "latitude": "60.16990",
            "longitude": "24.93840",
        }

    def test_the_total_carries_its_vat(self):
        document = written(charged())

        price = {
            "before_taxes": Decimal("3.98"),
            "taxes": [{"name": "VAT", "percentage": Decimal("25.5"), "amount": Decimal("1.02")}],
        }
        assert document["total_cost"] == price
        assert document["total_energy_cost"] == price
        assert document["total_energy"] == Decimal(10)
        assert document["total_time"] == Decimal("0.3333")

    def test_samples_of_one_state_are_one_period(self):
        document = written(charged(samples=[(100 * n, 60 * n) for n in range(1, 15)]))

        assert len(document["charging_periods"]) == 1
        assert volumes(document, "ENERGY") == [Decimal(10)]
        assert volumes(document, "TIME") == [Decimal("0.3333")]

    def test_with_restrictions_every_sample_stays_and_rounding_does_not_pile_up(self):
        energy = PriceComponent(Dimension.ENERGY, Decimal("0.5"), builders.VAT)
        cheap = PriceComponent(Dimension.ENERGY, Decimal("0.4"), builders.VAT)
        elements = (
            TariffElement((energy,), Restrictions(max_kwh=Decimal(5))),
            TariffElement((cheap,)),
        )
        terms = builders.tariff_terms(elements=elements)

        document = written(
            charged(terms, samples=[(100 * n, 7 * n) for n in range(1, 90)], after_seconds=1207)
        )

        assert len(document["charging_periods"]) == 90
        assert sum(volumes(document, "ENERGY")) == document["total_energy"]
        assert sum(volumes(document, "TIME")) == document["total_time"]

    def test_time_without_energy_is_parking(self):
        parking = PriceComponent(Dimension.PARKING_TIME, Decimal(6), builders.VAT)
        energy = PriceComponent(Dimension.ENERGY, Decimal("0.5"), builders.VAT)
        start = PriceComponent(Dimension.FLAT, Decimal(1), builders.VAT)
        terms = builders.tariff_terms(elements=(TariffElement((energy, parking, start)),))
        cast = builders.cast(terms=terms)
        running = cast.running(now=timezone.now() - timedelta(hours=3))
        running.meter(energy_wh=10_000, after_seconds=1200)
        for seconds in (1800, 3000):
            running.meter(energy_wh=10_000, after_seconds=seconds, power_w=0)
        running.end(energy_wh=10_000, after_seconds=3000)

        document = written(CDR.objects.get())

        assert [p["dimensions"][1]["type"] for p in document["charging_periods"]] == ["TIME", "PARKING_TIME"]
        assert document["total_parking_time"] == Decimal("0.5")
        parts = ("total_energy_cost", "total_parking_cost", "total_fixed_cost")
        net = sum(document[part]["before_taxes"] for part in parts)
        assert net == document["total_cost"]["before_taxes"]

    def test_the_tariff_is_the_one_of_the_tap_and_can_be_read_back(self):
        cdr = charged()

        tariff = written(cdr)["tariffs"][0]

        assert tariff["last_updated"].endswith("Z")
        tariff.pop("last_updated")
        assert parse_tariff(tariff) == from_document(cdr.tariff_snapshot)

    def test_a_bill_at_the_hold_totals_the_hold(self):
        document = written(charged(authorized_minor=400))

        total = document["total_cost"]
        assert total["before_taxes"] + total["taxes"][0]["amount"] == Decimal("4.00")
        assert document["total_energy_cost"]["before_taxes"] == Decimal("3.98")

    def test_no_taxes_are_an_empty_list(self):
        free_of_tax = PriceComponent(Dimension.ENERGY, Decimal("0.5"))
        terms = builders.tariff_terms(elements=(TariffElement((free_of_tax,)),))

        assert written(charged(terms))["total_cost"] == {"before_taxes": Decimal("5.00"), "taxes": []}

    def test_the_invoice_is_named_exactly_when_we_make_it(self):
        cdr = charged()

        assert written(cdr, invoice_reference="2026-000001")["invoice_reference_id"] == "2026-000001"
        assert "invoice_reference_id" not in written(cdr)

    def test_the_token_of_the_ptp_is_copied(self):
        token = {
            "country_code": "NL",
            "party_id": "PTP",
            "uid": "u",
            "type": "AD_HOC_USER",
            "contract_id": "c",
        }

        assert written(charged(), token=token)["cdr_token"] == token

    def test_a_site_with_a_long_address_or_no_place_on_the_map_still_gives_a_whole_cdr(self):
        cdr = charged()
        cdr.session.place |= {"address": "A" * 60, "latitude": ""}

        location = written(cdr)["cdr_location"]

        assert len(location["address"]) == 45
        assert location["coordinates"] == {"latitude": "0.00000", "longitude": "0.00000"}
