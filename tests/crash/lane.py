"""One lane: a database, a zygote, chargers and PTPs that live payments, and the hand that kills the server.

`python -m tests.crash.lane` is started by run.py, which gives the order as one JSON line on standard input
and reads the result as one JSON line.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import django
from django.conf import settings

from tests.crash.board import Board
from tests.crash.points import NAMES, SWEEPERS, number_of
from tests.crash.zygote import Zygote
from tests.servers import die_with_parent

CHARGERS = 6  # all of them connect anew in every life of a server
SWEEPER_ARRIVALS = 6  # at whichever points a sweeper reaches
PATIENCE_SECONDS = 1.0  # then any point that is still wanted will do
RESTLESS_SECONDS = 20.0  # nothing reaches a wanted point any more
MOST_RESTLESS = 5  # times; then the server hangs, or the order cannot be met


@dataclass(kw_only=True)
class Order:
    """What a lane is to do: kills by point, and the fault that is planted in the product, if any."""

    wanted: dict[str, int]
    seed: int
    doors: list[str]  # the PTPs by whose terminals drivers pay, charger by charger in turn
    mutant: str = ""
    linger_seconds: float = 0.0
    kills_per_round: int = 200
    calm_seconds: float = 120.0


@dataclass(kw_only=True)
class Result:
    """What came of it."""

    killed: dict[str, int] = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


class Lane:
    """Made before any thread and any connection, for it forks its zygote."""

    def __init__(self, order: Order) -> None:
        from emabler.running.web import bind
        from tests.crash import mutants, processes

        self.order, self.rng = order, random.Random(order.seed)
        self.board = Board()
        self.url = settings.PUBLIC_URL
        self.listener = bind("127.0.0.1", urlsplit(self.url).port or 0)
        self.listener.listen(socket.SOMAXCONN)  # who connects while the server is dead waits for the next one
        processes.warm_up()
        mutants.plant(order.mutant)
        self.zygote = Zygote(processes.roles(self.board, self.listener))
        self.killed = Counter[str]()
        self.breaks: list[str] = []
        self._restless = 0
        self._running: dict[str, int] = {}  # pid by role
        self._births = Counter[str]()
        self._changed = asyncio.Event()

    # --- Processes --------------------------------------------------------------------------------

    def _hear(self) -> None:
        kind, pid, role = self.zygote.news()
        if kind == "born":
            self._births[role] += 1
            self._running[role] = pid
        else:
            self._running.pop(role, None)
        self._changed.set()

    async def start(self, role: str) -> None:
        """Have a process of this role, unless there is one."""
        if role not in self._running:
            births = self._births[role]
            self.zygote.start(role)
            await self._until(lambda: self._births[role] > births)  # it may have died already

    async def kill(self, role: str) -> None:
        """End it, wherever it is."""
        if role in self._running:
            with suppress(ProcessLookupError):
                os.kill(self._running[role], signal.SIGKILL)
            await self._until(lambda: role not in self._running)

    async def _until(self, so: Callable[[], bool], timeout_seconds: float = RESTLESS_SECONDS) -> bool:
        """Wait for news of processes that make it so."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not so():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    # --- Killing ----------------------------------------------------------------------------------

    def wanted(self) -> list[str]:
        """Return the points that lack kills."""
        return [number for number, wanted in self.order.wanted.items() if self.killed[number] < wanted]

    async def kill_once(self) -> bool:
        """Let a process die at a point that lacks kills; returns False when none was reached."""
        wanted = self.wanted()
        if SWEEPERS in wanted and self.rng.random() < 2 / len(wanted):
            return await self._kill_sweeper()
        names = self._most_wanted_first()
        chosen = names[: -(-len(names) // 2)]
        self.board.disarm()
        self.board.arm(dict.fromkeys(chosen, 1))
        await self.start("server")
        if not await self._until(self._server_is_dead, PATIENCE_SECONDS):
            self.board.arm(dict.fromkeys(names, 1))
            if not await self._until(self._server_is_dead):
                self._give_up(wanted)
                return False
        return self._count(self.board.died_at())

    def _most_wanted_first(self) -> list[str]:
        """Names of points by the kills that they lack: what is seldom reached is not left for the end."""
        lacks = {number: wanted - self.killed[number] for number, wanted in self.order.wanted.items()}
        names = [name for name in NAMES if lacks.get(number_of(name), 0) > 0]
        self.rng.shuffle(names)
        return sorted(names, key=lambda name: lacks[number_of(name)], reverse=True)

    async def _kill_sweeper(self) -> bool:
        """Two sweepers at work and no wake-ups: the second one dies somewhere, sometimes the server with it."""
        self.board.disarm()
        self.board.deaf = True
        await self.start("server")
        self.board.arm_sweeper(self.rng.randint(1, SWEEPER_ARRIVALS))
        await self.start("sweeper")
        died = await self._until(lambda: "sweeper" not in self._running)
        self.board.deaf = False
        if self.rng.random() < 0.5:
            await self.kill("server")
        await self.kill("sweeper")
        return died and self._count(SWEEPERS)

    def _give_up(self, wanted: list[str]) -> None:
        self._restless += 1
        if self._restless >= MOST_RESTLESS:
            self.breaks.append(f"never reached: {', '.join(wanted)}")

    def _server_is_dead(self) -> bool:
        return "server" not in self._running

    def _count(self, name: str) -> bool:
        if not name:
            self.breaks.append("the server died by itself; its log says why")
            return False
        self.killed[number_of(name)] += 1
        return True

    # --- A campaign -------------------------------------------------------------------------------

    async def run(self) -> Result:
        """Kill as ordered, in rounds with calm between them."""
        from tests.crash.world import World

        began = time.monotonic()
        asyncio.get_running_loop().add_reader(self.zygote.line, self._hear)
        world = World(self)
        await world.open()
        while self.wanted() and not self.breaks:
            world.begin()
            for _ in range(self.order.kills_per_round):
                if not self.wanted() or not await self.kill_once():
                    break
            self.board.disarm()
            await self.start("server")
            await world.calm(self.order.calm_seconds)
            self.breaks += await world.check()
        await self.kill("server")
        return Result(
            killed=dict(self.killed),
            breaks=self.breaks,
            ends=world.ends(),
            effects=world.effects(),
            seconds=time.monotonic() - began,
            notes=[*world.notes(), f"{self.zygote.cpu_seconds:.0f} s of processor for the servers"],
        )


def main() -> None:
    """Do what the order on standard input says."""
    die_with_parent()
    order = Order(**json.loads(sys.stdin.readline()))
    django.setup()
    lane = Lane(order)
    with asyncio.Runner() as runner:
        result = runner.run(lane.run())
    print(json.dumps(asdict(result)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
