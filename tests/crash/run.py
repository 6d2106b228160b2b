"""The crash campaign: `make crash`, one line: `goal | runs | breaks | seed | seconds`.

Five lanes kill servers at every point of the table (points.py) while payments run; a run is one kill.
"""

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from tests import servers
from tests.crash.mutants import MUTANTS
from tests.crash.network import LISTENS, OCPI, POLLS, network
from tests.crash.points import NUMBERS

DOORS = (  # of each lane, charger by charger in turn
    (LISTENS, POLLS),
    (LISTENS, OCPI),
    (POLLS, OCPI),
    (LISTENS, OCPI),
    (LISTENS, POLLS),
)
MOST_CHARGERS = 16
SHOWN = 10  # breaks that are told in full
_FAULT = re.compile(r"\S+ \S+ (ERROR|CRITICAL) ")

# In seconds. Only waiting is shortened: energy flows in real time.
TIMERS = {
    "SWEEP_INTERVAL_SECONDS": "1",
    "COMMAND_TIMEOUT_SECONDS": "2",
    "STOP_TIMEOUT_SECONDS": "2",
    "START_TIMEOUT_PLUGGED_SECONDS": "3",
    "START_TIMEOUT_UNPLUGGED_SECONDS": "3",
    "START_TIMEOUT_MARGIN_SECONDS": "1",
    "FINAL_METER_TIMEOUT_SECONDS": "2",
    "FULL_BATTERY_GRACE_SECONDS": "0.3",
    "REBOOT_GRACE_SECONDS": "600",
    "OCPP_METER_INTERVAL_SECONDS": "1",
    "STOP_LATENCY_SECONDS": "0.05",
    "LIVE_UPDATE_SECONDS": "0.3",
}
PLACE = {
    "REDIS_URL": "",
    "DEBUG": "0",
    "EMABLER_DEMO": "1",  # webhooks to the loopback are called in the demo only
    "HTTPS": "0",
    "OCPP_SECURITY_PROFILE": "1",
    "ALLOWED_HOSTS": "127.0.0.1",
    "MINIMUM_HOLD": "0.05",  # so that a hold is used up within seconds
    "PTP_REQUESTS_PER_MINUTE": "1000000",
    "OCPP_FRAMES_PER_SECOND": "1000",
    "LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
    "DJANGO_SETTINGS_MODULE": "tests.crash.settings",
}


