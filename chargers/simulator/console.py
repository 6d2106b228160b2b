"""Runs a simulated station as a program: JSON lines out, words in, a clean end on SIGTERM."""

import asyncio
import contextlib
import json
import signal
import sys
from typing import Any, TextIO

from chargers.simulator.options import Options
from chargers.simulator.station import SimulatedStation

HELP = "plug N | unplug N | stop N | reboot [SECONDS] | offline SECONDS | online | status | quit"


def print_line(out: TextIO, happened: dict[str, Any]) -> None:
    """Write one JSON object a line, at once: a parent process follows."""
    out.write(json.dumps(happened) + "\n")
    out.flush()


async def run(options: Options, out: TextIO = sys.stdout) -> None:
    """Simulate until SIGTERM, SIGINT or `quit`; the end of stdin changes nothing."""
    station = SimulatedStation(options, lambda happened: print_line(out, happened))
    life = asyncio.get_running_loop().create_task(station.run())
    for stop_signal in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop_signal, life.cancel)
    listening = asyncio.get_running_loop().create_task(_listen(station, life))
    with contextlib.suppress(asyncio.CancelledError):
        await life
    listening.cancel()


async def _listen(station: SimulatedStation, life: "asyncio.Task[None]") -> None:
    reader = asyncio.StreamReader()
    try:
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
    except (ValueError, OSError):
        return  # stdin is closed or a plain file: nobody drives us
    while line := await reader.readline():
        words = line.decode(errors="replace").split()
        if words == ["quit"]:
            life.cancel()
        elif words:
            obey(station, words)


def obey(station: SimulatedStation, words: list[str]) -> None:
    """Carry out one line of words; what cannot be understood is reported, not raised."""
    try:
        match words:
            case ["plug", number]:
                station.plug(int(number))
            case ["unplug", number]:
                station.unplug(int(number))
            case ["stop", number]:
                station.stop(int(number))
            case ["reboot"]:
                station.reboot()
            case ["reboot", seconds]:
                station.reboot(float(seconds))
            case ["offline", seconds]:
                station.go_offline(float(seconds))
            case ["online"]:
                station.come_online()
            case ["status"]:
                _tell_all(station)
            case _:
                station.tell("not_understood", line=" ".join(words), help=HELP)
    except (ValueError, KeyError):
        station.tell("not_understood", line=" ".join(words), help=HELP)


def _tell_all(station: SimulatedStation) -> None:
    for connector in station.connectors.values():
        transaction = connector.transaction
        station.tell(
            "state",
            connector=connector.number,
            status=connector.status,
            plugged=connector.plugged,
            register_wh=connector.shown_wh,
            transaction_id=transaction.server_id if transaction is not None else None,
            undelivered=len(station.outbox),
        )
