"""While energy flows, and how it ends: B11–B19, B31, B32, B34."""

from decimal import Decimal
from typing import Any

import pytest

from chargers.models import Command
from chargers.ocpp import consumer
from chargers.simulator.connector import METER_RESET_AFTER
from chargers.simulator.options import Fault
from payments.states import Review
from sessions_app.metering import TOO_MUCH, WENT_BACK
from sessions_app.models import CDR, MeterSample
from sessions_app.states import SessionState, StopReason
from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
from tariffs.versions import save_tariff
from tests import builders
from tests.branches.doors import BOTH_WIRES, EVERY_DOOR, NativeDoor, effects
from tests.branches.world import World, accept, meter, now, start, stop, tell_status
from tests.chargers.parts import RunningSimulator, connected

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b11_stop_at_the_terminal_ends_and_captures_the_bill(world: World) -> None:
    place = world.place()
    charger = world.charger(place)
    tap = world.charging(place)

    assert world.press_stop(tap) == "accepted"

    cdr = world.is_captured(tap)
    assert cdr.energy_wh == charger.events("stopped")[0]["energy_wh"]
    assert world.session(tap).stop_reason == StopReason.TERMINAL
    assert cdr.total_incl_minor == (cdr.energy_wh * 5 + 50) // 100  # half up


@pytest.mark.parametrize(
    ("how", "reason"),
    [("unplug", StopReason.UNPLUGGED), ("stop", StopReason.CHARGER)],
    ids=["cable", "button"],
)
def test_b11_an_end_at_the_charger_captures_the_bill(world: World, how: str, reason: StopReason) -> None:
    place = world.place()
    charger = world.charger(place)
    tap = world.charging(place)

    charger.do(how, 1)

    world.is_captured(tap)
    assert world.session(tap).stop_reason == reason


