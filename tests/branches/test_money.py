"""Between us and the PTP once a session is over: B22–B30.

Each is a charge at the simulated charger, which sells for a known sum (World.charged); staff decide in the portal.
"""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments import circuit, outbox
from payments.models import Confirmation, OutboxMessage
from payments.ocpi.push import pulls
from payments.ocpi.push.tasks import pull_from_platforms
from payments.receipts.tokens import token_for
from payments.settlement import OCPI_CDR
from payments.simulator.ocpi.wire import utc_text
from payments.simulator.ocpi.wire.words import Json
from payments.states import PaymentState, Review
from sessions_app.states import SessionState
from tests.branches.doors import (
    BOTH_WIRES,
    EVERY_DOOR,
    OVER_OCPI,
    NativeDoor,
    OcpiDoor,
    Tap,
    captured,
    effects,
)
from tests.branches.staff import anna_does
from tests.branches.world import BILL, World

pytestmark = pytest.mark.django_db(transaction=True)


def over_ocpi(world: World) -> OcpiDoor:
    assert isinstance(world.door, OcpiDoor)
    return world.door


def native(world: World) -> NativeDoor:
    assert isinstance(world.door, NativeDoor)
    return world.door


def cdr_message(world: World, tap: Tap) -> OutboxMessage:
    return OutboxMessage.objects.get(topic=OCPI_CDR, subject=str(world.payment(tap).pk))


def hurry(world: World) -> None:
    """Let the time pass until the next attempt of every message of this PTP, and until its next probe."""
    messages = OutboxMessage.objects.filter(ptp=world.door.ptp, state="DUE")
    messages.update(next_attempt_at=timezone.now(), claimed_until=None)
    probe_comes(world)


def probe_comes(world: World) -> None:
    """A quarter of a minute passes."""
    type(world.door.ptp).objects.filter(pk=world.door.ptp.pk).update(probe_at=timezone.now())


def confirmation(tap: Tap, **more: Json) -> dict[str, Json]:
    """A financial advice confirmation in the words of 2.3.0."""
    facts: dict[str, Json] = {
        "id": f"f-{uuid.uuid4().hex[:20]}",
        "authorization_reference": tap.reference,
        "total_costs": {
            "before_taxes": Decimal("3.98"),
            "taxes": [{"name": "VAT", "amount": Decimal("1.02")}],
        },
        "currency": "EUR",
        "eft_data": ["VISA 4242"],
        "capture_status_code": "SUCCESS",
        "last_updated": utc_text(timezone.now()),
    }
    return facts | more


def post_confirmation(world: World, document: dict[str, Json]) -> Any:
    registrar = over_ocpi(world).simulator.registrar
    client = registrar.client()
    try:
        return client.post(f"{registrar.payments_url()}/financial-advice-confirmations", document)
    finally:
        client.close()


# --- On its way -----------------------------------------------------------------------------------


@pytest.mark.parametrize("world", OVER_OCPI, indirect=True)
def test_b22_a_ptp_that_is_down_gets_its_cdr_when_it_is_back(world: World) -> None:
    door = over_ocpi(world)
    tap = world.charged()
    door.simulator.server.stop()
    for _ in range(2 * circuit.OPEN_AFTER):
        world.ground.worker.turn()
        hurry(world)
    message = cdr_message(world, tap)
    assert (message.state, world.payment(tap).state) == ("DUE", PaymentState.CAPTURING)
    assert message.attempts > 0
    assert effects(door, tap) == ["hold"]
    in_an_hour = timezone.now() + timedelta(hours=1)  # as it is after a longer while
    OutboxMessage.objects.filter(ptp=door.ptp, state="DUE").update(next_attempt_at=in_an_hour)

    door.simulator.server.start()
    probe_comes(world)

    assert world.is_captured(tap).total_incl_minor == BILL


def test_b22_what_is_due_stays_listed_until_the_ptp_has_dealt_with_it(world: World) -> None:
    tap = world.charged()
    world.ground.worker.turn()
    for _ in range(2):
        assert native(world).told_over(tap) == "COMPLETED"

    world.is_captured(tap)

    assert native(world).told_over(tap) == ""


