"""What a platform has been shown: the tariffs with their holds, and the connectors' choice of them.

A driver pays by the price that the terminal showed. So a session is priced by the tariff version that its
platform last acknowledged, and it does not start where the platform cannot know yet what is sold.

What is noted comes from what was read and told, never from the clock: a change that commits a moment after it
was stamped must not count as seen because somebody polled in between.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.db import transaction

from chargers.models import Connector
from payments.models import OcpiConnection, SeenSite, SeenTariff, TariffNews
from payments.offers import version_on_offer
from tariffs.models import TariffVersion

_REPLACEABLE: Final = (
    "version",
    "hold_minor",
    "seen_at",
    "previous_version",
    "version_replaced_at",
    "previous_hold_minor",
    "hold_replaced_at",
)


class NotSeen(StrEnum):
    """Why a platform cannot have shown the price of a connector."""

    NOTHING_SOLD = "nothing_sold"  # no tariff for a driver with a card is in force there
    TARIFF_NOT_SEEN = "tariff_not_seen"  # the one that is, this platform was never told
    SITE_NOT_SEEN = "site_not_seen"  # another tariff is attached since the platform last got the Location
    NOT_IN_FORCE = "not_in_force"  # the version that the platform knows does not count today


@dataclass(frozen=True, slots=True)
class Shown:
    """A tariff version as a platform was told it, with the amount that it is to preauthorise."""

    version_pk: int
    hold_minor: int


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a session is priced by, and the amount that is surely held for it."""

    version: TariffVersion
    hold_minor: int


def tariff_for(connection: OcpiConnection, connector: Connector, *, now: datetime) -> Agreed | NotSeen:
    """Return what a session at this connector is priced by, or why the platform cannot start one there.

    Read `connector` with `select_related("evse__site")`. Between the tap and START_SESSION a driver reads and
    types, and the platform may acknowledge news meanwhile; see `_agreed`.
    """
    offered = version_on_offer(connector, now)
    if offered is None:
        return NotSeen.NOTHING_SOLD
    seen = (
        SeenTariff.objects.select_related("version__tariff", "previous_version__tariff")
        .filter(connection=connection, tariff=offered.tariff_id)
        .first()
    )
    if seen is None:
        return NotSeen.TARIFF_NOT_SEEN
    agreed = _agreed(seen, now)
    if agreed.hold_minor <= 0:  # in 2.2.1 a max_price of nothing: no card can hold it
        return NotSeen.NOTHING_SOLD
    site = SeenSite.objects.filter(connection=connection, site=connector.evse.site_id).first()
    if site is not None and site.seen_at < connector.tariffs_changed_at:
        return NotSeen.SITE_NOT_SEEN
    return agreed if agreed.version.terms().is_valid_at(now) else NotSeen.NOT_IN_FORCE


def _agreed(seen: SeenTariff, now: datetime) -> Agreed:
    """What holds for a driver who starts now, perhaps by what the terminal showed before it got news.

    START_SESSION names neither price nor hold, so within settings.PRICE_CHANGE_GRACE_SECONDS of news we cannot
    know which of the two the driver saw. The bill must fit the hold that was made: the lower one is the limit.
    The price is the older one: whoever tapped before the change was shown nothing else, and must not pay a
    price that came afterwards. One who tapped after it pays the older price too; where that is the dearer one,
    a price cut is taken by the next driver: two minutes of the old price harm less than a price nobody showed.
    """
    hold_minor = seen.hold_minor
    if seen.previous_hold_minor is not None and _is_recent(seen.hold_replaced_at, now):
        hold_minor = min(hold_minor, seen.previous_hold_minor)
    older = seen.previous_version
    if older is None or not _is_recent(seen.version_replaced_at, now) or _same_price(older, seen.version):
        return Agreed(seen.version, hold_minor)
    if older.terms().currency != seen.version.terms().currency:
        return Agreed(older, seen.previous_hold_minor or hold_minor)  # two holds that cannot be compared
    # One that is over was replaced because of that; it priced what was started until then.
    return Agreed(older if older.terms().is_valid_at(now) else seen.version, hold_minor)


def _is_recent(replaced_at: datetime | None, now: datetime) -> bool:
    grace = timedelta(seconds=settings.PRICE_CHANGE_GRACE_SECONDS)
    return replaced_at is not None and now < replaced_at + grace


def _same_price(older: TariffVersion, newer: TariffVersion) -> bool:
    """Whether two versions differ in nothing but the hold."""
    one, other = (
        replace(version.terms(), preauthorize_amount=None, last_updated_at=None) for version in (older, newer)
    )
    return one == other


