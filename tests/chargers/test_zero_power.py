"""The second line where a stop is not obeyed: a profile that leaves the transaction no power."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers import commands
from chargers.facts import CommandAction
from chargers.models import Command, Transaction
from chargers.ocpp import v16_commands
from chargers.ocpp.schemas import violation_of
from tests.chargers.parts import make_station

pytestmark = pytest.mark.django_db


def queue(reported: dict[str, str]) -> tuple[Command | None, Transaction]:
    station = make_station(configuration=reported)
    running = Transaction.objects.create(
        station=station,
        evse=station.evses.get(),
        transaction_id="77",
        natural_key="k",
        id_tag="TAG1",
        accepted=True,
        started_at=timezone.now(),
        start_received_at=timezone.now(),
    )
    return cut(running), running


def cut(running: Transaction) -> Command | None:
    deadline_at = timezone.now() + timedelta(seconds=20)
    return commands.cut_power(transaction=running, reference="ref", actor="test", deadline_at=deadline_at)


@pytest.mark.parametrize(
    ("units", "unit", "stack_level"),
    [
        ({}, "W", 0),
        ({"ChargingScheduleAllowedChargingRateUnit": "Current", "ChargeProfileMaxStackLevel": "8"}, "A", 8),
    ],
)
def test_the_profile_is_for_this_transaction_above_every_other_one(
    units: dict[str, str], unit: str, stack_level: int
) -> None:
    command, _ = queue({"SupportedFeatureProfiles": "Core, SmartCharging"} | units)

    assert command is not None
    name, payload = v16_commands.translate(CommandAction.CUT_POWER, command.arguments)

    assert (name, violation_of(name, payload)) == ("SetChargingProfile", None)
    profile = payload["csChargingProfiles"]
    assert (profile["transactionId"], profile["stackLevel"]) == (77, stack_level)
    assert profile["chargingProfilePurpose"] == "TxProfile"
    assert profile["chargingSchedule"] == {
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}],
    }


def test_a_station_without_smart_charging_is_not_asked() -> None:
    assert queue({"SupportedFeatureProfiles": "Core,RemoteTrigger"})[0] is None
    assert not Command.objects.exists()


def test_it_is_asked_again_only_after_a_refusal() -> None:
    first, running = queue({"SupportedFeatureProfiles": "SmartCharging"})
    assert first is not None
    for state in ("QUEUED", "SENT", "ACCEPTED"):
        Command.objects.update(state=state, settled_at=timezone.now())
        assert cut(running) is None
    Command.objects.update(state="REJECTED")

    assert cut(running) is not None
