"""Between two samples the desk is asked again at the moment it named."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chargers.models import Transaction
from chargers.ocpp import consumer
from chargers.ocpp.look_again import LookAgain
from chargers.ocpp.presence import Link
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import RawCharger, connected, eventually, make_station

AT = "2026-05-01T12:00:00Z"
CLOCKS_DIFFER = timedelta(milliseconds=50)  # a clock may be set back while a test runs


class ScriptedLoop:
    """Keeps what is to be called later, and calls it when the test says."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.waiting: list[Callable[[], object]] = []

    def call_later(self, delay: float, act: Callable[..., object], *args: object) -> None:
        self.delays.append(delay)
        self.waiting.append(lambda: act(*args))

    def fire(self) -> None:
        self.waiting.pop()()


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
    assert all(at >= desk.look_again_at - CLOCKS_DIFFER for _, at in desk.looks)


def test_a_timer_that_comes_early_waits_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's clock and the calendar's run apart: the moment is the calendar's."""
    now, moment = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, 0, 0, 10, tzinfo=UTC)
    calendar = iter([now, moment - timedelta(milliseconds=2), moment - timedelta(milliseconds=2), moment])
    monkeypatch.setattr(timezone, "now", lambda: next(calendar))
    loop = ScriptedLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    asked: list[Any] = []
    timers = LookAgain(Link(station_pk=1, identity="CP1", connection_id=uuid.uuid4()), asked.append)

    timers.arm(7, moment)
    loop.fire()
    assert asked == []
    loop.fire()

    (work,) = asked
    work.close()
    assert loop.delays == [10.0, 0.002]
    assert loop.waiting == []


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
    desk.look_again_at = timezone.now() + timedelta(seconds=2)

    with connected(server) as charger:
        transaction_id = start(charger)
        charger.call("StopTransaction", {"transactionId": transaction_id, "meterStop": 2, "timestamp": AT})
        with pytest.raises(TimeoutError):
            charger.socket.recv(timeout=2.5)

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
