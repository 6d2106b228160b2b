"""Reported power as a witness of the register: kWh sent for Wh agree with each other, and with no power. Pure.

A charger whose start value, samples and final value are all kWh without saying so tells a story in which
nothing jumps: 20 kWh look like 20 Wh. Its power alone contradicts it. The witness may raise a doubt and
nothing else: the register is what is billed, because a bill is never more than what is plausible by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

# A decimal place too few of the meter's resolution shows 10 %, kWh for Wh 0.1 %; a vehicle that takes 3.7 kW of
# 22 kW that a charger reports as if it were drawn shows 17 %, one total that is reported on each of three lines 33 %.
LEAST_SHARE_PERCENT = 15
# A register that counts whole kWh is up to 1 kWh behind, and then 1 kWh of 2: never below the share.
LEAST_EVIDENCE_WH = 1_000
LEAST_EVIDENCE_SECONDS = 180.0  # some registers are refreshed once a minute: at 350 kW that alone is 6 kWh
# We ask for samples every few seconds (OCPP_METER_INTERVAL_SECONDS). What lies between two that are further apart
# nobody saw: a pause, an outage, or a clock that was set.
LONGEST_GAP_SECONDS = 600.0
LEAST_POWER_W = 1_000  # a vehicle that charges takes 6 A (IEC 61851-1), 1.4 kW; less is cooling or standby
CEILING_FACTOR = 1.2  # of the connector's power; more is W labelled kW, or a peak of the measurement


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """The power in W that a charger reported at one moment (Power.Active.Import); 0 where it had paused."""

    at: datetime
    power_w: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """The energy that reported power amounts to at least, and the time over which it flowed."""

    energy_wh: float = 0.0
    seconds: float = 0.0


def evidence(points: Iterable[PowerPoint], *, max_power_w: int) -> Evidence:
    """Add up what the points witness together, in any order: between two of them the lower power flowed."""
    lowest: dict[datetime, int] = {}
    for point in points:
        power_w = _believed_w(point.power_w, max_power_w)
        lowest[point.at] = min(power_w, lowest.get(point.at, power_w))
    energy_wh = flowing_seconds = 0.0
    for before, after in pairwise(sorted(lowest)):
        seconds = (after - before).total_seconds()
        power_w = min(lowest[before], lowest[after])
        if power_w and seconds <= LONGEST_GAP_SECONDS:
            energy_wh += power_w * seconds / 3600
            flowing_seconds += seconds
    return Evidence(energy_wh, flowing_seconds)


def contradiction(energy_wh: int, points: Iterable[PowerPoint], *, max_power_w: int) -> str:
    """Return why the register's energy, in Wh, cannot be all that flowed; "" where nothing says so.

    A charger that reports kW figures as W contradicts nothing here: small power is no evidence of anything.
    """
    shown = evidence(points, max_power_w=max_power_w)
    if shown.energy_wh < LEAST_EVIDENCE_WH or shown.seconds < LEAST_EVIDENCE_SECONDS:
        return ""
    if energy_wh * 100 >= LEAST_SHARE_PERCENT * shown.energy_wh:
        return ""
    return (
        f"the register shows {energy_wh} Wh, the reported power at least {shown.energy_wh:.0f} Wh"
        " (kWh sent as Wh?)"
    )


def _believed_w(power_w: int, max_power_w: int) -> int:
    """Return a power that a vehicle can have taken at this connector; any other one is no evidence."""
    return power_w if LEAST_POWER_W <= power_w <= max_power_w * CEILING_FACTOR else 0
