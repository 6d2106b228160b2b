"""From OCPP 1.6 `meterValue` lists to readings in our words (OCPP 1.6 §7.33, §7.43). Pure."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from chargers.facts import MeterReading
from chargers.ocpp.numbers import read_number, read_register_wh, read_time
from chargers.ocpp.signed_values import is_signed

REGISTER = "Energy.Active.Import.Register"
MOST_READINGS = 1000  # of one message; a frame of 64 KiB does not hold more honest ones
_POWER_FACTOR = {"W": 1, "kW": 1000, "": 1}
_WHERE = ("Outlet", "", "Inlet")  # where the vehicle's energy is measured, best first

Sample = dict[str, Any]


def read_meter_values(meter_values: Any, received_at: datetime) -> tuple[MeterReading, ...]:
    """Return one reading per (timestamp, context), in the order sent; what is unreadable says so in `problem`."""
    if not isinstance(meter_values, list):
        return ()
    readings: list[MeterReading] = []
    for meter_value in meter_values:
        if isinstance(meter_value, dict) and len(readings) < MOST_READINGS:
            readings.extend(_read_meter_value(meter_value, received_at))
    return tuple(readings)


def _read_meter_value(meter_value: Sample, received_at: datetime) -> Iterable[MeterReading]:
    sampled_at, time_problem = read_time(meter_value.get("timestamp"), received_at)
    samples = meter_value.get("sampledValue")
    by_context: dict[str, list[Sample]] = {}
    for sample in samples if isinstance(samples, list) else []:
        if isinstance(sample, dict) and not is_signed(sample):
            by_context.setdefault(_word(sample, "context") or "Sample.Periodic", []).append(sample)
    for context, group in by_context.items():
        yield _reading(group, context, sampled_at, received_at, time_problem)


def _reading(
    samples: list[Sample], context: str, sampled_at: datetime, received_at: datetime, time_problem: str
) -> MeterReading:
    register_wh, register_problem = _register(_of(samples, REGISTER, ""))
    return MeterReading(
        sampled_at=sampled_at,
        received_at=received_at,
        register_wh=register_wh,
        power_w=_power(_of(samples, "Power.Active.Import")),
        current_a=_current(_of(samples, "Current.Import")),
        soc_percent=_soc(_of(samples, "SoC")),
        context=context[:40],
        problem="; ".join(filter(None, (time_problem, register_problem)))[:200],
    )


def _word(sample: Sample, key: str) -> str:
    value = sample.get(key)
    return value if isinstance(value, str) else ""


def _of(samples: list[Sample], *measurands: str) -> list[Sample]:
    """Return the samples of a measurand, from the best place: without a phase if there are any, else by phase."""
    found = [s for s in samples if _word(s, "measurand") in measurands]
    for place in _WHERE:
        here = [s for s in found if _word(s, "location") == place]
        if here:
            return [s for s in here if not _word(s, "phase")][-1:] or _lines(here)
    return []


def _lines(samples: list[Sample]) -> list[Sample]:
    """Return one sample per line conductor; N and line-to-line rows are left out."""
    by_line: dict[str, Sample] = {}
    for sample in samples:
        line = _word(sample, "phase").removesuffix("-N")
        if line in ("L1", "L2", "L3"):
            by_line[line] = sample
    return list(by_line.values())


def _register(samples: list[Sample]) -> tuple[int | None, str]:
    if not samples:
        return None, ""
    # Sums are formed from exact values, so that three lines of 0.4 Wh are 1 Wh and not 0.
    total = Decimal(0)
    for sample in samples:
        value, unit = read_number(sample.get("value")), sample.get("unit", "Wh")
        checked, problem = read_register_wh(sample.get("value"), unit)
        if checked is None or value is None:
            return None, problem
        total += value * (1000 if unit == "kWh" else 1)
    return int(total.to_integral_value()), ""


def _power(samples: list[Sample]) -> int | None:
    total = Decimal(0)
    for sample in samples:
        value, factor = read_number(sample.get("value")), _POWER_FACTOR.get(_word(sample, "unit"))
        if value is None or factor is None or value < 0:
            return None
        total += value * factor
    return int(total.to_integral_value()) if samples and total < 10**8 else None


def _current(samples: list[Sample]) -> Decimal | None:
    values = [read_number(s.get("value")) for s in samples]
    readable = [v for v in values if v is not None and 0 <= v < 10_000]
    return max(readable).quantize(Decimal("0.001")) if readable else None


def _soc(samples: list[Sample]) -> int | None:
    value = read_number(samples[0].get("value")) if samples else None
    return int(value) if value is not None and 0 <= value <= 100 else None
