"""What the database already knows of the things that a network file names."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db.models import Model, QuerySet

from chargers.models import EVSE, ChargingStation, Site
from emabler.network.checks import SiteKey, Stored, StoredEvse, StoredKey, StoredParty
from emabler.network.entries import Network
from payments.keys import hash_of
from payments.models import ApiKey, OcpiConnection, Ptp
from payments.ocpi import connections
from sessions_app.models import Session
from sessions_app.states import LIVE
from tariffs.models import Tariff

CHUNK = 500  # names in one query: SQLite bounds the parameters of a statement

M_ = TypeVar("M_", bound=Model)


def load_stored(network: Network) -> Stored:
    """Return the part of the database that the checks of this file need."""
    stations, evses = _stations_and_evses(network)
    return Stored(
        tariffs=frozenset(Tariff.objects.values_list("country_code", "party_id", "tariff_id")),
        sites=frozenset(Site.objects.values_list("country_code", "party_id", "location_id")),
        stations={station.identity: key_of(station.site) for station in stations},
        evses=_stored_evses(evses),
        ptps=frozenset(Ptp.objects.values_list("name", flat=True)),
        keys=_stored_keys(network),
        ocpi_parties=_stored_parties(),
        tokens=_stored_tokens(network),
    )


def key_of(site: Site) -> SiteKey:
    """A stored site under its OCPI identity."""
    return (site.country_code, site.party_id, site.location_id)


def in_chunks(rows: QuerySet[M_], field: str, values: Iterable[object]) -> Iterator[M_]:
    """The rows whose field has one of many values."""
    waiting = iter(dict.fromkeys(values))
    while chunk := list(islice(waiting, CHUNK)):
        yield from rows.filter(**{f"{field}__in": chunk})


def _stations_and_evses(network: Network) -> tuple[list[ChargingStation], list[EVSE]]:
    """The stations that the file names, the EVSEs that it names, and those at the stations."""
    identities = (station.identity for station in network.stations)
    stations = list(in_chunks(ChargingStation.objects.select_related("site"), "identity", identities))
    rows = EVSE.objects.select_related("site", "station")
    found = {evse.pk: evse for evse in in_chunks(rows, "uid", _named_uids(network))}
    found |= {evse.pk: evse for evse in in_chunks(rows, "station", [station.pk for station in stations])}
    return stations, list(found.values())


def _named_uids(network: Network) -> Iterator[str]:
    for site in network.sites:
        yield from (evse.uid for evse in site.evses)
    for station in network.stations:
        yield from station.evse_uids or ()
    for terminal in network.terminals:
        yield from terminal.evse_uids or ()


def _stored_evses(evses: list[EVSE]) -> dict[str, StoredEvse]:
    live = set(Session.objects.filter(state__in=LIVE).values_list("evse_id", flat=True))
    return {
        evse.uid: StoredEvse(
            site=key_of(evse.site),
            station=evse.station.identity if evse.station else None,
            number=evse.number,
            live=evse.pk in live,
        )
        for evse in evses
    }


def _stored_keys(network: Network) -> dict[str, StoredKey]:
    hashes = {hash_of(ptp.api_key): ptp.api_key for ptp in network.ptps if ptp.api_key}
    return {
        hashes[key.key_hash]: StoredKey(key.ptp.name, revoked=key.revoked_at is not None)
        for key in in_chunks(ApiKey.objects.select_related("ptp"), "key_hash", hashes)
    }


def _stored_parties() -> dict[str, StoredParty]:
    return {
        connection.ptp.name: StoredParty(
            party=(connection.country_code, connection.party_id),
            registered=connection.is_registered,
            ended=connection.state == OcpiConnection.State.UNREGISTERED,
        )
        for connection in OcpiConnection.objects.select_related("ptp")
    }


def _stored_tokens(network: Network) -> dict[str, str]:
    tokens = [entry.token_a for entry in network.ocpi_parties if entry.token_a]
    hashes = {connections.hash_of(token): token for token in tokens}
    rows = OcpiConnection.objects.select_related("ptp")
    held = in_chunks(rows, "server_token_hash", hashes)
    return {hashes[connection.server_token_hash]: connection.ptp.name for connection in held}
