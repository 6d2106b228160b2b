"""How close to the paid limit a charge ends: cost against hold, from 3 to 350 kW, at three sample intervals.

Run: python -m benchmarks.paid_limit [--sessions 6] [--powers 3 350] [--intervals 60] [--json FILE]. Exit
status 1 when a session of a charger that is known by then ends more than 1 % off, or anything is
billed above the hold. Each charger takes its own time to obey a stop, which nobody tells the server:
its first session is where that is learned, and is told apart.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from unittest import mock

import django

from benchmarks.virtual_time import Wire, virtual_time

POWERS_KW = (3, 3.7, 7.4, 11, 22, 50, 100, 150, 250, 350)
INTERVALS_SECONDS = (10, 30, 60)
# What a charger takes from the stop to the end of energy, its network one way, and how much more than the
# vehicle takes its connector could give.
CHARGERS = ((0.3, 0.05, 1), (2.0, 0.3, 3), (6.0, 0.1, 1))
MINUTES = (2, 10, 30)  # how long the hold lasts, in turn
LEARNING = 1  # session of a charger before it counts as known
WITHIN = 0.01
PRICES = (("0.59", None), ("0.45", "3.00"))  # per kWh, and per hour, in turn


@dataclass(frozen=True)
class Ended:
    """One session: its cost before it was cut to the hold, and what was billed; minor units."""

    power_kw: float
    interval_seconds: int
    stop_seconds: float
    number: int
    hold_minor: int
    cost_minor: int
    billed_minor: int
    learned_seconds: float

    @property
    def off(self) -> float:
        """How far from the hold, as a part of it; above is positive."""
        return (self.cost_minor - self.hold_minor) / self.hold_minor

    @property
    def known(self) -> bool:
        return self.number > LEARNING


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=6, help="of each charger, one after the other")
    parser.add_argument("--powers", type=float, nargs="+", default=POWERS_KW, help="in kW")
    parser.add_argument("--intervals", type=int, nargs="+", default=INTERVALS_SECONDS, help="in seconds")
    parser.add_argument("--json", help="write every session to this file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # one loop, one thread: nobody is kept waiting by a query
    django.setup()
    began = time.monotonic()
    cells = [(power_kw, seconds) for power_kw in options.powers for seconds in options.intervals]
    ended = list(_measure(cells, options.sessions, random.Random(options.seed)))
    _tell(ended)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(each) | {"off": each.off} for each in ended], file, indent=1)
    known = [each for each in ended if each.known]
    outside = sum(abs(each.off) > WITHIN for each in known)
    above = sum(each.billed_minor > each.hold_minor for each in ended)
    seconds = time.monotonic() - began
    print(
        f"paid limit | {len(known)} of {len(ended)} sessions | {outside} outside 1 % | "
        f"{above} billed above the hold | {seconds:.0f} s"
    )
    return 1 if outside or above else 0


def _measure(cells: list[tuple[float, int]], sessions: int, rng: random.Random) -> Iterator[Ended]:
    with _product():
        for power_kw, interval_seconds in cells:
            with virtual_time() as run:
                found = run(_cell(power_kw, interval_seconds, sessions, rng))
            yield from found
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)


@contextmanager
def _product() -> Iterator[None]:
    """The product on a database of its own, its transactions run in the loop itself, without a broker."""
    from django.core.management import call_command
    from django.db import connection

    from chargers.ocpp import consumer, database, process
    from chargers.simulator import station, wire
    from sessions_app import wakeups

    async def inline(work: Any) -> Any:
        return database._in_transaction(work)

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")  # nothing is measured that a disk takes part in
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(database, "in_transaction", inline))
        stack.enter_context(mock.patch.object(wire.Wire, "open", _open))
        stack.enter_context(mock.patch.object(wakeups, "_send"))
        stack.enter_context(mock.patch.object(consumer, "_door", consumer.DoorThrottle()))
        # The meter is integrated whenever it is read; between readings nobody needs to look ten times a second.
        stack.enter_context(mock.patch.object(station, "TICK_SECONDS", 1.0))
        for period in ("LEASE", "QUEUE", "HEARD"):  # presence is not what is measured
            stack.enter_context(mock.patch.object(process, f"{period}_PERIOD_SECONDS", 86_400.0))
        stack.enter_context(mock.patch("chargers.models.PROCESS_LEASE_SECONDS", 10**9))
        yield


async def _open(url: str, identity: str, password: str, on_call: Any, timeout_seconds: float) -> Any:
    """Connect a simulated charger to the server's socket handler; stands in for the handshake over TCP."""
    from chargers.ocpp.consumer import OcppConsumer
    from chargers.simulator import wire

    ends = Wire(float(url.rpartition("=")[2]))
    credentials = base64.b64encode(f"{identity}:{password}".encode())
    scope = {
        "type": "websocket",
        "path": f"/ocpp/{identity}",
        "headers": [(b"authorization", b"Basic " + credentials)],
        "subprotocols": ["ocpp1.6"],
        "client": ("127.0.0.1", 1),
    }
    task = asyncio.get_running_loop().create_task(OcppConsumer()(scope, ends.receive, ends.tell))
    _connections.add(task)
    task.add_done_callback(_connections.discard)
    return wire.Wire(ends, on_call, timeout_seconds)  # type: ignore[arg-type]


_connections: set["asyncio.Task[None]"] = set()


async def _cell(power_kw: float, interval_seconds: int, sessions: int, rng: random.Random) -> list[Ended]:
    """All chargers of one power and interval, side by side."""
    from django.test import override_settings

    with override_settings(OCPP_METER_INTERVAL_SECONDS=interval_seconds):
        lives: list[Coroutine[Any, Any, list[Ended]]] = [
            _charger(power_kw, interval_seconds, kind, sessions, rng) for kind in CHARGERS
        ]
        return [each for life in await asyncio.gather(*lives) for each in life]


