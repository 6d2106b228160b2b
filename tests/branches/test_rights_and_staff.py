"""Whose session it is, terminals that are gone, and what staff do: B33, B35, B36."""

from decimal import Decimal

import pytest

from payments.models import Terminal
from payments.states import PaymentState
from sessions_app.models import CDR
from sessions_app.states import SessionState, StopReason
from tests.branches.doors import (
    BOTH_WIRES,
    EVERY_DOOR,
    OCPI_230,
    NativeDoor,
    OcpiDoor,
    captured,
    effects,
    refunded,
)
from tests.branches.staff import anna, anna_does
from tests.branches.world import BILL, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b33_nobody_stops_somebody_elses_session(world: World) -> None:
    place = world.place()
    charger = world.charger(place)
    theirs = world.charging(place)
    stranger = NativeDoor(world.ground)
    if isinstance(world.door, NativeDoor):
        stranger_says = OcpiDoor(OCPI_230, world.ground.ptp("2.3.0")).stop(
            theirs, str(world.session(theirs).pk)
        )
        assert stranger_says == "unknown"

    assert stranger.stop(theirs, str(world.session(theirs).pk)) == "unknown"

    assert world.session(theirs).state == SessionState.CHARGING
    charger.do("unplug", 1)
    world.is_captured(theirs)


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b35_a_terminal_that_is_switched_off_may_still_stop_what_it_started(world: World) -> None:
    place = world.place()
    world.charger(place)
    tap = world.charging(place)
    Terminal.objects.filter(ptp=world.door.ptp).update(active=False)

    assert world.press_stop(tap) == "accepted"

    world.is_captured(tap)
    Terminal.objects.filter(ptp=world.door.ptp).update(active=True)


def test_b36_staff_stop_a_session_in_the_portal_and_it_is_captured(world: World) -> None:
    place = world.place()
    world.charger(place)
    tap = world.charging(place)

    answer = anna().post(f"/sessions/{world.session(tap).pk}/stop", {"reason": "smoke"})

    assert answer.status_code == 302
    world.is_captured(tap)
    session = world.session(tap)
    assert session.stop_reason == StopReason.OPERATOR
    assert session.events.filter(actor="anna: smoke").exists()


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
@pytest.mark.parametrize("amount", ["5.00", "1.20"], ids=["full", "part"])
def test_b36_a_refund_is_a_credit_of_its_own_that_the_ptp_gives_back_once(world: World, amount: str) -> None:
    tap = world.charged()
    world.is_captured(tap)
    payment = world.payment(tap)

    anna_does(f"payments/{payment.pk}/refund", amount=amount, reason="cable fault", seen=payment.event_count)

    assert world.payment(tap).state == PaymentState.REFUNDING
    credit = CDR.objects.get(session=world.session(tap), credit_of__isnull=False)
    assert credit.total_incl_minor == -round(Decimal(amount) * 100)
    world.until(lambda: world.payment(tap).state == PaymentState.REFUNDED)
    world.until(lambda: effects(world.door, tap) == ["hold", "capture", "refund"])
    if isinstance(world.door, NativeDoor):
        told_again = world.door.confirm_refund(str(credit.pk))
        assert (told_again.status_code, told_again.json()["due"]) == (200, False)
    world.ground.worker.turn()
    world.door.do_what_is_due()
    assert (refunded(world.door, tap), captured(world.door, tap)) == ([Decimal(amount)], BILL)
    assert world.payment(tap).refunded_minor == -credit.total_incl_minor
    assert CDR.objects.filter(session=world.session(tap), credit_of=None).count() == 1
