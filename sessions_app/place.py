"""Where a session is, as of its tap: what is told of it later does not change with the site (OCPI mod_cdrs)."""

from chargers.models import EVSE, Connector

Place = dict[str, str]


def place_of(evse: EVSE, connector: Connector) -> Place:
    """Return owner, site, EVSE and connector by name; coordinates are decimal degrees, "" where nobody entered them.

    Read `evse` with `select_related("site")`.
    """
    site = evse.site
    return {
        "country_code": site.country_code,
        "party_id": site.party_id,
        "location_id": site.location_id,
        "name": site.name,
        "address": site.address,
        "postal_code": site.postal_code,
        "city": site.city,
        "country": site.country,
        "latitude": "" if site.latitude is None else str(site.latitude),
        "longitude": "" if site.longitude is None else str(site.longitude),
        "evse_uid": evse.uid,
        "evse_id": evse.evse_id,
        "connector_id": connector.connector_id,
        "standard": connector.standard,
        "format": connector.format,
        "power_type": connector.power_type,
    }