async def _charger(
    power_kw: float,
    interval_seconds: int,
    kind: tuple[float, float, int],
    sessions: int,
    rng: random.Random,
) -> list[Ended]:
    """One charger, session after session, as drivers come and go."""
    from chargers.provisioning import set_secret
    from chargers.simulator.options import Options
    from chargers.simulator.station import SimulatedStation
    from tests import builders

    stop_seconds, delay_seconds, larger = kind
    station = builders.station(online=False)
    set_secret(station, "benchmark")
    station.save()
    evse = builders.evse(at=station, status="UNKNOWN", status_at=None)
    connector = builders.connector(at=evse, max_power_w=round(power_kw * 1000 * larger))
    stopped = asyncio.Event()
    simulated = SimulatedStation(
        Options(
            identity=station.identity,
            url=f"delay={delay_seconds}",
            password="benchmark",
            power_w=power_kw * 1000,
            stop_seconds=stop_seconds,
            register_wh=float(rng.randrange(10**6)),
        ),
        lambda happened: stopped.set() if happened["event"] == "stopped" else None,
    )
    life = asyncio.get_running_loop().create_task(simulated.run())
    await asyncio.sleep(10)  # boots, is asked for its configuration, and given ours
    ended = []
    for number in range(1, sessions + 1):
        price = PRICES[number % len(PRICES)]
        hold_minor = _hold_minor(power_kw, MINUTES[number % len(MINUTES)], price)
        session = await _charge(simulated, stopped, connector, hold_minor, price, rng)
        bill = session.cdrs.get()
        ended.append(
            Ended(
                power_kw, interval_seconds, stop_seconds, number, hold_minor,
                cost_minor=bill.total_incl_minor + bill.written_off_minor,
                billed_minor=bill.total_incl_minor,
                learned_seconds=session.stop_latency_seconds or 0.0,
            )
        )  # fmt: skip
    life.cancel()
    await asyncio.sleep(1)
    return ended


def _hold_minor(power_kw: float, minutes: int, price: tuple[str, str | None]) -> int:
    """What so many minutes at that power cost, in cents, as a terminal would hold it: whole ten cents."""
    per_kwh, per_hour = price
    energy = Fraction(str(power_kw)) * Fraction(per_kwh)
    cents = (energy + Fraction(per_hour or 0)) * minutes * 100 / 60
    return max(100, round(cents / 10) * 10)


async def _charge(
    simulated: Any,
    stopped: asyncio.Event,
    connector: Any,
    hold_minor: int,
    price: tuple[str, str | None],
    rng: random.Random,
) -> Any:
    """One driver: plug in, pay, charge to the end of the hold, leave."""
    from sessions_app.models import Session

    simulated.plug(1)
    await asyncio.sleep(rng.uniform(3, 20))
    stopped.clear()
    payment = _pay(connector, hold_minor, price)
    await stopped.wait()
    await asyncio.sleep(5)  # its message arrives
    session = Session.objects.get(pk=payment.session_id)
    assert session.stop_reason == "paid_limit", (session.state, session.stop_reason, session.refusal)
    simulated.unplug(1)
    await asyncio.sleep(rng.uniform(5, 60))
    return session


def _pay(connector: Any, hold_minor: int, price: tuple[str, str | None]) -> Any:
    """A tap over the use case that both doors lead to."""
    from django.utils import timezone

    from payments.preauthorization import Hold, give_quote, open_payment
    from tariffs.engine.terms import Dimension, PriceComponent, TariffElement
    from tariffs.versions import save_tariff
    from tests import builders

    vat = Decimal("25.5")
    parts = [PriceComponent(Dimension.ENERGY, Decimal(price[0]), vat)]
    if price[1] is not None:
        parts.append(PriceComponent(Dimension.TIME, Decimal(price[1]), vat))
    held = Decimal(hold_minor) / 100
    terms = builders.tariff_terms(elements=(TariffElement(tuple(parts)),), preauthorize_amount=held)
    connector.tariffs.set([save_tariff(terms).tariff])
    provider = builders.ptp()
    now: datetime = timezone.now()
    quote = give_quote(ptp=provider, connector=connector, language="en", now=now)
    hold = Hold(
        ptp=provider,
        terminal=None,
        authorization_reference=f"bench-{builders.next_number()}",
        authorized_minor=hold_minor,
        currency="EUR",
    )
    return open_payment(hold, quote, now=now)


def _tell(ended: list[Ended]) -> None:
    """Print the distribution of (cost - hold) / hold, in percent, for chargers that are known by then."""
    print("off the hold in %, known chargers: least / median / most")
    intervals = sorted({each.interval_seconds for each in ended})
    print("kW     " + "".join(f"{each:>5} s interval      " for each in intervals))
    for power_kw in sorted({each.power_kw for each in ended}):
        cells = []
        for interval_seconds in intervals:
            offs = [
                100 * each.off
                for each in ended
                if each.known and (each.power_kw, each.interval_seconds) == (power_kw, interval_seconds)
            ]
            cells.append(
                f"{min(offs):+.2f} / {statistics.median(offs):+.2f} / {max(offs):+.2f}" if offs else "-"
            )
        print(f"{power_kw:<7g}" + "   ".join(f"{cell:<20}" for cell in cells))
    for number in range(1, max(each.number for each in ended) + 1):
        offs = sorted(100 * each.off for each in ended if each.number == number)
        print(
            f"session {number} of a charger: {offs[0]:+.2f} / {statistics.median(offs):+.2f} / {offs[-1]:+.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
