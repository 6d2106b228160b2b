"""What a platform has been shown: the tariffs with their holds, and the connectors' choice of them.

A driver pays by the price that the terminal showed. So a session is priced by the tariff version that its
platform last acknowledged, and it does not start where the platform cannot know yet what is sold.

What is noted comes from what was read and told, never from the clock: a change that commits a moment after it
was stamped must not count as seen because somebody polled in between.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chargers.models import Connector
from payments.models import OcpiConnection, SeenSite, SeenTariff
from payments.offers import version_on_offer


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


def tariff_for(connection: OcpiConnection, connector: Connector, *, now: datetime) -> SeenTariff | NotSeen:
    """Return what a session at this connector is priced by, or why the platform cannot start one there.

    Read `connector` with `select_related("evse__site")`. The SeenTariff comes with its version.
    """
    offered = version_on_offer(connector, now)
    if offered is None:
        return NotSeen.NOTHING_SOLD
    seen = (
        SeenTariff.objects.select_related("version__tariff")
        .filter(connection=connection, tariff=offered.tariff_id)
        .first()
    )
    if seen is None:
        return NotSeen.TARIFF_NOT_SEEN
    if seen.hold_minor <= 0:  # in 2.2.1 a max_price of nothing: no card can hold it
        return NotSeen.NOTHING_SOLD
    site = SeenSite.objects.filter(connection=connection, site=connector.evse.site_id).first()
    if site is not None and site.seen_at < connector.tariffs_changed_at:
        return NotSeen.SITE_NOT_SEEN
    return seen if seen.version.terms().is_valid_at(now) else NotSeen.NOT_IN_FORCE


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
    news = [
        SeenTariff(
            connection=connection,
            tariff_id=tariff_pk,
            version_id=each.version_pk,
            hold_minor=each.hold_minor,
            seen_at=now,
        )
        for tariff_pk, each in shown.items()
        if not is_known(known.get(tariff_pk), each)
    ]
    if news:
        SeenTariff.objects.bulk_create(
            news,
            update_conflicts=True,
            unique_fields=["connection", "tariff"],
            update_fields=["version", "hold_minor", "seen_at"],
        )


def is_known(seen: SeenTariff | None, shown: Shown) -> bool:
    """Whether the platform was told exactly this last."""
    return seen is not None and Shown(seen.version_id, seen.hold_minor) == shown


def forget_tariff(connection: OcpiConnection, tariff_pk: int) -> None:
    """The platform was told that a tariff is gone; it sells by it no more."""
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
