"""From database rows to what the shapes write of sites: read in bulk, with a fixed number of queries.

When a site changed is worked out from what stands there: a charger's message stamps its own rows only, so
that two chargers of one site never wait for each other.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.db.models import Max, Q, TextField
from django.db.models.functions import Cast, Coalesce, Greatest

from chargers.models import EVSE, PROCESS_LEASE_SECONDS, Connector, Site
from payments.ocpi.connections import Party
from payments.ocpi.locations import ConnectorEntry, EvseEntry, SiteEntry
from payments.ocpi.published import PublishedTariff, published_tariffs, tariff_ids_of
from payments.ocpi.statuses import ocpi_status
from sessions_app.models import Session
from sessions_app.states import LIVE

_LEASE = timedelta(seconds=PROCESS_LEASE_SECONDS)
# A session that waits for its driver to plug in is not known to the charger; nobody else may start there.
_TAKEN_BY_A_SESSION = frozenset({"AVAILABLE", "RESERVED", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class PublishedSite:
    """A site as a platform gets it now, and what `seen.note_sites` needs to know of it."""

    site_pk: int
    entry: SiteEntry
    tariffs_changed_at: datetime | None  # the newest of its connectors; None where nothing stands


def published_sites(
    sites: Sequence[Site], *, parties: frozenset[Party], now: datetime
) -> list[PublishedSite]:
    """Return sites with all that stands there, in the order given.

    Eight queries however many sites there are; `parties` are those whose tariffs may be shown.
    """
    by_pk = {site.pk: site for site in sites}
    evses = _evses(by_pk, _connectors(by_pk, parties=parties, now=now), now=now)
    tariffs_changed_at = _tariffs_changed_at(by_pk)
    return [
        PublishedSite(
            site.pk, _site_entry(site, tuple(evses.get(site.pk, ()))), tariffs_changed_at.get(site.pk)
        )
        for site in sites
    ]


def _tariffs_changed_at(site_pks: Collection[int]) -> dict[int, datetime]:
    rows = Connector.objects.filter(evse__site__in=site_pks).order_by().values_list("evse__site")
    return dict(rows.annotate(newest=Max("tariffs_changed_at")))


def sites_changed_since(at: datetime, *, now: datetime) -> Q:
    """Return the condition that a site, or anything that a Location tells of it, changed at `at` or later.

    It agrees with `last_updated`, which is the newest of the same stamps. OCPI 2.3.0 mod_locations: a change
    of an EVSE or a connector is one of its Location.
    """
    presence = (
        Q(station__connected_at__gte=at)
        | Q(station__disconnected_at__gte=at)
        | Q(
            station__connection_id__isnull=False,
            station__process__alive_at__gte=at - _LEASE,
            station__process__alive_at__lte=now - _LEASE,
        )
    )
    evses = EVSE.objects.filter(Q(updated_at__gte=at) | presence).order_by().values("site")
    connectors = Connector.objects.filter(updated_at__gte=at).order_by().values("evse__site")
    return Q(updated_at__gte=at) | Q(pk__in=evses) | Q(pk__in=connectors)


def _site_entry(site: Site, evses: tuple[EvseEntry, ...]) -> SiteEntry:
    return SiteEntry(
        country_code=site.country_code,
        party_id=site.party_id,
        location_id=site.location_id,
        country=site.country,
        time_zone=site.time_zone,
        name=site.name,
        address=site.address,
        city=site.city,
        postal_code=site.postal_code,
        latitude=site.latitude,
        longitude=site.longitude,
        publish=site.publish,
        commissioned_on=site.commissioned_on,
        evses=evses,
        source=site.source,
        updated_at=site.updated_at,
    )


# Most rows have the same few sources, or none: decoding them one by one took a fifth of a page's time.
_SOURCE = Cast("source", TextField())


@lru_cache(maxsize=1024)
def _decoded(source: str) -> dict[str, Any]:
    """The fields that an import brought and we do not use; many rows share the value, nobody changes it."""
    fields: dict[str, Any] = json.loads(source)
    return fields


# --- Connectors -----------------------------------------------------------------------------------


class _ConnectorRow(NamedTuple):
    pk: int
    evse: int
    site: int
    connector_id: str
    standard: str
    format: str
    power_type: str
    max_voltage: int
    max_amperage: int
    max_power_w: int
    source: str
    updated_at: datetime


_CONNECTOR_COLUMNS: Final[tuple[Any, ...]] = (
    "pk", "evse", "evse__site", "connector_id", "standard", "format", "power_type", "max_voltage",
    "max_amperage", "max_power_w", _SOURCE, "updated_at",
)  # fmt: skip


def _connectors(
    sites: Mapping[int, Site], *, parties: frozenset[Party], now: datetime
) -> Mapping[int, list[ConnectorEntry]]:
    """Connectors by the primary key of their EVSE."""
    attached = _attached(sites, parties=parties, now=now)
    rows = Connector.objects.filter(evse__site__in=sites).order_by("evse", "connector_id")
    found = defaultdict(list)
    for row in map(_ConnectorRow._make, rows.values_list(*_CONNECTOR_COLUMNS)):
        site, is_dc = sites[row.site], row.power_type == "DC"
        named = site.preauthorize_dc if is_dc else site.preauthorize_ac
        tariff_ids = tariff_ids_of(attached.get(row.pk, ()), is_dc=is_dc, named=named, now=now)
        found[row.evse].append(_connector_entry(row, tariff_ids))
    return found


def _attached(
    site_pks: Collection[int], *, parties: frozenset[Party], now: datetime
) -> Mapping[int, list[PublishedTariff]]:
    """What is published of the tariffs of each connector, by its primary key."""
    pairs = list(
        Connector.tariffs.through.objects.filter(connector__evse__site__in=site_pks).values_list(
            "connector_id", "tariff_id"
        )
    )
    published = published_tariffs(parties, now=now, only={tariff_pk for _, tariff_pk in pairs})
    attached = defaultdict(list)
    for connector_pk, tariff_pk in pairs:
        if tariff_pk in published:
            attached[connector_pk].append(published[tariff_pk])
    return attached


def _connector_entry(row: _ConnectorRow, tariff_ids: tuple[str, ...]) -> ConnectorEntry:
    return ConnectorEntry(
        connector_id=row.connector_id,
        standard=row.standard,
        format=row.format,
        power_type=row.power_type,
        max_voltage=row.max_voltage,
        max_amperage=row.max_amperage,
        max_power_w=row.max_power_w,
        tariff_ids=tariff_ids,
        source=_decoded(row.source),
        updated_at=row.updated_at,
    )


# --- EVSEs ----------------------------------------------------------------------------------------


class _EvseRow(NamedTuple):
    pk: int
    site: int
    uid: str
    evse_id: str
    physical_reference: str
    removed: bool
    source: str
    status: str
    changed_at: datetime
    connection_id: object
    alive_at: datetime | None


_EVSE_COLUMNS: Final[tuple[Any, ...]] = (
    "pk", "site", "uid", "evse_id", "physical_reference", "removed", _SOURCE, "status",
    # The charger's coming and going makes an EVSE another one for a driver.
    Greatest(
        "updated_at",
        Coalesce("station__connected_at", "updated_at"),
        Coalesce("station__disconnected_at", "updated_at"),
    ),
    "station__connection_id", "station__process__alive_at",
)  # fmt: skip


def _evses(
    site_pks: Collection[int], connectors: Mapping[int, list[ConnectorEntry]], *, now: datetime
) -> Mapping[int, list[EvseEntry]]:
    rows = EVSE.objects.filter(site__in=site_pks).order_by("site", "station_id", "number", "uid")
    taken: set[Any] = set(
        Session.objects.filter(evse__site__in=site_pks, state__in=sorted(LIVE))
        .order_by()
        .values_list("evse", flat=True)
    )
    found = defaultdict(list)
    for row in map(_EvseRow._make, rows.values_list(*_EVSE_COLUMNS)):
        entry = _evse_entry(row, connectors.get(row.pk, ()), taken=row.pk in taken, now=now)
        found[row.site].append(entry)
    return found


def _evse_entry(
    row: _EvseRow, connectors: Iterable[ConnectorEntry], *, taken: bool, now: datetime
) -> EvseEntry:
    online, died_at = False, row.changed_at
    if row.connection_id is not None and row.alive_at is not None:
        online = row.alive_at > now - _LEASE
        died_at = row.changed_at if online else row.alive_at + _LEASE  # its process died with the socket
    status = ocpi_status(row.status, online=online, removed=row.removed)
    if taken and online and status in _TAKEN_BY_A_SESSION:
        status = "CHARGING"
    return EvseEntry(
        uid=row.uid,
        evse_id=row.evse_id,
        physical_reference=row.physical_reference,
        removed=row.removed,
        connectors=tuple(connectors),
        source=_decoded(row.source),
        status=status,
        updated_at=max(row.changed_at, died_at),
    )
