"""The simulation campaign: `make sim N=1000000 [SEED=…]`, one line: `goal | runs | breaks | seed | seconds`.

Life i of a campaign is the life of seed SEED + i, so a break is played again with `make sim N=1 SEED=<it>`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import secrets
import sys
import time
from collections import Counter

from payments.states import WAITING
from sessions_app.states import FINAL
from tests.sim.peers import Charger, Ptp
from tests.sim.rows import MOST_CHASES
from tests.sim.server import Server
from tests.sim.staff import Staff
from tests.sim.world import DAY, World, must

PROCESSES = 2
SHOWN = 5  # breaks that are told in full
BAD_TIMES_SECONDS = 6 * 3600.0
CALM_SECONDS = 12 * DAY  # staff look at what is flagged long before


class LivedLife:
    """One payment from the tap to its end, in bad times and then in calm."""

    def __init__(self, seed: int, server: type[Server] = Server, ptp: type[Ptp] = Ptp) -> None:
        self.world = World(random.Random(seed))
        self.server = server(self.world)
        self.charger = Charger(self.world, self.server)
        self.ptp = ptp(self.world, self.server)
        self.server.charger, self.server.ptp = self.charger, self.ptp
        self.staff = Staff(self.world, self.server, self.ptp)

    def live(self) -> None:
        """Live it, and check what must hold at its end. Raises Broken."""
        self.charger.live()
        self.ptp.live()
        self.staff.live(BAD_TIMES_SECONDS)
        self.world.run(BAD_TIMES_SECONDS)
        self._calm()
        self.world.run(BAD_TIMES_SECONDS + CALM_SECONDS, done=self._at_rest)
        self._check_end()

    def _calm(self) -> None:
        """Faults stop: everything is up, every message arrives."""
        self.world.faulty, self.world.clock_error = False, 0.0
        self.charger.come_back()
        self.server.plan_sweep()
        self.staff.look_after_it()

    def _at_rest(self) -> bool:
        rows = self.server.rows
        if rows.life is None or rows.account is None:
            return False
        ended = rows.life.state in FINAL or rows.needs_review
        # A flag is an end only where nobody tells what happened: a session that staff must look at, a PTP
        # that neither confirms nor answers staff.
        silent = not self.ptp.confirms and not self.ptp.answers_staff
        excused = rows.life.state not in FINAL or (rows.account.due_minor > 0 and silent)
        flagged = rows.account.review is not None or rows.needs_review
        settled = rows.account.state not in WAITING or (excused and flagged)
        chased = rows.transaction != "stray" or rows.chases >= MOST_CHASES
        quiet = chased and all(letter.delivered for letter in rows.letters)
        return settled and ended and quiet and not rows.account.owed_minor

    def _check_end(self) -> None:
        rows, ptp = self.server.rows, self.ptp
        if rows.life is None:
            must(not ptp.captures, "captured without a session")
            return
        assert rows.account is not None
        must(self._at_rest(), f"left without an end: {rows.life.state}, {rows.account.state}")
        must(self.server.starts_on_wire <= 1, "a second start command on the wire (I9)")
        if rows.account.due_minor and rows.account.state not in WAITING:
            booked = rows.account.captured_minor + rows.account.excess_minor
            must(booked == sum(ptp.captures) or rows.account.review is not None, "booked is not taken")
        if not rows.account.due_minor:
            must(not ptp.captures, "captured without a CDR")
        must(rows.account.excess_returned_minor == ptp.returned, "what came back is not what was given back")
        must(ptp.refunds + ptp.returned <= sum(ptp.captures), "more given back than was taken")
        must(rows.transaction != "stray" or rows.cdr_minor is None, "a late start was billed (B5)")


def outcome_of(seed: int) -> tuple[int, str, str]:
    """Play one life: its seed, how it ended, and what broke."""
    life = LivedLife(seed)
    try:
        life.live()
    except Exception as broken:  # noqa: BLE001  (the campaign reports it and goes on)
        return seed, "", f"{type(broken).__name__}: {broken}"
    account = life.server.rows.account
    return seed, "" if account is None else str(account.state), ""


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; exit status 1 when anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    began, broken, ends = time.monotonic(), 0, Counter[str]()
    with multiprocessing.get_context("fork").Pool(min(PROCESSES, os.cpu_count() or 1)) as pool:
        lives = pool.imap_unordered(outcome_of, range(seed, seed + options.runs), chunksize=100)
        for life_seed, end, found in lives:
            ends[end] += 1
            broken += bool(found)
            if found and broken <= SHOWN:
                print(f"seed {life_seed}: {found}", file=sys.stderr)
    told = ", ".join(f"{name or 'none'} {count}" for name, count in ends.most_common())
    print(f"ends: {told}", file=sys.stderr)
    print(f"sim | {options.runs} | {broken} | {seed} | {time.monotonic() - began:.1f}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
