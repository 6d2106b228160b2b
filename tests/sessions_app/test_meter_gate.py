"""The plausibility gate: whatever a charger's figures do, nobody pays for energy that was not delivered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.meter_story import Story, settle
from sessions_app.metering import SLACK_WH, Point, Track, plausible_wh, take

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
INTERVAL_SECONDS = 15
MAX_W = 150_000
ODOMETER_WH = 910_000  # so large that it passes for a charge where a charge is long enough


class Charge:
    """A charge as it truly was: constant power, a lifetime counter, samples at an interval."""

    def __init__(self, power_w: int, samples: int, odometer_wh: int = ODOMETER_WH) -> None:
        self.power_w = power_w
        self.ended_at = START + timedelta(seconds=INTERVAL_SECONDS * samples + 7)
        self.start_wh = odometer_wh
        self.samples = [self._point(INTERVAL_SECONDS * n) for n in range(1, samples + 1)]
        self.energy_wh = self._point((self.ended_at - START).total_seconds()).register_wh - odometer_wh

    def _point(self, seconds: float) -> Point:
        return Point(START + timedelta(seconds=seconds), self.start_wh + int(self.power_w * seconds / 3600))

    @property
    def stop_wh(self) -> int:
        return self.start_wh + self.energy_wh

    @property
    def step_wh(self) -> float:
        """What one interval delivers."""
        return self.power_w * INTERVAL_SECONDS / 3600 + 1

    def told(
        self, *, start_wh: int | None = None, samples: list[Point] | None = None, stop_wh: int | None = -1
    ) -> Story:
        """Judge it as the charger tells it."""
        return settle(
            start=Point(START, self.start_wh if start_wh is None else start_wh),
            samples=self.samples if samples is None else samples,
            stop_register_wh=self.stop_wh if stop_wh == -1 else stop_wh,
            ended_at=self.ended_at,
            max_power_w=MAX_W,
        )


charges = st.builds(
    Charge,
    power_w=st.integers(3_000, MAX_W),
    samples=st.integers(4, 40),
    odometer_wh=st.sampled_from([0, 1_200, 20_000, ODOMETER_WH, 40_000_000]),
)
registers = st.integers(0, 10**9)
points = st.builds(
    Point,
    at=st.floats(0, 600).map(lambda seconds: START + timedelta(seconds=seconds)),
    register_wh=registers,
    parked=st.booleans(),
)


def bounded(story: Story, ended_at: datetime) -> None:
    most = plausible_wh(seconds=(ended_at - START).total_seconds(), max_power_w=MAX_W)
    assert 0 <= story.energy_wh <= most
    assert sum(step.energy_wh for step in story.steps) == story.energy_wh
    assert all(a.end_at == b.start_at for a, b in zip(story.steps, story.steps[1:], strict=False))


@settings(max_examples=60)
@given(st.lists(points, max_size=12), registers, st.none() | registers, st.integers(0, 600))
def test_whatever_is_told_is_bounded_by_power_and_time(
    samples: list[Point], start_wh: int, stop_wh: int | None, seconds: int
) -> None:
    ended_at = START + timedelta(seconds=seconds)
    arguments = {"start": Point(START, start_wh), "stop_register_wh": stop_wh, "ended_at": ended_at}

    story = settle(samples=samples, max_power_w=MAX_W, **arguments)  # type: ignore[arg-type]

    bounded(story, ended_at)
    shuffled = [*samples, *samples]
    Random(seconds).shuffle(shuffled)
    assert settle(samples=shuffled, max_power_w=MAX_W, **arguments) == story  # type: ignore[arg-type]


@settings(max_examples=60)
@given(charges, st.data())
def test_broken_samples_between_an_honest_start_and_stop_change_no_bill(
    charge: Charge, data: st.DataObject
) -> None:
    """Spikes, dips, kWh for Wh, zeros: fewer than half of the samples."""
    broken = list(charge.samples)
    for _ in range(data.draw(st.integers(0, (len(broken) - 1) // 2))):
        place = data.draw(st.integers(0, len(broken) - 1))
        at, register_wh = broken[place].at, broken[place].register_wh
        worse = st.sampled_from([register_wh * 1000, register_wh + 500_000, register_wh // 1000, 0])
        broken[place] = Point(at, data.draw(worse))

    story = charge.told(samples=broken)

    assert story.energy_wh <= charge.energy_wh
    if story.energy_wh < charge.energy_wh - SLACK_WH:
        assert story.review


@settings(max_examples=60)
@given(
    charges,
    st.sampled_from(
        ["placeholder", "relative start", "kWh", "jump", "whole odometer at stop", "reset", "back"]
    ),
)
def test_a_start_or_stop_that_lies_is_never_billed_above_what_was_delivered(charge: Charge, lie: str) -> None:
    start_wh, stop_wh = charge.start_wh, charge.stop_wh
    if lie in ("placeholder", "relative start"):
        start_wh = 0
    elif lie == "kWh":
        stop_wh //= 1000
    elif lie == "jump":
        stop_wh += 50_000
    elif lie == "whole odometer at stop":
        start_wh, stop_wh = 0, charge.stop_wh + ODOMETER_WH
    elif lie == "reset":
        stop_wh = charge.energy_wh // 2
    else:
        stop_wh = max(0, start_wh - 1)

    story = charge.told(start_wh=start_wh, stop_wh=stop_wh)

    # What lies in the one interval that no two samples witness cannot be told from a charge.
    blind = plausible_wh(seconds=INTERVAL_SECONDS, max_power_w=MAX_W)
    assert story.energy_wh <= charge.energy_wh + blind
    if abs(story.energy_wh - charge.energy_wh) > blind + charge.step_wh:
        assert story.review
    if (start_wh, stop_wh) != (charge.start_wh, charge.stop_wh) and story.energy_wh != stop_wh - start_wh:
        assert story.review
        assert story.doubts


def test_a_placeholder_for_the_start_does_not_bill_the_odometer_of_a_long_charge() -> None:
    """910 kWh fit into seven hours of a 150 kW connector; the samples know better (Iocharger)."""
    charge = Charge(power_w=11_000, samples=7 * 240)

    story = charge.told(start_wh=0)

    assert charge.energy_wh - charge.step_wh - 1 <= story.energy_wh <= charge.energy_wh
    assert story.review


def test_a_jump_that_the_whole_charge_could_hold_is_not_billed() -> None:
    charge = Charge(power_w=11_000, samples=240)
    jumped = [replace(p, register_wh=p.register_wh + 50_000) for p in charge.samples[120:]]

    story = charge.told(samples=[*charge.samples[:120], *jumped], stop_wh=charge.stop_wh + 50_000)

    assert story.energy_wh <= charge.energy_wh
    assert story.review


def test_steps_that_are_each_just_possible_do_not_add_up_to_what_is_not() -> None:
    """Fifty Wh more than a second can bring, every second."""
    track = Track.begin(Point(START, 0))
    for second in range(1, 61):
        point = Point(START + timedelta(seconds=second), 49 * second + 46 * second)
        track = take(track, point, max_power_w=MAX_W).track

    assert track.energy_wh <= plausible_wh(seconds=60, max_power_w=MAX_W)


def test_a_final_value_below_what_was_shown_is_billed_and_flagged() -> None:
    charge = Charge(power_w=50_000, samples=10)

    story = charge.told(stop_wh=charge.start_wh + 500)

    assert (story.energy_wh, story.review) == (500, True)
    assert any("the samples show" in doubt for doubt in story.doubts)


def test_a_final_value_in_another_resolution_is_no_doubt() -> None:
    charge = Charge(power_w=50_000, samples=10)
    rounded = [replace(p, register_wh=round(p.register_wh, -2)) for p in charge.samples]

    assert not charge.told(samples=rounded).review


def test_what_was_dropped_and_why_is_said() -> None:
    charge = Charge(power_w=50_000, samples=10)
    charge.samples[4] = replace(charge.samples[4], register_wh=77_000_000)

    (dropped, *_) = charge.told().doubts

    assert dropped == (
        "1 meter value(s) dropped, more than the connector can give: 77000000 Wh at 08:01:15 UTC"
    )


@given(charges)
@settings(max_examples=50)
def test_samples_that_are_all_kwh_between_an_honest_start_and_stop_change_no_bill(charge: Charge) -> None:
    in_kwh = [replace(point, register_wh=point.register_wh // 1000) for point in charge.samples]

    story = charge.told(samples=in_kwh)

    bounded(story, charge.ended_at)
    if charge.start_wh >= 10_000:
        assert story.energy_wh == charge.energy_wh
    else:  # near 0 the samples may be right, and the stop wrong
        assert story.energy_wh <= charge.energy_wh


def test_samples_that_are_all_kwh_are_dropped_and_staff_look() -> None:
    charge = Charge(power_w=60_000, samples=10)
    in_kwh = [replace(point, register_wh=point.register_wh // 1000) for point in charge.samples]

    story = charge.told(samples=in_kwh)

    assert (story.energy_wh, story.review) == (charge.energy_wh, True)
    assert "10 meter value(s) dropped, kWh figures sent as Wh" in story.doubts[0]


def test_small_samples_that_are_not_its_kwh_are_a_register_that_began_anew() -> None:
    charge = Charge(power_w=60_000, samples=10)
    anew = [replace(point, register_wh=number) for number, point in enumerate(charge.samples)]

    story = charge.told(samples=anew)

    assert story.energy_wh < 10
    assert story.review
