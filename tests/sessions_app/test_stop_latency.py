"""What a charger takes to obey a stop is learned from its own sessions, within bounds."""

from datetime import UTC, datetime, timedelta

import pytest

from chargers.models import EVSE, ChargingStation
from sessions_app.stop_latency import (
    LARGEST_STEP_SECONDS,
    LONGEST_SECONDS,
    LastSample,
    learned,
    observed_seconds,
)
from tests import builders

ASKED = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return ASKED + timedelta(seconds=seconds)


def test_the_estimate_comes_close_within_a_few_sessions() -> None:
    estimate = 1.0
    for _ in range(6):
        estimate = learned(estimate, 5.0)

    assert estimate == pytest.approx(5.0, abs=0.2)


@pytest.mark.parametrize(("observed", "expected"), [(5.0, 5.0), (0.2, 0.2), (-3.0, 0.0), (86_400.0, 8.0)])
def test_the_first_observation_counts_alone_within_bounds(observed: float, expected: float) -> None:
    assert learned(None, observed) == expected


@pytest.mark.parametrize("observed", [-3600.0, 0.0, 12.0, 86_400.0])
def test_an_odd_observation_moves_it_little_and_never_out_of_its_bounds(observed: float) -> None:
    estimate = learned(2.0, observed)

    assert abs(estimate - 2.0) <= LARGEST_STEP_SECONDS
    for _ in range(100):
        estimate = learned(estimate, observed)
    assert 0 <= estimate <= LONGEST_SECONDS


def test_at_high_power_the_meter_tells_how_long_energy_went_on() -> None:
    # 360 kW: 100 Wh a second. Asked 4 s after the sample, ended 3 s after that; the stop is stamped late.
    last = LastSample(at(-4), 50_000, 360_000)

    assert observed_seconds(last, asked_at=ASKED, ended_at=at(9), final_wh=50_700) == pytest.approx(3.0)


def test_at_low_power_the_time_of_the_end_tells() -> None:
    last = LastSample(at(-4), 50_000, 3_600)

    assert observed_seconds(last, asked_at=ASKED, ended_at=at(3), final_wh=50_007) == pytest.approx(3.0)


def test_a_sample_between_the_stop_and_the_end_tells_the_same() -> None:
    last = LastSample(at(2), 50_600, 360_000)

    assert observed_seconds(last, asked_at=ASKED, ended_at=at(9), final_wh=50_700) == pytest.approx(3.0)


@pytest.mark.django_db
class TestOfAStation:
    def limited(self, cast: builders.Cast, *, late_wh: int, reason: str = "Remote") -> builders.Running:
        """A session at 360 kW whose stop left at 8 kWh, and which took `late_wh` more."""
        running = cast.running(authorized_minor=400)
        running.meter(energy_wh=7_950, after_seconds=80, power_w=360_000)
        running.end(energy_wh=7_950 + late_wh, after_seconds=85, reason=reason)
        return running

    def make(self) -> builders.Cast:
        cast = builders.cast()
        cast.connector.max_power_w = 400_000
        cast.connector.save()
        return cast

    def test_the_next_session_stops_as_much_earlier_as_the_last_one_was_late(self) -> None:
        cast = self.make()
        self.limited(cast, late_wh=300)

        station = ChargingStation.objects.get(pk=cast.station.pk)
        assert station.stop_latency_seconds == pytest.approx(3.0, abs=0.1)  # the first tells it
        EVSE.objects.update(status="AVAILABLE")
        running = cast.running(authorized_minor=400)
        assert running.session.stop_latency_seconds == station.stop_latency_seconds

    def test_a_session_that_ended_otherwise_teaches_nothing(self) -> None:
        cast = self.make()
        self.limited(cast, late_wh=300, reason="EVDisconnected")

        assert ChargingStation.objects.get(pk=cast.station.pk).stop_latency_seconds is None

    def test_a_meter_in_doubt_teaches_nothing(self) -> None:
        cast = self.make()
        self.limited(cast, late_wh=40_000_000)

        assert ChargingStation.objects.get(pk=cast.station.pk).stop_latency_seconds is None
