"""OCPI Location objects: read from 2.2.1 and 2.3.0 shapes into our sites, EVSEs and connectors, and written back.

OCPI 2.3.0 mod_locations. A Location is a whole: a field that it leaves out is empty. Fields that we do not
use are kept as they came (`source`) and are written back. JSON is loaded with `parse_float=Decimal`.

Without a version, a document says what we store: the network file. With one it is what a peer of that
version gets, where required fields are there and an EVSE tells that it is paid for at a terminal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.countries import ALPHA_3
from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.reading import Reader, exact, given, plain
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
    latitude, longitude = read_place(reader.part("coordinates"))
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
        publish=reader.flag("publish", default=True),
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


def read_place(reader: Reader | None) -> tuple[Decimal | None, Decimal | None]:
    """Read a GeoLocation; faults are noted, and read as no place."""
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
    return given({name: plain(value) for name, value in reader.fields.items() if name not in known})


# --- Written --------------------------------------------------------------------------------------

NOT_AVAILABLE: Final = "#NA"  # OCPI 2.3.0 transport_and_format: a required text that cannot be filled
# A required place that nobody entered. A Location or CDR without it is refused by strict peers, and a refused
# CDR is money that is not captured; so a site without a place is sold from the Gulf of Guinea until it has one.
NOWHERE: Final = {"latitude": "0.00000", "longitude": "0.00000"}
_PAID_AT_A_TERMINAL: Final = ("REMOTE_START_STOP_CAPABLE", "CONTACTLESS_CARD_SUPPORT")


def location_document(site: SiteEntry, version: Version | None = None) -> dict[str, Any]:
    """Write an OCPI Location; empty fields are left out, `source` comes back as it came.

    For a peer of `version`, EVSEs without a connector are left out (a connector is required), and
    `last_updated` is the newest of the site and all that stands there.
    """
    evses = [evse for evse in site.evses if version is None or evse.connectors]
    document = given(
        {
            "country_code": site.country_code,
            "party_id": site.party_id,
            "id": site.location_id,
            "publish": site.publish,
            "name": site.name,
            "address": site.address or (version and NOT_AVAILABLE),
            "city": site.city or (version and NOT_AVAILABLE),
            "postal_code": site.postal_code,
            "country": site.country,
            "coordinates": place_document(site.latitude, site.longitude) or (version and NOWHERE),
            "time_zone": site.time_zone,
            "commissioned_on": site.commissioned_on and site.commissioned_on.isoformat(),
            "evses": [_evse_document(evse, published=version is not None) for evse in evses],
            **exact(site.source),
            "last_updated": utc_text(_newest(site.updated_at, *map(_changed_at, evses))),
        }
    )
    return document if version is None else in_dialect(Kind.LOCATION, document, version)


def evse_document(evse: EvseEntry, version: Version | None = None) -> dict[str, Any]:
    """Write an OCPI EVSE; for a peer of `version`, with the capabilities of payment at a terminal."""
    document = _evse_document(evse, published=version is not None)
    return document if version is None else in_dialect(Kind.EVSE, document, version)


def status_document(evse: EvseEntry) -> dict[str, Any]:
    """Write the body of a PATCH of an EVSE: its status, and since when. The same in both versions."""
    document = _evse_document(evse, published=True)
    return {name: document[name] for name in ("status", "last_updated") if name in document}


def connector_document(connector: ConnectorEntry, version: Version | None = None) -> dict[str, Any]:
    """Write an OCPI Connector."""
    document = given(
        {
            "id": connector.connector_id,
            "standard": connector.standard,
            "format": connector.format,
            "power_type": connector.power_type,
            "max_voltage": connector.max_voltage,
            "max_amperage": connector.max_amperage,
            "max_electric_power": connector.max_power_w,
            "tariff_ids": list(connector.tariff_ids),
            **exact(connector.source),
            "last_updated": utc_text(connector.updated_at),
        }
    )
    return document if version is None else in_dialect(Kind.CONNECTOR, document, version)


def _evse_document(evse: EvseEntry, *, published: bool) -> dict[str, Any]:
    document = {
        "uid": evse.uid,
        "evse_id": evse.evse_id,
        "status": "REMOVED" if evse.removed else evse.status,
        "physical_reference": evse.physical_reference,
        "connectors": [connector_document(connector) for connector in evse.connectors],
        **exact(evse.source),
        "last_updated": utc_text(_changed_at(evse)),
    }
    if published:
        document["capabilities"] = _capabilities(evse, document.get("capabilities"))
    return given(document)


def _capabilities(evse: EvseEntry, own: object) -> list[str]:
    """What the source names, and what follows from a terminal standing there.

    OCPP 1.6 starts a connector, not an EVSE: with several of them a START_SESSION has to name one.
    """
    wanted = [item for item in own if isinstance(item, str)] if isinstance(own, list) else []
    if evse.removed:
        return wanted
    several = ("START_SESSION_CONNECTOR_REQUIRED",) if len(evse.connectors) > 1 else ()
    return list(dict.fromkeys((*wanted, *_PAID_AT_A_TERMINAL, *several)))


def _changed_at(evse: EvseEntry) -> datetime | None:
    """A change of a connector is one of its EVSE, and of the Location (OCPI 2.3.0 mod_locations)."""
    return _newest(evse.updated_at, *(connector.updated_at for connector in evse.connectors))


def _newest(*times: datetime | None) -> datetime | None:
    return max((at for at in times if at is not None), default=None)


def place_document(latitude: Decimal | None, longitude: Decimal | None) -> dict[str, str] | None:
    """Write a GeoLocation: between 5 and 7 decimals."""
    if latitude is None or longitude is None:
        return None
    return {"latitude": _degrees_text(latitude), "longitude": _degrees_text(longitude)}


def _degrees_text(degrees: Decimal) -> str:
    text = f"{degrees:.7f}"
    return text[:-2] + text[-2:].rstrip("0")
