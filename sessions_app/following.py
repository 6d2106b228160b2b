"""Following a running session: samples stored and judged, cost shown, the paid limit watched."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings

from chargers import commands
from chargers.facts import EvseStatus, MeterReading
from chargers.prepared import insert_if_new, update
from sessions_app import lifecycle, live_cost, metering, states, stop_latency
from sessions_app.metering import Point, Power, Track, moment_of_sample
from sessions_app.models import MeterSample, Session
from sessions_app.spend_limit import forecast
from sessions_app.states import SessionState, StopReason
from tariffs.engine.live import LiveCost

# What a meter value can change; the frozen tariff and the rest of the row are not written again each time.
FOLLOWED_FIELDS = (
    *lifecycle.LIFE_FIELDS,
    "energy_wh",
    "power_w",
    "soc_percent",
    "metered_at",
    "meter_state",
    "cost_state",
    "cost_incl_minor",
    "cost_excl_minor",
    "stop_at",
    "limit_energy_wh",
    "limit_reached_at",
    "announced_at",
    "changed_at",
)
PAUSE_FIELDS = ("paused", "withheld")  # in `Session.meter_state`, beside those of its track


def begin(session: Session, *, meter_start_wh: int | None) -> None:
    """Lay down the running meter and cost state of a session that starts; the caller saves."""
    assert session.started_at is not None
    terms = live_cost.terms_of(session.tariff_snapshot)
    cost = live_cost.begin(terms, time_zone=session.time_zone, started_at=session.started_at)
    session.cost_state = cost.to_state()
    session.metered_at = session.started_at
    if meter_start_wh is not None:
        session.meter_state = Track.begin(Point(session.started_at, meter_start_wh)).to_json()
    _show(session, cost)


def note_pause(session: Session, status: EvseStatus) -> None:
    """Remember by whom the EVSE reports energy to be paused, if at all; the caller saves.

    Samples without energy are parking while the vehicle takes nothing, and never while the charger gives nothing.
    """
    pause = {"paused": status is EvseStatus.SUSPENDED_EV, "withheld": status is EvseStatus.SUSPENDED_EVSE}
    session.meter_state = {**session.meter_state, **pause}


def _pause(session: Session) -> dict[str, bool]:
    return {name: bool(session.meter_state.get(name)) for name in PAUSE_FIELDS}


def store_samples(session: Session, readings: Iterable[MeterReading]) -> list[MeterSample]:
    """Store new readings as evidence; one that was stored before is left out. Returns the new ones in order."""
    samples: dict[tuple[datetime, int | None, str], MeterSample] = {}
    for sample in (_sample(session, reading) for reading in readings):
        samples.setdefault((sample.sampled_at, sample.register_wh, sample.context), sample)
    in_order = sorted(samples.values(), key=lambda s: s.sampled_at)
    return [sample for sample in in_order if not _is_known(sample) and insert_if_new(sample)]


def _is_known(sample: MeterSample) -> bool:
    """Whether a sample without a register was stored before: the unique key sees no two NULLs as the same."""
    return (
        sample.register_wh is None
        and MeterSample.objects.filter(
            session=sample.session_id,
            sampled_at=sample.sampled_at,
            register_wh__isnull=True,
            context=sample.context,
        ).exists()
    )


def _sample(session: Session, reading: MeterReading) -> MeterSample:
    pause = _pause(session)
    return MeterSample(
        session=session,
        sampled_at=moment_of_sample(
            reading.sampled_at, skew_seconds=session.clock_skew_seconds, received_at=reading.received_at
        ),
        received_at=reading.received_at,
        register_wh=reading.register_wh,
        power_w=reading.power_w,
        current_a=reading.current_a,
        context=reading.context[:32],
        parked=pause["paused"] or (reading.power_w == 0 and not pause["withheld"]),
        dropped=reading.problem[:40],
    )


def follow(session: Session, readings: Sequence[MeterReading], *, now: datetime) -> None:
    """Take readings into energy, cost and forecast, and stop at the paid limit; saves the session."""
    fresh = _judge(session, readings)
    if fresh and session.meter_state.get("last"):
        cost, power = _take(session, fresh)
        _show(session, cost)
        _latest(session, fresh, readings, power)
        plan_stop(session, cost, least_w=power.least_w if power else 0)
    stop_if_limit_is_due(session, now=now)
    session.changed_at = now
    _announce_sometimes(session, now)
    update(session, FOLLOWED_FIELDS)


def _judge(session: Session, readings: Iterable[MeterReading]) -> list[MeterSample]:
    """Store what is new; a charger that named no start value starts at its first sample."""
    fresh = store_samples(session, readings)
    first = next((s for s in fresh if s.register_wh is not None), None)
    if first is not None and first.register_wh is not None and not session.meter_state.get("last"):
        # The cost of a session begins with it: a value of before, or by a meter's own slow clock, does not move that.
        begun_at = max(first.sampled_at, session.started_at or first.sampled_at)
        track = Track.begin(Point(begun_at, first.register_wh)).to_json()
        session.meter_state = {**session.meter_state, **track}
    return fresh


def _take(session: Session, samples: list[MeterSample]) -> tuple[LiveCost, Power | None]:
    """Advance meter and cost by each sample that fits; a dropped one keeps its reason.

    Returns the cost, and what the register says of the power.
    """
    track = Track.from_json({k: v for k, v in session.meter_state.items() if k not in PAUSE_FIELDS})
    cost = _stored_cost(session)
    for sample in samples:
        if sample.register_wh is None:
            continue
        point = Point(sample.sampled_at, sample.register_wh, sample.parked)
        taken = metering.take(track, point, max_power_w=session.connector.max_power_w)
        track = taken.track
        if taken.step is None:
            MeterSample.objects.filter(pk=sample.pk).update(dropped=taken.dropped[:40])
            continue
        cost = cost.advance(
            live_cost.segment_of(taken.step, power_w=sample.power_w, current_a=sample.current_a)
        )
    session.meter_state = {**track.to_json(), **_pause(session)}
    session.cost_state = cost.to_state()
    session.energy_wh = max(session.energy_wh, track.energy_wh)
    session.metered_at = track.last.at
    return cost, track.power


def _show(session: Session, cost: LiveCost) -> None:
    so_far = live_cost.Shown(session.cost_incl_minor, session.cost_excl_minor)
    shown = live_cost.shown(cost, limit_minor=session.limit_minor, so_far=so_far)
    session.cost_incl_minor, session.cost_excl_minor = shown.incl_minor, shown.excl_minor
    if shown.incl_minor >= session.limit_minor and session.limit_reached_at is None:
        session.limit_reached_at = session.metered_at


def _latest(
    session: Session, samples: list[MeterSample], readings: Iterable[MeterReading], power: Power | None
) -> None:
    """Note what the newest sample tells; without a power measurand, what the register says of it."""
    for reading in readings:
        session.soc_percent = reading.soc_percent if reading.soc_percent is not None else session.soc_percent
    newest = samples[-1]
    if session.metered_at is None or newest.sampled_at >= session.metered_at:
        measured_w = power.mean_w if power else None
        session.power_w = measured_w if newest.power_w is None else newest.power_w


def plan_from_start(session: Session) -> None:
    """Plan the stop of a session that has no sample yet, so that a silent meter cannot outrun the hold."""
    plan_stop(session, _stored_cost(session))


def half_way(session: Session, *, now: datetime) -> datetime | None:
    """Return when to look first at a session that has no sample yet: early enough to ask for one.

    Until one comes the connector's whole power is reckoned with. A vehicle that takes a tenth of it would get a
    tenth of what a small hold pays for, where samples come a minute apart.
    """
    if session.stop_at is None:
        return None
    return now + max(session.stop_at - now, timedelta()) / 2


def ask_for_a_sample(session: Session, *, before: datetime) -> None:
    """Ask the charger what its meter says, where nothing was heard of it since the start (OCPP 1.6 §5.17)."""
    station = session.evse.station
    if session.metered_at != session.started_at or station is None:
        return
    if "SupportedFeatureProfiles" in station.configuration and not station.has_feature("RemoteTrigger"):
        return
    commands.trigger(
        station=station, message="MeterValues", evse=session.evse, actor="paid limit", deadline_at=before
    )


def _stored_cost(session: Session) -> LiveCost:
    terms = live_cost.terms_of(session.tariff_snapshot)
    return live_cost.resume(terms, time_zone=session.time_zone, state=session.cost_state)


def plan_stop(session: Session, cost: LiveCost, *, least_w: int = 0) -> None:
    """Store when the stop must leave; where the power is unknown, reckon with all the connector can give.

    A power that was reported lower than what the register proves (`least_w`; it said 0, or kW for W) is not
    believed.
    """
    assert session.metered_at is not None
    reported_w = session.power_w if session.power_w is not None else session.connector.max_power_w
    power_w = max(reported_w, least_w)
    found = forecast(
        cost,
        limit_minor=session.limit_minor,
        power_w=power_w,
        parked=_pause(session)["paused"] and not power_w,
        at=session.metered_at,
        stop_latency_seconds=stop_latency.assumed(session),
    )
    running = session.state in (SessionState.CHARGING, SessionState.SUSPENDED)
    session.stop_at = found.stop_at if found and running else None
    session.limit_energy_wh = found.energy_wh if found else None


def stop_if_limit_is_due(session: Session, *, now: datetime) -> datetime | None:
    """Send the stop when its moment has come; return the moment when it still lies ahead."""
    if session.stop_at is None or session.state not in (SessionState.CHARGING, SessionState.SUSPENDED):
        return None
    # The timer fires a hair early now and then; asking again in a millisecond helps nobody.
    if session.stop_at > now + timedelta(milliseconds=20):
        return session.stop_at
    lifecycle.move(session, states.StopAsked(StopReason.PAID_LIMIT), now=now, actor="paid limit")
    return None


def _announce_sometimes(session: Session, now: datetime) -> None:
    last = session.announced_at
    if last is None or (now - last).total_seconds() >= settings.LIVE_UPDATE_SECONDS:
        session.announced_at = now
        lifecycle.announce(session)