@pytest.mark.parametrize("world", OVER_OCPI, indirect=True)
def test_b23_a_cdr_whose_answer_was_lost_is_asked_for_and_captured_once(world: World) -> None:
    tap = world.charged()
    world.door.bad_day("lost@cdrs=1")
    world.ground.worker.turn()
    assert cdr_message(world, tap).state == "DUE"

    hurry(world)

    cdr = world.is_captured(tap)
    assert cdr.total_incl_minor == BILL
    simulator = over_ocpi(world).simulator
    kept = simulator.state()["cdrs"].values()
    assert len([each for each in kept if each["authorization_reference"] == tap.reference]) == 1
    posted = [each for each in simulator.events if each["event"] == "cdr_received"]
    assert len([each for each in posted if each["cdr"] == str(cdr.pk)]) == 1


@pytest.mark.parametrize("world", OVER_OCPI, indirect=True)
def test_b24_a_cdr_that_the_ptp_refuses_is_for_staff_and_may_be_sent_again(world: World) -> None:
    tap = world.charged()
    world.door.bad_day("ocpi_error@cdrs=99:2001")
    for _ in range(outbox.PATIENCE + 1):
        world.ground.worker.turn()
        hurry(world)

    assert (world.payment(tap).state, world.payment(tap).review) == (
        PaymentState.CAPTURING,
        Review.CDR_REFUSED,
    )
    assert cdr_message(world, tap).state == "GIVEN_UP"
    assert effects(world.door, tap) == ["hold"]
    world.door.good_day()
    anna_does(f"review/payment/{world.payment(tap).pk}/do", act="tell_again")
    world.is_captured(tap)
    assert world.payment(tap).review == ""


# --- Confirmed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b25_a_confirmation_of_the_whole_bill_captures_it_and_prints_the_card_slip(world: World) -> None:
    tap = world.charged()
    world.door.bad_day("confirm_twice" if isinstance(world.door, NativeDoor) else "confirm_twice=1")

    world.is_captured(tap)

    payment = world.payment(tap)
    assert (payment.captured_minor, payment.open_minor, payment.review) == (BILL, 0, "")
    assert Confirmation.objects.filter(payment=payment).count() == 1
    page = Client().get(f"/r/{token_for(world.session(tap).pk)}", follow=True).content.decode()
    assert "5.00" in page
    assert "4242" in page


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b26_less_than_the_bill_leaves_a_receivable_that_nobody_charges_again(world: World) -> None:
    tap = world.charged()
    world.door.bad_day("capture_part" if isinstance(world.door, NativeDoor) else "capture_part=1")

    world.ends(tap, SessionState.ENDED, PaymentState.PARTIALLY_CAPTURED)

    payment = world.payment(tap)
    assert (payment.captured_minor, payment.open_minor) == (250, 250)
    assert payment.review == Review.CAPTURED_LESS
    world.ground.worker.turn()
    world.door.do_what_is_due()
    assert (effects(world.door, tap), captured(world.door, tap)) == (["hold", "capture"], 250)
    anna_does(f"payments/{payment.pk}/write-off", reason="small")
    assert world.payment(tap).written_off_minor == 250


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b27_nothing_captured_leaves_the_bill_open_and_a_later_success_closes_it_once(world: World) -> None:
    tap = world.charged()
    world.door.bad_day("capture_fails" if isinstance(world.door, NativeDoor) else "capture_fails=1")
    world.ends(tap, SessionState.ENDED, PaymentState.CAPTURE_FAILED)
    assert (world.payment(tap).open_minor, world.payment(tap).review) == (BILL, Review.CAPTURE_FAILED)

    world.door.good_day()
    if isinstance(world.door, OcpiDoor):
        world.door.simulator.settler.settle_again(tap.reference)
    else:
        world.door.psp().capture(tap.reference, "5.00")
        hold = world.door.psp().holds[tap.reference]
        world.door.confirm(str(world.session(tap).pk), hold, status="SUCCESS", amount="5.00")

    world.is_captured(tap)
    assert (world.payment(tap).open_minor, world.payment(tap).review) == (0, "")


