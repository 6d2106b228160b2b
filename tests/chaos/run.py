"""The chaos campaign: `make chaos`, one line: `goal | runs | breaks | seed | seconds`.

A run is a payment. docs/reliability.md tells what happens to them, and what must hold afterwards.
"""

import argparse
import asyncio
import logging
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.chaos.faults import Hand
from tests.chaos.lives import Size
from tests.chaos.ocpi import cards_of
from tests.chaos.stores import scratch
from tests.chaos.world import World

FINAL_WITHIN_SECONDS = 60.0  # of calm
PATIENCE_SECONDS = 180.0  # then what waits, waits for ever
# Less than that, and a campaign in which nothing happens would break nothing.
CHARGING_SHARE = 0.8  # of the sessions, before the harm begins
CAPTURED_SHARE = 0.5  # of the taps; some never plug in, are declined, or charge where a start was lost
LATE_START_SHARE = 0.1  # of the taps
ENDS_WITHIN_SECONDS = 100.0  # after everybody was asked to end
STORIES = 5  # told in full
SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long each part takes, in seconds."""

    size: Size
    harm_seconds: float
    pause: tuple[float, float]  # between two faults
    step_seconds: float  # in which a quarter of an hour passes while PTPs are down


def plan(sessions: int) -> Plan:
    """A small campaign does in a minute what a large one does in several."""
    if sessions <= 100:
        size = Size(sessions=sessions, ramp_seconds=5, charges_seconds=(10, 40), ends_seconds=10)
        return Plan(size=size, harm_seconds=26, pause=(0.8, 2.0), step_seconds=0.5)
    size = Size(sessions=sessions, ramp_seconds=90, charges_seconds=(150, 450), ends_seconds=60)
    return Plan(size=size, harm_seconds=200, pause=(3.0, 6.0), step_seconds=1.5)


class Campaign:
    """One campaign on a world; `say` hears how it goes."""

    def __init__(self, world: World, plan: Plan, say: Callable[[str], None]) -> None:
        self._world, self._plan, self._say = world, plan, say
        self._hand = Hand(world)
        self.breaks: list[str] = []

    async def run(self) -> None:
        """Play it to its end, and check."""
        world, began = self._world, time.monotonic()
        await world.open()
        _set_django_up(world)
        self._say(f"{time.monotonic() - began:.0f} s to start; drivers come")
        world.begin()
        await self._until_charging()
        self._say(f"{time.monotonic() - began:.0f} s: {world.charging()} charge; harm begins")
        await self._harm()
        self._say(f"{time.monotonic() - began:.0f} s: calm after {len(world.lives)} taps: {self._told()}")
        await self._calm()
        await self._check()

    async def _until_charging(self) -> None:
        deadline = time.monotonic() + 2 * self._plan.size.ramp_seconds + 20
        enough = CHARGING_SHARE * self._plan.size.sessions
        while time.monotonic() < deadline and self._world.charging() < enough:
            await asyncio.sleep(0.5)
        if (charging := self._world.charging()) < enough:
            self.breaks.append(f"{charging} charge before the harm begins, of {self._plan.size.sessions}")

    async def _harm(self) -> None:
        """Half of the harm, hours without PTPs, the other half; the last of it while everybody ends."""
        hand, world, plan = self._hand, self._world, self._plan
        await hand.harm(plan.harm_seconds / 2, plan.pause)
        hours = asyncio.ensure_future(hand.ptps_down_for_hours(plan.step_seconds))
        while not hours.done():
            await hand.harm(1, plan.pause)
        await hours
        await hand.harm(plan.harm_seconds / 2, plan.pause)
        self._say(f"{world.charging()} charge; all are asked to end")
        ending = asyncio.ensure_future(world.close_down(ENDS_WITHIN_SECONDS))
        while not ending.done():
            await hand.harm(1, plan.pause)
        await ending
        await hand.rest()
        await hand.undo()

    async def _calm(self) -> None:
        """Nothing goes wrong any more: wait until everything is final."""
        from tests.chaos import checks

        began, waits = time.monotonic(), {"all": 1}
        final_after: dict[str, float] = {}
        while waits and time.monotonic() - began < PATIENCE_SECONDS:
            waits = await asyncio.to_thread(checks.what_waits)
            for what in ("sessions", "payments", "messages", "commands", "receipts to draw"):
                if what in waits:
                    final_after.pop(what, None)
                else:
                    final_after.setdefault(what, time.monotonic() - began)
            await asyncio.sleep(0.5)
        self._say("final after: " + ", ".join(f"{what} {s:.0f} s" for what, s in final_after.items()))
        late = {what: s for what, s in final_after.items() if s > FINAL_WITHIN_SECONDS}
        if late:
            self.breaks.append(f"not final within {FINAL_WITHIN_SECONDS:.0f} s of calm: {late}")

    async def _check(self) -> None:
        from tests.chaos import checks, story

        world = self._world
        state = await world.ocpi.state()
        cards = world.psp.cards | cards_of(state)
        found = await asyncio.to_thread(checks.check, world.lives, world.chargers, cards)
        self.breaks += [
            f"{count} times: {what}" for what, count in Counter(map(_kind, world.complaints)).items()
        ]
        self.breaks += [f"{each.what} | {each.reference}" for each in found]
        untold = [each for each in state["confirmations"].values() if not each["told"]]
        if untold:
            self.breaks.append(f"{len(untold)} confirmations of the OCPI PTP were not taken: {untold[0]}")
        by_reference = {life.reference: life for life in world.lives}
        for reference in list(dict.fromkeys(each.reference for each in found if each.reference))[:STORIES]:
            life = by_reference[reference]
            effects = cards[reference].effects if reference in cards else []
            lines = await asyncio.to_thread(story.tell, life, effects, self._hand.log)
            self._say("\n".join(lines))
        late = await asyncio.to_thread(checks.late_starts)
        self._say(f"late starts, flagged: {len(late)} {late[:3]}")
        self._check_shares(captured=sum(card.captured > 0 for card in cards.values()), late=len(late))
        self._say(f"ends told after the bill: {await asyncio.to_thread(checks.late_stops)}")
        self._say(f"the OCPI PTP complains: {list(dict.fromkeys(state['complaints']))[:10]}")

    def _check_shares(self, *, captured: int, late: int) -> None:
        taps = len(self._world.lives)
        self._say(f"captured: {captured} of {taps} taps")
        if captured < CAPTURED_SHARE * taps:
            self.breaks.append(f"only {captured} of {taps} taps ended in a capture")
        if late > max(1, LATE_START_SHARE * taps):
            self.breaks.append(f"{late} of {taps} taps ended in a late start")

    def _told(self) -> str:
        everyone = [*self._world.webs, *self._world.workers, self._world.beat, self._world.ptp]
        unasked = {each.name: each.own_ends for each in everyone if each.own_ends}
        answers = {door.name: dict(door.statuses) for door in self._world.native}
        return f"{self._hand.done}; ended unasked: {unasked}; answers: {answers}"


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; exit status 1 when anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=500, help="that charge at once (default 500)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, help="where logs are left")
    options = parser.parse_args(arguments)
    # A simulated charger whose socket is cut leaves answers behind that nobody waits for.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="emabler-chaos-", ignore_cleanup_errors=True) as name:
        directory = scratch(Path(name))
        campaign = _play(directory, options.sessions, seed)
        if options.keep:
            _keep(directory, options.keep, campaign)
    for what in campaign.breaks[:SHOWN]:
        print(what, file=sys.stderr)
    runs, seconds = len(campaign._world.lives), time.monotonic() - began
    print(f"chaos | {runs} | {len(campaign.breaks)} | {seed} | {seconds:.1f}")
    return 1 if campaign.breaks else 0


def _play(directory: Path, sessions: int, seed: int) -> Campaign:
    drawn = plan(sessions)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_play_in_loop(World(directory, drawn.size, seed), drawn))


async def _play_in_loop(world: World, drawn: Plan) -> Campaign:
    campaign = Campaign(world, drawn, lambda text: print(text, file=sys.stderr, flush=True))
    try:
        await campaign.run()
    finally:
        world.end()
    return campaign


def _kind(complaint: str) -> str:
    """A complaint without the ids that make each one another."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}", "…", complaint)


def _set_django_up(world: World) -> None:
    """The checks read the product's rows; until its database is there nothing of it may be imported."""
    import django

    os.environ.update(world.env)
    django.setup()


def _keep(directory: Path, place: Path, campaign: Campaign) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for log in directory.glob("*.log"):
        shutil.copy(log, place)
    (place / "harm.txt").write_text("\n".join(campaign._hand.log))


if __name__ == "__main__":
    sys.exit(main())
