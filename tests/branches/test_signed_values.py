"""What a meter signs reaches the platform with the CDR: from a charger's socket to a PTP's copy of the bill."""

import base64
from typing import Any

import pytest

from chargers.ocpp import consumer
from sessions_app.models import CDR
from tests.branches.doors import OVER_OCPI, OcpiDoor, Tap
from tests.branches.world import REGISTER_WH, World, accept, meter, now, start, stop
from tests.chargers.test_signed_values import verified

pytestmark = pytest.mark.django_db(transaction=True)


def told(world: World, tap: Tap) -> dict[str, Any]:
    """The CDR as the PTP keeps it."""
    assert isinstance(world.door, OcpiDoor)
    with world.door.simulator.memory.look() as state:
        found: Any = state.cdr_of(tap.reference)
    assert isinstance(found, dict)
    return found


def signed(text: str, context: str) -> dict[str, Any]:
    sample = {"value": text, "format": "SignedData", "context": context}
    return {"timestamp": now(), "sampledValue": [sample]}


@pytest.mark.parametrize("world", OVER_OCPI, indirect=True)
def test_a_platform_can_verify_the_first_and_the_last_value_by_the_key_that_it_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "SETTLE_IN_SECONDS", 0.05)  # so that the charger is asked for its key
    place = world.place()
    charger = world.charger(place, signed=True)
    world.until(lambda: place.evse.station.configuration)  # type: ignore[union-attr]
    tap = world.tap(place)
    begun_wh = charger.wait_for("started")["meter_start_wh"]
    world.until(lambda: charger.station.connectors[1].shown_wh > begun_wh + 20)

    charger.do("unplug", 1)

    cdr = world.is_captured(tap)
    document = told(world, tap)["signed_data"]
    key = base64.b64decode(document["public_key"]).hex()
    first, last = document["signed_values"]
    assert (document["encoding_method"], first["nature"], last["nature"]) == ("OCMF", "Start", "End")
    registers = []
    for value in (first, last):
        text = base64.b64decode(value["signed_data"]).decode()
        assert text == value["plain_data"]
        registers.append(round(verified(text, key)["RD"][0]["RV"] * 1000))
    assert registers[1] - registers[0] == cdr.energy_wh


@pytest.mark.parametrize("world", OVER_OCPI[-1:], indirect=True)
def test_values_that_do_not_fit_change_no_bill_and_spoil_no_cdr(world: World) -> None:
    place = world.place()
    charger = world.raw(place, "Preparing")
    tap = world.tap(place)
    accept(charger, "RemoteStartTransaction")
    transaction_id = start(charger, world.session(tap).id_tag)["transactionId"]
    begun, much, garbage = "OCMF|{}|{}", "OCMF|" + "9" * 10_000, "OCMF|\x00\x07"

    meter(charger, transaction_id, 0, meterValue=[signed(begun, "Transaction.Begin")])
    meter(charger, transaction_id, 0, meterValue=[signed(much, "Sample.Periodic")])
    meter(charger, transaction_id, 0, meterValue=[signed(garbage, "Sample.Periodic")])
    meter(charger, transaction_id, 40)
    stop(charger, transaction_id, 50, transactionData=[signed(str(REGISTER_WH), "Transaction.End")])

    cdr = world.is_captured(tap)
    assert (cdr.energy_wh, cdr.doubts, world.payment(tap).review) == (50, [], "")
    (value,) = told(world, tap)["signed_data"]["signed_values"]
    assert (value["nature"], value["plain_data"]) == ("Start", begun)


@pytest.mark.parametrize("world", OVER_OCPI[-1:], indirect=True)
def test_a_value_that_comes_after_the_bill_does_not_change_it(world: World) -> None:
    place = world.place()
    charger = world.raw(place, "Preparing")
    tap = world.tap(place)
    accept(charger, "RemoteStartTransaction")
    transaction_id = start(charger, world.session(tap).id_tag)["transactionId"]
    stop(charger, transaction_id, 40)
    cdr = world.is_captured(tap)

    meter(charger, transaction_id, 0, meterValue=[signed("OCMF|{}|{}", "Transaction.End")])

    assert CDR.objects.get(pk=cdr.pk).signed_data == {}
    assert "signed_data" not in told(world, tap)
    assert place.station.transactions.get().signed_values.count() == 1
