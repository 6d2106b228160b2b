"""All that takes part: stores, the product's processes, proxies between, PTPs, chargers and their drivers."""

import asyncio
import random
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import httpx

from tests import servers
from tests.campaigns.witnesses import Psp
from tests.chaos import fleet, processes
from tests.chaos.clock import Clock
from tests.chaos.doors import NativePtp, WebhookEar
from tests.chaos.fleet import Charger
from tests.chaos.lives import Door, Life, Size, draw, live
from tests.chaos.network import LISTENS, OCPI, POLLS, network
from tests.chaos.ocpi import OcpiPtp
from tests.chaos.processes import Supervised
from tests.chaos.proxy import Proxy
from tests.chaos.stores import Postgres, Redis

READY_SECONDS = 90.0
PAUSE_BETWEEN_DRIVERS = (1.0, 10.0)  # seconds
DOORS = (OCPI, LISTENS, OCPI, POLLS)  # half of the chargers are sold over OCPI

# In seconds. Only the wait for a charger that is to stop is shortened, so that it is over within calm. Sweeps,
# probes, retries and claims of deliveries are those of production.
TIMERS = {
    "STOP_TIMEOUT_SECONDS": "10",
    "FINAL_METER_TIMEOUT_SECONDS": "10",
    "FULL_BATTERY_GRACE_SECONDS": "5",
    # Live figures of five hundred sessions at once, each some tasks and a call, would be most of the load.
    "LIVE_UPDATE_SECONDS": "60",
}
PLACE = {
    "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
    "DEBUG": "0",
    "EMABLER_DEMO": "0",
    "ALLOW_LOOPBACK_PEERS": "1",
    "HTTPS": "0",
    "OCPP_SECURITY_PROFILE": "1",
    "ALLOWED_HOSTS": "127.0.0.1",
    "PTP_REQUESTS_PER_MINUTE": "1000000",
    "LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
    "SELLER_NAME": "Chaos CPO",
    "SELLER_VAT_ID": "FI00000000",
}