def shown_tariffs(
    connection: OcpiConnection, tariff_pks: Collection[int] | None = None
) -> dict[int, SeenTariff]:
    """Return what the platform was last told, by the tariff's primary key."""
    seen = SeenTariff.objects.filter(connection=connection)
    if tariff_pks is not None:
        seen = seen.filter(tariff__in=tariff_pks)
    return {each.tariff_id: each for each in seen}


def note_tariffs(connection: OcpiConnection, shown: Mapping[int, Shown], *, now: datetime) -> None:
    """Note what the platform is told of tariffs, by primary key; writes only where it is news."""
    known = shown_tariffs(connection, shown.keys()) if shown else {}
    news = {pk: each for pk, each in shown.items() if not is_known(known.get(pk), each)}
    changed = {pk: each for pk, each in news.items() if pk in known}
    if changed:
        _change(connection, changed, now)
    if len(changed) < len(news):
        _begin(connection, {pk: each for pk, each in news.items() if pk not in known}, now)


def note_acknowledged(
    connection: OcpiConnection, tariff_pk: int, shown: Shown, *, before: Shown | None, now: datetime
) -> None:
    """Note what a push told that was written when the platform knew `before`.

    An answer that comes late says nothing of what the platform has fetched meanwhile, so then that stands.
    """
    with transaction.atomic():
        row = _locked(connection, [tariff_pk]).get(tariff_pk)
        if (None if row is None else Shown(row.version_id, row.hold_minor)) == before != shown:
            (_begin if row is None else _change)(connection, {tariff_pk: shown}, now)


def _locked(connection: OcpiConnection, tariff_pks: Collection[int]) -> dict[int, SeenTariff]:
    rows = SeenTariff.objects.select_for_update().filter(connection=connection, tariff__in=tariff_pks)
    return {row.tariff_id: row for row in rows.order_by("pk")}


@transaction.atomic
def _change(connection: OcpiConnection, news: Mapping[int, Shown], now: datetime) -> None:
    """Put news in rows that are there, and with them what they replace."""
    rows = _locked(connection, news.keys())
    for tariff_pk, row in rows.items():
        _replace(row, news[tariff_pk], now)
    SeenTariff.objects.bulk_update(rows.values(), _REPLACEABLE)


def _begin(connection: OcpiConnection, news: Mapping[int, Shown], now: datetime) -> None:
    """Make rows for what was told for the first time; of two at once the first stays."""
    rows = [
        SeenTariff(
            connection=connection,
            tariff_id=tariff_pk,
            version_id=each.version_pk,
            hold_minor=each.hold_minor,
            seen_at=now,
        )
        for tariff_pk, each in news.items()
    ]
    SeenTariff.objects.bulk_create(rows, ignore_conflicts=True)


def _replace(row: SeenTariff, shown: Shown, now: datetime) -> None:
    """Put news in a row. Of several within the grace the oldest version and the lowest hold are kept."""
    if row.version_id != shown.version_pk:
        if not _is_recent(row.version_replaced_at, now):
            row.previous_version_id = row.version_id
        row.version_id, row.version_replaced_at = shown.version_pk, now
    if row.hold_minor != shown.hold_minor:
        held = [row.hold_minor]
        if row.previous_hold_minor is not None and _is_recent(row.hold_replaced_at, now):
            held.append(row.previous_hold_minor)
        row.previous_hold_minor, row.hold_replaced_at = min(held), now
        row.hold_minor = shown.hold_minor
    row.seen_at = now


def is_known(seen: SeenTariff | None, shown: Shown) -> bool:
    """Whether the platform was told exactly this last."""
    return seen is not None and Shown(seen.version_id, seen.hold_minor) == shown


def forget_tariff(connection: OcpiConnection, tariff_pk: int) -> None:
    """The platform was told that a tariff is gone; it sells by it no more. Offered again, it is news."""
    TariffNews.objects.filter(connection=connection, tariff=tariff_pk).update(version=None)
    SeenTariff.objects.filter(connection=connection, tariff=tariff_pk).delete()


def note_sites(connection: OcpiConnection, told: Mapping[int, datetime | None]) -> None:
    """Note that the platform was told whole Locations; writes only where it is news.

    `told` has, per site's primary key, the newest `tariffs_changed_at` of the connectors that it was told
    (`rows.PublishedSite.tariffs_changed_at`), None where nothing stands there.
    """
    known = dict(
        SeenSite.objects.filter(connection=connection, site__in=told).values_list("site_id", "seen_at")
    )
    news = [
        SeenSite(connection=connection, site_id=site_pk, seen_at=seen_at)
        for site_pk, seen_at in told.items()
        if seen_at is not None and (site_pk not in known or known[site_pk] < seen_at)
    ]
    if news:
        SeenSite.objects.bulk_create(
            news,
            update_conflicts=True,
            unique_fields=["connection", "site"],
            update_fields=["seen_at"],
        )
