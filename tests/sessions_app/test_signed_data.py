"""A CDR freezes what the meter signed: first to last, with the key that the charger had told by then."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from chargers.models import ChargingStation, SignedMeterValue
from sessions_app.models import CDR
from tests import builders
from tests.builders import Running

pytestmark = pytest.mark.django_db


def sign(running: Running, context: str, text: str, at: datetime, dropped: str = "") -> None:
    SignedMeterValue.objects.create(
        transaction=running.transaction,
        context=context,
        measurand="Energy.Active.Import.Register",
        sampled_at=at,
        received_at=timezone.now(),
        text=text,
        digest=uuid.uuid4().hex,
        dropped=dropped,
    )


def running_since(hours: int) -> Running:
    return builders.cast().running(now=timezone.now() - timedelta(hours=hours))


def test_values_are_frozen_in_their_order_whatever_came_first() -> None:
    running = running_since(hours=3)
    at = running.started_at
    sign(running, "Transaction.End", "last", at)  # its clock went back
    sign(running, "Sample.Periodic", "third", at + timedelta(minutes=9))
    sign(running, "Sample.Periodic", "second", at + timedelta(minutes=5))
    sign(running, "Sample.Periodic", "", at, dropped="longer than we keep")
    sign(running, "Transaction.Begin", "first", at + timedelta(minutes=20))

    running.end(energy_wh=10_000, after_seconds=1200)

    frozen = CDR.objects.get().signed_data
    assert [value["text"] for value in frozen["values"]] == ["first", "second", "third", "last"]
    assert datetime.fromisoformat(frozen["values"][1]["sampled_at"]) == at + timedelta(minutes=5)


def test_the_key_is_the_one_of_the_moment_of_the_bill() -> None:
    running = running_since(hours=3)
    station = ChargingStation.objects.filter(pk=running.transaction.station_id)
    number = running.transaction.evse.number
    station.update(configuration={f"MeterPublicKey[{number}]": "3059"})
    sign(running, "Transaction.Begin", "first", running.started_at)

    running.end(energy_wh=10_000, after_seconds=1200)
    station.update(configuration={f"MeterPublicKey[{number}]": "another"})

    assert CDR.objects.get().signed_data["public_key"] == "3059"


def test_a_meter_that_signs_nothing_leaves_nothing() -> None:
    running_since(hours=3).end(energy_wh=10_000, after_seconds=1200)

    assert CDR.objects.get().signed_data == {}
