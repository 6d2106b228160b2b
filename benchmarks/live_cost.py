"""Live cost: one more sample, against pricing the whole session again; a finished session, against a naive pricer.

Run: python -m benchmarks.live_cost. Needs no database and no server.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import django

SAMPLES = 480  # two hours, one every 15 seconds
INTERVAL = timedelta(seconds=15)
SESSIONS = 10_000
ROUNDS = 5


def main() -> int:
    """Measure and tell."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

    from benchmarks.seeding import terms
    from tariffs.engine.live import LiveCost
    from tariffs.engine.pricing import price
    from tariffs.engine.usage import Segment, Usage
    from tests import builders
    from tests.tariffs.slow_pricer import slow_price

    tariff = builders.tariff_terms(**terms())
    began = datetime(2026, 5, 4, 20, 30, tzinfo=UTC)  # night begins while it charges
    segments = tuple(
        Segment(began + n * INTERVAL, began + (n + 1) * INTERVAL, 208, power_w=50_000) for n in range(SAMPLES)
    )
    usage = Usage("Europe/Helsinki", segments, started_at=began)
    middle = LiveCost.begin(tariff, "Europe/Helsinki", began)
    for segment in segments[: SAMPLES // 2]:
        middle = middle.advance(segment)
    half = Usage("Europe/Helsinki", segments[: SAMPLES // 2 + 1], started_at=began)
    next_one, state = segments[SAMPLES // 2], middle.to_state()
    assert middle.advance(next_one).cost() == price(tariff, half)

    def from_the_row() -> None:
        LiveCost.from_state(tariff, "Europe/Helsinki", state).advance(next_one).to_state()

    again = _microseconds(lambda: price(tariff, half), 20)
    stored = _microseconds(from_the_row, 500)
    print(f"{'one more sample in the middle of 480':44} {'µs':>8}  ratio")
    _tell("price the session so far again", again, again)
    _tell("advance, with the total", _microseconds(lambda: middle.advance(next_one).totals(), 500), again)
    _tell("the same, read from and written to a row", stored, again)
    print(f"{SESSIONS} running sessions, a sample every {INTERVAL.seconds} s: share of one core")
    for what, each in (("price the session so far again", again), ("incremental, through the row", stored)):
        print(f"  {what:42} {each * SESSIONS / INTERVAL.seconds / 1e4:7.1f}%")
    naive = _microseconds(lambda: slow_price(tariff, usage), 1)
    print(f"{f'a finished session of {SAMPLES} samples':44} {'µs':>8}  ratio")
    _tell("naive: fractions, cut by cut", naive, naive)
    _tell("the engine", _microseconds(lambda: price(tariff, usage), 10), naive)
    return 0


def _tell(what: str, microseconds: float, naive: float) -> None:
    print(f"  {what:42} {microseconds:8.1f}  1/{naive / microseconds:.0f}")


def _microseconds(act: Callable[[], object], times: int) -> float:
    """Return the CPU time of one call, the best of several rounds: everything else is other programs."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            act()
        best = min(best, time.process_time() - began)
    return best / times * 1e6


if __name__ == "__main__":
    sys.exit(main())
