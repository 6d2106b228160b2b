"""OCPI Location objects: read from 2.2.1 and 2.3.0 shapes into our sites, EVSEs and connectors, and written back.

OCPI 2.3.0 mod_locations. A Location is a whole: a field that it leaves out is empty. Fields that we do not
use are kept as they came (`source`) and are written back. JSON is loaded with `parse_float=Decimal`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.countries import ALPHA_3
from payments.ocpi.reading import Reader
from payments.ocpi.tariffs import utc_text
from tariffs.engine.errors import InvalidInput, UnknownTimeZone
from tariffs.engine.wall_clock import find_zone

# Beyond any site on earth; they bound what one hostile document can make us do.
MAX_EVSES: Final = 5_000
MAX_CONNECTORS: Final = 20
MAX_TARIFFS: Final = 50
MAX_VOLTS: Final = 10_000
MAX_AMPERES: Final = 10_000
MAX_POWER_W: Final = 100_000_000

_PRINTABLE_ID: Final = re.compile(r"[!-~]+")  # CiString: ASCII without space
_COUNTRY_CODE: Final = re.compile(r"[A-Za-z]{2}")
_PARTY_ID: Final = re.compile(r"[A-Za-z0-9]{3}")
_DEGREES: Final = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,7})?")
_DATE: Final = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")


class PowerType(StrEnum):
    """How a connector delivers; `max_voltage` of three phases is line to neutral."""

    AC_1_PHASE = "AC_1_PHASE"
    AC_2_PHASE = "AC_2_PHASE"  # two of the three phases
    AC_2_PHASE_SPLIT = "AC_2_PHASE_SPLIT"  # split phase, two times 120 V
    AC_3_PHASE = "AC_3_PHASE"
    DC = "DC"


class ConnectorFormat(StrEnum):
    """Who brings the cable."""

    SOCKET = "SOCKET"  # the driver
    CABLE = "CABLE"  # the charger


PHASES: Final = {
    PowerType.AC_1_PHASE: 1,
    PowerType.AC_2_PHASE: 2,
    PowerType.AC_2_PHASE_SPLIT: 2,
    PowerType.AC_3_PHASE: 3,
    PowerType.DC: 1,
}
_WRITTEN_FROM_STATE: Final = frozenset({"last_updated"})
_CONNECTOR_FIELDS: Final = _WRITTEN_FROM_STATE | {
    "id", "standard", "format", "power_type", "max_voltage", "max_amperage", "max_electric_power", "tariff_ids",
}  # fmt: skip
_EVSE_FIELDS: Final = _WRITTEN_FROM_STATE | {"uid", "evse_id", "status", "physical_reference", "connectors"}
_LOCATION_FIELDS: Final = _WRITTEN_FROM_STATE | {
    "country_code", "party_id", "id", "publish", "name", "address", "city", "postal_code", "country", "coordinates",
    "time_zone", "commissioned_on", "evses",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """A connector as its document describes it."""

    connector_id: str
    standard: str
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_power_w: int
    tariff_ids: tuple[str, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EvseEntry:
    """An EVSE; `status` is OCPI's word and is only written: what we offer is what the charger reports."""

    uid: str
    evse_id: str = ""
    physical_reference: str = ""
    removed: bool = False
    connectors: tuple[ConnectorEntry, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)
    status: str = "UNKNOWN"
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """A site (OCPI: Location) with all that stands there."""

    country_code: str
    party_id: str
    location_id: str
    country: str
    time_zone: str
    name: str = ""
    address: str = ""
    city: str = ""
    postal_code: str = ""
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    publish: bool = True
    commissioned_on: date | None = None
    evses: tuple[EvseEntry, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)
    updated_at: datetime | None = None


def parse_location(obj: object, *, path: str = "") -> SiteEntry:
    """Read an OCPI Location; `path` is where it stands in its document.

    Raises `InvalidInput` with every fault.
    """
    reader = Reader(obj, path)
    site = read_location(reader)
    if reader.errors:
        raise InvalidInput(reader.errors)
    return site


def read_location(reader: Reader) -> SiteEntry:
    """Read what can be read, faulty fields as empty ones, so that a caller can look for further faults.

    The value counts only while `reader.errors` is empty.
    """
    latitude, longitude = _coordinates(reader.part("coordinates"))
    return SiteEntry(
        country_code=_matching(reader, "country_code", _COUNTRY_CODE, longest=2),
        party_id=_matching(reader, "party_id", _PARTY_ID, longest=3),
        location_id=_matching(reader, "id", _PRINTABLE_ID, longest=36),
        country=_country(reader),
        time_zone=_time_zone(reader),
        name=reader.text("name", longest=255) or "",
        address=reader.text("address", longest=255) or "",
        city=reader.text("city", longest=45) or "",
        postal_code=reader.text("postal_code", longest=10) or "",
        latitude=latitude,
        longitude=longitude,
        publish=_flag(reader, "publish", default=True),
        commissioned_on=reader.parsed("commissioned_on", _DATE, date.fromisoformat),
        evses=tuple(_evse(item) for item in reader.items("evses", most=MAX_EVSES)),
        source=_source(reader, _LOCATION_FIELDS),
    )


def _evse(reader: Reader) -> EvseEntry:
    status = reader.text("status", longest=20) or ""
    connectors = reader.items("connectors", most=MAX_CONNECTORS)
    return EvseEntry(
        uid=_matching(reader, "uid", _PRINTABLE_ID, longest=36),
        evse_id=reader.text("evse_id", longest=48) or "",
        physical_reference=reader.text("physical_reference", longest=16) or "",
        removed=status == "REMOVED",
        connectors=tuple(_connector(item) for item in connectors),
        source=_source(reader, _EVSE_FIELDS),
    )


