"""How much is held: the tariff's own amount, else the site's for AC or DC, else the CPO's."""

from decimal import Decimal
from typing import Any

import pytest

from payments.errors import UnknownQuote
from tariffs.engine.terms import PriceLimit
from tests import builders

pytestmark = pytest.mark.django_db


def held(power_type: str, *, site: dict[str, Any] | None = None, **tariff: Any) -> int:
    """The hold that a quote names, in minor units."""
    cast = builders.cast(terms=builders.tariff_terms(**({"preauthorize_amount": None} | tariff)))
    for name, value in (site or {}).items():
        setattr(cast.site, name, value)
    cast.site.save()
    cast.connector.power_type = power_type
    cast.connector.evse.site.refresh_from_db()
    return cast.quote().preauthorize_minor


OWN = {"preauthorize_ac": Decimal(20), "preauthorize_dc": Decimal("80.5")}


@pytest.mark.parametrize(
    ("power_type", "site", "tariff", "minor"),
    [
        ("AC_3_PHASE", None, {}, 3_000),
        ("DC", None, {}, 6_000),
        ("AC_3_PHASE", OWN, {}, 2_000),
        ("DC", OWN, {}, 8_050),
        ("DC", {"preauthorize_ac": Decimal(20)}, {}, 6_000),
        ("DC", OWN, {"preauthorize_amount": Decimal(45)}, 4_500),
        ("DC", OWN, {"max_price": PriceLimit(Decimal(40), Decimal(50))}, 5_000),
        ("DC", OWN, {"currency": "JPY"}, 81),
    ],
)
def test_the_nearest_amount_is_held(
    settings: Any,
    power_type: str,
    site: dict[str, Any] | None,
    tariff: dict[str, Any],
    minor: int,
) -> None:
    settings.DEFAULT_PREAUTHORIZE_AC, settings.DEFAULT_PREAUTHORIZE_DC = Decimal(30), Decimal(60)

    assert held(power_type, site=site, **tariff) == minor


def test_a_price_in_a_currency_that_nobody_named_an_amount_in_is_not_sold() -> None:
    with pytest.raises(UnknownQuote):
        held("DC", currency="JPY")


def test_the_least_hold_in_another_currency_is_a_part_of_the_hold() -> None:
    cast = builders.cast(terms=builders.tariff_terms(currency="JPY", preauthorize_amount=Decimal(6000)))

    quote = cast.quote()

    assert (quote.preauthorize_minor, quote.minimum_minor) == (6000, 200)
