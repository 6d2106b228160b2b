"""OCPI Tariff objects: read from 2.2.1 and 2.3.0 shapes into our terms, and written back.

OCPI 2.3.0 mod_tariffs. Unknown fields are ignored (2.3.0 transport); faults are collected, so that a
person sees all of them at once. JSON is loaded with `parse_float=Decimal`; a float is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.prices import read_price
from payments.ocpi.reading import Reader, given
from tariffs.engine.document import decimal_string
from tariffs.engine.errors import InvalidTariff, UnknownCurrency
from tariffs.engine.money import minor_digits
from tariffs.engine.terms import (
    AltText,
    DayOfWeek,
    Dimension,
    PriceComponent,
    PriceLimit,
    Reservation,
    Restrictions,
    Tariff,
    TariffElement,
    TariffType,
    TaxIncluded,
)
from tariffs.price_text import alt_texts

# More than any tariff needs, and few enough that a hostile one is priced in no time.
MAX_ELEMENTS: Final = 100
MAX_COMPONENTS: Final = 20
MAX_ALT_TEXTS: Final = 50
MAX_PRICE: Final = Decimal(1_000_000)
MAX_KWH: Final = Decimal(100_000)
MAX_SECONDS: Final = 366 * 86_400
MAX_STEP: Final = 10_000_000

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE: Final = re.compile(r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


def parse_tariff(obj: object, *, path: str = "") -> Tariff:
    """Read an OCPI Tariff of either version.

    `path` is where the object stands in its document, as in `tariffs[0]`. A tariff without
    `tax_included` is of 2.2.1, where prices exclude VAT. Raises `InvalidTariff` with every fault.
    """
    reader = Reader(obj, path)
    fields = _tariff_fields(reader)
    if reader.errors:
        raise InvalidTariff(reader.errors)
    return Tariff(**fields)


def _tariff_fields(reader: Reader) -> dict[str, Any]:
    included = reader.choice("tax_included", TaxIncluded)
    return {
        "country_code": reader.text("country_code", longest=2, required=True),
        "party_id": reader.text("party_id", longest=3, required=True),
        "id": reader.text("id", longest=36, required=True),
        "currency": _currency(reader),
        "type": reader.choice("type", TariffType),
        "tax_included": included or TaxIncluded.NO,
        "elements": tuple(_element(item) for item in reader.items("elements", most=MAX_ELEMENTS, least=1)),
        "min_price": _limit(reader, "min_price"),
        "max_price": _limit(reader, "max_price"),
        "preauthorize_amount": reader.number("preauthorize_amount", most=MAX_PRICE),
        "start_at": reader.moment("start_date_time"),
        "end_at": reader.moment("end_date_time"),
        "alt_texts": tuple(_alt_text(item) for item in reader.items("tariff_alt_text", most=MAX_ALT_TEXTS)),
        "alt_url": reader.text("tariff_alt_url", longest=255) or "",
        "last_updated_at": reader.moment("last_updated"),
    }


def _currency(reader: Reader) -> str:
    currency = reader.text("currency", longest=3, required=True)
    if currency:
        try:
            minor_digits(currency)
        except UnknownCurrency as error:
            reader.fault("currency", "unknown_currency", str(error))
    return currency or ""


def _element(reader: Reader) -> TariffElement | None:
    items = reader.items("price_components", most=MAX_COMPONENTS, least=1)
    components = tuple(component for item in items if (component := _component(item)) is not None)
    restrictions = _restrictions(reader.part("restrictions"))
    return None if reader.errors else TariffElement(components, restrictions)


def _component(reader: Reader) -> PriceComponent | None:
    dimension = reader.choice("type", Dimension, required=True)
    price = reader.number("price", most=MAX_PRICE, required=True)
    vat = reader.number("vat", most=Decimal(100))
    step_size = reader.whole("step_size", most=MAX_STEP)
    if reader.errors or dimension is None or price is None:
        return None
    return PriceComponent(dimension, price, vat, 1 if step_size is None else step_size)


def _restrictions(reader: Reader | None) -> Restrictions:
    if reader is None:
        return Restrictions()
    values: dict[str, Any] = {
        "start_time": reader.parsed("start_time", _TIME, time.fromisoformat),
        "end_time": reader.parsed("end_time", _TIME, time.fromisoformat),
        "start_date": reader.parsed("start_date", _DATE, date.fromisoformat),
        "end_date": reader.parsed("end_date", _DATE, date.fromisoformat),
        "day_of_week": tuple(reader.names("day_of_week", DayOfWeek)),
        "min_kwh": reader.number("min_kwh", most=MAX_KWH),
        "max_kwh": reader.number("max_kwh", most=MAX_KWH),
        "min_current_a": reader.number("min_current", most=MAX_KWH),
        "max_current_a": reader.number("max_current", most=MAX_KWH),
        "min_power_kw": reader.number("min_power", most=MAX_KWH),
        "max_power_kw": reader.number("max_power", most=MAX_KWH),
        "min_duration_seconds": reader.whole("min_duration", most=MAX_SECONDS),
        "max_duration_seconds": reader.whole("max_duration", most=MAX_SECONDS),
        "reservation": reader.choice("reservation", Reservation),
    }
    return Restrictions() if reader.errors else Restrictions(**values)


def _limit(reader: Reader, name: str) -> PriceLimit | None:
    """A PriceLimit (2.3.0), or a Price of 2.2.1 or 2.3.0: before and, where given, after taxes."""
    limit = reader.part(name)
    price = read_price(limit)
    if limit is None or price is None:
        return None
    # A 2.3.0 Price without taxes and a PriceLimit without `after_taxes` look the same: no second limit.
    says_after = price.taxes or {"after_taxes", "incl_vat"} & limit.fields.keys()
    return PriceLimit(price.excl, price.incl if says_after else None)


def _alt_text(reader: Reader) -> AltText:
    language = reader.text("language", longest=2, required=True)
    return AltText((language or "").lower(), reader.text("text", longest=512, required=True) or "")


def tariff_document(
    terms: Tariff,
    version: str = Version.V2_3_0,
    *,
    languages: Iterable[str] = (),
    hold_amount: Decimal | None = None,
) -> dict[str, Any]:
    """Write an OCPI Tariff, numbers as Decimal, times as `…Z`; fields that say nothing are left out.

    With `languages`, `tariff_alt_text` is the whole price in each of them, for terminals that show nothing
    else; without, it is the operator's own notes, as OCPI wants it beside `elements`. `hold_amount` is what
    a terminal preauthorises, where it is not the tariff's own `preauthorize_amount`.
    """
    notes = alt_texts(terms, languages) or terms.alt_texts
    hold = terms.preauthorize_amount if hold_amount is None else Decimal(decimal_string(hold_amount))
    document = given(
        {
            "country_code": terms.country_code,
            "party_id": terms.party_id,
            "id": terms.id,
            "currency": terms.currency,
            "type": terms.type and terms.type.value,
            "tariff_alt_text": [{"language": alt.language, "text": alt.text} for alt in notes],
            "tariff_alt_url": terms.alt_url,
            "min_price": _limit_document(terms.min_price),
            "max_price": _limit_document(terms.max_price),
            "elements": [_element_document(element) for element in terms.elements],
            "start_date_time": utc_text(terms.start_at),
            "end_date_time": utc_text(terms.end_at),
            "last_updated": utc_text(terms.last_updated_at),
            "tax_included": terms.tax_included.value,
            "preauthorize_amount": hold,
        }
    )
    return in_dialect(Kind.TARIFF, document, Version(version))


def utc_text(at: datetime | None) -> str | None:
    """An OCPI DateTime: UTC, whole seconds, `Z` (an offset of `+00:00` is not allowed)."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def _element_document(element: TariffElement) -> dict[str, Any]:
    components = [_component_document(item) for item in element.price_components]
    return given(
        {"price_components": components, "restrictions": _restrictions_document(element.restrictions)}
    )


