"""How long a PTP waits for the answer to START_SESSION, with connected chargers that really start.

The answer says only that the start is on its way: no charger is asked while the PTP waits. Run:
python -m benchmarks.ocpi_commands [--engine postgres|sqlite] [--per-second N]
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import uvloop

from benchmarks import product
from benchmarks.fleet import Fleet
from benchmarks.ocpp import SETTLE_SECONDS
from benchmarks.seeding import HOLD_MINOR, Plan
from tests import servers

HOST = "https://ptp.example.com"
PLAN = Plan(stations=10, sold_per_station=1, free_per_station=19)
JUDGED_PER_SECOND = 5
# A busy operator of a thousand terminals; and more than one process can do beside its chargers, which is told only.
TAPS_PER_SECOND = (JUDGED_PER_SECOND, 20)
WAITING = 16  # answers that may be outstanding
GOAL_MS = 200  # at p95


@dataclass(frozen=True)
class Platform:
    """A registered platform: what it shows us, and the EVSEs that it may start, as location and uid."""

    authorization: str
    evses: list[tuple[str, str]]


def seed() -> dict[str, Any]:
    """Register a platform in the seeded database; it was shown every tariff."""
    from django.utils import timezone

    from chargers.models import EVSE
    from payments.models import OcpiConnection, SeenTariff
    from payments.ocpi import connections
    from tariffs.models import TariffVersion

    now = timezone.now()
    place = EVSE.objects.select_related("site").first()
    assert place is not None
    ours = (place.site.country_code, place.site.party_id)
    connection, token = connections.invite(
        name="Benchmark", country_code="NL", party_id="PTP", our_party=ours, now=now
    )
    connection.state = OcpiConnection.State.REGISTERED
    connection.versions_url = f"{HOST}/ocpi/versions"
    connection.save()
    for version in TariffVersion.objects.all():
        SeenTariff.objects.create(
            connection=connection,
            tariff=version.tariff,
            version=version,
            hold_minor=HOLD_MINOR,
            seen_at=now,
        )
    free = EVSE.objects.filter(number__gt=PLAN.sold_per_station, station__isnull=False)
    return {
        "authorization": connections.authorization_of(token),
        "evses": list(free.values_list("site__location_id", "uid")),
    }


def platform_of(database: product.Seeded) -> Platform:
    """Seed the platform in a process of the product's own environment."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ocpi_commands", "--seed"],
        cwd=servers.ROOT,
        env={**servers.system_environment(), **database.env},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    return Platform(told["authorization"], [(each[0], each[1]) for each in told["evses"]])


async def measure(running: product.Running, platform: Platform, per_second: int) -> list[float]:
    """Start a session at every free EVSE, so many a second; returns the milliseconds that each answer took."""
    fleet = Fleet(running.target)
    await fleet.connect(list(running.seeded.sales))
    await asyncio.sleep(SETTLE_SECONDS)
    taken_ms = await asyncio.to_thread(_start_all, running.url, platform, per_second)
    await fleet.close()
    return taken_ms


def _start_all(url: str, platform: Platform, per_second: int) -> list[float]:
    headers = {"Authorization": platform.authorization}
    began = time.perf_counter()
    with (
        httpx.Client(base_url=url, headers=headers, timeout=30) as client,
        ThreadPoolExecutor(WAITING) as pool,
    ):
        answers = []
        for number, evse in enumerate(platform.evses):
            # Drivers tap when they like: the next one does not wait for the answer to the one before.
            time.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            answers.append(pool.submit(_start, client, evse))
        return [answer.result() for answer in answers]


def _start(client: httpx.Client, evse: tuple[str, str]) -> float:
    token = {"country_code": "NL", "party_id": "PTP", "uid": "1", "type": "AD_HOC_USER", "contract_id": "1"}
    body = {
        "response_url": f"{HOST}/results",
        "token": token,
        "location_id": evse[0],
        "evse_uid": evse[1],
        "authorization_reference": uuid.uuid4().hex,
    }
    began = time.perf_counter()
    answer = client.post("/ocpi/cpo/2.3.0/commands/START_SESSION", json=body)
    taken_ms = (time.perf_counter() - began) * 1000
    assert answer.json()["data"]["result"] == "ACCEPTED", answer.text
    return taken_ms


def tell(engine: str, per_second: int, taken_ms: list[float]) -> float:
    """Print what was measured; returns the 95th percentile in milliseconds."""
    ordered = sorted(taken_ms)
    p50, p95, p99 = (ordered[int(len(ordered) * share)] for share in (0.50, 0.95, 0.99))
    goal = f" (goal: p95 below {GOAL_MS} ms)" if per_second <= JUDGED_PER_SECOND else ""
    print(
        f"START_SESSION, {engine}, {per_second} a second: {len(ordered)} answers,"
        f" p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms{goal}"
    )
    return p95


def main() -> int:
    """Measure and tell; returns 1 when answers come too late at the rate that is judged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=[product.POSTGRES, product.SQLITE], action="append")
    parser.add_argument("--per-second", type=int, action="append")
    parser.add_argument("--seed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seed:
        return _seed()
    late = False
    for engine in options.engine or [product.POSTGRES, product.SQLITE]:
        for per_second in options.per_second or TAPS_PER_SECOND:
            with product.seeded(engine, PLAN) as database:
                platform = platform_of(database)
                with product.up(database) as running:
                    taken_ms = uvloop.run(measure(running, platform, per_second))
            p95 = tell(engine, per_second, taken_ms)
            late |= per_second <= JUDGED_PER_SECOND and p95 > GOAL_MS
    return int(late)


def _seed() -> int:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
    django.setup()
    print(json.dumps(seed()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
