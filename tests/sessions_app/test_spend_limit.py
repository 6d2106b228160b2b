"""The paid limit where the price itself has an end: a cost that meets the hold and stays there is paid for."""

from decimal import Decimal

import pytest

from sessions_app.states import SessionState
from tariffs.engine.terms import Dimension, PriceComponent, PriceLimit, Tariff, TariffElement
from tests import builders

pytestmark = pytest.mark.django_db


def flat_five(*, held: int) -> Tariff:
    """5.00 EUR for a session, however much is charged; `held` is in EUR."""
    flat = PriceComponent(Dimension.FLAT, Decimal(5), builders.VAT)
    return builders.tariff_terms(elements=(TariffElement((flat,)),), preauthorize_amount=Decimal(held))


def at_most_twenty() -> Tariff:
    """0.50 EUR per kWh, 20.00 EUR at most."""
    return builders.tariff_terms(max_price=PriceLimit(Decimal("15.94"), Decimal(20)))


def test_a_flat_price_that_equals_the_hold_does_not_stop_the_session() -> None:
    running = builders.cast(terms=flat_five(held=5)).running(authorized_minor=500)
    assert running.session.stop_at is None

    running.meter(energy_wh=1000, after_seconds=60, power_w=60_000)

    assert running.session.state == SessionState.CHARGING
    assert running.end(energy_wh=20_000, after_seconds=1200).due_minor == 500


def test_a_maximum_price_that_equals_the_hold_does_not_stop_the_session() -> None:
    running = builders.cast(terms=at_most_twenty()).running(authorized_minor=2000)

    running.meter(energy_wh=39_000, after_seconds=1200, power_w=120_000)
    running.meter(energy_wh=41_000, after_seconds=1300, power_w=120_000)

    assert running.session.state == SessionState.CHARGING
    assert running.end(energy_wh=60_000, after_seconds=2000).due_minor == 2000


def test_a_maximum_price_beyond_the_hold_stops_it_at_the_hold() -> None:
    running = builders.cast(terms=at_most_twenty()).running(authorized_minor=1000)

    running.meter(energy_wh=20_000, after_seconds=600, power_w=120_000)

    assert running.session.state == SessionState.STOPPING


def test_a_flat_price_beyond_the_hold_stops_it_at_once() -> None:
    running = builders.cast(terms=flat_five(held=4)).running(authorized_minor=400)

    assert running.session.stop_at == running.session.started_at
