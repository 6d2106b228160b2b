"""Session and CDR with their parts (OCPI mod_sessions, mod_cdrs)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from payments.conformance.rules import enumerations as words
from payments.conformance.rules.enumerations import opened
from payments.conformance.rules.language import (
    Aspect,
    Fault,
    Field,
    Kind,
    boolean,
    cistring,
    integer,
    moment,
    number,
    one_of,
    shape,
    string,
)  # fmt: skip
from payments.conformance.rules.money import price
from payments.conformance.rules.places import ALPHA_3, COORDINATES
from payments.conformance.rules.prices import CURRENCY, tariff

_PARTY: Final = {
    "country_code": Field(cistring(2, pattern=r"[A-Za-z]{2}"), "1"),
    "party_id": Field(cistring(3, pattern=r"[A-Za-z0-9]{3}"), "1"),
}


def cdr_token(version: str) -> Kind:
    """A CdrToken."""
    return shape(
        {
            **_PARTY,
            "uid": Field(cistring(36), "1"),
            "type": Field(opened(version, *words.TOKEN_TYPE), "1"),
            "contract_id": Field(cistring(36), "1"),
        }
    )


def period(dimensions: tuple[str, ...]) -> Kind:
    """A ChargingPeriod whose dimensions are of these types."""
    dimension = shape({"type": Field(one_of(*dimensions), "1"), "volume": Field(number, "1")})
    return shape(
        {
            "start_date_time": Field(moment, "1"),
            "dimensions": Field(dimension, "+"),
            "tariff_id": Field(cistring(36)),
        }
    )


def session(version: str) -> Kind:
    """A Session."""
    return shape(
        {
            **_PARTY,
            "id": Field(cistring(36), "1"),
            "start_date_time": Field(moment, "1"),
            "end_date_time": Field(moment),
            "kwh": Field(number, "1"),
            "cdr_token": Field(cdr_token(version), "1"),
            "auth_method": Field(one_of(*words.AUTH_METHOD), "1"),
            "authorization_reference": Field(cistring(36)),
            "location_id": Field(cistring(36), "1"),
            "evse_uid": Field(cistring(36), "1"),
            "connector_id": Field(cistring(36), "1"),
            "meter_id": Field(string(255)),
            "currency": Field(string(3, pattern=CURRENCY), "1"),
            "charging_periods": Field(period(words.SESSION_DIMENSION), "*"),
            "total_cost": Field(price(version)),
            "status": Field(one_of(*words.SESSION_STATUS), "1"),
            "last_updated": Field(moment, "1"),
        },
        _ends_after_it_starts,
    )


def _ends_after_it_starts(value: Any, path: str) -> Iterator[Fault]:
    start, end = value.get("start_date_time"), value.get("end_date_time")
    if isinstance(start, str) and isinstance(end, str) and end[:19] < start[:19]:
        yield Fault(path, Aspect.SENSE, f"end_date_time {end} is before start_date_time {start}")


def _cdr_location(version: str) -> Kind:
    return shape(
        {
            "id": Field(cistring(36), "1"),
            "name": Field(string(255)),
            "address": Field(string(45), "1"),
            "city": Field(string(45), "1"),
            "postal_code": Field(string(10)),
            "state": Field(string(20)),
            "country": Field(string(3, pattern=ALPHA_3), "1"),
            "coordinates": Field(COORDINATES, "1"),
            "evse_uid": Field(cistring(36), "1"),
            "evse_id": Field(cistring(48), "1"),
            "connector_id": Field(cistring(36), "1"),
            "connector_standard": Field(opened(version, *words.CONNECTOR_TYPE), "1"),
            "connector_format": Field(one_of("SOCKET", "CABLE"), "1"),
            "connector_power_type": Field(one_of(*words.POWER_TYPE), "1"),
        }
    )


_SIGNED: Final = shape(
    {
        "encoding_method": Field(cistring(36), "1"),
        "encoding_method_version": Field(integer()),
        "public_key": Field(string(512)),
        "signed_values": Field(
            shape(
                {
                    "nature": Field(cistring(32), "1"),
                    "plain_data": Field(string(5000), "1"),
                    "signed_data": Field(string(5000), "1"),
                }
            ),
            "+",
        ),
        "url": Field(string(512)),
    }
)


def _credit_names_its_original(value: Any, path: str) -> Iterator[Fault]:
    name = value.get("id")
    if value.get("credit") and not value.get("credit_reference_id"):
        yield Fault(path, Aspect.MISSING, "credit is true, so credit_reference_id is required")
    if not value.get("credit") and isinstance(name, str) and len(name) > 36:
        yield Fault(f"{path}.id", Aspect.TEXT, "only a credit CDR may have an id of more than 36 characters")


def cdr(version: str) -> Kind:
    """A CDR."""
    cost = Field(price(version))
    return shape(
        {
            **_PARTY,
            "id": Field(cistring(39), "1"),
            "start_date_time": Field(moment, "1"),
            "end_date_time": Field(moment, "1"),
            "session_id": Field(cistring(36)),
            "cdr_token": Field(cdr_token(version), "1"),
            "auth_method": Field(one_of(*words.AUTH_METHOD), "1"),
            "authorization_reference": Field(cistring(36)),
            "cdr_location": Field(_cdr_location(version), "1"),
            "meter_id": Field(string(255)),
            "currency": Field(string(3, pattern=CURRENCY), "1"),
            "tariffs": Field(tariff(version), "*"),
            "charging_periods": Field(period(words.CDR_DIMENSION), "+"),
            "signed_data": Field(_SIGNED),
            "total_cost": Field(price(version), "1"),
            "total_fixed_cost": cost,
            "total_energy": Field(number, "1"),
            "total_energy_cost": cost,
            "total_time": Field(number, "1"),
            "total_time_cost": cost,
            "total_parking_time": Field(number),
            "total_parking_cost": cost,
            "total_reservation_cost": cost,
            "remark": Field(string(255)),
            "invoice_reference_id": Field(cistring(39)),
            "credit": Field(boolean),
            "credit_reference_id": Field(cistring(39)),
            "home_charging_compensation": Field(boolean),
            "last_updated": Field(moment, "1"),
        },
        _credit_names_its_original,
        _ends_after_it_starts,
    )
