"""What goes wrong, drawn from a seed; each fault ends by itself."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum

from tests.chaos.world import World

HOURS_DOWN = 6
HOURS_FAILING = 1  # of these
HOUR_SECONDS = 3600.0
STARTS_WITHIN_SECONDS = 60.0


class Fault(StrEnum):
    """What can go wrong."""

    REDIS_KILLED = "Redis killed"
    REDIS_FLUSHED = "Redis flushed"
    REDIS_FROZEN = "Redis frozen"
    POSTGRES_STOPPED = "PostgreSQL stopped immediately"
    WEB_KILLED = "web process killed"
    BOTH_WEBS_KILLED = "both web processes killed"
    WEB_FROZEN = "web process frozen"
    WORKER_KILLED = "worker killed"
    WORKER_BEHEADED = "worker killed, its children left"
    BEAT_KILLED = "beat killed"
    SOCKETS_CUT = "chargers' sockets cut"
    SOCKETS_SLOW = "chargers' sockets slow"
    SOCKETS_SWALLOWED = "chargers' sockets black-holed"
    API_CUT = "PTPs' connections to us cut"
    API_SLOW = "PTPs' connections to us slow"
    PTP_ANSWERS_LOST = "PTP's answers lost"
    PTP_SLOW = "PTP slow"


class Hand:
    """Does harm, undoes it, and remembers what it did."""

    def __init__(self, world: World) -> None:
        self._world, self._rng = world, world.draw_for("harm")
        self._began = time.monotonic()
        self._busy: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.done: dict[str, int] = {}
        self.log: list[str] = []

    def note(self, what: str) -> None:
        """Write down what happens, with the seconds since the beginning and the campaign's clock."""
        at = time.monotonic() - self._began
        self.log.append(f"{self._world.clock.now():%H:%M:%S.%f} +{at:.1f} {what}")

    # --- The plan ---------------------------------------------------------------------------------

    async def harm(self, seconds: float, pause: tuple[float, float]) -> None:
        """Let things go wrong for a while, in rounds in which everything happens once."""
        until = time.monotonic() + seconds
        while True:
            for fault in self._rng.sample(list(Fault), len(Fault)):
                if time.monotonic() > until:
                    return
                self._start(fault)
                await asyncio.sleep(self._rng.uniform(*pause))

    def _start(self, fault: Fault) -> None:
        task = asyncio.get_running_loop().create_task(self._inflict(fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _inflict(self, fault: Fault) -> None:
        act, what = _ACTS[fault]
        async with self._busy.setdefault(what, asyncio.Lock()):
            self.done[fault] = self.done.get(fault, 0) + 1
            self.note(f"{fault}")
            await act(self)
            self.note(f"{fault}: over")

    async def rest(self) -> None:
        """Wait until nothing is wrong any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # --- Stores -----------------------------------------------------------------------------------

    async def _kill_redis(self) -> None:
        redis = self._world.redis
        await asyncio.to_thread(redis.kill)
        await self._wait(0.5, 8)
        await asyncio.to_thread(redis.start)

    async def _flush_redis(self) -> None:
        await asyncio.to_thread(self._world.redis.flush)

    async def _freeze_redis(self) -> None:
        redis = self._world.redis
        redis.signal(signal.SIGSTOP)
        await self._wait(2, 10)
        redis.signal(signal.SIGCONT)

    async def _stop_postgres(self) -> None:
        postgres = self._world.postgres
        await asyncio.to_thread(postgres.stop_at_once)
        await self._wait(0.2, 5)
        await asyncio.to_thread(postgres.start)

    # --- Processes --------------------------------------------------------------------------------

    async def _kill_web(self) -> None:
        web = self._rng.choice(self._world.webs)
        web.kill()
        await self._wait(0, 4)
        web.start()

    async def _kill_both_webs(self) -> None:
        for web in self._world.webs:
            web.kill()
        await self._wait(0, 2)
        for web in self._world.webs:
            web.start()

    async def _freeze_web(self) -> None:
        web = self._rng.choice(self._world.webs)
        web.freeze()
        await self._wait(3, 12)
        web.thaw()

    async def _kill_worker(self) -> None:
        worker = self._rng.choice(self._world.workers)
        worker.kill()
        await self._wait(0, 5)
        worker.start()

    async def _behead_worker(self) -> None:
        worker = self._rng.choice(self._world.workers)
        worker.kill(whole_group=False)
        await self._wait(0, 5)
        worker.start()

    async def _kill_beat(self) -> None:
        self._world.beat.kill()
        await self._wait(0, 5)
        self._world.beat.start()

    # --- Sockets ----------------------------------------------------------------------------------

    async def _cut_sockets(self) -> None:
        for link in self._world.to_sockets.draw(self._rng.choice((0.1, 0.4, 1.0))):
            link.cut()

    async def _slow_sockets(self) -> None:
        self._world.to_sockets.delay_seconds = self._rng.uniform(0.2, 2)
        await self._wait(4, 10)
        self._world.to_sockets.delay_seconds = 0.0

    async def _swallow_sockets(self) -> None:
        links = self._world.to_sockets.draw(0.3)
        for link in links:
            link.swallows = True
        await self._wait(5, 20)
        for link in links:
            link.cut()  # what was swallowed cannot be made up for

    async def _cut_api(self) -> None:
        for link in self._world.to_api.draw(1.0):
            link.cut()

    async def _slow_api(self) -> None:
        self._world.to_api.delay_seconds = self._rng.uniform(0.2, 1.5)
        await self._wait(4, 8)
        self._world.to_api.delay_seconds = 0.0

    # --- PTP --------------------------------------------------------------------------------------

    async def _lose_answers(self) -> None:
        for text in (
            "lost@sessions=4",
            "lost@cdrs=4",
            "lost@commands=2",
            "http_error@cdrs=3:503",
            "hang_up=3",
        ):
            await self._world.ocpi.switch(text)

    async def _slow_ptp(self) -> None:
        await self._world.ocpi.switch(f"late@cdrs=2:{self._rng.choice((5, 15))}")

    async def ptps_down_for_hours(self, step_seconds: float) -> None:
        """All PTPs are away while hours pass: every clock goes forward in steps, each of a quarter of an hour.

        In the last of them they are there again and fail over everything (HTTP 500). Drivers do not tap
        meanwhile, for there is nobody to tap at; those who charge go on charging.
        """
        world = self._world
        world.taps_allowed.clear()
        await self._until_started()
        steps, failing = HOURS_DOWN * 4, HOURS_FAILING * 4
        self.note(f"all PTPs down for {HOURS_DOWN} hours")
        self.done["PTPs down for hours"] = self.done.get("PTPs down for hours", 0) + 1
        world.ear.close()
        for door in world.native:
            door.down = True
        await world.ocpi.switch(f"down=1:{(steps - failing) * step_seconds:.0f}")
        await world.ocpi.switch("http_error=100000:500")  # of what gets there: nothing does while it is down
        for step in range(steps):
            if step == steps - failing:
                world.ear.fails = True
                await world.ear.open()
                self.note("all PTPs answer with HTTP 500")
            await asyncio.sleep(step_seconds)
            world.clock.advance(HOUR_SECONDS / 4)
        await asyncio.sleep(step_seconds)
        for door in world.native:
            door.down = False
        world.ear.fails = False
        await world.ocpi.reset()
        self.note("all PTPs well again")
        world.taps_allowed.set()

    async def _until_started(self) -> None:
        """Nobody is to wait for a charge while hours pass in seconds."""
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while self._world.starting() and time.monotonic() < deadline:
            await asyncio.sleep(0.5)

    async def undo(self) -> None:
        """Take back what might be left."""
        with suppress(Exception):
            await self._world.ocpi.reset()

    async def _wait(self, least: float, most: float) -> None:
        await asyncio.sleep(self._rng.uniform(least, most))


Act = Callable[[Hand], Awaitable[None]]
# How, and what must not be harmed in two ways at once.
_ACTS: dict[Fault, tuple[Act, str]] = {
    Fault.REDIS_KILLED: (Hand._kill_redis, "redis"),
    Fault.REDIS_FLUSHED: (Hand._flush_redis, "redis"),
    Fault.REDIS_FROZEN: (Hand._freeze_redis, "redis"),
    Fault.POSTGRES_STOPPED: (Hand._stop_postgres, "postgres"),
    Fault.WEB_KILLED: (Hand._kill_web, "web"),
    Fault.BOTH_WEBS_KILLED: (Hand._kill_both_webs, "web"),
    Fault.WEB_FROZEN: (Hand._freeze_web, "web"),
    Fault.WORKER_KILLED: (Hand._kill_worker, "worker"),
    Fault.WORKER_BEHEADED: (Hand._behead_worker, "worker"),
    Fault.BEAT_KILLED: (Hand._kill_beat, "beat"),
    Fault.SOCKETS_CUT: (Hand._cut_sockets, "sockets"),
    Fault.SOCKETS_SLOW: (Hand._slow_sockets, "sockets"),
    Fault.SOCKETS_SWALLOWED: (Hand._swallow_sockets, "sockets"),
    Fault.API_CUT: (Hand._cut_api, "api"),
    Fault.API_SLOW: (Hand._slow_api, "api"),
    Fault.PTP_ANSWERS_LOST: (Hand._lose_answers, "ptp"),
    Fault.PTP_SLOW: (Hand._slow_ptp, "ptp"),
}
