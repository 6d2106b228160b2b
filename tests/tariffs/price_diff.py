"""The price campaign: engine against second pricer on random cases. `make price-diff N=100000 [SEED=…]`.

Prints one line: `goal | runs | breaks | seed | seconds`. Case i of a campaign is the case of seed SEED + i,
so a break is played again with `make price-diff N=1 SEED=<its seed>`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import secrets
import sys
import time
from fractions import Fraction

from tariffs.engine.cost import Cost, LineKind
from tariffs.engine.money import minor_digits
from tariffs.engine.pricing import price
from tests.tariffs.random_cases import random_case
from tests.tariffs.slow_pricer import Bill, Key, slow_price

PROCESSES = 2
SHOWN = 5  # breaks that are told in full


def differences(cost: Cost, bill: Bill) -> list[str]:
    """What the two pricers do not agree on, and what is wrong with the lines in themselves."""
    scale = 10 ** minor_digits(cost.currency)
    pairs = {
        "exact net": (cost.total_excl, bill.excl),
        "exact gross": (cost.total_incl, bill.incl),
        "net": (cost.total_excl_minor, bill.excl_minor),
        "gross": (cost.total_incl_minor, bill.incl_minor),
        "volumes": (_volumes(cost), bill.volumes),
        "sum of net lines": (sum(line.excl_minor for line in cost.lines), bill.excl_minor),
        "sum of gross lines": (sum(line.incl_minor for line in cost.lines), bill.incl_minor),
    }
    found = [
        f"{name}: engine {ours}, second {theirs}" for name, (ours, theirs) in pairs.items() if ours != theirs
    ]
    for line in cost.lines:
        if (
            abs(line.incl_minor - line.incl * scale) >= 1
            or line.excl_minor + line.vat_minor != line.incl_minor
        ):
            found.append(f"line out of place: {line}")
    return found


def _volumes(cost: Cost) -> dict[Key, tuple[Fraction, Fraction, Fraction]]:
    return {
        (
            str(line.dimension),
            str(Fraction(line.price)),
            "None" if line.vat is None else str(Fraction(line.vat)),
        ): (
            line.volume,
            line.excl,
            line.incl,
        )
        for line in cost.lines
        if line.dimension is not LineKind.ADJUSTMENT and line.price is not None
    }


def breaks_of(seed: int) -> tuple[int, list[str]]:
    """Play one case; its seed, and what broke. A pricer that raises has broken."""
    try:
        tariff, usage = random_case(seed)
        return seed, differences(price(tariff, usage), slow_price(tariff, usage))
    except Exception as error:  # noqa: BLE001  (the campaign reports it and goes on)
        return seed, [f"raised {error!r}"]


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; exit status 1 when anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(10**9) if options.seed is None else options.seed
    began, broken = time.monotonic(), 0
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        seeds = range(seed, seed + options.runs)
        for case_seed, found in pool.imap_unordered(breaks_of, seeds, chunksize=50):
            broken += bool(found)
            if found and broken <= SHOWN:
                print(f"seed {case_seed}: {'; '.join(found)}\n{random_case(case_seed)}", file=sys.stderr)
    print(f"price-diff | {options.runs} | {broken} | {seed} | {time.monotonic() - began:.1f}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
