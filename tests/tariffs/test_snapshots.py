"""A price that was agreed stays: whatever becomes of its tariff, during the session and after it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import ProtectedError
from django.utils import timezone

from payments.errors import UnknownQuote
from sessions_app.models import CDR
from tariffs.engine.terms import Dimension, PriceComponent, Tariff, TariffElement
from tariffs.models import Tariff as StoredTariff
from tariffs.models import TariffVersion
from tariffs.versions import save_tariff
from tests import builders

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)
IDENTITY = "T-SNAPSHOT"


def terms_at(price: str, **fields: object) -> Tariff:
    component = PriceComponent(Dimension.ENERGY, Decimal(price), builders.VAT)
    return builders.tariff_terms(id=IDENTITY, elements=(TariffElement((component,)),), **fields)


def change() -> None:
    save_tariff(terms_at("9.99"))


def deactivate() -> None:
    StoredTariff.objects.update(active=False)


def expire() -> None:
    save_tariff(terms_at("0.50", end_at=NOW - timedelta(days=1)))


def take_off_the_connector(cast: builders.Cast) -> None:
    cast.connector.tariffs.clear()


@pytest.mark.parametrize("event", [change, deactivate, expire])
def test_what_becomes_of_a_tariff_does_not_change_a_running_session(event: Callable[[], None]) -> None:
    running = builders.cast(terms=terms_at("0.50")).running(now=NOW)
    running.meter(energy_wh=500, after_seconds=60)

    event()
    running.meter(energy_wh=1_000, after_seconds=120)
    running.end(energy_wh=2_000, after_seconds=240)

    bill = CDR.objects.get(session=running.session)
    assert bill.total_incl_minor == 100
    assert bill.lines[0]["price"] == "0.5"


def test_a_tariff_that_expires_during_the_session_goes_on_for_it() -> None:
    soon = NOW + timedelta(seconds=60)
    cast = builders.cast(terms=terms_at("0.50", end_at=soon))
    running = cast.running(now=NOW)

    running.end(energy_wh=2_000, after_seconds=3_600)

    assert CDR.objects.get(session=running.session).total_incl_minor == 100
    with pytest.raises(UnknownQuote):
        cast.quote(now=soon + timedelta(seconds=1))


def test_a_tariff_taken_off_the_connector_goes_on_for_the_session() -> None:
    cast = builders.cast(terms=terms_at("0.50"))
    running = cast.running(now=NOW)

    take_off_the_connector(cast)
    running.end(energy_wh=2_000, after_seconds=240)

    assert CDR.objects.get(session=running.session).total_incl_minor == 100


def test_the_price_on_the_screen_is_the_price_charged_even_if_it_changed_before_the_tap() -> None:
    cast = builders.cast(terms=terms_at("0.50"))
    quote = cast.quote(now=NOW)

    change()

    assert quote.tariff_version.terms() == terms_at("0.50")
    assert cast.quote(now=NOW).tariff_version.terms() == terms_at("9.99")


def test_a_tariff_that_was_sold_cannot_be_deleted_and_its_history_is_whole() -> None:
    running = builders.cast(terms=terms_at("0.50")).running(now=NOW)
    change()

    with pytest.raises(ProtectedError):
        StoredTariff.objects.filter(tariff_id=IDENTITY).delete()

    running.end(energy_wh=2_000, after_seconds=240)
    prices = [
        version.terms().elements[0].price_components[0].price
        for version in TariffVersion.objects.filter(tariff__tariff_id=IDENTITY).order_by("number")
    ]
    assert prices == [Decimal("0.5"), Decimal("9.99")]
