"""Write a checked file's tariffs and locations into the database; only what differs is written.

Called inside the import's transaction. Entries that the file does not name are not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Model, QuerySet

from chargers.models import EVSE, Connector, Site
from emabler.network.checks import SiteKey, TariffKey, site_key
from emabler.network.entries import Network
from emabler.network.stored import CHUNK, in_chunks, key_of
from payments.ocpi.locations import ConnectorEntry, SiteEntry
from tariffs.models import Tariff
from tariffs.versions import save_tariff

_SITE_FIELDS: Final = (
    "name", "address", "city", "postal_code", "country", "latitude", "longitude", "time_zone", "publish", "source",
)  # fmt: skip
_EVSE_FIELDS: Final = ("evse_id", "physical_reference", "removed", "source")
_CONNECTOR_FIELDS: Final = (
    "standard", "format", "power_type", "max_voltage", "max_amperage", "max_power_w", "source",
)  # fmt: skip


@dataclass(slots=True)
class _Touched:
    """Keys of what needs a new `updated_at`: a change below counts above (OCPI mod_locations)."""

    sites: set[int] = field(default_factory=set)
    evses: set[int] = field(default_factory=set)
    selling: set[int] = field(default_factory=set)  # connectors that sell by other tariffs

    def note(self, evse: EVSE) -> None:
        self.evses.add(evse.pk)
        self.sites.add(evse.site_id)


def write_tariffs(network: Network) -> None:
    """Save the file's tariffs; the same terms make no new version."""
    for tariff in network.tariffs:
        assert tariff.terms is not None, "a faulty tariff passed the reader"
        save_tariff(tariff.terms)


def write_sites(network: Network, *, now: datetime) -> None:
    """Save the file's locations with all that stands there; tariffs are saved before."""
    touched = _Touched()
    sites = _write_sites(network, touched, now=now)
    evses = _write_evses(network, sites, touched, now=now)
    connectors = _write_connectors(network, evses, touched, now=now)
    _write_tariffs_of(connectors, evses, touched)
    _stamp(Connector.objects.all(), touched.selling, updated_at=now, tariffs_changed_at=now)
    _stamp(EVSE.objects.all(), touched.evses, updated_at=now)
    _stamp(Site.objects.all(), touched.sites, updated_at=now)


def _write_sites(network: Network, touched: _Touched, *, now: datetime) -> dict[SiteKey, Site]:
    ids = [site.location_id for site in network.sites]
    rows = {key_of(site): site for site in in_chunks(Site.objects.all(), "location_id", ids)}
    new, changed = [], []
    for entry in network.sites:
        values = values_of(entry, _SITE_FIELDS)
        if entry.commissioned_on is not None:  # ours, not OCPI's: a plain Location does not erase it
            values["commissioned_on"] = entry.commissioned_on
        site = rows.get(site_key(entry))
        if site is None:
            site = Site(country_code=entry.country_code, party_id=entry.party_id, updated_at=now, **values)
            site.location_id = entry.location_id
            rows[site_key(entry)] = site
            new.append(site)
        elif assign(site, values):
            changed.append(site)
    Site.objects.bulk_create(new, batch_size=CHUNK)
    Site.objects.bulk_update(changed, [*_SITE_FIELDS, "commissioned_on"], batch_size=CHUNK)
    touched.sites.update(site.pk for site in changed)
    return rows


def _write_evses(
    network: Network, sites: Mapping[SiteKey, Site], touched: _Touched, *, now: datetime
) -> dict[str, EVSE]:
    entries = [(entry, sites[site_key(site)]) for site in network.sites for entry in site.evses]
    uids = [entry.uid for entry, _ in entries]
    rows = {evse.uid: evse for evse in in_chunks(EVSE.objects.all(), "uid", uids)}
    new, changed = [], []
    for entry, site in entries:
        values = values_of(entry, _EVSE_FIELDS)
        if entry.uid not in rows:
            rows[entry.uid] = EVSE(uid=entry.uid, site=site, updated_at=now, **values)
            new.append(rows[entry.uid])
        elif assign(rows[entry.uid], values):
            changed.append(rows[entry.uid])
    EVSE.objects.bulk_create(new, batch_size=CHUNK)
    EVSE.objects.bulk_update(changed, _EVSE_FIELDS, batch_size=CHUNK)
    for evse in (*new, *changed):
        touched.note(evse)
    return rows


