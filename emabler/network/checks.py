"""What the entries of a network file must be to each other and to what is stored. Pure; faults are collected.

Empty ids belong to entries whose own fault is told already; they are passed over here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from emabler.network.entries import Network, StationEntry
from payments.ocpi.connections import Party
from payments.ocpi.locations import EvseEntry, SiteEntry
from tariffs.engine.errors import InputError

SiteKey = tuple[str, str, str]  # country code, party id, location id
TariffKey = tuple[str, str, str]

LIVE_MESSAGE: Final = "A driver charges here now; import again when the session is over."


@dataclass(frozen=True, slots=True)
class StoredEvse:
    """An EVSE as it stands in the database."""

    site: SiteKey
    station: str | None
    number: int | None
    live: bool = False


@dataclass(frozen=True, slots=True)
class StoredKey:
    """Who holds an API key already."""

    ptp: str
    revoked: bool


@dataclass(frozen=True, slots=True)
class StoredParty:
    """A platform that we have an OCPI connection with."""

    party: Party
    registered: bool
    ended: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """What a network file may refer to without containing it."""

    tariffs: frozenset[TariffKey] = frozenset()
    sites: frozenset[SiteKey] = frozenset()
    stations: Mapping[str, SiteKey] = field(default_factory=dict)
    evses: Mapping[str, StoredEvse] = field(default_factory=dict)
    ptps: frozenset[str] = frozenset()
    keys: Mapping[str, StoredKey] = field(default_factory=dict)  # by the key itself, those of the file only
    ocpi_parties: Mapping[str, StoredParty] = field(default_factory=dict)  # by name
    tokens: Mapping[str, str] = field(default_factory=dict)  # name by token A, those of the file only


@dataclass(frozen=True, slots=True)
class Merged:
    """The network as it will be: what the file says over what is stored."""

    sites: Mapping[str, frozenset[SiteKey]]  # by location id
    evse_sites: Mapping[str, SiteKey]
    places: Mapping[str, tuple[str, int]]  # by EVSE uid, of stations in the file
    stored_at: Mapping[str, tuple[str, ...]]  # EVSE uids by station, before the import

    def site_of(self, location_id: str) -> SiteKey | None:
        """The one site of that id, None where there is none or more than one."""
        found = self.sites.get(location_id, frozenset())
        return next(iter(found)) if len(found) == 1 else None


def merge(network: Network, stored: Stored) -> Merged:
    """Lay the file over what is stored."""
    sites: dict[str, set[SiteKey]] = defaultdict(set)
    for key in [*stored.sites, *(site_key(site) for site in network.sites)]:
        sites[key[2]].add(key)
    evse_sites = {uid: evse.site for uid, evse in stored.evses.items()}
    evse_sites |= {evse.uid: site_key(site) for site in network.sites for evse in site.evses if evse.uid}
    places = {
        uid: (station.identity, number)
        for station in network.stations
        for number, uid in enumerate(station.evse_uids or (), start=1)
    }
    stored_at: dict[str, tuple[str, ...]] = {}
    for uid, known in stored.evses.items():
        if known.station is not None:
            stored_at[known.station] = (*stored_at.get(known.station, ()), uid)
    return Merged({name: frozenset(keys) for name, keys in sites.items()}, evse_sites, places, stored_at)


def check(network: Network, stored: Stored) -> list[InputError]:
    """Return every fault between the entries, in the order of the file's sections."""
    merged = merge(network, stored)
    return [
        *_duplicates(network),
        *_locations(network, stored),
        *_stations(network, stored, merged),
        *_ptps(network, stored),
        *_ocpi_parties(network, stored),
        *_terminals(network, stored, merged),
    ]


def site_key(site: SiteEntry) -> SiteKey:
    """A site under its OCPI identity."""
    return (site.country_code, site.party_id, site.location_id)


# --- Each name once -------------------------------------------------------------------------------


