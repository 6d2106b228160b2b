"""Kill the server under load and count what it had acknowledged but does not have."""

import asyncio
from dataclasses import dataclass

import uvloop

from benchmarks import product
from benchmarks.charge_point import STEP_WH, Tally
from benchmarks.fleet import Fleet

# Every transaction of a session: where, its id, whether it has ended, the registers stored for it.
STORED = """
    SELECT c.identity, e.number, t.transaction_id, t.stopped_at IS NOT NULL,
           COUNT(DISTINCT m.register_wh), MAX(m.register_wh)
    FROM chargers_transaction t
    JOIN chargers_chargingstation c ON c.id = t.station_id
    JOIN chargers_evse e ON e.id = t.evse_id
    LEFT JOIN sessions_app_session s ON s.transaction_id = t.id
    LEFT JOIN sessions_app_metersample m ON m.session_id = s.id
    GROUP BY c.identity, e.number, t.transaction_id, t.stopped_at
"""


@dataclass(frozen=True)
class Losses:
    """Acknowledged calls, and how many of them left nothing behind."""

    acknowledged: int
    starts: int
    meter_values: int
    stops: int

    @property
    def total(self) -> int:
        return self.starts + self.meter_values + self.stops

    def __str__(self) -> str:
        return f"{self.total} of {self.acknowledged} acknowledged calls lost"


def kill_under_load(running: product.Running, identities: list[str], seconds: float) -> Losses:
    """Run whole sessions, kill -9 in the middle, and compare what was answered with what is stored."""
    tally = uvloop.run(_until_killed(running, identities, seconds))
    return _losses(running.seeded, tally)


async def _until_killed(running: product.Running, identities: list[str], seconds: float) -> Tally:
    fleet, tally = Fleet(running.target), Tally()
    await fleet.connect(identities)
    for point in fleet.points:
        point.begin("session", tally, sales=len(running.seeded.sales[point.identity]))
    await asyncio.sleep(seconds)
    running.process.kill()
    await asyncio.sleep(0.5)
    return tally


def _losses(database: product.Seeded, tally: Tally) -> Losses:
    stored = {(row[0], row[1]): row[2:] for row in database.query(STORED)}
    starts = meter_values = stops = 0
    for place, told in tally.ledger.items():
        transaction_id, stopped, registers, highest = stored.get(place, ("", False, 0, 0))
        starts += str(told["transaction"]) != transaction_id
        stops += told.get("stopped", 0) and not stopped
        # One more than acknowledged may be stored: its answer was on its way.
        missing = told.get("register_wh", 0) // STEP_WH - registers
        meter_values += (
            max(0, missing) if (highest or 0) <= told.get("register_wh", 0) else max(0, missing + 1)
        )
    kinds = ("StartTransaction", "MeterValues", "StopTransaction")
    return Losses(sum(tally.acknowledged[kind] for kind in kinds), starts, meter_values, stops)
