"""Those who live payments around the server: chargers, drivers, PTPs; and the calm in which all must end."""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from tests.campaigns.witnesses import Card, Psp
from tests.crash import checks
from tests.crash.fleet import Charger
from tests.crash.lives import Door, Life, draw, live
from tests.crash.mutants import MUTANTS
from tests.crash.native import NativePtp, WebhookEar
from tests.crash.network import LISTENS, OCPI, POLLS
from tests.crash.ocpi import OcpiPtp

if TYPE_CHECKING:
    from tests.crash.lane import Lane

MOST_COMPLAINTS = 20
SLOW_SHARE = 0.25
LONG_ENOUGH_SECONDS = 20.0  # of calm for what is only late, on a machine that is not slow


class World:
    """Of one lane."""

    def __init__(self, lane: "Lane") -> None:
        from tests.crash.lane import CHARGERS

        self._lane = lane
        self._rng = random.Random(lane.order.seed + 1)
        self.url = lane.url
        self.psp = Psp()
        self.lives: list[Life] = []
        self._checked = 0
        self._closing = False
        self._drivers: list[asyncio.Task[None]] = []
        self._background: list[asyncio.Task[None]] = []
        self.chargers = [
            Charger(number, f"{lane.url.replace('http', 'ws', 1)}/ocpp", asks_first=number % 2 == 0)
            for number in range(CHARGERS)
        ]
        self._doors: list[Door] = []
        self._ocpi: OcpiPtp | None = None
        self._calms: list[float] = []

    async def open(self) -> None:
        """Connect the chargers and open the doors."""
        order = self._lane.order
        listening = NativePtp(LISTENS, self.url, self.psp, complain=self.complain)
        listening.slow_share = SLOW_SHARE
        if order.mutant:  # so that a message that is sent again finds the payment still due
            listening.slow_share, listening.slow_seconds = 1.0, (4.0, 7.0)
        ear = WebhookEar(listening, self._rng, faulty=not order.mutant)
        await ear.start()
        await asyncio.to_thread(checks.prepare, ear.url, ocpi=OCPI in order.doors)
        doors: dict[str, Door] = {LISTENS: listening}
        if POLLS in order.doors:
            polling = doors[POLLS] = NativePtp(POLLS, self.url, self.psp, complain=self.complain)
            self._keep(polling.poll())
        if OCPI in order.doors:
            self._ocpi = doors[OCPI] = OcpiPtp(self.url)
            await self._lane.start("server")
            await self._ocpi.open()
        self._doors = [doors[name] for name in order.doors]
        for charger in self.chargers:
            self._keep(charger.station.run())

    def complain(self, what: str) -> None:
        """Note what a peer must never see."""
        if len(self._lane.breaks) < MOST_COMPLAINTS:
            self._lane.breaks.append(what)

    def begin(self) -> None:
        """Let drivers come, one after the other at each charger."""
        self._closing = False
        self._drivers = [
            asyncio.get_running_loop().create_task(self._drive(number))
            for number in range(len(self.chargers))
        ]

    async def _drive(self, number: int) -> None:
        charger = self.chargers[number]
        while not self._closing:
            door = self._doors[number % len(self._doors)]
            reference = str(uuid.UUID(int=self._rng.getrandbits(128)))
            life = Life(draw(self._rng), charger, door.name, reference)
            life.linger_seconds = self._lane.order.linger_seconds
            self.lives.append(life)
            try:
                await live(life, door, self._rng)
            except Exception as error:  # noqa: BLE001  (the campaign reports it and goes on)
                self.complain(f"{life.kind} at {charger.identity}: {type(error).__name__}: {error}")

    async def calm(self, timeout_seconds: float) -> None:
        """No more drivers, no more kills: wait until every life is over and every message told."""
        self._closing = True
        began = time.monotonic()
        await asyncio.wait(self._drivers, timeout=timeout_seconds)
        for driver in self._drivers:
            driver.cancel()
        while time.monotonic() - began < timeout_seconds and await asyncio.to_thread(checks.something_waits):
            if time.monotonic() - began > LONG_ENOUGH_SECONDS and await asyncio.to_thread(
                self._planted_shows
            ):
                break
            await asyncio.sleep(0.1)
        self._calms.append(time.monotonic() - began)

    def _planted_shows(self) -> bool:
        """Whether the planted fault, if any, is caught already: what it has lost would be waited for in vain."""
        mutant = MUTANTS.get(self._lane.order.mutant)
        if mutant is None:
            return False
        breaks = checks.check(self.lives[self._checked :], self.chargers, self._cards())
        return any(mutant.shows in what for what in breaks)

    async def check(self) -> list[str]:
        """Return what is wrong with the lives since the last check."""
        lives, self._checked = self.lives[self._checked :], len(self.lives)
        if self._ocpi is not None:
            self._lane.breaks += [f"the PTP complains: {what}" for what in self._ocpi.complaints()]
        return await asyncio.to_thread(checks.check, lives, self.chargers, self._cards())

    def _cards(self) -> dict[str, Card]:
        return {**self.psp.cards, **(self._ocpi.cards() if self._ocpi is not None else {})}

    def effects(self) -> dict[str, int]:
        """Return how often cards were touched, by kind."""
        return dict(Counter(effect for card in self._cards().values() for effect in card.effects))

    def ends(self) -> dict[str, int]:
        """Return how many lives of each kind there were."""
        return dict(Counter(str(life.kind) for life in self.lives))

    def notes(self) -> list[str]:
        """Return what is worth knowing beside breaks."""
        took = ", ".join(f"{seconds:.1f}" for seconds in self._calms)
        return [f"{len(self.lives)} payments; seconds of calm until all had ended: {took}"]

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside the drivers, for as long as the lane lives."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._mourn)
        self._background.append(task)

    def _mourn(self, peer: "asyncio.Task[None]") -> None:
        if not peer.cancelled():
            self.complain(f"a peer broke down: {peer.exception()!r}")
