"""The simulated charger behaves like a good one, also through cuts and reboots, and like a bad one when told."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest
from django.db import transaction
from django.utils import timezone
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedError

from chargers import commands
from chargers.facts import (
    CommandOutcome,
    CommandSettled,
    StationBooted,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)
from chargers.models import EVSE, ChargingStation, Transaction
from chargers.simulator.obedience import REACTION_SECONDS, Obedience
from chargers.simulator.options import Fault, Options
from chargers.simulator.station import SimulatedStation
from chargers.simulator.wire import Wire
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import PASSWORD, RunningSimulator, eventually, make_station
from tests.servers import ROOT


def simulator(url: str, **options: Any) -> RunningSimulator:
    given = {"meter_interval_seconds": 0.1, "power_w": 3_600_000.0, "reconnect_seconds": 0.1} | options
    return RunningSimulator(Options(identity="CP-1", url=url, password=PASSWORD, **given))


def ask_start(station: ChargingStation, seconds: float = 20.0) -> None:
    with transaction.atomic():
        commands.start(
            station=station,
            evse=station.evses.get(),
            id_tag="TAG1",
            reference="start",
            actor="test",
            deadline_at=timezone.now() + timedelta(seconds=seconds),
        )


def ask_stop(seconds: float = 20.0) -> None:
    with transaction.atomic():
        commands.stop(
            transaction=Transaction.objects.get(),
            reference="stop",
            actor="test",
            deadline_at=timezone.now() + timedelta(seconds=seconds),
        )


def outcome(desk: FakeDesk, reference: str) -> CommandOutcome:
    settled: CommandSettled = eventually(
        lambda: [f for f in desk.of(CommandSettled) if f.reference == reference]
    )[-1]
    return settled.outcome


def test_an_unplugged_cable_ends_the_transaction(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.1, unplug_after_seconds=0.5) as charger:
        charger.wait_for("booted")
        ask_start(station)
        eventually(lambda: desk.of(TransactionEnded))
        eventually(lambda: EVSE.objects.get().status == "AVAILABLE")

    assert desk.of(TransactionEnded)[0].reason == "EVDisconnected"


@pytest.mark.parametrize("asks_first", ["true", "false"])
async def test_a_cable_that_is_plugged_in_at_once_begins_one_transaction(
    asks_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[dict[str, Any]] = []
    station = SimulatedStation(
        Options(identity="CP-1", url="ws://nowhere", password=PASSWORD), happened.append
    )
    station.configuration.change({"key": "AuthorizeRemoteTxRequests", "value": asks_first})
    monkeypatch.setattr(station, "call", AsyncMock(return_value={"idTagInfo": {"status": "Accepted"}}))

    accepted = Obedience(station).take("RemoteStartTransaction", {"connectorId": 1, "idTag": "TAG1"})
    station.plug(1)  # before the station gets to it
    await asyncio.sleep(2 * REACTION_SECONDS)

    assert accepted == {"status": "Accepted"}
    assert [each["event"] for each in happened].count("started") == 1


class DyingSocket:
    """Brings one command, and is gone before it is answered."""

    close_code = None

    async def __aiter__(self) -> AsyncIterator[str]:
        yield json.dumps([2, "1", "RemoteStopTransaction", {"transactionId": 1}])

    async def send(self, text: str) -> None:
        raise ConnectionClosedError(None, None)


async def test_a_socket_that_dies_before_a_command_is_answered_ends_the_connection_only() -> None:
    wire = Wire(cast("ClientConnection", DyingSocket()), lambda *_: {"status": "Accepted"}, 1.0)

    assert await wire.read() is None


def test_no_cable_means_no_transaction(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, connection_timeout_seconds=0.3) as charger:
        charger.wait_for("booted")
        ask_start(station)
        charger.wait_for("start_timed_out")

    assert outcome(desk, "start") is CommandOutcome.ACCEPTED
    assert desk.of(TransactionStarted) == []


def test_a_full_battery_suspends_without_power(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0, battery_wh=200.0) as charger:
        charger.wait_for("booted")
        ask_start(station)
        eventually(lambda: EVSE.objects.get().status == "SUSPENDED_EV")
        samples = len(desk.of(TransactionMetered))
        eventually(lambda: len(desk.of(TransactionMetered)) > samples + 1)

    started = desk.of(TransactionStarted)[0]
    last = desk.of(TransactionMetered)[-1].readings[-1]
    assert (last.register_wh - started.meter_start_wh, last.power_w) == (200, 0)


def test_messages_of_an_outage_arrive_with_their_own_times(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0) as charger:
        charger.wait_for("booted")
        ask_start(station)
        eventually(lambda: desk.of(TransactionMetered))
        charger.do("go_offline", 0.8)
        charger.wait_for("disconnected")
        charger.do("unplug", 1)
        stopped_at = charger.wait_for("stopped")["at"]
        eventually(lambda: desk.of(TransactionEnded))

    (ended,) = desk.of(TransactionEnded)
    assert len(desk.of(TransactionStarted)) == 1
    assert len(charger.events("booted")) == 1
    assert abs(ended.ended_at.timestamp() - _seconds(stopped_at)) < 0.1
    assert ended.received_at > ended.ended_at


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_a_start_lost_in_the_air_is_sent_again_and_happens_once(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server) as charger:
        charger.wait_for("booted")
        # The socket is cut while the server applies the start: its answer is lost.
        desk.on["started"] = lambda _: charger.do("go_offline", 0.3)
        charger.do("plug", 1)
        ask_start(station)
        charger.wait_for("start_answered")
        ask_stop()
        eventually(lambda: desk.of(TransactionEnded))

    assert len(desk.of(TransactionStarted)) == 1
    assert len(charger.events("connected")) == 2
    assert Transaction.objects.count() == 1


def test_a_reboot_goes_on_with_the_same_transaction(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0) as charger:
        charger.wait_for("booted")
        ask_start(station)
        eventually(lambda: desk.of(TransactionMetered))
        charger.do("reboot", 0.2)
        charger.wait_for("booted", 2)
        samples = len(desk.of(TransactionMetered))
        eventually(lambda: len(desk.of(TransactionMetered)) > samples)
        ask_stop()
        eventually(lambda: desk.of(TransactionEnded))

    assert len(desk.of(TransactionStarted)) == 1
    assert len(desk.of(StationBooted)) == 2
    assert desk.of(TransactionEnded)[0].meter_stop_wh > desk.of(TransactionStarted)[0].meter_start_wh


def test_a_transaction_nobody_pays_for_is_ended_by_the_charger(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server) as charger:
        charger.wait_for("booted")
        eventually(lambda: charger.events("status"))
        charger.do("plug", 1)
        charger.wait_for("plugged")
        desk.on["started"] = lambda _: setattr(desk, "accepts", False)
        ask_start(station)
        eventually(lambda: desk.of(TransactionEnded))

    assert desk.of(TransactionEnded)[0].reason == "DeAuthorized"


def test_a_rejected_start_is_told(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, fault=Fault.REJECT_START) as charger:
        charger.wait_for("booted")
        ask_start(station)
        assert outcome(desk, "start") is CommandOutcome.REJECTED


@pytest.mark.parametrize("fault", [Fault.IGNORE_START, Fault.SILENT])
def test_an_unanswered_start_is_told_at_its_deadline(server: str, desk: FakeDesk, fault: Fault) -> None:
    station = make_station()

    with simulator(server, fault=fault) as charger:
        charger.wait_for("booted")
        ask_start(station, seconds=3)  # time enough for a slow machine to send it at all
        assert outcome(desk, "start") is CommandOutcome.UNANSWERED


def charging(charger: RunningSimulator, station: ChargingStation, desk: FakeDesk, samples: int) -> list[Any]:
    charger.wait_for("booted")
    ask_start(station)
    eventually(lambda: len(desk.of(TransactionMetered)) >= samples)
    return [fact.readings[0] for fact in desk.of(TransactionMetered)]


def test_the_first_stop_can_be_declined(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0, fault=Fault.DECLINE_FIRST_STOP) as charger:
        charging(charger, station, desk, 1)
        ask_stop()
        assert outcome(desk, "stop") is CommandOutcome.REJECTED
        ask_stop()
        eventually(lambda: desk.of(TransactionEnded))


def test_a_stop_can_be_ignored(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0, fault=Fault.IGNORE_STOP) as charger:
        charging(charger, station, desk, 1)
        ask_stop(seconds=3)
        assert outcome(desk, "stop") is CommandOutcome.UNANSWERED

    assert desk.of(TransactionEnded) == []


def test_meter_faults_show_in_the_samples(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0, fault=Fault.ODOMETER_JUMP) as charger:
        first, second, third, *_ = charging(charger, station, desk, 3)

    assert second.register_wh - first.register_wh > 400_000
    assert third.register_wh < second.register_wh


def test_samples_in_kwh_are_the_same_energy(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0, fault=Fault.KWH_UNIT) as charger:
        readings = charging(charger, station, desk, 2)

    start_wh = desk.of(TransactionStarted)[0].meter_start_wh
    assert 0 < readings[0].register_wh - start_wh < 100_000


def test_a_reset_meter_falls_to_nothing(server: str, desk: FakeDesk) -> None:
    station = make_station()

    with simulator(server, plug_after_seconds=0.0, fault=Fault.METER_RESET) as charger:
        readings = charging(charger, station, desk, 3)

    assert readings[2].register_wh < readings[1].register_wh


def test_the_program_prints_json_obeys_words_and_ends_on_sigterm(server: str, desk: FakeDesk) -> None:
    make_station()
    program = subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "simulate_charger",
            "CP-1",
            "--url",
            server,
            "--password",
            PASSWORD,
            "--power-kw",
            "11",
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "emabler.settings"},
    )
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        seen: list[str] = []
        for line in program.stdout:
            happened = json.loads(line)
            seen.append(happened["event"])
            if happened["event"] == "booted":
                program.stdin.write("plug 1\nnonsense\nstatus\n")
                program.stdin.flush()
            if happened["event"] == "state":
                assert happened["plugged"]
                break
        program.send_signal(signal.SIGTERM)
        assert program.wait(20) == 0
    finally:
        program.kill()
    assert {"connected", "booted", "plugged", "not_understood"} <= set(seen)
    eventually(lambda: not ChargingStation.objects.get().online)
