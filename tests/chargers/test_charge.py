"""One charge from boot to stop: simulator and server over a real socket."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from chargers import commands
from chargers.facts import (
    CommandOutcome,
    CommandSettled,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)
from chargers.models import EVSE, ChargingStation, Command, Transaction
from chargers.simulator.options import Options
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import PASSWORD, RunningSimulator, eventually, make_station


def simulator(url: str, **options: object) -> RunningSimulator:
    given = {"meter_interval_seconds": 0.2, "power_w": 3_600_000.0, "reconnect_seconds": 0.2} | options
    return RunningSimulator(Options(identity="CP-1", url=url, password=PASSWORD, **given))  # type: ignore[arg-type]


def ask_start(evse: EVSE, tag: str = "TAG1", seconds: float = 20) -> Command:
    assert evse.station is not None
    with transaction.atomic():
        return commands.start(
            station=evse.station,
            evse=evse,
            id_tag=tag,
            reference=f"ref-{tag}",
            actor="test",
            deadline_at=timezone.now() + timedelta(seconds=seconds),
        )


def test_a_charge_runs_from_boot_to_stop(server: str, desk: FakeDesk) -> None:
    station = make_station()
    evse = station.evses.get()

    with simulator(server) as charger:
        charger.wait_for("booted")
        charger.do("plug", 1)
        eventually(lambda: EVSE.objects.get().status == "PREPARING")
        start = ask_start(evse)
        eventually(lambda: len(desk.of(TransactionMetered)) >= 2)
        with transaction.atomic():
            stop = commands.stop(
                transaction=Transaction.objects.get(),
                reference="stop",
                actor="test",
                deadline_at=timezone.now() + timedelta(seconds=20),
            )
        eventually(lambda: desk.of(TransactionEnded))
        eventually(lambda: EVSE.objects.get().status == "FINISHING")
        charger.do("unplug", 1)
        eventually(lambda: EVSE.objects.get().status == "AVAILABLE")

    (started,) = desk.of(TransactionStarted)
    (ended,) = desk.of(TransactionEnded)
    assert started.id_tag == "TAG1"
    assert started.evse_pk == evse.pk
    assert ended.reason == "Remote"
    assert ended.meter_stop_wh > started.meter_start_wh
    assert [r.context for r in ended.readings] == ["Transaction.Begin", "Transaction.End"]
    registers = [r.register_wh for fact in desk.of(TransactionMetered) for r in fact.readings]
    assert registers == sorted(registers)
    settled = {fact.command_pk: fact.outcome for fact in desk.of(CommandSettled)}
    assert settled[start.pk] is CommandOutcome.ACCEPTED
    assert settled[stop.pk] is CommandOutcome.ACCEPTED
    closed = Transaction.objects.get()
    assert (closed.accepted, closed.meter_stop_wh) == (True, ended.meter_stop_wh)
    eventually(lambda: not ChargingStation.objects.get().online)
    assert ChargingStation.objects.get().vendor == "Simulated"