@pytest.mark.parametrize("world", EVERY_DOOR, indirect=True)
def test_b28_a_confirmation_that_never_comes_is_flagged_and_fetched(world: World) -> None:
    tap = world.charged()
    over = isinstance(world.door, OcpiDoor)
    world.door.bad_day("confirm_never=1" if over else "confirm_never")
    world.until(lambda: world.payment(tap).state == PaymentState.CAPTURING)
    if over:
        world.until(lambda: effects(world.door, tap) == ["hold", "capture"])

    world.deadline_comes(world.payment(tap))

    assert world.payment(tap).review == Review.UNCONFIRMED
    world.door.good_day()
    if isinstance(world.door, OcpiDoor):
        _let_pull(world)
        assert pull_from_platforms() == 1
        assert world.payment(tap).state == PaymentState.CAPTURED
    world.is_captured(tap)
    assert world.payment(tap).review == ""


def _let_pull(world: World) -> None:
    """A quarter of an hour after the last look for what was missed."""
    connection = world.payment_connection()
    earlier = timezone.now() - pulls.WHEN_MISSED - timedelta(minutes=1)
    type(connection).objects.exclude(pk=connection.pk).update(confirmations_pulled_at=timezone.now())
    type(connection).objects.filter(pk=connection.pk).update(confirmations_pulled_at=earlier)
    connection.pushes.filter(subject="pull").delete()


@pytest.mark.parametrize("world", OVER_OCPI, indirect=True)
def test_b29_a_confirmation_of_nothing_we_know_is_kept_for_staff_and_thanked_for(world: World) -> None:
    tap = world.charged()
    world.door.bad_day("confirm_reference=1")
    world.until(lambda: effects(world.door, tap) == ["hold", "capture"])
    world.door.do_what_is_due()

    orphan = Confirmation.objects.get(ptp=world.door.ptp, payment=None)

    assert orphan.amount_minor == BILL
    assert world.payment(tap).state == PaymentState.CAPTURING
    simulator = over_ocpi(world).simulator
    assert all(not each["problem"] for each in simulator.state()["confirmations"].values())
    anna_does(f"review/confirmation/{orphan.pk}/match", payment=str(world.payment(tap).pk), reason="same sum")
    assert world.payment(tap).state == PaymentState.CAPTURED


@pytest.mark.parametrize(
    ("world", "said", "review"),
    [
        (door, said, review)
        for door in BOTH_WIRES
        for said, review in (
            ({"amount": "5.01"}, Review.AMOUNT_DIFFERS),
            ({"currency": "SEK"}, Review.CURRENCY_DIFFERS),
        )
    ],
    indirect=["world"],
)
def test_b29_another_amount_or_currency_is_booked_by_nobody_but_kept(
    world: World, said: dict[str, str], review: Review
) -> None:
    tap = world.charged()
    world.ground.worker.turn()
    session_id, hold = str(world.session(tap).pk), world.door.psp().holds[tap.reference]
    if isinstance(world.door, NativeDoor):
        answer = world.door.confirm(session_id, hold, **({"status": "SUCCESS", "amount": "5.00"} | said))
        assert answer.status_code == 200
    else:
        costs = {"total_costs": {"before_taxes": Decimal("5.01"), "taxes": []}} if "amount" in said else said
        assert post_confirmation(world, confirmation(tap, **costs)).ok

    payment = world.payment(tap)
    assert (payment.state, payment.captured_minor, payment.review) == (PaymentState.CAPTURING, 0, review)
    assert Confirmation.objects.filter(payment=payment).count() == 1


@pytest.mark.parametrize("world", BOTH_WIRES, indirect=True)
def test_b30_a_confirmation_that_overtakes_our_own_settlement_waits_for_it(world: World) -> None:
    tap = world.charged()
    session_id, hold = str(world.session(tap).pk), world.door.psp().holds[tap.reference]
    if isinstance(world.door, NativeDoor):
        world.door.confirm(session_id, hold, status="SUCCESS", amount="5.00")
    else:
        assert post_confirmation(world, confirmation(tap)).ok
    assert world.payment(tap).state == PaymentState.AUTHORIZED

    world.ground.worker.turn()

    payment = world.payment(tap)
    assert (payment.state, payment.captured_minor, payment.review) == (PaymentState.CAPTURED, BILL, "")