def _connector(reader: Reader) -> ConnectorEntry:
    power_type = reader.choice("power_type", PowerType, required=True) or PowerType.AC_1_PHASE
    volts = _positive(reader, "max_voltage", most=MAX_VOLTS, required=True)
    amperes = _positive(reader, "max_amperage", most=MAX_AMPERES, required=True)
    power_w = _positive(reader, "max_electric_power", most=MAX_POWER_W)
    return ConnectorEntry(
        connector_id=_matching(reader, "id", _PRINTABLE_ID, longest=36),
        standard=reader.text("standard", longest=32, required=True) or "",
        format=(reader.choice("format", ConnectorFormat) or ConnectorFormat.CABLE).value,
        power_type=power_type.value,
        max_voltage=volts,
        max_amperage=amperes,
        max_power_w=power_w or volts * amperes * PHASES[power_type],
        tariff_ids=reader.texts("tariff_ids", longest=36, most=MAX_TARIFFS),
        source=_source(reader, _CONNECTOR_FIELDS),
    )


def _matching(reader: Reader, name: str, pattern: re.Pattern[str], *, longest: int) -> str:
    value = reader.text(name, longest=longest, required=True)
    if value and not pattern.fullmatch(value):
        reader.fault(name, "invalid", "The text does not have the expected form.")
        return ""
    return value or ""


def _positive(reader: Reader, name: str, *, most: int, required: bool = False) -> int:
    value = reader.whole(name, most=most, required=required)
    if value == 0:
        reader.fault(name, "invalid", "The number must be above zero.")
    return value or 0


def _flag(reader: Reader, name: str, *, default: bool) -> bool:
    value = reader.value(name)
    if value is not None and not isinstance(value, bool):
        reader.fault(name, "invalid", "true or false is expected.")
    return value if isinstance(value, bool) else default


def _country(reader: Reader) -> str:
    country = reader.text("country", longest=3, required=True) or ""
    if country and country not in ALPHA_3:
        reader.fault("country", "unknown_country", "An ISO 3166-1 alpha-3 code is expected, as in FIN.")
    return country


def _time_zone(reader: Reader) -> str:
    name = reader.text("time_zone", longest=255, required=True) or ""
    if name:
        try:
            find_zone(name)
        except UnknownTimeZone as error:
            reader.fault("time_zone", "unknown_time_zone", str(error))
    return name


def _coordinates(reader: Reader | None) -> tuple[Decimal | None, Decimal | None]:
    if reader is None:
        return None, None
    return _degrees(reader, "latitude", most=90), _degrees(reader, "longitude", most=180)


def _degrees(reader: Reader, name: str, *, most: int) -> Decimal | None:
    reader.value(name, required=True)
    degrees = reader.parsed(name, _DEGREES, Decimal)
    if degrees is not None and abs(degrees) > most:
        reader.fault(name, "invalid", f"Between -{most} and {most} degrees.")
        return None
    return degrees


def _source(reader: Reader, known: frozenset[str]) -> dict[str, Any]:
    return _given({name: plain(value) for name, value in reader.fields.items() if name not in known})


def plain(value: object) -> Any:
    """A JSON value as a database stores it: decimals become numbers of JSON again.

    What passes here is never priced: the shares of an energy mix, say.
    """
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def location_document(site: SiteEntry) -> dict[str, Any]:
    """Write an OCPI Location; empty fields are left out, `source` comes back as it came."""
    return _given(
        {
            "country_code": site.country_code,
            "party_id": site.party_id,
            "id": site.location_id,
            "publish": site.publish,
            "name": site.name,
            "address": site.address,
            "city": site.city,
            "postal_code": site.postal_code,
            "country": site.country,
            "coordinates": _coordinates_document(site),
            "time_zone": site.time_zone,
            "commissioned_on": site.commissioned_on and site.commissioned_on.isoformat(),
            "evses": [evse_document(evse) for evse in site.evses],
            **site.source,
            "last_updated": utc_text(site.updated_at),
        }
    )


def evse_document(evse: EvseEntry) -> dict[str, Any]:
    """Write an OCPI EVSE."""
    return _given(
        {
            "uid": evse.uid,
            "evse_id": evse.evse_id,
            "status": "REMOVED" if evse.removed else evse.status,
            "physical_reference": evse.physical_reference,
            "connectors": [connector_document(connector) for connector in evse.connectors],
            **evse.source,
            "last_updated": utc_text(evse.updated_at),
        }
    )


def connector_document(connector: ConnectorEntry) -> dict[str, Any]:
    """Write an OCPI Connector."""
    return _given(
        {
            "id": connector.connector_id,
            "standard": connector.standard,
            "format": connector.format,
            "power_type": connector.power_type,
            "max_voltage": connector.max_voltage,
            "max_amperage": connector.max_amperage,
            "max_electric_power": connector.max_power_w,
            "tariff_ids": list(connector.tariff_ids),
            **connector.source,
            "last_updated": utc_text(connector.updated_at),
        }
    )


def _coordinates_document(site: SiteEntry) -> dict[str, str] | None:
    if site.latitude is None or site.longitude is None:
        return None
    return {"latitude": _degrees_text(site.latitude), "longitude": _degrees_text(site.longitude)}


def _degrees_text(degrees: Decimal) -> str:
    """Between 5 and 7 decimals (OCPI GeoLocation)."""
    text = f"{degrees:.7f}"
    return text[:-2] + text[-2:].rstrip("0")


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