class Stage:
    """PostgreSQL with a migrated template, and a directory for logs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._copies, self._lock = 0, threading.Lock()
        self._env = {**servers.system_environment(), **PLACE, **_timers(), "EMABLER_VAR_DIR": str(directory)}
        template = servers.create_postgres_database("crash_template")
        file = directory / "network.json"
        file.write_text(json.dumps(network(MOST_CHARGERS)))
        for words in (("migrate", "--verbosity", "0"), ("import_network", str(file))):
            subprocess.run(
                [sys.executable, "manage.py", *words],
                cwd=servers.ROOT,
                env={**self._env, "DATABASE_URL": template},
                stdout=subprocess.DEVNULL,
                check=True,
            )

    def play(self, order: dict[str, Any]) -> dict[str, Any]:
        """Have a lane play on a database of its own, to its end; from any thread that lives as long."""
        return self._start_lane(order).result()

    def _start_lane(self, order: dict[str, Any]) -> "RunningLane":
        with self._lock:  # one copy of the template after the other
            self._copies += 1
            name = f"crash_{self._copies}"
            url = servers.create_postgres_database(name, template="crash_template")
        with psycopg.connect(url, autocommit=True) as connection:
            # Nobody kills PostgreSQL here, and what it has acknowledged it does not forget while it runs.
            connection.execute(f"ALTER DATABASE {name} SET synchronous_commit TO off")
        place = {"DATABASE_URL": url, "PUBLIC_URL": f"http://127.0.0.1:{servers.free_port()}"}
        return RunningLane(order, {**self._env, **place}, self.directory / f"{name}.log")


class RunningLane:
    """A lane at work in a process of its own."""

    def __init__(self, order: dict[str, Any], env: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.lane"],
                cwd=servers.ROOT,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                preexec_fn=servers.die_with_parent,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait for its end, and return what it says."""
        said, _ = self._process.communicate()
        with suppress(ValueError):
            result: dict[str, Any] = json.loads(said)
            result["breaks"] += self._faults_logged()
            return result
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-3000:]
        broken = f"the lane ended with {self._process.returncode}:\n{tail}"
        return {"breaks": [broken], "killed": {}, "effects": {}, "ends": {}, "notes": []}

    def _faults_logged(self) -> list[str]:
        """Whatever our own code takes for a fault of its own."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [f"logged: {line}" for line in lines if _FAULT.match(line)]


def _timers() -> dict[str, str]:
    """The environment may name others, to try them."""
    return {name: os.environ.get(name, value) for name, value in TIMERS.items()}


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; exit status 1 when anything broke or a planted fault was not caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-per-point", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="emabler-crash-"))
    stage = Stage(directory)
    with ThreadPoolExecutor(len(DOORS)) as lanes:  # as many at once; the planted faults' follow
        campaign = [lanes.submit(stage.play, order) for order in _orders(options.runs_per_point, seed)]
        planted = {name: lanes.submit(stage.play, _planted(name, seed)) for name in MUTANTS}
        try:
            results = [lane.result() for lane in campaign]
            missed = _missed({name: lane.result() for name, lane in planted.items()})
        except BaseException:
            lanes.shutdown(cancel_futures=True)
            raise
    _tell(results)
    breaks = [what for result in results for what in result["breaks"]] + missed
    _tell_breaks(breaks, directory)
    runs = sum(sum(result["killed"].values()) for result in results)
    print(f"crash | {runs} | {len(breaks)} | {seed} | {time.monotonic() - began:.1f}")
    return 1 if breaks else 0


def _tell_breaks(breaks: list[str], directory: Path) -> None:
    """Tell the first of them, and keep all with the logs; without any, nothing is kept."""
    if not breaks:
        shutil.rmtree(directory, ignore_errors=True)
        return
    (directory / "breaks.txt").write_text("\n".join(breaks), encoding="utf-8")
    for what in breaks[:SHOWN]:
        print(what, file=sys.stderr)
    print(f"all breaks, their stories and the servers' logs are in {directory}", file=sys.stderr)


def _orders(runs_per_point: int, seed: int) -> list[dict[str, Any]]:
    """The campaign itself: every point, in all lanes at once."""
    return [
        {"wanted": _share(runs_per_point, lane), "doors": doors, "seed": seed + lane}
        for lane, doors in enumerate(DOORS)
    ]


def _tell(results: list[dict[str, Any]]) -> None:
    killed, effects, ends = Counter[str](), Counter[str](), Counter[str]()
    for result in results:
        killed.update(result["killed"])
        effects.update(result["effects"])
        ends.update(result["ends"])
        print("; ".join(result["notes"]), file=sys.stderr)
    for name, counts in (("kills", killed), ("payments", ends), ("cards touched", effects)):
        told = ", ".join(f"{what} {count}" for what, count in sorted(counts.items()))
        print(f"{name}: {told}", file=sys.stderr)


def _planted(name: str, seed: int) -> dict[str, Any]:
    """A short campaign against the product with a fault planted."""
    return {
        "wanted": MUTANTS[name].wanted,
        "doors": [LISTENS],
        "seed": seed,
        "mutant": name,
        "linger_seconds": MUTANTS[name].linger_seconds,
        "kills_per_round": 15,
        "calm_seconds": 60.0,
    }


def _missed(results: dict[str, dict[str, Any]]) -> list[str]:
    """Return the planted faults that were not caught."""
    missed = []
    for name, result in results.items():
        caught = any(MUTANTS[name].shows in what for what in result["breaks"])
        kills = sum(result["killed"].values())
        print(f"planted: {name}: {'caught' if caught else 'MISSED'} after {kills} kills", file=sys.stderr)
        if not caught:
            missed.append(f"a planted fault was not caught: {name}; {result['breaks']}")
    return missed


def _share(runs_per_point: int, lane: int) -> dict[str, int]:
    """Deal the kills out to the lanes, those of OCPI's own point to the lanes that have it."""
    over_ocpi = [number for number, doors in enumerate(DOORS) if OCPI in doors]
    share = dict.fromkeys(NUMBERS, _dealt(runs_per_point, list(range(len(DOORS))), lane))
    share["F11"] = _dealt(runs_per_point, over_ocpi, lane)
    return share


def _dealt(kills: int, lanes: list[int], lane: int) -> int:
    """What this lane gets when kills are dealt out one by one."""
    return len(range(lanes.index(lane), kills, len(lanes))) if lane in lanes else 0


if __name__ == "__main__":
    sys.exit(main())
