"""The OCPP server under load, on PostgreSQL and on SQLite, as ratios to a server that keeps nothing.

Real paid sessions stand behind the transactions. Ratios of CPU per call are the robust figures: generator,
server and database share the machine, so calls per second depend on what else it does.

Run: python -m benchmarks.ocpp [--long] [--engine postgres|sqlite] [--json FILE]
"""

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import crash, product
from benchmarks.fleet import Fleet, Target, Window, quiet
from benchmarks.readings import resident_bytes
from benchmarks.seeding import Plan

SCRIPTS = ("heartbeat", "meter", "session", "startstop")
# In one process the worker prints the receipts of ended sessions meanwhile; measure_whole_session has those.
SCRIPTS_OF_ONE_PROCESS = ("heartbeat", "meter", "session")
CRASHED, FOLLOWED = 50, 8  # charge points
SETTLE_SECONDS = 3.5  # the server asks every charger for what it did not say, two seconds after it connected
LIGHT_LOAD = 0.1  # of the rate that meter values reached


@dataclass(frozen=True)
class Size:
    """How much is measured. `sold` is how many paid sessions wait at one charge point."""

    connections: int = 100
    seconds: float = 3.0
    sold: int = 20
    whole_sessions: int = 6  # of those, played with meter values; the rest only start and stop
    idle: int = 500
    storm: int = 500

    def plan(self) -> Plan:
        stations = self.connections + CRASHED + FOLLOWED
        return Plan(stations, self.sold, bare_stations=max(self.idle, self.storm))

    def parts(self, identities: list[str]) -> tuple[list[str], list[str], list[str]]:
        """Return those that are loaded, those whose server is killed, those that are followed to the end."""
        killed = self.connections + CRASHED
        return identities[: self.connections], identities[self.connections : killed], identities[killed:]


LONG = Size(seconds=20.0, sold=150, whole_sessions=40, storm=1000)


@dataclass
class Result:
    """What one server showed."""

    name: str
    windows: dict[str, Window] = field(default_factory=dict)
    light: Window | None = None
    idle_kib: float | None = None
    storm_seconds: float | None = None
    lost: crash.Losses | None = None
    whole_session_ms: float | None = None  # CPU of start, stop, settlement and receipt

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "server": self.name,
            "scripts": {
                name: {
                    "calls": w.calls,
                    "calls_per_second": round(w.calls_per_second, 1),
                    "cpu_ms_per_1000_calls": {k: round(v, 1) for k, v in w.cpu_ms_per_1000_calls.items()},
                    "p50_ms": round(w.p50_ms, 2),
                    "p99_ms": round(w.p99_ms, 2),
                    "generator_share": round(w.generator_share, 2),
                    "others_share": round(w.others_share, 2),
                    "errors": dict(w.tally.errors),
                }
                for name, w in [*self.windows.items(), *([("light", self.light)] if self.light else [])]
            },
            "kib_per_idle_connection": self.idle_kib and round(self.idle_kib, 1),
            "storm_seconds": self.storm_seconds and round(self.storm_seconds, 2),
            "whole_session_cpu_ms": self.whole_session_ms and round(self.whole_session_ms, 1),
            "lost": self.lost and vars(self.lost),
        }


# --- Measuring ------------------------------------------------------------------------------------


async def measure_scripts(
    target: Target, identities: list[str], size: Size, result: Result, scripts: tuple[str, ...] = SCRIPTS
) -> None:
    """Every script in a closed loop on the same connections, and meter values at a tenth of their rate."""
    fleet = Fleet(target)
    await fleet.connect(identities)
    await asyncio.sleep(SETTLE_SECONDS)
    for script in scripts:
        sales = {"meter": 1, "session": size.whole_sessions}.get(script, size.sold)
        result.windows[script] = await fleet.drive(script, seconds=size.seconds, sales=sales)
        if script == "meter":
            rate = LIGHT_LOAD * result.windows[script].calls_per_second
            result.light = await fleet.drive(script, seconds=2 * size.seconds, sales=1, calls_per_second=rate)
    await fleet.close()


async def measure_crowd(target: Target, pid: int, identities: list[str], size: Size, result: Result) -> None:
    """Memory of connections that say nothing, then all of them at once, as after a power cut."""
    fleet = Fleet(target)
    await fleet.connect(identities[:10])  # what the first connection brings along is not counted
    await asyncio.sleep(0.5)
    before = resident_bytes(pid)
    await fleet.connect(identities[10 : size.idle])
    await asyncio.sleep(SETTLE_SECONDS)
    result.idle_kib = (resident_bytes(pid) - before) / (size.idle - 10) / 1024
    await fleet.close()
    await asyncio.sleep(1.0)
    result.storm_seconds = await fleet.connect(identities[: size.storm], at_once=True)
    await fleet.close()