def _component_document(component: PriceComponent) -> dict[str, Any]:
    return given(
        {
            "type": component.type.value,
            "price": component.price,
            "vat": component.vat,
            "step_size": component.step_size,
        }
    )


def _restrictions_document(restrictions: Restrictions) -> dict[str, Any]:
    return given(
        {
            "start_time": restrictions.start_time and restrictions.start_time.strftime("%H:%M"),
            "end_time": restrictions.end_time and restrictions.end_time.strftime("%H:%M"),
            "start_date": restrictions.start_date and restrictions.start_date.isoformat(),
            "end_date": restrictions.end_date and restrictions.end_date.isoformat(),
            "min_kwh": restrictions.min_kwh,
            "max_kwh": restrictions.max_kwh,
            "min_current": restrictions.min_current_a,
            "max_current": restrictions.max_current_a,
            "min_power": restrictions.min_power_kw,
            "max_power": restrictions.max_power_kw,
            "min_duration": restrictions.min_duration_seconds,
            "max_duration": restrictions.max_duration_seconds,
            "day_of_week": [day.name for day in restrictions.day_of_week],
            "reservation": restrictions.reservation and restrictions.reservation.value,
        }
    )


def _limit_document(limit: PriceLimit | None) -> dict[str, Any] | None:
    if limit is None:
        return None
    return given({"before_taxes": limit.before_taxes, "after_taxes": limit.after_taxes})