def _duplicates(network: Network) -> Iterator[InputError]:
    tariffs = ((t.country_code, t.party_id, t.tariff_id) for t in network.tariffs)
    yield from _repeated(tariffs, "tariffs[{}].id", "duplicate_id")
    yield from _repeated(map(site_key, network.sites), "locations[{}].id", "duplicate_id")
    yield from _repeated_evses(network)
    yield from _repeated(
        (s.identity for s in network.stations), "stations[{}].identity", "duplicate_identity"
    )
    yield from _repeated((p.name for p in network.ptps), "ptps[{}].name", "duplicate_name")
    yield from _repeated((p.api_key for p in network.ptps), "ptps[{}].api_key", "duplicate_api_key")
    yield from _repeated((p.name for p in network.ocpi_parties), "ocpi_parties[{}].name", "duplicate_name")
    tokens = (p.token_a for p in network.ocpi_parties)
    yield from _repeated(tokens, "ocpi_parties[{}].token_a", "duplicate_token_a")
    for i, party in enumerate(network.ocpi_parties):
        references = (reference.lower() for reference, _ in party.contracts or ())
        path = f"ocpi_parties[{i}].contracts[{{}}].customer_reference"
        yield from _repeated(references, path, "duplicate_customer_reference")
    terminals = ((t.ptp, t.terminal_id) for t in network.terminals)
    yield from _repeated(terminals, "terminals[{}].terminal_id", "duplicate_terminal_id")


def _repeated_evses(network: Network) -> Iterator[InputError]:
    seen: set[str] = set()
    for path, evse, _site in _evses(network):
        if evse.uid in seen:
            yield InputError(f"{path}.uid", "duplicate_uid", "Another EVSE has this uid.")
        seen.update([evse.uid] if evse.uid else [])
        ids = (connector.connector_id for connector in evse.connectors)
        yield from _repeated(ids, f"{path}.connectors[{{}}].id", "duplicate_id")


def _repeated(names: Iterable[Hashable], path: str, code: str) -> Iterator[InputError]:
    seen: set[Hashable] = set()
    for number, name in enumerate(names):
        if not name or (isinstance(name, tuple) and not all(name)):
            continue
        if name in seen:
            yield InputError(path.format(number), code, "An earlier entry has the same name.")
        seen.add(name)


def _evses(network: Network) -> Iterator[tuple[str, EvseEntry, SiteEntry]]:
    for i, site in enumerate(network.sites):
        for j, evse in enumerate(site.evses):
            yield f"locations[{i}].evses[{j}]", evse, site


# --- Locations ------------------------------------------------------------------------------------


def _locations(network: Network, stored: Stored) -> Iterator[InputError]:
    tariffs = stored.tariffs | {(t.country_code, t.party_id, t.tariff_id) for t in network.tariffs}
    for path, evse, site in _evses(network):
        known = stored.evses.get(evse.uid)
        if known is not None and all(site_key(site)) and known.site != site_key(site):
            message = f"This uid belongs to an EVSE of location {known.site[2]}; uids are never used again."
            yield InputError(f"{path}.uid", "duplicate_uid", message)
        if known is not None and known.live and evse.removed:
            yield InputError(f"{path}.status", "live_session", LIVE_MESSAGE)
        yield from _unknown_tariffs(path, evse, site, tariffs)


def _unknown_tariffs(
    path: str, evse: EvseEntry, site: SiteEntry, tariffs: frozenset[TariffKey]
) -> Iterator[InputError]:
    for k, connector in enumerate(evse.connectors):
        for n, tariff_id in enumerate(connector.tariff_ids):
            if tariff_id and (site.country_code, site.party_id, tariff_id) not in tariffs:
                where = f"{path}.connectors[{k}].tariff_ids[{n}]"
                message = f"No tariff {tariff_id!r} of {site.country_code}*{site.party_id}."
                yield InputError(where, "unknown_tariff", message)


# --- Stations -------------------------------------------------------------------------------------


def _stations(network: Network, stored: Stored, merged: Merged) -> Iterator[InputError]:
    in_file = {station.identity: station for station in network.stations if station.identity}
    taken: dict[str, str] = {}
    for i, station in enumerate(network.stations):
        path = f"stations[{i}]"
        yield from _known_site(station.location_id, f"{path}.location_id", merged)
        for j, uid in enumerate(station.evse_uids or ()):
            where = f"{path}.evse_uids[{j}]"
            if uid in taken:
                yield InputError(where, "evse_mapped_twice", f"Named already, by station {taken[uid]}.")
            elif uid:
                taken[uid] = station.identity or path
                yield from _taken_elsewhere(uid, station.identity, where, stored=stored, in_file=in_file)
        yield from _foreign_evses(station, path, merged)
        yield from _live_evses(station, path, stored, merged)


def _taken_elsewhere(
    uid: str, identity: str, path: str, *, stored: Stored, in_file: Mapping[str, StationEntry]
) -> Iterator[InputError]:
    """An EVSE leaves its station only when the file says so for that station too."""
    known = stored.evses.get(uid)
    if known is None or known.station in (None, identity):
        return
    other = in_file.get(known.station or "")
    if other is None or other.evse_uids is None:
        message = f"It belongs to station {known.station}; give that station's new evse_uids as well."
        yield InputError(path, "evse_mapped_twice", message)


