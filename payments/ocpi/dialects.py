"""The differences of OCPI 2.2.1 (with DirectPayment) and 2.3.0, and nothing else.

Everything is written in the shape of 2.3.0; `in_dialect` takes it to the version that a peer speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final

from tariffs.engine.money import minor_digits

Document = dict[str, Any]


class Version(StrEnum):
    """A version of OCPI that we speak."""

    V2_2_1 = "2.2.1"  # with the DirectPayment extension
    V2_3_0 = "2.3.0"  # with the module `payments`


class Kind(StrEnum):
    """An object that is not the same in both versions; what is not here is."""

    LOCATION = "Location"
    EVSE = "EVSE"
    CONNECTOR = "Connector"
    TARIFF = "Tariff"
    SESSION = "Session"
    CDR = "CDR"
    CONFIRMATION = "FinancialAdviceConfirmation"
    CREDENTIALS = "Credentials"


def in_dialect(kind: Kind, document: Document, version: Version) -> Document:
    """The document, which is of 2.3.0, as `version` has it; fields that it does not know pass untouched."""
    return document if version is Version.V2_3_0 else _TO_2_2_1[kind](document)


# --- Money ----------------------------------------------------------------------------------------

FOUR_DECIMALS: Final = Decimal("0.0001")  # OCPI types, number
_COSTS: Final = (
    "total_cost",
    "total_costs",
    "total_fixed_cost",
    "total_energy_cost",
    "total_time_cost",
    "total_parking_cost",
    "total_reservation_cost",
)


def _price(price: Document) -> Document:
    """Price: `before_taxes` and `taxes` are `excl_vat` and `incl_vat`."""
    before: Decimal = price["before_taxes"]
    return {
        "excl_vat": before,
        "incl_vat": before + sum((tax["amount"] for tax in price.get("taxes", ())), start=Decimal(0)),
    }


def _with_prices(document: Document) -> Document:
    return {name: _price(value) if name in _COSTS else value for name, value in document.items()}


def _limit(limit: Document) -> Document:
    """PriceLimit: the same two amounts under the names of 2.2.1's Price."""
    names = {"before_taxes": "excl_vat", "after_taxes": "incl_vat"}
    return {names.get(name, name): value for name, value in limit.items()}


# --- Tariffs --------------------------------------------------------------------------------------


def _tariff(tariff: Document) -> Document:
    """Net prices without `tax_included`; the amount to preauthorise is `max_price`.

    The extension of 2.2.1 has no other field for the hold; that it caps the bill as well does no harm, as
    we never bill beyond the hold.
    """
    included = tariff.get("tax_included", "NO")
    rates = _rates(tariff, included)
    written = {
        name: value for name, value in tariff.items() if name not in ("tax_included", "preauthorize_amount")
    }
    limits: Document = {name: _limit(tariff[name]) for name in ("min_price", "max_price") if name in tariff}
    hold = tariff.get("preauthorize_amount")
    if hold is not None:
        limits["max_price"] = _hold(hold, limits.get("max_price"), rates, tariff["currency"])
    elements = [_element(element, included) for element in tariff["elements"]]
    return {**written, **limits, "elements": elements}


def published_hold(tariff: Document) -> Decimal | None:
    """The amount that a PTP preauthorises for a tariff as we sent it, whatever the version."""
    hold = tariff.get("preauthorize_amount")
    limit = tariff.get("max_price")
    if hold is None and limit is not None and "tax_included" not in tariff:
        hold = limit.get("incl_vat", limit["excl_vat"])
    return None if hold is None else Decimal(hold)


def _rates(tariff: Document, included: str) -> list[Decimal]:
    """The VAT percentages of the components, 0 where none is named or none applies."""
    components = (part for element in tariff["elements"] for part in element["price_components"])
    return [Decimal(0) if included == "N/A" else part.get("vat", Decimal(0)) for part in components]


