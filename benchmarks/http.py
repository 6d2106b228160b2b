"""The terminal API over HTTP, as ratios to /healthz of the same server in the same run.

Chargers are connected and answer start commands, so a session that is posted really starts. Run:
python -m benchmarks.http [--engine postgres|sqlite] [--seconds S]
"""

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import orjson
import uvloop

from benchmarks import product
from benchmarks.fleet import Fleet, quiet
from benchmarks.ocpp import SETTLE_SECONDS
from benchmarks.seeding import Plan

CONCURRENCY = 8
HOLD = "60.00"
PLAN = Plan(stations=20, sold_per_station=2, free_per_station=28)

Request = tuple[str, str, dict[str, str], Any]  # method, path, headers, body


@dataclass
class Measured:
    """One kind of request."""

    name: str
    requests: int
    seconds: float
    cpu_ms: dict[str, float]
    refused: int

    @property
    def total_cpu_ms(self) -> float:
        return sum(self.cpu_ms.values())


class Client:
    """One kept-alive HTTP/1.1 connection; as small as it can be, so that the server is what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    async def ask(self, request: Request) -> tuple[int, Any]:
        """Send a request; returns the status and the decoded body."""
        method, path, headers, body = request
        raw = b"" if body is None else orjson.dumps(body)
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self._key}",
            f"Content-Length: {len(raw)}",
            "Content-Type: application/json",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
        content = await self._reader.readexactly(length)
        return int(head.split(" ", 2)[1]), orjson.loads(content) if "json" in head else content


class Bench:
    """The running product, its clients, and what they asked for."""

    def __init__(self, running: product.Running, clients: list[Client]) -> None:
        self.running, self.clients = running, clients
        self.done: list[Measured] = []

    async def measure(
        self,
        name: str,
        requests: Iterator[Request],
        seconds: float,
        keep: Callable[[str, Any], None] | None = None,
    ) -> None:
        """Ask as fast as answers come, until the time is up or there is nothing more to ask."""
        before, began, counts = self.running.target.cpu(), time.perf_counter(), [0, 0]

        async def ask(client: Client) -> None:
            for request in requests:
                status, body = await client.ask(request)
                counts[0] += 1
                counts[1] += status >= 400
                if keep is not None and status < 400:
                    keep(request[1], body)
                if time.perf_counter() - began > seconds:
                    return

        await asyncio.gather(*(ask(client) for client in self.clients))
        spent = self.running.target.cpu() - before
        elapsed = time.perf_counter() - began
        cpu = {kind: used * 1000 / counts[0] for kind, used in sorted(spent.seconds.items())}
        self.done.append(Measured(name, counts[0], elapsed, cpu, counts[1]))


async def measure(running: product.Running, seconds: float) -> list[Measured]:
    """Play the terminal: look, ask the price, start, follow, settle."""
    fleet = Fleet(running.target)
    await fleet.connect(list(running.seeded.sales))
    await asyncio.sleep(SETTLE_SECONDS)
    await fleet.drive("startstop", seconds=60)  # what was sold is charged: settlements come due
    await quiet(running.target)
    async with _clients(running) as clients:
        bench = Bench(running, clients)
        await _play(bench, running.seeded.terminal_id, seconds)
    await fleet.close()
    return bench.done


async def _play(bench: Bench, terminal_id: str, seconds: float) -> None:
    api = "/api/ptp/v1"
    listing = f"{api}/connectors?terminal_id={terminal_id}"
    quotes: list[tuple[str, dict[str, Any]]] = []
    sessions: list[str] = []
    await bench.measure("GET healthz", _again("/healthz"), seconds)
    await bench.measure("GET connectors, a page", _again(listing), seconds)
    asked = (_get(f"{api}/connectors/{each}/quote?lang=en") for each in _free_connectors(bench.running))
    await bench.measure("GET quote", asked, seconds, lambda path, quote: quotes.append((path, quote)))
    taps = (_tap(path.split("/")[5], quote, terminal_id) for path, quote in quotes)
    await bench.measure("POST sessions", taps, seconds, lambda _, session: sessions.append(session["id"]))
    await bench.measure("GET session", _again(*(f"{api}/sessions/{each}" for each in sessions)), seconds)
    await bench.measure("GET settlements, a page", _again(f"{api}/settlements?status=due"), seconds)


def _get(path: str) -> Request:
    return "GET", path, {}, None


def _again(*paths: str) -> Iterator[Request]:
    return cycle([_get(path) for path in paths])


def _free_connectors(running: product.Running) -> list[uuid.UUID]:
    """The connectors at which nothing was sold."""
    rows = running.seeded.query(
        "SELECT c.public_id FROM chargers_connector c JOIN chargers_evse e ON e.id = c.evse_id"
        f" WHERE e.number > {PLAN.sold_per_station} ORDER BY c.id"
    )
    return [uuid.UUID(str(row[0])) for row in rows]


def _tap(connector_id: str, quote: dict[str, Any], terminal_id: str) -> Request:
    """A card is held at a terminal that showed this quote."""
    body = {
        "terminal_id": terminal_id,
        "connector_id": connector_id,
        "quote_id": quote["quote_id"],
        "authorization_reference": uuid.uuid4().hex,
        "authorized_amount": HOLD,
        "currency": quote["currency"],
        "card": {"scheme": "VISA", "last4": "4242"},
        "language": "en",
    }
    return "POST", "/api/ptp/v1/sessions", {"Idempotency-Key": uuid.uuid4().hex}, body


@asynccontextmanager
async def _clients(running: product.Running) -> AsyncIterator[list[Client]]:
    address = urlsplit(running.url)
    streams = [await asyncio.open_connection(address.hostname, address.port) for _ in range(CONCURRENCY)]
    try:
        yield [Client(reader, writer, running.seeded.key) for reader, writer in streams]
    finally:
        for _, writer in streams:
            writer.close()


def tell(engine: str, done: list[Measured]) -> None:
    """Print what was measured."""
    reference = done[0]
    print(
        f"{engine + f', {CONCURRENCY} at a time':28} {'req/s':>7} {'x healthz':>9} {'CPU ms each':>28} {'x healthz':>9}"
    )
    for each in done:
        rate = each.requests / each.seconds
        parts = " + ".join(f"{name} {ms:.1f}" for name, ms in each.cpu_ms.items())
        print(
            f"  {each.name:26} {rate:7.0f} {rate * reference.seconds / reference.requests:9.2f} {parts:>28}"
            f" {each.total_cpu_ms / reference.total_cpu_ms:9.1f}"
            + (f"  {each.refused} of {each.requests} refused" if each.refused else "")
        )


def main() -> int:
    """Measure and tell; returns 1 when a request was refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=[product.POSTGRES, product.SQLITE], action="append")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each kind of request (default 3)")
    options = parser.parse_args()
    refused = 0
    for engine in options.engine or [product.POSTGRES, product.SQLITE]:
        with product.seeded(engine, PLAN) as database, product.up(database) as running:
            done = uvloop.run(measure(running, options.seconds))
        tell(engine, done)
        refused += sum(each.refused for each in done)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
