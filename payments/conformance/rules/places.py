"""Location, EVSE and Connector (OCPI mod_locations)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from payments.conformance.registry import V221
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
    one_of_open,
    shape,
    string,
    url,
)  # fmt: skip

CLOCK: Final = r"([0-1][0-9]|2[0-3]):[0-5][0-9]"
LATITUDE: Final = r"-?[0-9]{1,2}\.[0-9]{5,7}"
LONGITUDE: Final = r"-?[0-9]{1,3}\.[0-9]{5,7}"
ALPHA_3: Final = r"[A-Z]{3}"

DISPLAY_TEXT: Final = shape(
    {"language": Field(string(2, pattern=r"[a-z]{2}"), "1"), "text": Field(string(512), "1")}
)
COORDINATES: Final = shape(
    {
        "latitude": Field(string(10, pattern=LATITUDE), "1"),
        "longitude": Field(string(11, pattern=LONGITUDE), "1"),
    }
)
_NAMED_PLACE: Final = shape(
    {
        "latitude": Field(string(10, pattern=LATITUDE), "1"),
        "longitude": Field(string(11, pattern=LONGITUDE), "1"),
        "name": Field(DISPLAY_TEXT),
    }
)
_PERIOD: Final = shape({"period_begin": Field(moment, "1"), "period_end": Field(moment, "1")})
_SCHEDULE: Final = shape(
    {
        "period_begin": Field(moment, "1"),
        "period_end": Field(moment),
        "status": Field(one_of(*words.EVSE_STATUS), "1"),
    }
)


def _hours_are_told(value: Any, path: str) -> Iterator[Fault]:
    if value.get("twentyfourseven") is False and not value.get("regular_hours"):
        yield Fault(path, Aspect.SENSE, "twentyfourseven is false, so regular_hours needs a member")


_HOURS: Final = shape(
    {
        "twentyfourseven": Field(boolean, "1"),
        "regular_hours": Field(
            shape(
                {
                    "weekday": Field(integer(least=1, most=7), "1"),
                    "period_begin": Field(string(5, pattern=CLOCK), "1"),
                    "period_end": Field(string(5, pattern=CLOCK), "1"),
                }
            ),
            "*",
        ),
        "exceptional_openings": Field(_PERIOD, "*"),
        "exceptional_closings": Field(_PERIOD, "*"),
    },
    _hours_are_told,
)


def image(version: str) -> Kind:
    """An Image."""
    return shape(
        {
            "url": Field(url, "1"),
            "thumbnail": Field(url),
            "category": Field(opened(version, *words.IMAGE_CATEGORY), "1"),
            "type": Field(cistring(4), "1"),
            "width": Field(integer(least=0, most=99_999)),
            "height": Field(integer(least=0, most=99_999)),
        }
    )


def business(version: str) -> Kind:
    """BusinessDetails."""
    return shape({"name": Field(string(100), "1"), "website": Field(url), "logo": Field(image(version))})


def energy_mix(version: str) -> Kind:
    """An EnergyMix."""
    impact = opened(version, "NUCLEAR_WASTE", "CARBON_DIOXIDE")
    source = {"source": Field(one_of(*words.ENERGY_SOURCE), "1"), "percentage": Field(number, "1")}
    return shape(
        {
            "is_green_energy": Field(boolean, "1"),
            "energy_sources": Field(shape(source), "*"),
            "environ_impact": Field(
                shape({"category": Field(impact, "1"), "amount": Field(number, "1")}), "*"
            ),
            "supplier_name": Field(string(64)),
            "energy_product_name": Field(string(64)),
        }
    )


def connector(version: str) -> Kind:
    """A Connector."""
    newer = {} if version == V221 else {"capabilities": Field(one_of_open(), "*")}
    return shape(
        {
            "id": Field(cistring(36), "1"),
            "standard": Field(opened(version, *words.CONNECTOR_TYPE), "1"),
            "format": Field(one_of("SOCKET", "CABLE"), "1"),
            "power_type": Field(one_of(*words.POWER_TYPE), "1"),
            "max_voltage": Field(integer(least=0), "1"),
            "max_amperage": Field(integer(least=0), "1"),
            "max_electric_power": Field(integer(least=0)),
            "tariff_ids": Field(cistring(36), "*"),
            "terms_and_conditions": Field(url),
            "last_updated": Field(moment, "1"),
            **newer,
        }
    )


def evse(version: str) -> Kind:
    """An EVSE with its connectors."""
    newer = {}
    if version != V221:
        position = one_of("LEFT", "RIGHT", "CENTER")
        spot = shape({"parking_id": Field(cistring(36), "1"), "evse_position": Field(position)})
        newer = {"parking": Field(spot, "*"), "accepted_service_providers": Field(string(50), "*")}
    return shape(
        {
            "uid": Field(cistring(36), "1"),
            "evse_id": Field(cistring(48)),
            "status": Field(one_of(*words.EVSE_STATUS), "1"),
            "status_schedule": Field(_SCHEDULE, "*"),
            "capabilities": Field(opened(version, *words.CAPABILITY), "*"),
            "connectors": Field(connector(version), "+"),
            "floor_level": Field(string(4)),
            "coordinates": Field(COORDINATES),
            "physical_reference": Field(string(16)),
            "directions": Field(DISPLAY_TEXT, "*"),
            "parking_restrictions": Field(opened(version, *words.PARKING_RESTRICTION), "*"),
            "images": Field(image(version), "*"),
            "last_updated": Field(moment, "1"),
            **newer,
        }
    )


def location(version: str) -> Kind:
    """A Location with its EVSEs."""
    details = business(version)
    newer = {} if version == V221 else {"help_phone": Field(cistring(25)), "parking_places": _PARKING_PLACES}
    return shape(
        {
            "country_code": Field(cistring(2, pattern=r"[A-Za-z]{2}"), "1"),
            "party_id": Field(cistring(3, pattern=r"[A-Za-z0-9]{3}"), "1"),
            "id": Field(cistring(36), "1"),
            "publish": Field(boolean, "1"),
            "name": Field(string(255)),
            "address": Field(string(255), "1"),
            "city": Field(string(45), "1"),
            "postal_code": Field(string(10)),
            "state": Field(string(45)),
            "country": Field(string(3, pattern=ALPHA_3), "1"),
            "coordinates": Field(COORDINATES, "1"),
            "related_locations": Field(_NAMED_PLACE, "*"),
            "parking_type": Field(opened(version, *words.PARKING_TYPE)),
            "evses": Field(evse(version), "*"),
            "directions": Field(DISPLAY_TEXT, "*"),
            "operator": Field(details),
            "suboperator": Field(details),
            "owner": Field(details),
            "facilities": Field(opened(version, *words.FACILITY), "*"),
            "time_zone": Field(string(255), "1"),
            "opening_times": Field(_HOURS),
            "charging_when_closed": Field(boolean),
            "images": Field(image(version), "*"),
            "energy_mix": Field(energy_mix(version)),
            "last_updated": Field(moment, "1"),
            **newer,
        }
    )


_PARKING_PLACES: Final = Field(
    shape(
        {
            "id": Field(cistring(36), "1"),
            "physical_reference": Field(string(12)),
            "vehicle_types": Field(one_of_open(), "+"),
            "restricted_to_type": Field(boolean, "1"),
            "reservation_required": Field(boolean, "1"),
        }
    ),
    "*",
)
