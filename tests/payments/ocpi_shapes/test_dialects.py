"""What 2.2.1 says differently: prices, the hold, and enums that 2.3.0 opened."""

from decimal import Decimal
from typing import Any

import pytest

from payments.ocpi.dialects import Kind, Version, in_dialect, published_hold
from payments.ocpi.locations import location_document
from payments.ocpi.tariffs import parse_tariff, tariff_document
from tariffs.engine.terms import Dimension, PriceLimit, TariffElement, TaxIncluded
from tests.payments.ocpi_shapes import cast

OLD, NEW = Version.V2_2_1, Version.V2_3_0


def max_price(hold: str | None = None, **fields: Any) -> dict[str, Decimal] | None:
    """`max_price` of a 2.2.1 tariff; 0.59 EUR per kWh incl. 25.5 % VAT unless told otherwise."""
    amount = None if hold is None else Decimal(hold)
    document = tariff_document(cast.terms(min_price=None, **fields), OLD, hold_amount=amount)
    return document.get("max_price")


def both(excl: str, incl: str) -> dict[str, Decimal]:
    return {"excl_vat": Decimal(excl), "incl_vat": Decimal(incl)}


class TestHold:
    def test_2_3_0_names_the_amount_to_preauthorise(self) -> None:
        document = tariff_document(cast.terms(), NEW, hold_amount=Decimal("45.5000"))

        assert document["preauthorize_amount"] == Decimal("45.5")
        assert str(document["preauthorize_amount"]) == "45.5"
        assert "max_price" not in document

    def test_without_another_amount_it_is_the_tariffs_own(self) -> None:
        assert tariff_document(cast.terms(), NEW)["preauthorize_amount"] == 60
        assert max_price() == both("47.81", "60")

    def test_2_2_1_has_max_price_for_it(self) -> None:
        assert max_price("45.5") == both("36.26", "45.5")

    def test_the_net_amount_is_rounded_up_so_that_a_bill_of_the_whole_hold_is_within_it(self) -> None:
        # 10.00 EUR with 25.5 % VAT are 7.968127… net, and 7.97 on a bill.
        assert max_price("10") == both("7.97", "10")

    def test_of_several_rates_the_lowest_counts(self) -> None:
        two = (TariffElement((cast.component(), cast.component(Dimension.FLAT, "1", Decimal(10)))),)

        # A bill at 10 % alone may cost 50.00 with 45.46 net; by 25.5 % only 39.85 net would be allowed.
        assert max_price("50", elements=two) == both("45.46", "50")

    @pytest.mark.parametrize("included", [TaxIncluded.YES, TaxIncluded.NO, TaxIncluded.NOT_APPLICABLE])
    def test_without_vat_both_amounts_are_the_same(self, included: TaxIncluded) -> None:
        free = (TariffElement((cast.component(vat=None),)),)

        assert max_price("50", elements=free, tax_included=included) == both("50", "50")

    def test_a_currency_without_cents_has_none_here(self) -> None:
        yen = (TariffElement((cast.component(price="70", vat=Decimal(10)),)),)

        assert max_price("6000", elements=yen, currency="JPY") == both("5455", "6000")

    def test_a_lower_max_price_of_the_tariff_stays(self) -> None:
        assert max_price("50", max_price=PriceLimit(Decimal(16), Decimal(20))) == both("16", "20")

    def test_a_higher_one_gives_way(self) -> None:
        assert max_price("50", max_price=PriceLimit(Decimal(160), Decimal(200))) == both("39.85", "50")

    def test_a_max_price_without_taxes_is_told_with_them(self) -> None:
        assert max_price("50", max_price=PriceLimit(Decimal(20))) == both("20", "25.10")
        assert max_price("25", max_price=PriceLimit(Decimal(20))) == both("19.93", "25")

    def test_without_a_hold_max_price_is_the_tariffs_own(self) -> None:
        limit = PriceLimit(Decimal(16), Decimal(20))

        assert max_price(preauthorize_amount=None, max_price=limit) == both("16", "20")
        assert max_price(preauthorize_amount=None) is None

    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_what_was_published_can_be_asked(self, version: Version) -> None:
        held = tariff_document(cast.terms(), version, hold_amount=Decimal(45))
        lower = tariff_document(cast.terms(max_price=PriceLimit(Decimal(16), Decimal(20))), OLD)
        none = tariff_document(cast.terms(preauthorize_amount=None), version)

        assert published_hold(held) == 45
        assert published_hold(lower) == 20
        assert published_hold(none) is None

    def test_a_limit_of_2_3_0_is_no_hold(self) -> None:
        limited = cast.terms(preauthorize_amount=None, max_price=PriceLimit(Decimal(16), Decimal(20)))

        assert published_hold(tariff_document(limited, NEW)) is None


