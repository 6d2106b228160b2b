"""The stored form of a tariff: JSON with decimals as strings, the same text for the same terms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tariffs.engine.errors import InputError, InvalidTariff
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

Document = dict[str, Any]

_DECIMALS: Final = ("min_kwh", "max_kwh", "min_current_a", "max_current_a", "min_power_kw", "max_power_kw")
_SECONDS: Final = ("min_duration_seconds", "max_duration_seconds")


def decimal_string(value: Decimal) -> str:
    """The shortest plain writing, so that 0.590 and 0.59 are the same document."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_document(tariff: Tariff) -> Document:
    """The tariff as JSON values; fields that say nothing are left out."""
    return _given(
        {
            "country_code": tariff.country_code,
            "party_id": tariff.party_id,
            "id": tariff.id,
            "currency": tariff.currency,
            "type": tariff.type and tariff.type.value,
            "tax_included": tariff.tax_included.value,
            "elements": [_element_document(element) for element in tariff.elements],
            "min_price": _limit_document(tariff.min_price),
            "max_price": _limit_document(tariff.max_price),
            "preauthorize_amount": _text(tariff.preauthorize_amount),
            "start_at": _iso(tariff.start_at),
            "end_at": _iso(tariff.end_at),
            "alt_texts": [{"language": alt.language, "text": alt.text} for alt in tariff.alt_texts],
            "alt_url": tariff.alt_url,
            "last_updated_at": _iso(tariff.last_updated_at),
        }
    )


def from_document(document: Mapping[str, Any]) -> Tariff:
    """Read what `to_document` wrote. Raises `InvalidTariff` and `UnknownCurrency`."""
    try:
        return _tariff(document)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise InvalidTariff([InputError("", "invalid", f"Not a stored tariff: {error}")]) from error


def _tariff(document: Mapping[str, Any]) -> Tariff:
    return Tariff(
        country_code=document["country_code"],
        party_id=document["party_id"],
        id=document["id"],
        currency=document["currency"],
        type=TariffType(document["type"]) if "type" in document else None,
        tax_included=TaxIncluded(document["tax_included"]),
        elements=tuple(_element(element) for element in document["elements"]),
        min_price=_limit(document.get("min_price")),
        max_price=_limit(document.get("max_price")),
        preauthorize_amount=_decimal(document.get("preauthorize_amount")),
        start_at=_at(document.get("start_at")),
        end_at=_at(document.get("end_at")),
        alt_texts=tuple(AltText(alt["language"], alt["text"]) for alt in document.get("alt_texts", ())),
        alt_url=document.get("alt_url", ""),
        last_updated_at=_at(document.get("last_updated_at")),
    )


def _given(values: Document) -> Document:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _element_document(element: TariffElement) -> Document:
    components = [
        _given(
            {
                "type": component.type.value,
                "price": decimal_string(component.price),
                "vat": _text(component.vat),
                "step_size": component.step_size,
            }
        )
        for component in element.price_components
    ]
    return _given(
        {"price_components": components, "restrictions": _restrictions_document(element.restrictions)}
    )


def _restrictions_document(restrictions: Restrictions) -> Document:
    document: Document = {
        "start_time": restrictions.start_time and restrictions.start_time.strftime("%H:%M"),
        "end_time": restrictions.end_time and restrictions.end_time.strftime("%H:%M"),
        "start_date": restrictions.start_date and restrictions.start_date.isoformat(),
        "end_date": restrictions.end_date and restrictions.end_date.isoformat(),
        "day_of_week": [day.name for day in restrictions.day_of_week],
        "reservation": restrictions.reservation and restrictions.reservation.value,
    }
    document |= {name: _text(getattr(restrictions, name)) for name in _DECIMALS}
    document |= {name: getattr(restrictions, name) for name in _SECONDS}
    return _given(document)


def _limit_document(limit: PriceLimit | None) -> Document | None:
    if limit is None:
        return None
    return _given({"before_taxes": _text(limit.before_taxes), "after_taxes": _text(limit.after_taxes)})


def _element(document: Mapping[str, Any]) -> TariffElement:
    components = tuple(
        PriceComponent(
            type=Dimension(component["type"]),
            price=Decimal(component["price"]),
            vat=_decimal(component.get("vat")),
            step_size=int(component["step_size"]),
        )
        for component in document["price_components"]
    )
    return TariffElement(components, _restrictions(document.get("restrictions", {})))


def _restrictions(document: Mapping[str, Any]) -> Restrictions:
    start_date, end_date = document.get("start_date"), document.get("end_date")
    reservation = document.get("reservation")
    numbers = {name: _decimal(document.get(name)) for name in _DECIMALS}
    return Restrictions(
        start_time=_time(document.get("start_time")),
        end_time=_time(document.get("end_time")),
        start_date=date.fromisoformat(start_date) if start_date else None,
        end_date=date.fromisoformat(end_date) if end_date else None,
        day_of_week=tuple(DayOfWeek[name] for name in document.get("day_of_week", ())),
        reservation=Reservation(reservation) if reservation else None,
        min_duration_seconds=document.get("min_duration_seconds"),
        max_duration_seconds=document.get("max_duration_seconds"),
        **numbers,
    )


def _limit(document: Mapping[str, Any] | None) -> PriceLimit | None:
    if document is None:
        return None
    return PriceLimit(Decimal(document["before_taxes"]), _decimal(document.get("after_taxes")))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_string(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _time(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)
