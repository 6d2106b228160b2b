"""GET locations: 1,000 sites, 4 EVSEs each, 2 connectors each, read page by page, against Django alone.

The reference is a Django view that does nothing but turn the same objects into the same JSON. Both run in one
process without a network, so that what is compared is what we add. Run: python -m benchmarks.ocpi
[--engine postgres|sqlite] [--rounds N] [--profile]
"""

import argparse
import cProfile
import json
import pstats
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks import product
from benchmarks.seeding import Plan
from tests import servers

SITES, EVSES, CONNECTORS = 1_000, 4, 2
PAGE = 100
TARIFFS = 20
EMPTY = Plan(stations=0, sold_per_station=0)
WARM_UP_ROUNDS = 1
PATH = "/ocpi/cpo/2.3.0/locations"


# --- Inside the process that is measured ----------------------------------------------------------


def seed() -> str:
    """Fill the database; returns what the platform authorises itself with."""
    from django.db import transaction
    from django.utils import timezone

    from payments.models import OcpiConnection
    from payments.ocpi import connections
    from tests import builders

    with transaction.atomic():
        _sites([builders.tariff_version() for _ in range(TARIFFS)])
        connection, token = connections.invite(
            name="Benchmark", country_code="NL", party_id="PTP", our_party=("FI", "EMB"), now=timezone.now()
        )
        OcpiConnection.objects.filter(pk=connection.pk).update(state=OcpiConnection.State.REGISTERED)
    return connections.authorization_of(token)


def _sites(versions: list[Any]) -> None:
    """Sites with one charger each; every site sells by one of the tariffs."""
    from django.utils import timezone

    from chargers.facts import EvseStatus
    from chargers.models import EVSE, ChargingStation, Connector, Site, WebProcess
    from tests import builders

    process = WebProcess.objects.create(alive_at=timezone.now() + timedelta(days=1))
    pattern = builders.site(location_id="pattern", latitude="60.1699000")
    numbers = range(SITES)
    fields = ("name", "address", "city", "postal_code", "country", "latitude", "longitude", "time_zone")
    facts = {name: getattr(pattern, name) for name in fields} | {"country_code": "FI", "party_id": "EMB"}
    sites = Site.objects.bulk_create(Site(location_id=str(uuid.uuid4()), **facts) for _ in numbers)
    pattern.delete()
    stations = ChargingStation.objects.bulk_create(
        ChargingStation(
            identity=f"CP{n}", site=sites[n], secret_hash="-", process=process, connection_id=uuid.uuid4(),
            connected_at=timezone.now(),
        )
        for n in numbers
    )  # fmt: skip
    evses = EVSE.objects.bulk_create(
        EVSE(
            site=sites[n], station=stations[n], uid=str(uuid.uuid4()), evse_id=f"FI*EMB*E{n}*{number}",
            physical_reference=str(number), number=number, status=EvseStatus.AVAILABLE,
        )
        for n in numbers for number in range(1, EVSES + 1)
    )  # fmt: skip
    connectors = Connector.objects.bulk_create(
        Connector(
            evse=evse, connector_id=str(number), standard="IEC_62196_T2_COMBO", power_type="DC",
            max_voltage=920, max_amperage=200, max_power_w=150_000,
        )
        for evse in evses for number in range(1, CONNECTORS + 1)
    )  # fmt: skip
    link = Connector.tariffs.through
    per_site = EVSES * CONNECTORS
    link.objects.bulk_create(
        link(connector=each, tariff=versions[n // per_site % TARIFFS].tariff)
        for n, each in enumerate(connectors)
    )


def measure(authorization: str, rounds: int, *, profiler: cProfile.Profile | None) -> dict[str, Any]:
    """Read all pages, some rounds of it; returns milliseconds per page."""
    from django.db import connection
    from django.http import HttpRequest, JsonResponse
    from django.test import Client, override_settings
    from django.test.utils import CaptureQueriesContext
    from django.urls import path

    client = Client(headers={"authorization": authorization})

    def page(number: int) -> bytes:
        answer = client.get(PATH, {"offset": number * PAGE, "limit": PAGE})
        assert answer.status_code == 200, answer.content
        return bytes(answer.content)

    pages = range(SITES // PAGE)
    bodies = [page(number) for number in pages]
    documents = [json.loads(body) for body in bodies]
    with CaptureQueriesContext(connection) as queries:
        page(0)
        asked = len(queries)
    if profiler:
        profiler.runcall(lambda: [page(number) for number in pages])
    ours = _per_call(lambda: [page(number) for number in pages], rounds, len(pages))
    later = {"date_from": "2099-01-01T00:00:00Z"}
    idle = _per_call(lambda: [client.get(PATH, later) for _ in pages], rounds, len(pages))

    def bare(request: HttpRequest, number: int) -> JsonResponse:
        return JsonResponse(documents[number])

    urls = type("urls", (), {"urlpatterns": [path("bare/<int:number>", bare)]})
    with override_settings(ROOT_URLCONF=urls):
        reference = _per_call(lambda: [client.get(f"/bare/{number}") for number in pages], rounds, len(pages))
    return {
        "bytes": sum(map(len, bodies)) // len(bodies),
        "locations": sum(len(each["data"]) for each in documents),
        "queries": asked,
        "page": ours,
        "nothing new": idle,
        "bare": reference,
    }


def _per_call(work: Callable[[], object], rounds: int, calls: int) -> dict[str, float]:
    for _ in range(WARM_UP_ROUNDS):
        work()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        work()
    per_ms = 1000 / (rounds * calls)
    return {"ms": (time.perf_counter() - wall) * per_ms, "cpu_ms": (time.process_time() - cpu) * per_ms}


def _inside(rounds: int, *, profile: bool) -> int:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
    django.setup()
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["testserver"]
    authorization = seed()
    profiler = cProfile.Profile() if profile else None
    told = measure(authorization, rounds, profiler=profiler)
    if profiler:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(40)
    print(json.dumps(told))
    return 0


# --- Outside --------------------------------------------------------------------------------------


def tell(engine: str, told: dict[str, Any]) -> None:
    """Print what was measured."""
    print(
        f"GET locations, {engine}: {told['locations']} in pages of {PAGE},"
        f" {told['bytes'] / 1024:.0f} KiB and {told['queries']} queries a page"
    )
    bare = told["bare"]
    for name in ("page", "nothing new", "bare"):
        each = told[name]
        ratio = each["cpu_ms"] / bare["cpu_ms"]
        print(f"  {name:12} {each['ms']:7.1f} ms  CPU {each['cpu_ms']:7.1f} ms  x bare {ratio:6.1f}")


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=[product.POSTGRES, product.SQLITE], action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where our time goes")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return _inside(options.rounds, profile=options.profile)
    for engine in options.engine or [product.POSTGRES, product.SQLITE]:
        with product.seeded(engine, EMPTY) as database:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.ocpi", "--inside", "--rounds", str(options.rounds)]
                + ["--profile"] * options.profile,
                cwd=servers.ROOT,
                env={**servers.system_environment(), **database.env},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        tell(engine, json.loads(done.stdout))
    return 0


if __name__ == "__main__":
    sys.exit(main())
