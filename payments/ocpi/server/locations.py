"""Our Locations, as a PTP mirrors them (OCPI 2.3.0 mod_locations, Sender): lists, and single objects.

What belongs to a party that this platform may not see is not there, exactly as what nobody has.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db.models.functions import Lower

from chargers.models import Site
from payments.ocpi import seen
from payments.ocpi.connections import sites_of
from payments.ocpi.envelope import OcpiError, Reply, Status, unknown
from payments.ocpi.locations import EvseEntry, connector_document, evse_document, location_document
from payments.ocpi.rows import PublishedSite, published_sites, sites_changed_since
from payments.ocpi.server.pagination import page
from payments.ocpi.server.paths import both
from payments.ocpi.server.segments import may_be_id
from payments.ocpi.server.transport import Call, OcpiView


class LocationsView(OcpiView):
    """`/locations`: all sites of the parties that are asked for, also those that nobody may show on a map.

    A terminal stands at a site whose `publish` is false as well; the flag tells the PTP not to show it
    elsewhere.
    """

    module: ClassVar[str] = "locations"

    def get(self, call: Call) -> Reply:
        """List Locations; what is told of their tariffs counts as seen from then on."""
        return page(
            call,
            sites_of(call.parties),
            changed_at=lambda at: sites_changed_since(at, now=call.now),
            write=lambda sites: _write(call, sites),
        )


def _write(call: Call, sites: list[Site]) -> Iterable[dict[str, Any]]:
    found = published_sites(sites, parties=call.parties, now=call.now)
    documents = [location_document(site.entry, call.version) for site in found]
    seen.note_sites(call.connection, {site.site_pk: site.tariffs_changed_at for site in found})
    return documents


class LocationView(OcpiView):
    """`/locations/{location_id}[/{evse_uid}[/{connector_id}]]`."""

    module: ClassVar[str] = "locations"

    def get(self, call: Call, location_id: str, evse_uid: str = "", connector_id: str = "") -> Reply:
        """Return a Location, one of its EVSEs, or one of their Connectors."""
        site = _find(call, location_id)
        if not evse_uid:
            document = location_document(site.entry, call.version)
            seen.note_sites(call.connection, {site.site_pk: site.tariffs_changed_at})
            return Reply(data=document)
        evse = _evse(site, evse_uid)
        if not connector_id:
            return Reply(data=evse_document(evse, call.version))
        for connector in evse.connectors:
            if connector.connector_id.lower() == connector_id.lower():
                return Reply(data=connector_document(connector, call.version))
        raise _nothing()


def _find(call: Call, location_id: str) -> PublishedSite:
    """Return the site of that id (CiString); where two parties have one, that of the party asked."""
    if not may_be_id(location_id):
        raise _nothing()
    rows = sites_of(call.parties).annotate(same_id=Lower("location_id")).filter(same_id=location_id.lower())
    asked = sorted(rows, key=lambda site: (site.country_code, site.party_id) != call.to_party)
    if not asked:
        raise _nothing()
    return published_sites(asked[:1], parties=call.parties, now=call.now)[0]


def _evse(site: PublishedSite, uid: str) -> EvseEntry:
    """An EVSE without a connector is not in the Location, and not here either: OCPI requires one."""
    for evse in site.entry.evses:
        if evse.uid.lower() == uid.lower() and evse.connectors:
            return evse
    raise _nothing()


def _nothing() -> OcpiError:
    return unknown("location, EVSE or connector", status=Status.UNKNOWN_LOCATION)


urlpatterns = [
    *both("locations", LocationsView, "ocpi-locations"),
    *both("locations/<str:location_id>", LocationView),
    *both("locations/<str:location_id>/<str:evse_uid>", LocationView),
    *both("locations/<str:location_id>/<str:evse_uid>/<str:connector_id>", LocationView),
]