@dataclass(frozen=True, slots=True)
class _Written:
    """A connector of the file and its row."""

    site: SiteEntry
    entry: ConnectorEntry
    evse: EVSE
    row: Connector


def _write_connectors(
    network: Network, evses: Mapping[str, EVSE], touched: _Touched, *, now: datetime
) -> list[_Written]:
    pks = [evse.pk for evse in evses.values()]
    rows = {(row.evse_id, row.connector_id): row for row in in_chunks(Connector.objects.all(), "evse", pks)}
    written, new, changed = [], [], []
    for site, entry, evse in _connectors(network, evses):
        values = values_of(entry, _CONNECTOR_FIELDS)
        row = rows.get((evse.pk, entry.connector_id))
        if row is None:
            row = Connector(evse=evse, connector_id=entry.connector_id, updated_at=now, **values)
            new.append(row)
            touched.note(evse)
        elif assign(row, values):
            row.updated_at = now
            changed.append(row)
            touched.note(evse)
        written.append(_Written(site, entry, evse, row))
    Connector.objects.bulk_create(new, batch_size=CHUNK)
    Connector.objects.bulk_update(changed, [*_CONNECTOR_FIELDS, "updated_at"], batch_size=CHUNK)
    return written


def _connectors(
    network: Network, evses: Mapping[str, EVSE]
) -> Iterator[tuple[SiteEntry, ConnectorEntry, EVSE]]:
    for site in network.sites:
        for evse in site.evses:
            for connector in evse.connectors:
                yield site, connector, evses[evse.uid]


def _write_tariffs_of(connectors: Iterable[_Written], evses: Mapping[str, EVSE], touched: _Touched) -> None:
    """Let each connector have the tariffs that its entry names, and no others."""
    tariffs = {(t.country_code, t.party_id, t.tariff_id): t.pk for t in Tariff.objects.all()}
    links = Connector.tariffs.through.objects
    stored: dict[int, set[int]] = {}
    for link in in_chunks(links.all(), "connector__evse", [evse.pk for evse in evses.values()]):
        stored.setdefault(link.connector_id, set()).add(link.tariff_id)
    new = []
    for written in connectors:
        wanted, has = _tariff_pks(written, tariffs), stored.get(written.row.pk, set())
        new += [(written.row.pk, pk) for pk in sorted(wanted - has)]
        if has - wanted:
            links.filter(connector=written.row.pk, tariff__in=has - wanted).delete()
        if has != wanted:
            touched.selling.add(written.row.pk)
            touched.note(written.evse)
    rows = [links.model(connector_id=connector, tariff_id=tariff) for connector, tariff in new]
    links.bulk_create(rows, batch_size=CHUNK)


def _tariff_pks(written: _Written, tariffs: Mapping[TariffKey, int]) -> set[int]:
    party = (written.site.country_code, written.site.party_id)
    return {tariffs[(*party, tariff_id)] for tariff_id in written.entry.tariff_ids}


def _stamp(rows: QuerySet[Any], pks: set[int], **stamps: datetime) -> None:
    ordered = sorted(pks)
    for start in range(0, len(ordered), CHUNK):
        rows.filter(pk__in=ordered[start : start + CHUNK]).update(**stamps)


def values_of(entry: object, names: Iterable[str]) -> dict[str, Any]:
    """The named attributes of an entry, which are named like the columns."""
    return {name: getattr(entry, name) for name in names}


def assign(row: Model, values: Mapping[str, Any]) -> bool:
    """Set the values on a row; returns whether one of them was another before."""
    changes = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changes.items():
        setattr(row, name, value)
    return bool(changes)
