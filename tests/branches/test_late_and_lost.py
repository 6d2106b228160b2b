"""Ends that come late, under the wrong name, or are lost by a fault of ours: B20, B21, and what nobody planned."""

from datetime import timedelta
from typing import Any

import pytest

from chargers.models import StationMessage, Transaction
from chargers.simulator.connector import iso
from payments.models import PaymentEvent
from payments.states import PaymentState, Review
from sessions_app.models import CDR, SessionEvent
from sessions_app.states import SessionState
from tests.branches.doors import BOTH_WIRES, Tap, captured, effects
from tests.branches.ground import Place
from tests.branches.world import World, accept, meter, now, start, stop, tell_status
from tests.chargers.parts import RawCharger, connected

pytestmark = pytest.mark.django_db(transaction=True)


def begin(world: World, charger: RawCharger, place: Place) -> tuple[Tap, int]:
    """A session that charges; returns it and its transaction's id."""
    tell_status(charger, "Preparing")
    tap = world.tap(place)
    accept(charger, "RemoteStartTransaction")
    answer = start(charger, world.session(tap).id_tag)
    assert answer["idTagInfo"]["status"] == "Accepted"
    return tap, answer["transactionId"]


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
@pytest.mark.parametrize(
    ("told_wh", "written_off", "overcharged"),
    [(80, 2, 0), (40, 0, 0), (20, 0, 1)],
    ids=["more", "same", "less"],
)
def test_b20_an_end_that_comes_after_we_settled_is_compared_and_never_captured_again(
    world: World, settings: Any, told_wh: int, written_off: int, overcharged: int
) -> None:
    settings.REBOOT_GRACE_SECONDS = 0.2
    place = world.place()
    with connected(place.ocpp_url, place.station.identity) as charger:
        tap, transaction_id = begin(world, charger, place)
        meter(charger, transaction_id, 40)
    charger = world.raw(place, "Available")
    world.is_captured(tap)

    for _ in range(2):
        stop(charger, transaction_id, told_wh)
    world.ground.worker.turn()
    world.door.do_what_is_due()

    (late,) = SessionEvent.objects.filter(session=world.session(tap), kind="LateStop")
    assert (late.data["written_off_minor"], late.data["overcharged_minor"]) == (written_off, overcharged)
    differs = written_off or overcharged
    assert world.payment(tap).review == (Review.LATE_STOP_DIFFERS if differs else "")
    assert (effects(world.door, tap), captured(world.door, tap)) == (["hold", "capture"], 2)
    assert CDR.objects.filter(session=world.session(tap)).count() == 1
    assert PaymentEvent.objects.filter(payment=world.payment(tap), kind="Flagged").count() == bool(differs)


@pytest.mark.parametrize("named", [True, False], ids=["by its id", "by its place"])
def test_b20_a_charger_that_goes_on_after_we_settled_is_told_to_stop(
    world: World, settings: Any, named: bool
) -> None:
    settings.REBOOT_GRACE_SECONDS = 0.2
    place = world.place()
    with connected(place.ocpp_url, place.station.identity) as charger:
        tap, transaction_id = begin(world, charger, place)
        meter(charger, transaction_id, 40)
    charger = world.raw(place, "Available")
    world.is_captured(tap)

    meter(charger, transaction_id if named else -1, 80)
    asked = accept(charger, "RemoteStopTransaction")
    stop(charger, transaction_id, 90)

    assert asked["transactionId"] == transaction_id
    (late,) = SessionEvent.objects.filter(session=world.session(tap), kind="LateStop")
    assert late.data["energy_wh"] == 90
    assert (effects(world.door, tap), captured(world.door, tap)) == (["hold", "capture"], 2)