def _hold(hold: Decimal, own: Document | None, rates: list[Decimal], currency: str) -> Document:
    """`max_price` for a hold: the tariff's own one where that is not higher.

    `incl_vat` is what the terminal preauthorises. `excl_vat` binds on its own, so it goes by the lowest rate
    and is rounded up: otherwise a bill within the hold could be beyond it.
    """
    unit = Decimal(1).scaleb(-minor_digits(currency))
    if own is not None:
        highest = own["excl_vat"] * (1 + max(rates) / 100)
        own_incl = own.get("incl_vat", highest.quantize(unit, ROUND_HALF_UP))
        if own_incl <= hold:
            return {"excl_vat": own["excl_vat"], "incl_vat": own_incl}
    net = hold / (1 + min(rates) / 100)
    return {"excl_vat": min(net.quantize(unit, ROUND_CEILING), hold), "incl_vat": hold}


def _element(element: Document, included: str) -> Document:
    return {
        **element,
        "price_components": [_component(part, included) for part in element["price_components"]],
    }


def _component(component: Document, included: str) -> Document:
    written = dict(component)
    if included == "YES":
        written["price"] = _net(component["price"], component.get("vat", Decimal(0)))
    if included == "N/A":
        written.pop("vat", None)
    return written


def _net(gross: Decimal, percentage: Decimal) -> Decimal:
    """Without VAT, to four decimals: a net price from a gross one may not end."""
    if not percentage:
        return gross
    return (gross / (1 + percentage / 100)).quantize(FOUR_DECIMALS, ROUND_HALF_UP)


# --- Locations ------------------------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Enums that 2.3.0 opened; these are the values that 2.2.1 knows.
_CAPABILITIES: Final = _words(
    """
    CHARGING_PROFILE_CAPABLE CHARGING_PREFERENCES_CAPABLE CHIP_CARD_SUPPORT CONTACTLESS_CARD_SUPPORT
    CREDIT_CARD_PAYABLE DEBIT_CARD_PAYABLE PED_TERMINAL REMOTE_START_STOP_CAPABLE RESERVABLE RFID_READER
    START_SESSION_CONNECTOR_REQUIRED TOKEN_GROUP_CAPABLE UNLOCK_CAPABLE
    """
)
_CONNECTOR_TYPES: Final = _words(
    """
    CHADEMO CHAOJI DOMESTIC_A DOMESTIC_B DOMESTIC_C DOMESTIC_D DOMESTIC_E DOMESTIC_F DOMESTIC_G DOMESTIC_H
    DOMESTIC_I DOMESTIC_J DOMESTIC_K DOMESTIC_L DOMESTIC_M DOMESTIC_N DOMESTIC_O GBT_AC GBT_DC
    IEC_60309_2_single_16 IEC_60309_2_three_16 IEC_60309_2_three_32 IEC_60309_2_three_64 IEC_62196_T1
    IEC_62196_T1_COMBO IEC_62196_T2 IEC_62196_T2_COMBO IEC_62196_T3A IEC_62196_T3C NEMA_5_20 NEMA_6_30
    NEMA_6_50 NEMA_10_30 NEMA_10_50 NEMA_14_30 NEMA_14_50 PANTOGRAPH_BOTTOM_UP PANTOGRAPH_TOP_DOWN TESLA_R
    TESLA_S
    """
)
_FACILITIES: Final = _words(
    """
    HOTEL RESTAURANT CAFE MALL SUPERMARKET SPORT RECREATION_AREA NATURE MUSEUM BIKE_SHARING BUS_STOP
    TAXI_STAND TRAM_STOP METRO_STATION TRAIN_STATION AIRPORT PARKING_LOT CARPOOL_PARKING FUEL_STATION WIFI
    """
)
_PARKING_RESTRICTIONS: Final = frozenset({"EV_ONLY", "PLUGGED", "DISABLED", "CUSTOMERS", "MOTORCYCLES"})
_PARKING_TYPES: Final = _words(
    """
    ALONG_MOTORWAY PARKING_GARAGE PARKING_LOT ON_DRIVEWAY ON_STREET UNDERGROUND_GARAGE
    """
)
_IMAGE_CATEGORIES: Final = _words("CHARGER ENTRANCE LOCATION NETWORK OPERATOR OTHER OWNER")
_IMPACTS: Final = frozenset({"NUCLEAR_WASTE", "CARBON_DIOXIDE"})


