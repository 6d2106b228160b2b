"""Reported power against the register: which figures prove a wrong unit, and which prove nothing."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.metering_power import Evidence, PowerPoint, contradiction, evidence

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
MAX_W = 22_000


def reported(*powers_w: int, every_seconds: float = 60) -> list[PowerPoint]:
    return [PowerPoint(START + timedelta(seconds=every_seconds * n), w) for n, w in enumerate(powers_w)]


def doubted(energy_wh: int, points: list[PowerPoint], max_power_w: int = MAX_W) -> bool:
    return bool(contradiction(energy_wh, points, max_power_w=max_power_w))


def test_kwh_for_wh_is_contradicted_by_the_power() -> None:
    points = reported(*[11_000] * 110)  # 109 minutes of 11 kW: 19.98 kWh

    assert contradiction(20, points, max_power_w=MAX_W) == (
        "the register shows 20 Wh, the reported power at least 19983 Wh (kWh sent as Wh?)"
    )
    assert contradiction(20_000, points, max_power_w=MAX_W) == ""


@pytest.mark.parametrize(("energy_wh", "is_doubted"), [(0, True), (299, True), (300, False)])
def test_less_than_15_percent_of_the_reported_power_is_too_little(energy_wh: int, is_doubted: bool) -> None:
    points = reported(*[12_000] * 11)  # 2 kWh

    assert doubted(energy_wh, points) is is_doubted


@pytest.mark.parametrize(("power_w", "is_doubted"), [(20_000, True), (19_980, False)])
def test_less_than_one_kwh_of_power_is_no_evidence(power_w: int, is_doubted: bool) -> None:
    assert doubted(0, reported(power_w, power_w, every_seconds=180)) is is_doubted


@pytest.mark.parametrize(("seconds", "is_doubted"), [(180, True), (179, False)])
def test_less_than_three_minutes_of_power_are_no_evidence(seconds: int, is_doubted: bool) -> None:
    points = reported(350_000, 350_000, every_seconds=seconds)  # a register that lags by a minute lacks 6 kWh

    assert doubted(0, points, max_power_w=400_000) is is_doubted


@pytest.mark.parametrize(("gap_seconds", "is_doubted"), [(600, True), (601, False)])
def test_what_flowed_in_a_long_gap_nobody_saw(gap_seconds: int, is_doubted: bool) -> None:
    assert doubted(0, reported(*[11_000] * 9, every_seconds=gap_seconds)) is is_doubted


@pytest.mark.parametrize(("power_w", "is_doubted"), [(1_000, True), (999, False)])
def test_standby_and_kw_figures_are_no_evidence(power_w: int, is_doubted: bool) -> None:
    assert doubted(0, reported(*[power_w] * 600)) is is_doubted


@pytest.mark.parametrize(("power_w", "is_doubted"), [(26_400, True), (26_401, False), (11_000_000, False)])
def test_more_than_the_connector_can_give_is_no_evidence(power_w: int, is_doubted: bool) -> None:
    """W that is labelled kW: the register is right, and the power is not."""
    assert doubted(20, reported(*[power_w] * 60)) is is_doubted


def test_between_two_samples_the_lower_power_counts() -> None:
    assert evidence(reported(22_000, 6_000, 22_000), max_power_w=MAX_W) == Evidence(200.0, 120.0)
    assert not doubted(0, reported(*[22_000, 0] * 60)), "peaks"


def test_a_pause_counts_for_nothing_and_neither_does_the_time_around_it() -> None:
    points = reported(6_000, 6_000, 0, 0, 6_000, 6_000)

    assert evidence(points, max_power_w=MAX_W) == Evidence(200.0, 120.0)


def test_order_and_repeats_change_nothing_and_of_two_at_once_the_lower_counts() -> None:
    points = reported(6_000, 12_000, 12_000)
    at_once = PowerPoint(points[1].at, 3_000)

    assert evidence([*points[::-1], *points], max_power_w=MAX_W) == Evidence(300.0, 120.0)
    for both in ([*points, at_once], [at_once, *points]):
        assert evidence(both, max_power_w=MAX_W) == Evidence(100.0, 120.0)
    impossible = PowerPoint(points[1].at, 99_000)
    assert evidence([*points, impossible], max_power_w=MAX_W) == Evidence()


@pytest.mark.parametrize("powers_w", [[], [11_000]])
def test_without_two_samples_of_power_there_is_no_evidence(powers_w: list[int]) -> None:
    assert evidence(reported(*powers_w), max_power_w=MAX_W) == Evidence()


@settings(max_examples=200)
@given(
    powers_w=st.lists(st.just(0) | st.integers(500, MAX_W), min_size=1, max_size=120),
    every_seconds=st.sampled_from([10, 60, 300]),
    odometer_wh=st.integers(0, 10**7),
    resolution_wh=st.sampled_from([1, 10, 100, 1000]),
)
def test_an_honest_register_is_never_doubted_however_coarse_and_kwh_for_wh_always_where_power_tells(
    powers_w: list[int], every_seconds: int, odometer_wh: int, resolution_wh: int
) -> None:
    """Power changes at each sample, which reports what flowed before it."""
    points = reported(powers_w[0], *powers_w, every_seconds=every_seconds)
    flowed = list(accumulate(w * every_seconds / 3600 for w in powers_w))[-1]
    told_wh = [int(wh // resolution_wh) * resolution_wh for wh in (odometer_wh, odometer_wh + flowed)]
    shown = evidence(points, max_power_w=MAX_W)

    assert not doubted(told_wh[1] - told_wh[0], points)
    if shown.energy_wh > max(1_000, flowed / 10) and shown.seconds >= 180:
        assert doubted((told_wh[1] - told_wh[0]) // 1000, points)
