"""OCPI CDR objects of either version, read: what a bill says, with every required field checked.

OCPI 2.3.0 mod_cdrs. What a session used, to price it again, is read by `charging_periods`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from payments.ocpi.locations import ConnectorFormat, PowerType, read_place
from payments.ocpi.prices import Price, read_price
from payments.ocpi.reading import Reader
from payments.ocpi.sessions import MAX_KWH, AuthMethod, read_periods
from payments.ocpi.tariffs import parse_tariff
from payments.ocpi.tokens import read_cdr_token
from tariffs.engine.errors import InvalidTariff
from tariffs.engine.terms import Tariff

MAX_TARIFFS: Final = 50
MAX_HOURS: Final = Decimal(24 * 366)
MAX_SIGNED_VALUES: Final = 10_000
PARTIAL_COSTS: Final = (
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)


@dataclass(frozen=True, slots=True)
class CdrEntry:
    """A CDR as its document tells it; `costs` are the partial totals that it names."""

    country_code: str
    party_id: str
    id: str
    started_at: datetime
    ended_at: datetime
    cdr_token: Mapping[str, str]
    auth_method: AuthMethod
    currency: str
    total: Price
    costs: Mapping[str, Price]
    energy_kwh: Decimal
    hours: Decimal
    parking_hours: Decimal | None
    tariffs: tuple[Tariff, ...]
    charging_periods: tuple[Mapping[str, Any], ...]
    updated_at: datetime
    session_id: str = ""
    authorization_reference: str = ""
    invoice_reference_id: str = ""
    credit: bool = False
    credit_reference_id: str = ""


def parse_cdr(obj: object, *, path: str = "") -> CdrEntry:
    """Read an OCPI CDR. Only a credit may have a negative total, and it names its original.

    Raises `InvalidInput` with every fault.
    """
    reader = Reader(obj, path)
    fields = _names(reader) | _money(reader) | _usage(reader)
    _check_location(reader)
    _check_signed_data(reader.part("signed_data"))
    reader.require_sound()
    return CdrEntry(**fields)


def _names(reader: Reader) -> dict[str, Any]:
    return {
        "country_code": reader.ci_text("country_code", longest=2, required=True),
        "party_id": reader.ci_text("party_id", longest=3, required=True),
        "id": reader.ci_text("id", longest=39, required=True),
        "session_id": reader.ci_text("session_id", longest=36) or "",
        "cdr_token": read_cdr_token(reader, "cdr_token"),
        "auth_method": reader.choice("auth_method", AuthMethod, required=True),
        "authorization_reference": reader.ci_text("authorization_reference", longest=36) or "",
        "invoice_reference_id": reader.ci_text("invoice_reference_id", longest=39) or "",
        "updated_at": reader.moment("last_updated", required=True),
    }


def _money(reader: Reader) -> dict[str, Any]:
    credit = reader.flag("credit", default=False)
    reader.value("total_cost", required=True)
    costs = {name: read_price(reader.part(name)) for name in PARTIAL_COSTS}
    return {
        "currency": reader.text("currency", longest=3, required=True),
        "tariffs": tuple(_tariffs(reader)),
        "total": read_price(reader.part("total_cost"), signed=credit),
        "costs": {name: price for name, price in costs.items() if price is not None},
        "credit": credit,
        "credit_reference_id": reader.ci_text("credit_reference_id", longest=39, required=credit) or "",
    }


def _tariffs(reader: Reader) -> list[Tariff]:
    tariffs = []
    for item in reader.items("tariffs", most=MAX_TARIFFS):
        try:
            tariffs.append(parse_tariff(item.fields, path=item.path))
        except InvalidTariff as error:
            reader.errors.extend(error.errors)
    return tariffs


def _usage(reader: Reader) -> dict[str, Any]:
    return {
        "started_at": reader.moment("start_date_time", required=True),
        "ended_at": reader.moment("end_date_time", required=True),
        "energy_kwh": reader.number("total_energy", most=MAX_KWH, required=True),
        "hours": reader.number("total_time", most=MAX_HOURS, required=True),
        "parking_hours": reader.number("total_parking_time", most=MAX_HOURS),
        "charging_periods": read_periods(reader, least=1),
    }


def _check_location(reader: Reader) -> None:
    reader.value("cdr_location", required=True)
    place = reader.part("cdr_location")
    if place is None:
        return
    for name, longest in (("id", 36), ("evse_uid", 36), ("evse_id", 48), ("connector_id", 36)):
        place.ci_text(name, longest=longest, required=True)
    for name, longest in (("address", 45), ("city", 45), ("country", 3), ("connector_standard", 32)):
        place.text(name, longest=longest, required=True)
    place.value("coordinates", required=True)
    read_place(place.part("coordinates"))
    place.choice("connector_format", ConnectorFormat, required=True)
    place.choice("connector_power_type", PowerType, required=True)


def _check_signed_data(signed: Reader | None) -> None:
    if signed is None:
        return
    signed.ci_text("encoding_method", longest=36, required=True)
    signed.text("public_key", longest=512)
    for value in signed.items("signed_values", most=MAX_SIGNED_VALUES, least=1):
        value.ci_text("nature", longest=32, required=True)
        value.value("plain_data", required=True)
        value.text("signed_data", longest=5_000, required=True)