class TestTariff:
    def test_prices_are_net_with_their_vat_beside(self) -> None:
        parts = tariff_document(cast.terms(), OLD)["elements"][1]["price_components"]

        assert parts == [
            {"type": "ENERGY", "price": Decimal("0.4701"), "vat": Decimal("25.5"), "step_size": 1}
        ]

    def test_where_no_tax_applies_none_is_named(self) -> None:
        terms = cast.terms(tax_included=TaxIncluded.NOT_APPLICABLE)

        assert "vat" not in tariff_document(terms, OLD)["elements"][1]["price_components"][0]

    @pytest.mark.parametrize("version", cast.VERSIONS)
    def test_the_terminals_languages_are_in_the_tariff(self, version: Version) -> None:
        document = tariff_document(cast.terms(), version, languages=("fi", "sv"))

        assert [text["language"] for text in document["tariff_alt_text"]] == ["fi", "sv"]
        assert document["type"] == "AD_HOC_PAYMENT"

    def test_net_prices_stay_as_they_are(self) -> None:
        terms = cast.terms(tax_included=TaxIncluded.NO)

        read = parse_tariff(cast.as_sent(tariff_document(terms, OLD)))

        assert read.elements == terms.elements
        assert read.tax_included is TaxIncluded.NO


class TestLocation:
    def sent(self, version: Version, **fields: Any) -> dict[str, Any]:
        return location_document(cast.site(**fields), version)

    def test_fields_of_2_3_0_stay_at_home(self) -> None:
        plugs = (cast.connector(source={"capabilities": ["ISO_15118_2_PLUG_AND_CHARGE"]}),)
        stand = cast.evse(
            connectors=plugs,
            source={"parking": [{"parking_id": "1"}], "accepted_service_providers": ["Example"]},
        )
        source = {"parking_places": [{"id": "1"}], "help_phone": "112", "x_ours": 1}

        old = self.sent(OLD, evses=(stand,), source=source)
        new = self.sent(NEW, evses=(stand,), source=source)

        assert {"parking_places", "help_phone"}.isdisjoint(old)
        assert {"parking", "accepted_service_providers"}.isdisjoint(old["evses"][0])
        assert "capabilities" not in old["evses"][0]["connectors"][0]
        assert old["x_ours"] == 1
        assert {"parking_places", "help_phone"} <= new.keys()
        assert {"parking", "accepted_service_providers"} <= new["evses"][0].keys()
        assert "capabilities" in new["evses"][0]["connectors"][0]

    @pytest.mark.parametrize(
        ("standard", "power_type", "expected"),
        [
            ("CHADEMO", "DC", "CHADEMO"),
            ("SAE_J3400", "DC", "TESLA_S"),
            ("MCS", "DC", "IEC_62196_T2_COMBO"),
            ("FI-EMB-TRAM", "AC_3_PHASE", "IEC_62196_T2"),
        ],
    )
    def test_a_plug_without_a_name_in_2_2_1_goes_by_the_nearest(
        self, standard: str, power_type: str, expected: str
    ) -> None:
        stand = cast.evse(connectors=(cast.connector(standard=standard, power_type=power_type),))

        assert self.sent(OLD, evses=(stand,))["evses"][0]["connectors"][0]["standard"] == expected
        assert self.sent(NEW, evses=(stand,))["evses"][0]["connectors"][0]["standard"] == standard

    def test_values_that_2_2_1_does_not_know_are_dropped(self) -> None:
        stand = cast.evse(
            source={"capabilities": ["RFID_READER", "FI-EMB-SAUNA", 7], "parking_restrictions": ["TAXIS"]}
        )
        source = {
            "facilities": ["HOTEL", "FI-EMB-SAUNA"],
            "parking_type": "FI-EMB-ICE",
            "images": [{"url": "https://cpo.example/1.png", "category": "FI-EMB-SAUNA", "type": "png"}],
            "operator": {"name": "Example", "logo": {"category": "FI-EMB-LOGO", "type": "png"}},
            "energy_mix": {
                "is_green_energy": True,
                "environ_impact": [
                    {"category": "FI-EMB-NOISE", "amount": 1},
                    {"category": "CARBON_DIOXIDE", "amount": 0},
                ],
            },
        }

        sent = self.sent(OLD, evses=(stand,), source=source)

        assert sent["facilities"] == ["HOTEL"]
        assert "parking_type" not in sent
        assert sent["images"][0]["category"] == "OTHER"
        assert sent["operator"]["logo"]["category"] == "OTHER"
        assert sent["energy_mix"]["environ_impact"] == [{"category": "CARBON_DIOXIDE", "amount": 0}]
        assert "RFID_READER" in sent["evses"][0]["capabilities"]
        assert "FI-EMB-SAUNA" not in sent["evses"][0]["capabilities"]
        assert "parking_restrictions" not in sent["evses"][0]

    def test_a_source_of_the_wrong_shape_does_no_harm(self) -> None:
        source = {"images": "none", "operator": 1, "energy_mix": [], "facilities": "HOTEL"}

        assert self.sent(OLD, source=source)["images"] == "none"


def test_a_hub_is_named_by_2_3_0_only() -> None:
    credentials = {"token": "t", "url": "u", "roles": [], "hub_party_id": "NLHUB"}

    assert "hub_party_id" not in in_dialect(Kind.CREDENTIALS, credentials, OLD)
    assert in_dialect(Kind.CREDENTIALS, credentials, NEW) == credentials
