"""The tariffs and usages that these tests share: a test shows only what differs."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tariffs.engine.terms import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tariffs.engine.usage import Segment, SegmentState, Usage

MONDAY = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 7, 8, 0, tzinfo=UTC)


def component(kind: str, price: str, vat: str | None = None, step_size: int = 1) -> PriceComponent:
    """`kind` is an OCPI dimension; prices and rates are decimal strings."""
    rate = None if vat is None else Decimal(vat)
    return PriceComponent(Dimension(kind), Decimal(price), rate, step_size)


def element(*components: PriceComponent, **restrictions: Any) -> TariffElement:
    """Components under restrictions given by their names."""
    return TariffElement(components, Restrictions(**restrictions))


def tariff(*elements: TariffElement, currency: str = "EUR", **fields: Any) -> Tariff:
    """A tariff of our demonstration CPO."""
    return Tariff("FI", "DEM", "day", currency, elements, **fields)


def charging(start_at: datetime, minutes: float, energy_wh: Any = 0, **fields: Any) -> Segment:
    """A stretch of charging."""
    end_at = start_at + timedelta(minutes=minutes)
    return Segment(start_at, end_at, energy_wh, SegmentState.CHARGING, **fields)


def parked(start_at: datetime, minutes: float) -> Segment:
    """A stretch of being connected without charging."""
    return Segment(start_at, start_at + timedelta(minutes=minutes), 0, SegmentState.PARKED)


def session(
    start_at: datetime,
    *,
    time_zone: str = "UTC",
    charge: tuple[float, Any] = (0, 0),
    park: float = 0,
    **fields: Any,
) -> Usage:
    """Charging for (minutes, Wh), then parking for so many minutes."""
    minutes, energy_wh = charge
    segments = [charging(start_at, minutes, energy_wh, **fields)] if minutes else []
    if park:
        segments.append(parked(start_at + timedelta(minutes=minutes), park))
    return Usage(time_zone, tuple(segments))
