"""The paid limit where the price itself has an end: a cost that meets the hold and stays there is paid for."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from chargers.desk import current_desk
from chargers.models import Command
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


def asked(running: builders.Running) -> int:
    return Command.objects.filter(station=running.transaction.station_id, action="TRIGGER").count()


def look(running: builders.Running, *, after_seconds: float) -> datetime | None:
    at = running.started_at + timedelta(seconds=after_seconds)
    return current_desk().look_again(transaction_pk=running.transaction.pk, at=at)


class TestBeforeTheFirstSample:
    """2 kWh at 150 kW: 48 seconds, less than many a charger takes to its first sample."""

    def start(self, **configuration: str) -> builders.Running:
        cast = builders.cast()
        cast.station.configuration = configuration
        cast.station.save(update_fields=["configuration"])
        return cast.running(authorized_minor=100)

    def test_half_way_to_the_worst_the_meter_is_asked_for(self) -> None:
        running = self.start()
        stop_at = running.session.stop_at
        assert stop_at is not None

        assert look(running, after_seconds=24) == stop_at

        trigger = Command.objects.get(action="TRIGGER")
        assert trigger.arguments["message"] == "MeterValues"
        assert trigger.deadline_at == stop_at

    def test_a_vehicle_that_takes_a_tenth_is_not_stopped_early(self) -> None:
        running = self.start()
        look(running, after_seconds=24)

        running.meter(energy_wh=100, after_seconds=25, power_w=15_000)

        assert running.session.state == SessionState.CHARGING
        assert look(running, after_seconds=48) == running.session.stop_at
        assert asked(running) == 1

    def test_a_charger_that_does_not_answer_is_stopped_by_the_worst(self) -> None:
        running = self.start()
        look(running, after_seconds=24)

        assert look(running, after_seconds=48) is None
        assert running.session.state == SessionState.STOPPING

    def test_one_that_cannot_be_asked_is_not(self) -> None:
        running = self.start(SupportedFeatureProfiles="Core,Reservation")

        look(running, after_seconds=24)

        assert asked(running) == 0
