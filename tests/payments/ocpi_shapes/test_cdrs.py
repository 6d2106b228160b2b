"""Bills in both versions: credits, the zero bill that releases a hold, what a charger signed; and bills read."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.cdr_entries import parse_cdr
from payments.ocpi.cdrs import cdr_document, zero_cdr_document, zero_cdr_id
from payments.ocpi.dialects import Version
from sessions_app.cdr import cdr_id
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults

OLD, NEW = Version.V2_2_1, Version.V2_3_0


def sent(version: Version = NEW, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = cast.as_sent(cdr_document(cast.cdr(), version=version, **options))
    return document


def zero(version: Version = NEW, **fields: Any) -> dict[str, Any]:
    row = cast.session(**fields)
    document: dict[str, Any] = cast.as_sent(
        zero_cdr_document(row, version=version, issued_at=cast.NOON, token=cast.TOKEN)
    )
    return document


class TestVersions:
    def test_2_2_1_tells_its_costs_with_and_without_vat(self) -> None:
        document = sent(OLD)

        expected = {"excl_vat": Decimal("9.40"), "incl_vat": Decimal("11.80")}
        assert document["total_cost"] == expected
        assert document["total_energy_cost"] == expected

    def test_its_tariff_is_of_the_same_version_and_tells_the_hold(self) -> None:
        old, new = (sent(version, hold_amount=Decimal(45))["tariffs"][0] for version in (OLD, NEW))

        assert old["max_price"]["incl_vat"] == 45
        assert "tax_included" not in old
        assert new["preauthorize_amount"] == 45
        assert new["tax_included"] == "YES"

    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_the_payment_and_its_session_are_named(self, version: Version) -> None:
        document = sent(version, token=cast.TOKEN)

        assert document["authorization_reference"] == "pp-2026-0000000001"
        assert document["session_id"] == str(cast.SESSION_ID)
        assert document["cdr_token"] == cast.TOKEN
        assert document["auth_method"] == "COMMAND"
        assert "invoice_reference_id" not in document

    def test_a_plug_that_2_2_1_has_no_name_for_does_not_spoil_the_bill(self) -> None:
        cdr = cast.cdr()
        cdr.session.connector.standard = "MCS"

        assert cdr_document(cdr, version=OLD)["cdr_location"]["connector_standard"] == "IEC_62196_T2_COMBO"
        assert cdr_document(cdr, version=NEW)["cdr_location"]["connector_standard"] == "MCS"

    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_what_the_charger_signed_goes_along(self, version: Version) -> None:
        signed = cast.as_sent(cdr_document(cast.cdr(signed_data=cast.SIGNED), version=version))

        assert signed["signed_data"]["encoding_method"] == "OCMF"
        assert [value["nature"] for value in signed["signed_data"]["signed_values"]] == [
            "Start",
            "Intermediate",
            "End",
        ]
        assert parse_cdr(signed).id == str(cast.CDR_ID)
        assert "signed_data" not in sent(version)


class TestCredit:
    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_a_credit_is_its_original_with_a_negative_total(self, version: Version) -> None:
        original = cast.cdr(signed_data=cast.SIGNED)
        bill = cdr_document(original, version=version)

        credit = cdr_document(cast.credit_of(original), version=version)

        assert bill["signed_data"]
        changed = {name for name in credit if credit[name] != bill.get(name)}
        assert changed == {"id", "total_cost", "credit", "credit_reference_id"}
        assert credit["credit"] is True
        assert credit["credit_reference_id"] == str(cast.CDR_ID)

    def test_its_vat_is_negative_too(self) -> None:
        total = cdr_document(cast.credit_of(cast.cdr()))["total_cost"]

        assert total == {
            "before_taxes": Decimal("-9.40"),
            "taxes": [{"name": "VAT", "percentage": Decimal("25.5"), "amount": Decimal("-2.40")}],
        }

    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_it_is_read_as_a_credit(self, version: Version) -> None:
        entry = parse_cdr(cast.as_sent(cdr_document(cast.credit_of(cast.cdr()), version=version)))

        assert (entry.credit, entry.credit_reference_id) == (True, str(cast.CDR_ID))
        assert entry.total.incl == Decimal("-11.80")
        assert entry.costs["total_energy_cost"].incl == Decimal("11.80")


class TestZeroCdr:
    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_a_session_that_never_started_costs_nothing(self, version: Version) -> None:
        entry = parse_cdr(zero(version, started_at=None, ended_at=None, stop_reason=""))

        assert (entry.total.excl, entry.total.incl) == (0, 0)
        assert (entry.energy_kwh, entry.hours) == (0, 0)
        assert entry.started_at == entry.ended_at == cast.NOON.replace(microsecond=0) - timedelta(minutes=1)
        assert entry.authorization_reference == "pp-2026-0000000001"
        assert entry.cdr_token == cast.TOKEN

    def test_its_id_is_the_same_whenever_it_is_sent_and_not_that_of_a_bill(self) -> None:
        # By the letter: another id for the same session would be another CDR to a PTP.
        assert str(zero_cdr_id(cast.SESSION_ID)) == "bc112631-e070-5b0a-8285-a8a361367670"
        assert zero()["id"] == zero(OLD)["id"] == str(zero_cdr_id(cast.SESSION_ID))
        assert zero_cdr_id(cast.SESSION_ID) != cdr_id(cast.SESSION_ID)

    def test_what_was_used_for_nothing_is_told_without_a_tariff(self) -> None:
        document = zero(energy_wh=7)

        assert document["total_energy"] == Decimal("0.007")
        assert document["total_time"] == Decimal("0.6667")
        assert "tariffs" not in document
        assert document["charging_periods"] == [
            {
                "start_date_time": "2026-05-04T12:00:00Z",
                "dimensions": [
                    {"type": "ENERGY", "volume": Decimal("0.007")},
                    {"type": "TIME", "volume": Decimal("0.6667")},
                ],
            }
        ]

    def test_an_end_before_the_start_is_no_negative_time(self) -> None:
        assert zero(ended_at=cast.NOON - timedelta(minutes=5))["total_time"] == 0

    def test_without_a_token_the_reference_names_the_driver(self) -> None:
        document = zero_cdr_document(cast.session(), version=NEW, issued_at=cast.NOON)

        assert document["cdr_token"]["uid"] == "pp-2026-0000000001"


class TestReading:
    @pytest.mark.parametrize(
        "name",
        [
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
        ],
    )
    def test_a_missing_field_is_named(self, name: str) -> None:
        document = sent()
        del document[name]

        assert faults(parse_cdr, document) == [(name, "required")]

    @pytest.mark.parametrize(
        ("changes", "path", "code"),
        [
            ({"total_cost": {"excl_vat": -1, "incl_vat": -1}}, "total_cost.excl_vat", "invalid"),
            ({"credit": True}, "credit_reference_id", "required"),
            ({"credit": "yes"}, "credit", "invalid"),
            ({"charging_periods": []}, "charging_periods", "required"),
            ({"total_time": 100_000}, "total_time", "too_large"),
            ({"tariffs": [{}]}, "tariffs[0].country_code", "required"),
            ({"cdr_location": {}}, "cdr_location.id", "required"),
            ({"signed_data": {"encoding_method": "OCMF"}}, "signed_data.signed_values", "required"),
            ({"id": "x" * 40}, "id", "too_large"),
        ],
    )
    def test_a_fault_is_named(self, changes: dict[str, Any], path: str, code: str) -> None:
        assert (path, code) in faults(parse_cdr, sent() | changes)

    def test_the_tariff_is_read_along(self) -> None:
        entry = parse_cdr(sent())

        at_the_tap = replace(cast.terms(), last_updated_at=cast.NOON.replace(microsecond=0))
        assert entry.tariffs == (at_the_tap,)