def connector_standard(standard: str, power_type: str) -> str:
    """A ConnectorType of 2.2.1. A plug that it has no name for goes by the nearest one that it has.

    A connector without a standard, or with an unknown one, can make a strict peer drop the whole site.
    """
    if standard in _CONNECTOR_TYPES:
        return standard
    if standard == "SAE_J3400":  # the same plug (OCPI 2.3.0 mod_locations, TESLA_S)
        return "TESLA_S"
    return "IEC_62196_T2_COMBO" if power_type == "DC" else "IEC_62196_T2"


def _location(location: Document) -> Document:
    written = _without(location, "parking_places", "help_phone")
    _keep_known(written, "facilities", _FACILITIES)
    if written.get("parking_type") not in _PARKING_TYPES:
        written.pop("parking_type", None)
    _rewrite(written, "images", _images)
    for party in ("operator", "suboperator", "owner"):
        _rewrite(written, party, _business_details)
    _rewrite(written, "energy_mix", _energy_mix)
    _rewrite(written, "evses", lambda evses: [_evse(evse) for evse in evses])
    return written


def _evse(evse: Document) -> Document:
    written = _without(evse, "parking", "accepted_service_providers")
    _keep_known(written, "capabilities", _CAPABILITIES)
    _keep_known(written, "parking_restrictions", _PARKING_RESTRICTIONS)
    _rewrite(written, "images", _images)
    _rewrite(written, "connectors", lambda connectors: [_connector(item) for item in connectors])
    return written


def _connector(connector: Document) -> Document:
    standard = connector_standard(connector["standard"], connector["power_type"])
    return _without(connector, "capabilities") | {"standard": standard}


def _images(images: Any) -> Any:
    return [_image(image) for image in images] if isinstance(images, list) else images


def _image(image: Any) -> Any:
    if not isinstance(image, dict) or image.get("category") in _IMAGE_CATEGORIES:
        return image
    return image | {"category": "OTHER"}


def _business_details(details: Any) -> Any:
    if not isinstance(details, dict) or "logo" not in details:
        return details
    return details | {"logo": _image(details["logo"])}


def _energy_mix(mix: Any) -> Any:
    if not isinstance(mix, dict) or not isinstance(mix.get("environ_impact"), list):
        return mix
    known = [
        item for item in mix["environ_impact"] if isinstance(item, dict) and item.get("category") in _IMPACTS
    ]
    return mix | {"environ_impact": known}


def _without(document: Document, *names: str) -> Document:
    return {name: value for name, value in document.items() if name not in names}


def _keep_known(document: Document, name: str, known: frozenset[str]) -> None:
    """Drop the values of a list that a closed enum does not have, and the list with the last of them."""
    values = document.get(name)
    values = values if isinstance(values, list) else []
    kept = [value for value in values if isinstance(value, str) and value in known]
    if kept:
        document[name] = kept
    else:
        document.pop(name, None)


def _rewrite(document: Document, name: str, change: Callable[[Any], Any]) -> None:
    if name in document:
        document[name] = change(document[name])


# --- The rest -------------------------------------------------------------------------------------


def _cdr(cdr: Document) -> Document:
    written = _with_prices(cdr)
    if "tariffs" in cdr:
        written["tariffs"] = [_tariff(tariff) for tariff in cdr["tariffs"]]
    if "cdr_location" in cdr:
        place = cdr["cdr_location"]
        standard = connector_standard(place["connector_standard"], place["connector_power_type"])
        written["cdr_location"] = place | {"connector_standard": standard}
    return written


def _credentials(credentials: Document) -> Document:
    """2.2.1 tells of a hub by the role HUB alone."""
    return _without(credentials, "hub_party_id")


_TO_2_2_1: Final[dict[Kind, Callable[[Document], Document]]] = {
    Kind.LOCATION: _location,
    Kind.EVSE: _evse,
    Kind.CONNECTOR: _connector,
    Kind.TARIFF: _tariff,
    Kind.SESSION: _with_prices,
    Kind.CDR: _cdr,
    Kind.CONFIRMATION: _with_prices,
    Kind.CREDENTIALS: _credentials,
}