def _foreign_evses(station: StationEntry, path: str, merged: Merged) -> Iterator[InputError]:
    """A station's EVSEs exist and stand at its own site."""
    site = merged.site_of(station.location_id)
    kept = station.evse_uids is None
    uids = merged.stored_at.get(station.identity, ()) if station.evse_uids is None else station.evse_uids
    for j, uid in enumerate(uids):
        where = f"{path}.location_id" if kept else f"{path}.evse_uids[{j}]"
        if uid and uid not in merged.evse_sites:
            yield InputError(where, "unknown_evse", f"No EVSE {uid!r}.")
        elif uid and site is not None and merged.evse_sites[uid] != site:
            there = merged.evse_sites[uid][2]
            yield InputError(where, "evse_of_other_location", f"EVSE {uid!r} stands at location {there}.")


def _live_evses(station: StationEntry, path: str, stored: Stored, merged: Merged) -> Iterator[InputError]:
    if station.evse_uids is None:
        return
    for uid in sorted(merged.stored_at.get(station.identity, ())):
        known = stored.evses[uid]
        if known.live and merged.places.get(uid) != (known.station, known.number):
            yield InputError(f"{path}.evse_uids", "live_session", f"EVSE {uid}: {LIVE_MESSAGE}")


def _known_site(location_id: str, path: str, merged: Merged) -> Iterator[InputError]:
    if not location_id:
        return
    found = len(merged.sites.get(location_id, ()))
    if found == 0:
        yield InputError(path, "unknown_location", f"No location {location_id!r}.")
    elif found > 1:
        yield InputError(path, "ambiguous_location", f"{found} parties have a location {location_id!r}.")


# --- PTPs and terminals ---------------------------------------------------------------------------


def _ptps(network: Network, stored: Stored) -> Iterator[InputError]:
    for i, ptp in enumerate(network.ptps):
        holder = stored.keys.get(ptp.api_key or "")
        if holder is None:
            continue
        if holder.ptp != ptp.name:
            yield InputError(f"ptps[{i}].api_key", "duplicate_api_key", "Another PTP has this key.")
        elif holder.revoked:
            yield InputError(f"ptps[{i}].api_key", "revoked_api_key", "This key was revoked; give a new one.")


def _ocpi_parties(network: Network, stored: Stored) -> Iterator[InputError]:
    for i, entry in enumerate(network.ocpi_parties):
        if stored.tokens.get(entry.token_a or "", entry.name) != entry.name:
            yield InputError(f"ocpi_parties[{i}].token_a", "duplicate_token_a", "Another one has this token.")
        known = stored.ocpi_parties.get(entry.name)
        if known is not None and known.registered and all(entry.party) and known.party != entry.party:
            message = f"It is registered as {'*'.join(known.party)}; end that first."
            yield InputError(f"ocpi_parties[{i}].party_id", "registered_as_other_party", message)


def unused_tokens(network: Network, stored: Stored) -> Iterator[InputError]:
    """Remark on tokens that invite nobody: a file is imported again and again, an end is meant to last."""
    for i, entry in enumerate(network.ocpi_parties):
        known = stored.ocpi_parties.get(entry.name)
        if entry.token_a and known is not None and known.ended:
            message = "Its registration was ended; invite it anew with manage.py ocpi_party or in the portal."
            yield InputError(f"ocpi_parties[{i}].token_a", "unused_token_a", message)


def _terminals(network: Network, stored: Stored, merged: Merged) -> Iterator[InputError]:
    ptps = stored.ptps | {ptp.name for ptp in network.ptps} | {party.name for party in network.ocpi_parties}
    for i, terminal in enumerate(network.terminals):
        path = f"terminals[{i}]"
        if terminal.ptp and terminal.ptp not in ptps:
            yield InputError(f"{path}.ptp", "unknown_ptp", f"No PTP {terminal.ptp!r}.")
        for j, location_id in enumerate(terminal.location_ids or ()):
            yield from _known_site(location_id, f"{path}.location_ids[{j}]", merged)
        for j, uid in enumerate(terminal.evse_uids or ()):
            if uid and uid not in merged.evse_sites:
                yield InputError(f"{path}.evse_uids[{j}]", "unknown_evse", f"No EVSE {uid!r}.")