async def measure_whole_session(target: Target, identities: list[str]) -> float:
    """Start, stop and all that the worker does after it: settle, tell, print the receipt. CPU ms each."""
    fleet = Fleet(target)
    await fleet.connect(identities)
    await asyncio.sleep(SETTLE_SECONDS)
    before = target.cpu()
    await fleet.drive("startstop", seconds=60, warmup_seconds=0)
    await quiet(target)
    spent = target.cpu() - before
    await fleet.close()
    return sum(spent.seconds.values()) * 1000 / len(identities)


def measure_bare(size: Size) -> Result:
    """The reference."""
    result, plan = Result("bare"), size.plan()
    with product.bare() as (target, _):
        uvloop.run(measure_scripts(target, plan.identities()[: size.connections], size, result))
    with product.bare() as (target, pid):
        uvloop.run(measure_crowd(target, pid, plan.bare_identities(), size, result))
    return result


def measure_product(engine: str, size: Size) -> Result:
    """The product on one database engine: first as one process with its worker, killed in the end."""
    result, plan = Result(engine), size.plan()
    loaded, crashed, followed = size.parts(plan.identities())
    alone = engine == product.SQLITE
    with product.seeded(engine, plan) as database:
        with product.up(database) as running:
            pid = running.process.pid
            uvloop.run(measure_crowd(running.target, pid, plan.bare_identities(), size, result))
            result.whole_session_ms = uvloop.run(measure_whole_session(running.target, followed))
            result.lost = crash.kill_under_load(running, crashed, size.seconds)
        with product.up(database, worker=alone) as running:
            scripts = SCRIPTS_OF_ONE_PROCESS if alone else SCRIPTS
            uvloop.run(measure_scripts(running.target, loaded, size, result, scripts))
    return result


# --- Telling --------------------------------------------------------------------------------------


def tell(bare: Result, results: list[Result]) -> None:
    """Print what was measured."""
    print(
        f"{'server':10} {'script':10} {'calls/s':>8} {'x bare':>7} {'CPU ms/1k calls':>30} {'x bare':>7} errors"
    )
    for result in [bare, *results]:
        for script, window in result.windows.items():
            reference = bare.windows[script]
            parts = " + ".join(f"{name} {ms:.0f}" for name, ms in window.cpu_ms_per_1000_calls.items())
            print(
                f"{result.name:10} {script:10} {window.calls_per_second:8.0f}"
                f" {window.calls_per_second / reference.calls_per_second:7.2f} {parts:>30}"
                f" {window.cpu_ms / reference.cpu_ms:7.2f} {dict(window.tally.errors) or ''}"
            )
    print("\nMeterValues at a tenth of the rate above; connections without load; all at once; kill -9")
    for result in [bare, *results]:
        light = result.light
        assert light is not None
        print(
            f"{result.name:10} p50 {light.p50_ms:.1f} ms, p99 {light.p99_ms:.1f} ms at"
            f" {light.calls_per_second:.0f}/s; {result.idle_kib:.0f} KiB per idle connection;"
            f" storm {result.storm_seconds:.1f} s; {result.lost or ''}"
        )
        if result.whole_session_ms:
            print(
                f"{'':10} start, stop, settlement and receipt: {result.whole_session_ms:.0f} CPU ms a session"
            )
    busiest = max(w.generator_share for r in [bare, *results] for w in r.windows.values())
    others = max(w.others_share for r in [bare, *results] for w in r.windows.values())
    print(f"\ngenerator: at most {busiest:.2f} of a core; other programs: at most {others:.2f} of a core")


def main() -> int:
    """Measure and tell; returns 1 when something acknowledged was lost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--long", action="store_true", help="about five times longer, a storm of 1,000")
    parser.add_argument("--engine", choices=[product.POSTGRES, product.SQLITE], action="append")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    size = LONG if options.long else Size()
    bare = measure_bare(size)
    engines = options.engine or [product.POSTGRES, product.SQLITE]
    results = [measure_product(engine, size) for engine in engines]
    tell(bare, results)
    if options.json:
        options.json.write_text(json.dumps([r.as_json() for r in [bare, *results]], indent=2))
    return 1 if any(r.lost and r.lost.total for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