def test_b12_a_full_battery_does_not_keep_the_hold_all_night(world: World, settings: Any) -> None:
    settings.FULL_BATTERY_GRACE_SECONDS = 0.2
    place = world.place()
    world.charger(place, battery_wh=60.0)

    tap = world.tap(place)

    cdr = world.is_captured(tap)
    assert (cdr.energy_wh, world.session(tap).stop_reason) == (60, StopReason.BATTERY_FULL)


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b13_at_the_paid_limit_we_stop_and_never_bill_beyond(world: World) -> None:
    place = world.place(hold="0.50")  # used up by a kWh: three seconds here
    world.charger(place, power_w=1_200_000.0)

    tap = world.tap(place)

    cdr = world.is_captured(tap)
    assert world.session(tap).stop_reason == StopReason.PAID_LIMIT
    assert cdr.total_incl_minor <= 50
    assert cdr.written_off_minor == max(0, (cdr.energy_wh * 5 + 50) // 100 - 50)
    assert sum(line["incl_minor"] for line in cdr.lines) == cdr.total_incl_minor


def test_b14_a_charger_that_ignores_the_stop_is_asked_again_loses_its_power_and_shows_up_for_staff(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STOP_TIMEOUT_SECONDS = 0.3
    monkeypatch.setattr(consumer, "SETTLE_IN_SECONDS", 0.05)  # so that we know what it can do
    place = world.place(hold="0.05", max_power_w=350_000)  # a second of it
    charger = world.charger(place, fault=Fault.IGNORE_STOP, smart_charging=True)
    world.until(lambda: place.evse.station.configuration)  # type: ignore[union-attr]
    tap = world.tap(place)
    stops = Command.objects.filter(station=place.station, action="STOP")

    world.until(lambda: stops.filter(state="UNANSWERED").exists())
    world.until(lambda: place.evse.status == "SUSPENDED_EVSE")  # the profile took its power
    for times in (2, 3):
        world.deadline_comes(world.session(tap))
        world.until(lambda times=times: stops.filter(state="UNANSWERED").count() >= times)

    assert Command.objects.filter(station=place.station, action="CUT_POWER", state="ACCEPTED").count() == 1
    assert world.session(tap).state == SessionState.STOPPING
    assert world.payment(tap).review == Review.UNSETTLED
    charger.do("unplug", 1)
    cdr = world.is_captured(tap)
    assert cdr.total_incl_minor == 5  # what it gave beyond is ours
    assert world.payment(tap).review == ""


def test_b14_a_refused_stop_is_sent_again_until_it_is_obeyed(world: World) -> None:
    place = world.place()
    world.charger(place, fault=Fault.DECLINE_FIRST_STOP)
    tap = world.charging(place)

    world.press_stop(tap)
    world.until(lambda: Command.objects.filter(station=place.station, state="REJECTED").exists())
    world.deadline_comes(world.session(tap))

    world.is_captured(tap)
    assert not Command.objects.filter(action="CUT_POWER", station=place.station).exists()  # it cannot do that
    assert world.session(tap).stop_attempts == 2


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b15_a_session_without_energy_costs_nothing(world: World) -> None:
    place = world.place()
    charger = world.charger(place, power_w=0.0)
    tap = world.tap(place)
    charger.wait_for("start_answered")

    charger.do("unplug", 1)

    world.is_released(tap, SessionState.ENDED)


def test_b16_a_charger_that_reboots_goes_on_with_its_session(world: World) -> None:
    place = world.place()
    charger = world.charger(place)
    tap = world.charging(place)

    charger.do("reboot", 0.3)
    charger.wait_for("booted", times=2)
    before = world.session(tap).energy_wh
    world.until(lambda: world.session(tap).energy_wh > before + 20)
    world.press_stop(tap)

    cdr = world.is_captured(tap)
    assert cdr.energy_wh == charger.events("stopped")[0]["energy_wh"]
    assert world.remote_starts(tap) == 1


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b17_a_transaction_that_a_reboot_forgot_is_billed_to_its_last_value(
    world: World, settings: Any
) -> None:
    settings.REBOOT_GRACE_SECONDS = 0.2
    place = world.place()
    with connected(place.ocpp_url, place.station.identity) as charger:
        tell_status(charger, "Preparing")
        tap = world.tap(place)
        accept(charger, "RemoteStartTransaction")
        transaction_id = start(charger, world.session(tap).id_tag)["transactionId"]
        meter(charger, transaction_id, 40)
    world.raw(place, "Available")  # as if nothing had been

    cdr = world.is_captured(tap)

    assert (cdr.energy_wh, cdr.meter_stop_wh) == (40, None)
    assert world.session(tap).stop_reason == StopReason.FORGOTTEN
    assert any("no final meter value" in doubt for doubt in cdr.doubts)
    assert world.payment(tap).review == ""


def test_b18_a_charger_that_goes_silent_keeps_the_hold_shows_up_after_a_day_and_may_come_back(
    world: World,
) -> None:
    door = world.door
    assert isinstance(door, NativeDoor)
    place = world.place()
    charger = world.charger(place)
    tap = world.charging(place)
    charger.do("go_offline", 3600.0)
    world.until(lambda: door.connector(place)["status"] == "UNKNOWN")

    world.deadline_comes(world.session(tap))  # a quarter of an hour
    assert (world.session(tap).stale, world.payment(tap).review) == (True, "")
    world.deadline_comes(world.session(tap))  # a day
    assert world.payment(tap).review == Review.UNSETTLED
    assert (world.session(tap).state, effects(door, tap)) == (SessionState.CHARGING, ["hold"])

    charger.do("come_online")
    world.until(lambda: not world.session(tap).stale)
    world.press_stop(tap)
    cdr = world.is_captured(tap)
    assert cdr.energy_wh == charger.events("stopped")[0]["energy_wh"]
    assert world.payment(tap).review == ""


def witnessed_wh(charger: RunningSimulator, fault: Fault) -> int:
    """What was delivered by the charger's own log, from register to register.

    Where the register began anew, nothing tells how far it had come since the sample before: that is left out.
    """
    started, stopped = charger.events("started")[0], charger.events("stopped")[0]
    if fault is not Fault.METER_RESET:
        return int(stopped["energy_wh"])
    last_before = charger.events("meter")[METER_RESET_AFTER - 2]
    return int(last_before["register_wh"] - started["meter_start_wh"] + stopped["meter_stop_wh"])


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.METER_RESET, WENT_BACK),
        (Fault.ODOMETER_JUMP, TOO_MUCH),
        (Fault.KWH_AS_WH, WENT_BACK),
    ],
)
def test_b19_a_meter_that_jumps_bills_what_was_delivered_and_staff_look(
    world: World, fault: Fault, why: str
) -> None:
    place = world.place()
    charger = world.charger(place, fault=fault, power_w=3_500_000.0)  # a kWh each second
    tap = world.tap(place)
    world.until(lambda: len(charger.events("meter")) > 5)

    charger.do("unplug", 1)

    cdr, samples = world.is_captured(tap), MeterSample.objects.filter(session=world.session(tap))
    delivered_wh = charger.station.connectors[1].taken_wh
    assert cdr.energy_wh == witnessed_wh(charger, fault)
    assert cdr.energy_wh < delivered_wh + 1
    assert cdr.total_incl_minor == (cdr.energy_wh * 5 + 50) // 100  # half up
    assert any(f"dropped, {why}" in doubt for doubt in cdr.doubts), cdr.doubts
    assert world.payment(tap).review == Review.METER_DOUBT
    strange = {Fault.KWH_AS_WH: len(charger.events("meter")) // 2}.get(fault, 1)
    assert samples.filter(dropped=why).count() == strange
    assert any("restarted" in doubt for doubt in cdr.doubts) == (fault is Fault.METER_RESET)


def test_b19_a_meter_that_says_that_it_counts_kwh_is_believed(world: World) -> None:
    place = world.place()
    charger = world.charger(place, fault=Fault.KWH_UNIT, power_w=3_500_000.0)
    tap = world.charging(place, beyond_wh=500)

    charger.do("unplug", 1)

    cdr = world.is_captured(tap)
    assert cdr.energy_wh == charger.events("stopped")[0]["energy_wh"]
    assert (cdr.doubts, world.payment(tap).review) == ([], "")


def test_b31_a_tariff_that_changes_meanwhile_changes_no_bill(world: World) -> None:
    place = world.place()
    charger = world.charger(place)
    tap = world.charging(place)
    dear = PriceComponent(Dimension.ENERGY, Decimal(9), builders.VAT)
    tariff = place.tariff_version.tariff
    save_tariff(builders.tariff_terms(id=tariff.tariff_id, elements=(TariffElement((dear,)),)))

    charger.do("unplug", 1)

    cdr = world.is_captured(tap)
    assert cdr.total_incl_minor == (cdr.energy_wh * 5 + 50) // 100  # half up


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b32_a_restart_with_every_wake_up_lost_loses_no_session(world: World) -> None:
    place = world.place()
    charger = world.charger(place)
    tap = world.charging(place)

    world.ground.worker.loses_wake_ups = True
    world.ground.stop()
    world.ground.start()
    charger.wait_for("connected", times=2)
    before = world.session(tap).energy_wh
    world.until(lambda: world.session(tap).energy_wh > before)
    world.press_stop(tap)

    cdr = world.is_captured(tap)
    assert cdr.energy_wh == charger.events("stopped")[0]["energy_wh"]
    assert world.remote_starts(tap) == 1


@pytest.mark.parametrize("minutes", [25.0, -150.0], ids=["ahead", "behind"])
def test_b34_a_clock_that_is_wrong_is_stored_and_does_not_price_time(world: World, minutes: float) -> None:
    place = world.place()
    charger = world.raw(place, "Preparing")
    tap = world.tap(place)
    accept(charger, "RemoteStartTransaction")

    started = start(charger, world.session(tap).id_tag, timestamp=now(minutes=minutes))
    meter(charger, started["transactionId"], 40, timestamp=now(minutes=minutes))
    stop(charger, started["transactionId"], 50, timestamp=now(minutes=minutes))

    cdr = world.is_captured(tap)
    session = world.session(tap)
    assert cdr.energy_wh == 50
    assert cdr.duration_seconds < 60
    assert session.clock_skew_seconds == pytest.approx(-minutes * 60, abs=30)
    assert any("clock was wrong" in doubt for doubt in cdr.doubts)
    assert CDR.objects.filter(session=session).count() == 1
