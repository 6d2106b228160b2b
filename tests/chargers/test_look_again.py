"""Between two samples the desk is asked again at the moment it named."""

from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.models import Transaction
from chargers.ocpp import consumer
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import RawCharger, connected, eventually, make_station

AT = "2026-05-01T12:00:00Z"


def start(charger: RawCharger) -> int:
    payload = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": AT}
    return int(charger.call("StartTransaction", payload)["transactionId"])


def meter(charger: RawCharger) -> None:
    charger.call(
        "MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "1"}]}]}
    )


def test_the_desk_is_asked_at_its_moment_and_again_as_it_says(server: str, desk: FakeDesk) -> None:
    make_station()
    desk.look_again_at = timezone.now() + timedelta(seconds=0.3)
    desk.next_looks = [timezone.now() + timedelta(seconds=0.5)]

    with connected(server) as charger:
        start(charger)
        eventually(lambda: len(desk.looks) == 2)

    pk = Transaction.objects.get().pk
    assert [looked for looked, _ in desk.looks] == [pk, pk]
    assert all(at >= desk.look_again_at for _, at in desk.looks)


def test_the_newest_sample_moves_the_moment(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        desk.look_again_at = timezone.now() + timedelta(hours=1)
        start(charger)
        desk.look_again_at = timezone.now()
        meter(charger)
        eventually(lambda: len(desk.looks) == 1)


def test_nobody_is_asked_after_the_end(server: str, desk: FakeDesk) -> None:
    make_station()
    desk.look_again_at = timezone.now() + timedelta(seconds=0.4)

    with connected(server) as charger:
        transaction_id = start(charger)
        charger.call("StopTransaction", {"transactionId": transaction_id, "meterStop": 2, "timestamp": AT})
        with pytest.raises(TimeoutError):
            charger.socket.recv(timeout=0.8)

    assert desk.looks == []


def test_a_reconnected_station_is_looked_at_again(
    server: str, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_station()
    with connected(server) as charger:
        start(charger)

    monkeypatch.setattr(consumer, "SETTLE_IN_SECONDS", 0.05)
    with connected(server):
        eventually(lambda: desk.looks)

    assert desk.looks[0][0] == Transaction.objects.get().pk


@pytest.mark.parametrize("meter_value", [[], "x", None])
def test_meter_values_without_a_reading_leave_the_moment_as_it_is(
    server: str, desk: FakeDesk, meter_value: object
) -> None:
    make_station()
    desk.look_again_at = timezone.now() + timedelta(seconds=0.5)

    with connected(server) as charger:
        start(charger)
        charger.call("MeterValues", {"connectorId": 1, "meterValue": meter_value})
        eventually(lambda: desk.looks)
