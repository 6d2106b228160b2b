"""Terms: what a tariff says, as one frozen value (OCPI 2.3.0 mod_tariffs, and 2.2.1 mapped to it).

Shapes of the wire are parsed elsewhere; `tariffs.engine.document` stores these values.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction

from tariffs.engine.errors import InputError, InvalidTariff
from tariffs.engine.money import minor_digits


class Dimension(enum.StrEnum):
    """What a price component prices (OCPI TariffDimensionType)."""

    ENERGY = "ENERGY"  # price per kWh, step_size in Wh
    TIME = "TIME"  # charging: price per hour, step_size in seconds
    PARKING_TIME = "PARKING_TIME"  # connected and not charging: price per hour, step_size in seconds
    FLAT = "FLAT"  # once per session, step_size without meaning


class TaxIncluded(enum.StrEnum):
    """Whether the prices of a tariff contain taxes (OCPI TaxIncluded)."""

    YES = "YES"  # prices include VAT
    NO = "NO"  # VAT comes on top; the only meaning of OCPI 2.2.1
    NOT_APPLICABLE = "N/A"  # no taxes apply


class TariffType(enum.StrEnum):
    """Which sessions a tariff is for (OCPI TariffType); a tariff without a type is for all."""

    AD_HOC_PAYMENT = "AD_HOC_PAYMENT"  # paid at a terminal
    PROFILE_CHEAP = "PROFILE_CHEAP"  # charging preference CHEAP
    PROFILE_FAST = "PROFILE_FAST"  # charging preference FAST
    PROFILE_GREEN = "PROFILE_GREEN"  # charging preference GREEN
    REGULAR = "REGULAR"  # token without a charging preference


class Reservation(enum.StrEnum):
    """Marks an element that prices a reservation; it never matches a charging session."""

    RESERVATION = "RESERVATION"  # the time of a reservation
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"  # a reservation that nobody used


class DayOfWeek(enum.IntEnum):
    """Days as `date.weekday()` numbers them; the names are OCPI's."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


def _require(condition: bool, path: str, message: str) -> None:
    if not condition:
        raise InvalidTariff([InputError(path, "invalid", message)])


def _not_negative(value: object, names: tuple[str, ...]) -> None:
    for name in names:
        number = getattr(value, name)
        if number is None:
            continue
        finite = not isinstance(number, Decimal) or number.is_finite()
        _require(finite and number >= 0, name, "The number cannot be negative.")


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """Price of one dimension: per kWh, per hour or per session, with or without VAT as the tariff says.

    `vat` is a percentage; `None` means that no VAT is applicable. `step_size` 0 and 1 are harmless:
    0 does not round at all, 1 rounds up to a whole Wh or second.
    """

    type: Dimension
    price: Decimal
    vat: Decimal | None = None
    step_size: int = 1

    def __post_init__(self) -> None:
        _not_negative(self, ("price", "vat", "step_size"))


@dataclass(frozen=True, slots=True)
class Restrictions:
    """When an element applies: every given restriction matches (AND), min inclusive, max exclusive.

    Times, dates and days are the site's local ones. `day_of_week` empty means every day; the day is
    that of the moment itself, also for a period that wraps over midnight.
    """

    start_time: time | None = None
    end_time: time | None = None
    start_date: date | None = None
    end_date: date | None = None
    day_of_week: tuple[DayOfWeek, ...] = ()
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current_a: Decimal | None = None
    max_current_a: Decimal | None = None
    min_power_kw: Decimal | None = None
    max_power_kw: Decimal | None = None
    min_duration_seconds: int | None = None
    max_duration_seconds: int | None = None
    reservation: Reservation | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "day_of_week", tuple(sorted(set(self.day_of_week))))
        _not_negative(self, ("min_kwh", "max_kwh", "min_current_a", "max_current_a"))
        _not_negative(self, ("min_power_kw", "max_power_kw", "min_duration_seconds", "max_duration_seconds"))


@dataclass(frozen=True, slots=True)
class TariffElement:
    """Price components that share restrictions."""

    price_components: tuple[PriceComponent, ...]
    restrictions: Restrictions = Restrictions()

    def __post_init__(self) -> None:
        _require(bool(self.price_components), "price_components", "An element has a price component.")


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """A least or greatest cost of a session (OCPI PriceLimit); before and after taxes bind on their own."""

    before_taxes: Decimal
    after_taxes: Decimal | None = None

    def __post_init__(self) -> None:
        _not_negative(self, ("before_taxes", "after_taxes"))
        after = self.before_taxes if self.after_taxes is None else self.after_taxes
        _require(after >= self.before_taxes, "after_taxes", "After taxes is not below before taxes.")


@dataclass(frozen=True, slots=True)
class AltText:
    """A note to the driver in one language (OCPI DisplayText)."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff as agreed with a driver. Frozen: a session keeps the value it started with.

    Raises `UnknownCurrency` and `InvalidTariff`.
    """

    country_code: str
    party_id: str
    id: str
    currency: str
    elements: tuple[TariffElement, ...]
    tax_included: TaxIncluded = TaxIncluded.NO
    type: TariffType | None = None
    min_price: PriceLimit | None = None
    max_price: PriceLimit | None = None
    preauthorize_amount: Decimal | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    alt_texts: tuple[AltText, ...] = ()
    alt_url: str = ""
    last_updated_at: datetime | None = None

    def __post_init__(self) -> None:
        minor_digits(self.currency)
        _require(bool(self.elements), "elements", "A tariff has an element.")
        _not_negative(self, ("preauthorize_amount",))

    def is_valid_at(self, at: datetime) -> bool:
        """Whether a session may start with this tariff at that moment.

        Both ends count: `start_date_time` is when it becomes active, `end_date_time` the time after which it
        is no longer valid (OCPI 2.3.0 mod_tariffs; its example ends at 23:59:59).
        """
        return (self.start_at is None or self.start_at <= at) and (self.end_at is None or at <= self.end_at)

    def session_components(self) -> Iterator[tuple[TariffElement, PriceComponent]]:
        """Every component that can price a charging session, in order of the list."""
        for element in self.elements:
            if element.restrictions.reservation is None:
                for component in element.price_components:
                    yield element, component

    def vat_rate(self, component: PriceComponent) -> Decimal:
        """The percentage that the component bears; 0 where none is named or no tax applies."""
        if self.tax_included is TaxIncluded.NOT_APPLICABLE or component.vat is None:
            return Decimal(0)
        return component.vat

    def unit_price(self, component: PriceComponent) -> tuple[Fraction, Fraction]:
        """Exact price per kWh, hour or session: excluding and including VAT.

        The side that the tariff writes stays as written, so a price of 0.59 including VAT is 0.59.
        """
        price, factor = Fraction(component.price), 1 + Fraction(self.vat_rate(component)) / 100
        if self.tax_included is TaxIncluded.YES:
            return price / factor, price
        return price, price * factor

    def taxes_unknown(self) -> bool:
        """Whether taxes come on top and no component says how much (OCPI's North American way)."""
        return self.tax_included is TaxIncluded.NO and all(
            component.vat is None for _, component in self.session_components()
        )
