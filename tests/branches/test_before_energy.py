"""From the tap to the first Wh, and every way in which there is none: B1–B10, B37."""

from typing import Any

import pytest

from chargers.facts import CommandAction
from chargers.models import Command, Transaction
from chargers.ocpp import sender
from chargers.simulator.options import Fault
from payments.models import Payment
from payments.states import PaymentState
from sessions_app.models import CDR
from sessions_app.states import SessionState
from tests.branches.doors import BOTH_WIRES, EVERY_DOOR, NATIVE, effects
from tests.branches.world import World, accept, start, stop, tell_status

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b01_a_declined_card_is_no_business_of_ours(world: World) -> None:
    place = world.place()
    world.charger(place)

    tap = world.door.tap(place, empty_card=True)

    assert tap.outcome == "declined"
    assert not Payment.objects.filter(authorization_reference=tap.reference).exists()
    assert effects(world.door, tap) == []
    assert world.tap(place).outcome == "accepted"  # the next card may


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b02_a_charger_that_is_gone_refuses_at_once_and_the_hold_goes(world: World) -> None:
    place = world.place()

    tap = world.door.tap(place)

    world.is_refused(tap, "offline")
    assert world.evse_as_told(place) == "UNKNOWN"


@pytest.mark.parametrize(
    ("world", "status", "refusal"),
    [
        *((door, "Faulted", "faulted") for door in EVERY_DOOR),
        (NATIVE, "Charging", "occupied"),
        (NATIVE, "Reserved", "reserved"),
        (NATIVE, "Unavailable", "out_of_use"),
    ],
    indirect=["world"],
)
def test_b03_an_evse_that_cannot_be_used_refuses_at_once(world: World, status: str, refusal: str) -> None:
    place = world.place()
    world.raw(place, status)

    tap = world.door.tap(place)

    world.is_refused(tap, refusal)


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b04_a_start_that_the_charger_rejects_gives_the_hold_back(world: World) -> None:
    place = world.place()
    world.charger(place, fault=Fault.REJECT_START)

    tap = world.tap(place)

    world.is_released(tap, SessionState.REJECTED)
    assert world.remote_starts(tap) == 1
    assert world.command_result(tap) in (None, "FAILED")


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b05_a_start_without_an_answer_expires_and_a_late_transaction_is_stopped_unbilled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _waits_shortly_for_a_start(monkeypatch)
    place = world.place()
    charger = world.raw(place)
    tap = world.tap(place)
    assert charger.next_command()[2] == "RemoteStartTransaction"  # and no answer
    world.is_released(tap, SessionState.EXPIRED)
    assert world.command_result(tap) in (None, "TIMEOUT")

    late = start(charger, world.session(tap).id_tag)

    assert late["idTagInfo"]["status"] == "Invalid"
    stray = Transaction.objects.get(transaction_id=str(late["transactionId"]))
    assert accept(charger, "RemoteStopTransaction") == {"transactionId": late["transactionId"]}
    stop(charger, late["transactionId"], 300)
    world.ground.worker.turn()
    assert not stray.accepted
    assert not CDR.objects.filter(session=world.session(tap)).exists()
    assert world.session(tap).needs_review
    assert world.payment(tap).state == PaymentState.RELEASED


def _waits_shortly_for_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 0.3 s for the answer to a start, from its sending on: a slow machine may take its time before that."""
    left = sender._patience_seconds

    def seconds(outgoing: sender.Outgoing) -> float:
        return 0.3 if outgoing.action is CommandAction.START else left(outgoing)

    monkeypatch.setattr(sender, "_patience_seconds", seconds)


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b06_nobody_plugs_in_and_the_hold_goes(world: World, settings: Any) -> None:
    settings.START_TIMEOUT_UNPLUGGED_SECONDS = 0.3
    place = world.place()
    charger = world.raw(place)
    tap = world.tap(place)
    accept(charger, "RemoteStartTransaction")

    world.is_released(tap, SessionState.EXPIRED)
    assert world.command_result(tap) in (None, "ACCEPTED")
    assert world.session_as_told(tap) in (None, "INVALID")

    id_tag = world.session(tap).id_tag
    assert charger.call("Authorize", {"idTag": id_tag})["idTagInfo"]["status"] == "Invalid"
    assert start(charger, id_tag)["idTagInfo"]["status"] == "Invalid"


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b07_a_double_tap_is_one_hold_one_start_and_one_charge(world: World) -> None:
    place = world.place()
    world.charger(place)

    tap = world.tap(place)
    assert world.door.tap_again(tap).outcome == "accepted"
    world.until(lambda: world.session(tap).energy_wh > 20)
    assert world.door.tap_again(tap).outcome == "accepted"
    world.press_stop(tap)

    world.is_captured(tap)
    assert world.remote_starts(tap) == 1
    assert Command.objects.filter(station=place.station, action="START").count() == 1


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b08_of_two_cards_at_one_evse_the_second_gets_its_hold_back(world: World) -> None:
    place = world.place()
    world.charger(place)

    first, second = world.tap(place), world.door.tap(place)

    world.is_refused(second, "occupied")
    world.until(lambda: world.session(first).energy_wh > 20)
    world.press_stop(first)
    world.is_captured(first)


def test_b09_one_card_starts_two_evses_and_pays_each(world: World) -> None:
    place = world.place(evses=2)
    world.charger(place)

    taps = [world.tap(place, evse=0), world.tap(place, evse=1)]
    world.until(lambda: all(world.session(tap).energy_wh > 20 for tap in taps))
    for tap in taps:
        world.press_stop(tap)

    assert {world.is_captured(tap).session_id for tap in taps} == {world.session(tap).pk for tap in taps}


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b10_somebody_elses_card_takes_the_evse_and_ours_is_released(world: World) -> None:
    place = world.place()
    charger = world.raw(place)
    tap = world.tap(place)
    accept(charger, "RemoteStartTransaction")

    foreign = start(charger, "RFID-OF-SOMEBODY")

    assert foreign["idTagInfo"]["status"] == "Invalid"
    # Not every charger heeds that: what nobody pays for is stopped at once (S5).
    assert accept(charger, "RemoteStopTransaction") == {"transactionId": foreign["transactionId"]}
    world.is_released(tap, SessionState.EXPIRED)
    assert world.session(tap).refusal == "evse_taken"
    stop(charger, foreign["transactionId"], 300)
    world.ground.worker.turn()
    assert not Transaction.objects.get(transaction_id=str(foreign["transactionId"])).accepted
    assert not CDR.objects.filter(session__evse=place.evse).exists()
    assert effects(world.door, tap) == ["hold", "release"]


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
@pytest.mark.parametrize("accepted", [False, True], ids=["requested", "starting"])
def test_b37_a_stop_before_the_start_cancels_it_and_what_starts_later_is_stray(
    world: World, accepted: bool
) -> None:
    place = world.place()
    charger = world.raw(place)
    tap = world.tap(place)
    if accepted:
        accept(charger, "RemoteStartTransaction")
        world.until(lambda: world.session(tap).state == SessionState.STARTING)

    assert world.press_stop(tap) == "accepted"

    world.is_released(tap, SessionState.CANCELLED)
    tell_status(charger, "Preparing")
    assert start(charger, world.session(tap).id_tag)["idTagInfo"]["status"] == "Invalid"