def test_b20_an_end_out_of_a_queue_of_hours_ends_the_session_when_it_ended(world: World) -> None:
    place = world.place()
    charger = world.raw(place)
    tap, transaction_id = begin(world, charger, place)
    opened = Transaction.objects.get(transaction_id=str(transaction_id))
    # The start was hours ago; the wire cannot wait for that, so the rows are set back.
    hours_ago = opened.started_at - timedelta(days=365)
    Transaction.objects.filter(pk=opened.pk).update(started_at=hours_ago)
    session = world.session(tap)
    type(session).objects.filter(pk=session.pk).update(
        started_at=hours_ago, requested_at=hours_ago, metered_at=hours_ago
    )

    ended_at = hours_ago + timedelta(minutes=1)
    stop(charger, transaction_id, 50, timestamp=iso(ended_at))

    cdr = world.is_captured(tap)
    assert cdr.energy_wh == 50
    assert abs(cdr.ended_at - ended_at) < timedelta(seconds=1)


@pytest.mark.parametrize("named", [-1, 0])
def test_b21_a_stop_without_a_usable_id_ends_the_one_session_that_it_can_mean(
    world: World, named: int
) -> None:
    place = world.place()
    charger = world.raw(place)
    tap, _ = begin(world, charger, place)

    answer = stop(charger, named, 45, idTag=world.session(tap).id_tag)

    assert answer["idTagInfo"]["status"] == "Accepted"
    assert world.is_captured(tap).energy_wh == 45


def test_b21_a_stop_of_nothing_we_know_is_kept_and_ends_nothing(world: World) -> None:
    place = world.place()
    charger = world.raw(place)
    tap, transaction_id = begin(world, charger, place)

    answer = stop(charger, transaction_id + 1, 45)
    yesterday = stop(charger, -1, 45, idTag="SOMEBODY", timestamp=now(minutes=-1500))

    assert answer == yesterday == {"idTagInfo": {"status": "Accepted"}}
    assert StationMessage.objects.filter(station=place.station).count() == 2
    assert world.session(tap).state == SessionState.CHARGING
    stop(charger, transaction_id, 45)
    world.is_captured(tap)


def test_an_end_that_a_fault_of_ours_lost_flags_the_payment_and_is_kept(world: World, settings: Any) -> None:
    def fail() -> None:
        raise RuntimeError("a fault of ours")

    settings.REBOOT_GRACE_SECONDS = 0.2
    place = world.place()
    charger = world.raw(place)
    tap, transaction_id = begin(world, charger, place)
    meter(charger, transaction_id, 40)
    settings.FAILPOINTS = {"F16_stop_in_tx": fail}

    answer = stop(charger, transaction_id, 45)

    settings.FAILPOINTS = {}
    assert answer["idTagInfo"]["status"] == "Accepted"  # or the charger would repeat it for ever
    assert StationMessage.objects.get(station=place.station).payload["meterStop"] == 100_045
    world.until(lambda: world.payment(tap).review == Review.METER_DOUBT)
    assert "StopTransaction" in world.session(tap).needs_review
    # The charger is done with it: its status says so, and what is known is captured, with the flag on it.
    tell_status(charger, "Available")
    cdr = world.is_captured(tap)
    assert (cdr.energy_wh, world.payment(tap).review) == (40, Review.METER_DOUBT)


def test_a_start_that_a_fault_of_ours_lost_flags_its_session(world: World, settings: Any) -> None:
    def fail() -> None:
        raise RuntimeError("a fault of ours")

    place = world.place()
    charger = world.raw(place, "Preparing")
    tap = world.tap(place)
    accept(charger, "RemoteStartTransaction")
    settings.FAILPOINTS = {"F09_start_in_tx": fail}

    answer = start(charger, world.session(tap).id_tag)

    settings.FAILPOINTS = {}
    assert answer["idTagInfo"]["status"] == "Invalid"  # nobody follows it, so it must not run
    world.until(lambda: world.payment(tap).review == Review.METER_DOUBT)
    assert world.payment(tap).state == PaymentState.AUTHORIZED
