"""Export the network in the shape that `import_network` reads, without secrets."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Q

from chargers.models import EVSE, ChargingStation, Connector, Site
from emabler.network.write_sites import values_of
from payments.models import Contract, OcpiConnection, Ptp, Terminal
from payments.ocpi.locations import ConnectorEntry, EvseEntry, SiteEntry, location_document
from payments.ocpi.statuses import ocpi_status
from payments.ocpi.tariffs import tariff_document
from tariffs.models import Tariff


def export_network() -> dict[str, Any]:
    """Return the whole network; numbers of tariffs are `Decimal` (write it with `to_json`)."""
    tariffs = [tariff.terms() for tariff in Tariff.objects.all() if tariff.current_version is not None]
    terminals = Terminal.objects.select_related("ptp").prefetch_related("sites", "evses")
    return {
        "tariffs": [tariff_document(terms) for terms in tariffs],
        "locations": [location_document(_site(site)) for site in _sites()],
        "stations": [_station(station) for station in _stations()],
        "ptps": [{"name": ptp.name, "webhook_url": ptp.webhook_url} for ptp in _native_ptps()],
        "ocpi_parties": [_ocpi_party(connection) for connection in _ocpi_connections()],
        "terminals": [_terminal(terminal) for terminal in terminals],
    }


def to_json(value: Any, *, indent: str = "") -> str:
    """Write JSON with `Decimal` as the number it is; the standard writer knows floats only."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        items = [f"{inner}{json.dumps(name)}: {to_json(item, indent=inner)}" for name, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + to_json(item, indent=inner) for item in value) + f"\n{indent}]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _sites() -> Any:
    connectors = Connector.objects.prefetch_related("tariffs").order_by("connector_id")
    evses = EVSE.objects.select_related("station__process").order_by("uid")
    evses = evses.prefetch_related(Prefetch("connectors", connectors))
    return Site.objects.order_by("country_code", "party_id", "location_id").prefetch_related(
        Prefetch("evses", evses)
    )


def _site(site: Site) -> SiteEntry:
    names = set(SiteEntry.__slots__) - {"evses"}
    return SiteEntry(**values_of(site, names), evses=tuple(_evse(evse) for evse in site.evses.all()))


def _evse(evse: EVSE) -> EvseEntry:
    names = set(EvseEntry.__slots__) - {"connectors", "status"}
    online = evse.station is not None and evse.station.online
    return EvseEntry(
        **values_of(evse, names),
        status=ocpi_status(evse.status, online=online, removed=evse.removed),
        connectors=tuple(_connector(connector) for connector in evse.connectors.all()),
    )


def _connector(connector: Connector) -> ConnectorEntry:
    names = set(ConnectorEntry.__slots__) - {"tariff_ids"}
    tariff_ids = tuple(tariff.tariff_id for tariff in connector.tariffs.all())
    return ConnectorEntry(**values_of(connector, names), tariff_ids=tariff_ids)


def _stations() -> Any:
    evses = EVSE.objects.order_by("number")
    return ChargingStation.objects.select_related("site").prefetch_related(Prefetch("evses", evses))


def _station(station: ChargingStation) -> dict[str, Any]:
    return {
        "identity": station.identity,
        "location_id": station.site.location_id,
        "evse_uids": [evse.uid for evse in station.evses.all()],
    }


def _native_ptps() -> Any:
    """Not those that speak OCPI alone: an import would make them a key to the native API."""
    native = Q(ocpi_connection=None) | Q(api_keys__isnull=False) | ~Q(webhook_url="")
    return Ptp.objects.filter(native).distinct()


def _ocpi_connections() -> Any:
    """Those whose party is known: one that we tried to register at and did not reach may have none."""
    rows = OcpiConnection.objects.exclude(party_id="").order_by("ptp__name").select_related("ptp")
    return rows.prefetch_related(Prefetch("contracts", Contract.objects.order_by("customer_reference")))


def _ocpi_party(connection: OcpiConnection) -> dict[str, Any]:
    return {
        "name": connection.ptp.name,
        "country_code": connection.country_code,
        "party_id": connection.party_id,
        "role": connection.role,
        "our_country_code": connection.our_country_code,
        "our_party_id": connection.our_party_id,
        "release_signal": connection.release_signal,
        "invoice_creator": connection.invoice_creator,
        "languages": connection.languages,
        "contracts": [
            {
                "customer_reference": contract.customer_reference,
                "country_code": contract.country_code,
                "party_id": contract.party_id,
            }
            for contract in connection.contracts.all()
        ],
    }


def _terminal(terminal: Terminal) -> dict[str, Any]:
    return {
        "terminal_id": terminal.terminal_id,
        "ptp": terminal.ptp.name,
        "location_ids": [site.location_id for site in terminal.sites.all()],
        "evse_uids": [evse.uid for evse in terminal.evses.all()],
        "languages": terminal.languages,
    }
