"""Tariff (OCPI mod_tariffs)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from payments.conformance.registry import V221
from payments.conformance.rules import enumerations as words
from payments.conformance.rules.language import (
    Aspect,
    Fault,
    Field,
    Kind,
    cistring,
    integer,
    moment,
    number,
    one_of,
    shape,
    string,
    url,
)  # fmt: skip
from payments.conformance.rules.money import price_limit
from payments.conformance.rules.places import CLOCK, DISPLAY_TEXT, energy_mix

DATE: Final = r"([12][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
CURRENCY: Final = r"[A-Z]{3}"


def _steps_step(value: Any, path: str) -> Iterator[Fault]:
    """A step of nothing cannot be multiplied; a flat fee has no unit, so its step says nothing."""
    step = value.get("step_size")
    if isinstance(step, int) and step < 1 and value.get("type") != "FLAT":
        yield Fault(f"{path}.step_size", Aspect.SENSE, f"a step of at least 1 was expected, {step} came")


def _nothing_below_zero(value: Any, path: str) -> Iterator[Fault]:
    for name in ("price", "vat"):
        found = value.get(name)
        if isinstance(found, int | Decimal) and found < 0:
            yield Fault(f"{path}.{name}", Aspect.SENSE, f"{found} is below zero")


COMPONENT: Final = shape(
    {
        "type": Field(one_of(*words.TARIFF_DIMENSION), "1"),
        "price": Field(number, "1"),
        "vat": Field(number),
        "step_size": Field(integer(), "1"),
    },
    _steps_step,
    _nothing_below_zero,
)
RESTRICTIONS: Final = shape(
    {
        "start_time": Field(string(5, pattern=CLOCK)),
        "end_time": Field(string(5, pattern=CLOCK)),
        "start_date": Field(string(10, pattern=DATE)),
        "end_date": Field(string(10, pattern=DATE)),
        **{f"{end}_{what}": Field(number) for end in ("min", "max") for what in ("kwh", "current", "power")},
        "min_duration": Field(integer(least=0)),
        "max_duration": Field(integer(least=0)),
        "day_of_week": Field(one_of(*words.DAY_OF_WEEK), "*"),
        "reservation": Field(one_of("RESERVATION", "RESERVATION_EXPIRES")),
    }
)
ELEMENT: Final = shape({"price_components": Field(COMPONENT, "+"), "restrictions": Field(RESTRICTIONS)})


def _runs_forward(value: Any, path: str) -> Iterator[Fault]:
    start, end = value.get("start_date_time"), value.get("end_date_time")
    if isinstance(start, str) and isinstance(end, str) and end <= start:
        yield Fault(path, Aspect.SENSE, f"end_date_time {end} is not after start_date_time {start}")


def tariff(version: str) -> Kind:
    """A Tariff."""
    newer = {} if version == V221 else {
        "preauthorize_amount": Field(number), "tax_included": Field(one_of("YES", "NO", "N/A"), "1"),
    }  # fmt: skip
    return shape(
        {
            "country_code": Field(cistring(2, pattern=r"[A-Za-z]{2}"), "1"),
            "party_id": Field(cistring(3, pattern=r"[A-Za-z0-9]{3}"), "1"),
            "id": Field(cistring(36), "1"),
            "currency": Field(string(3, pattern=CURRENCY), "1"),
            "type": Field(one_of(*words.TARIFF_TYPE)),
            "tariff_alt_text": Field(DISPLAY_TEXT, "*"),
            "tariff_alt_url": Field(url),
            "min_price": Field(price_limit(version)),
            "max_price": Field(price_limit(version)),
            "elements": Field(ELEMENT, "+"),
            "start_date_time": Field(moment),
            "end_date_time": Field(moment),
            "energy_mix": Field(energy_mix(version)),
            "last_updated": Field(moment, "1"),
            **newer,
        },
        _runs_forward,
    )
