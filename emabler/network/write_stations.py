"""Write a checked file's charging stations: their passwords, and which EVSE is which of their connectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE, ChargingStation, Site
from chargers.provisioning import generate_secret, hash_secret, set_secret
from emabler.network.checks import Merged
from emabler.network.entries import Network, StationEntry
from emabler.network.stored import CHUNK, in_chunks, key_of

Secret = dict[str, str]


def write_stations(network: Network, merged: Merged) -> list[Secret]:
    """Save the file's stations; returns the passwords that were generated, to be shown once."""
    sites = {key_of(site): site for site in Site.objects.all()}
    identities = [entry.identity for entry in network.stations]
    rows = {row.identity: row for row in in_chunks(ChargingStation.objects.all(), "identity", identities)}
    secrets, new, changed = [], [], []
    for entry in network.stations:
        key = merged.site_of(entry.location_id)
        assert key is not None, "an unknown location passed the checks"
        row = rows.get(entry.identity)
        if row is None:
            row, password = _new_station(entry, sites[key])
            rows[entry.identity] = row
            new.append(row)
            if entry.password is None:
                secrets.append({"secret": "station", "identity": entry.identity, "password": password})
        elif _update_station(row, entry, sites[key]):
            changed.append(row)
    ChargingStation.objects.bulk_create(new, batch_size=CHUNK)
    ChargingStation.objects.bulk_update(changed, ["site", "secret_hash"], batch_size=CHUNK)
    _map_evses(network, merged, rows)
    return secrets


def _new_station(entry: StationEntry, site: Site) -> tuple[ChargingStation, str]:
    password = entry.password or generate_secret()
    row = ChargingStation(identity=entry.identity, site=site)
    set_secret(row, password)
    return row, password


def _update_station(row: ChargingStation, entry: StationEntry, site: Site) -> bool:
    changed = row.site_id != site.pk
    row.site = site
    if entry.password is not None and row.secret_hash != hash_secret(entry.password):
        set_secret(row, entry.password)
        changed = True
    return changed


def _map_evses(network: Network, merged: Merged, stations: Mapping[str, ChargingStation]) -> None:
    """Give each EVSE of a listed station its number, and free those that no list names any more."""
    listed = [stations[entry.identity].pk for entry in network.stations if entry.evse_uids is not None]
    wanted = {uid: (stations[identity].pk, number) for uid, (identity, number) in merged.places.items()}
    evses = {evse.pk: evse for evse in in_chunks(EVSE.objects.all(), "station", listed)}
    evses |= {evse.pk: evse for evse in in_chunks(EVSE.objects.all(), "uid", wanted)}
    now = timezone.now()
    moved = [evse for evse in evses.values() if _place(evse) != wanted.get(evse.uid, (None, None))]
    # Free every place first: two EVSEs that change places would collide half-way.
    for evse in moved:
        evse.station_id, evse.number = None, None
        # What its old connector reported says nothing about the new one.
        evse.status, evse.status_at, evse.error_code = EvseStatus.UNKNOWN, None, ""
        evse.updated_at = now
    _save_places(moved)
    placed = [evse for evse in moved if evse.uid in wanted]
    for evse in placed:
        evse.station_id, evse.number = wanted[evse.uid]
    _save_places(placed)


def _place(evse: EVSE) -> tuple[int | None, int | None]:
    return (evse.station_id, evse.number)


def _save_places(evses: Iterable[EVSE]) -> None:
    fields = ["station", "number", "status", "status_at", "error_code", "updated_at"]
    EVSE.objects.bulk_update(evses, fields, batch_size=CHUNK)
