"""A fleet of simulated charge points in this process's event loop, and what driving it showed."""

import asyncio
import base64
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from picows import ws_connect

from benchmarks.charge_point import ChargePoint, Sale, Tally
from benchmarks.readings import CpuReading

CONNECT_SECONDS = 60.0
GENTLE_CONNECTS = 50  # handshakes at once outside a storm
ANSWER_SECONDS = 30.0
QUIET_SECONDS, QUIET_SHARE = 120.0, 0.1  # of a core; sweeps and heartbeats go on
WARMUP_SECONDS = 1.0  # after the first answer of each: the worker has seen what began


@dataclass(frozen=True)
class Target:
    """Where a fleet connects to. `cpu` reads the processes that serve it."""

    url: str  # {id} becomes the identity
    cpu: Callable[[], CpuReading]
    password: str = ""
    sales: Mapping[str, Sequence[Sale]] = field(default_factory=dict)

    def sales_of(self, identity: str) -> Iterator[Sale]:
        """Return what a charge point may charge; endless make-believe where nothing was really sold."""
        known = self.sales.get(identity)
        return iter(known) if known is not None else (Sale(1, f"T{n}") for n in count(1))


@dataclass(frozen=True)
class Window:
    """One measured window. Latencies in milliseconds."""

    calls: int
    seconds: float
    cpu_ms_per_1000_calls: dict[str, float]
    generator_share: float  # of one core
    others_share: float  # of one core, what everything else on the machine took
    p50_ms: float
    p99_ms: float
    tally: Tally

    @property
    def calls_per_second(self) -> float:
        return self.calls / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU ms per 1,000 calls of all processes that serve."""
        return sum(self.cpu_ms_per_1000_calls.values())


class Fleet:
    """Charge points connected to one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.points: list[ChargePoint] = []

    async def connect(self, identities: Sequence[str], *, at_once: bool = False) -> float:
        """Connect and boot all; returns the seconds until the last one was booted. Refused ones try again."""
        began = time.perf_counter()
        gate = asyncio.Semaphore(len(identities) if at_once else GENTLE_CONNECTS)
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.gather(*(self._connect(identity, gate) for identity in identities))
        return time.perf_counter() - began

    async def _connect(self, identity: str, gate: asyncio.Semaphore) -> None:
        token = base64.b64encode(f"{identity}:{self.target.password}".encode()).decode()
        headers = {"Sec-WebSocket-Protocol": "ocpp1.6", "Authorization": f"Basic {token}"}
        pause_seconds = 0.25
        while True:
            async with gate:
                try:
                    point = ChargePoint(identity, self.target.sales_of(identity))
                    await ws_connect(
                        lambda point=point: point,
                        self.target.url.format(id=identity),
                        extra_headers=headers,
                        websocket_handshake_timeout=ANSWER_SECONDS,
                        read_buffer_init_size=2048,
                    )
                    await asyncio.wait_for(point.booted, ANSWER_SECONDS)
                except (OSError, TimeoutError, ConnectionError):
                    await asyncio.sleep(pause_seconds)
                    pause_seconds = min(2 * pause_seconds, 4.0)
                    continue
            self.points.append(point)
            return

    async def drive(
        self,
        script: str,
        *,
        seconds: float,
        warmup_seconds: float = WARMUP_SECONDS,
        calls_per_second: float = 0.0,
        sales: int = 1,
    ) -> Window:
        """Run a script on all charge points and measure, until the time is up or one has nothing left to sell.

        Each charge point plays at most so many of its sales. Closed loop; with `calls_per_second` at that
        rate, evenly spread over the charge points.
        """
        tally, exhausted = Tally(), asyncio.Event()
        interval = len(self.points) / calls_per_second if calls_per_second else 0.0
        for point in self.points:
            point.on_exhausted = exhausted.set
            point.begin(script, tally, sales=sales, interval_seconds=interval)
        async with asyncio.timeout(ANSWER_SECONDS):
            # The meter script begins with a start each, which is not what it measures.
            await asyncio.gather(*(point.underway.wait() for point in self.points))
        await asyncio.sleep(warmup_seconds)
        before, began, own = self.target.cpu(), time.perf_counter(), time.process_time()
        self._record(recording=True)
        try:
            async with asyncio.timeout(seconds):
                await exhausted.wait()
        except TimeoutError:
            pass
        self._record(recording=False)
        elapsed, own = time.perf_counter() - began, time.process_time() - own
        spent = self.target.cpu() - before
        await self.finish()
        return _window(tally, elapsed, spent, own)

    def _record(self, *, recording: bool) -> None:
        for point in self.points:
            point.recording = recording

    async def finish(self) -> None:
        """Stop all scripts and wait for what is in flight."""
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.gather(*(point.finish() for point in self.points))

    async def close(self) -> None:
        """Close all connections."""
        for point in self.points:
            point.close()
        self.points.clear()
        await asyncio.sleep(0.5)


async def quiet(target: Target) -> CpuReading:
    """Wait until the server has done what it does after the answers; returns what that took.

    Raises TimeoutError when it does not come to rest.
    """
    begin = last = target.cpu()
    async with asyncio.timeout(QUIET_SECONDS):
        while True:
            await asyncio.sleep(1.0)
            now = target.cpu()
            if sum((now - last).seconds.values()) < QUIET_SHARE:
                return now - begin
            last = now


def _window(tally: Tally, seconds: float, spent: CpuReading, own_seconds: float) -> Window:
    ordered = sorted(tally.latency) or [0.0]
    calls, last = len(tally.latency), len(ordered) - 1
    serving = sum(spent.seconds.values())
    return Window(
        calls=calls,
        seconds=seconds,
        cpu_ms_per_1000_calls={
            name: used * 1e6 / max(1, calls) for name, used in sorted(spent.seconds.items())
        },
        generator_share=own_seconds / seconds,
        others_share=max(0.0, spent.machine_seconds - serving - own_seconds) / seconds,
        p50_ms=ordered[round(last * 0.50)] * 1000,
        p99_ms=ordered[round(last * 0.99)] * 1000,
        tally=tally,
    )