class World:
    """Make it, `open` it, let drivers come with `begin`; `close_down` ends the charging."""

    def __init__(self, directory: Path, size: Size, seed: int) -> None:
        self.size, self.directory, self.seed = size, directory, seed
        self.clock = Clock(directory / "clock")
        self.postgres, self.redis = Postgres(directory), Redis(directory)
        self.psp = Psp()
        self.lives: list[Life] = []
        self.complaints: list[str] = []
        self.closing = asyncio.Event()
        self.taps_allowed = asyncio.Event()
        self.taps_allowed.set()
        ports = [servers.free_port() for _ in range(2)]
        self.to_sockets, self.to_api = (
            Proxy(ports, self.draw_for("sockets")),
            Proxy(ports, self.draw_for("api")),
        )
        self.ear = WebhookEar()
        self._ports = ports
        self._background: list[asyncio.Task[None]] = []
        self._drivers: list[asyncio.Task[None]] = []

    def draw_for(self, whom: str) -> random.Random:
        """Return what this one draws from; nobody's drawing changes another's."""
        return random.Random(f"{self.seed} {whom}")

    # --- Start ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start everything, and wait until drivers could come."""
        self.postgres.start()
        self.redis.start()
        await self.to_sockets.start()
        await self.to_api.start()
        self.url = f"http://127.0.0.1:{self.to_api.port}"
        self.env = self._environment()
        await asyncio.to_thread(self._provision, await self.ear.open())
        self._make_processes()
        for process in (*self.webs, *self.workers, self.beat):
            process.start()
            self.keep(process.supervise())
        await self._wait_until_ready()
        await self._open_doors()
        fleet.follow(self.clock)
        url = f"ws://127.0.0.1:{self.to_sockets.port}/ocpp"
        self.chargers = [Charger(number, url) for number in range(self.size.sessions)]
        for charger in self.chargers:
            self.keep(charger.station.run())
            await asyncio.sleep(0.01)

    def _environment(self) -> dict[str, str]:
        return {
            **servers.system_environment(),
            **PLACE,
            **TIMERS,
            **self.clock.environment,
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "EMABLER_VAR_DIR": str(self.directory),
            "PUBLIC_URL": self.url,
        }

    def _provision(self, webhook_url: str) -> None:
        import json

        file = self.directory / "network.json"
        file.write_text(json.dumps(network(self.size.sessions, webhook_url=webhook_url)))
        for words in (("migrate", "--verbosity", "0"), ("import_network", str(file))):
            processes.run_once(self.env, *words)

    def _make_processes(self) -> None:
        names = [f"web-{port}" for port in self._ports]
        self.webs = [
            processes.web(name, port, self.env, self.directory)
            for name, port in zip(names, self._ports, strict=True)
        ]
        self.workers = [processes.worker(f"worker-{n}", self.env, self.directory) for n in (1, 2)]
        self.beat = processes.beat(self.env, self.directory)
        control = servers.free_port()
        arguments = ("--versions-url", f"{self.url}/ocpi/versions", "--control-port", str(control))
        self.ptp = processes.ptp(self.env, self.directory, *arguments)
        self.ocpi = OcpiPtp(control, complain=self.complaints.append)

    async def _wait_until_ready(self) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            for port in self._ports:
                await self._wait_for(client, f"http://127.0.0.1:{port}/readyz")

    async def _wait_for(self, client: httpx.AsyncClient, url: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)
        tails = "\n".join(f"{web.name}: {web.tail()}" for web in self.webs)
        raise RuntimeError(f"{url} did not get ready:\n{tails}")

    async def _open_doors(self) -> None:
        self.ptp.start()
        self.native = [
            NativePtp(name, self.url, self.psp, complain=self.complaints.append) for name in (LISTENS, POLLS)
        ]
        self.ear.tell(self.native[0])
        for door in self.native:
            await door.look()
        self.keep(self.native[1].poll())
        await self.ocpi.wait_until_ready()
        doors: list[Door] = [*self.native, self.ocpi]
        self._doors = {door.name: door for door in doors}

    # --- Drivers ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Let drivers come, one after the other at each charger."""
        loop = asyncio.get_running_loop()
        self._drivers = [loop.create_task(self._drive(charger)) for charger in self.chargers]

    async def _drive(self, charger: Charger) -> None:
        rng = self.draw_for(charger.identity)
        door = self._doors[DOORS[charger.number % len(DOORS)]]
        await asyncio.sleep(rng.uniform(0, self.size.ramp_seconds))
        while not self.closing.is_set():
            free = await charger.until(lambda: charger.is_free or self.closing.is_set(), timeout_seconds=300)
            await self.taps_allowed.wait()
            if self.closing.is_set() or not free:
                continue
            life = draw(rng, charger, door.name, self.size)
            self.lives.append(life)
            try:
                await live(life, door, rng, self.closing)
            except Exception as error:  # noqa: BLE001  (the campaign reports it and goes on)
                self.complaints.append(f"{life.kind} at {charger.identity}: {type(error).__name__}: {error}")
            await asyncio.sleep(rng.uniform(*PAUSE_BETWEEN_DRIVERS))

    async def close_down(self, timeout_seconds: float) -> None:
        """No more drivers; those who are there end their charge, each in its way."""
        self.closing.set()
        self.taps_allowed.set()
        _, late = await asyncio.wait(self._drivers, timeout=timeout_seconds)
        for driver in late:
            driver.cancel()
        for charger in self.chargers:
            charger.leave()

    # --- Looking ----------------------------------------------------------------------------------

    def charging(self) -> int:
        """How many chargers deliver energy right now."""
        return sum(charger.connector.transaction is not None for charger in self.chargers)

    def starting(self) -> int:
        """How many drivers have tapped and wait for their charge."""
        return sum(life.starting for life in self.lives)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until the end of the campaign."""
        self._background.append(asyncio.get_running_loop().create_task(work))

    def end(self) -> None:
        """End all processes that were started."""
        everyone: list[Supervised] = [*self.webs, *self.workers, self.beat, self.ptp]
        for process in everyone:
            process.end()
        self.redis.kill()
        self.postgres.stop_at_once()
