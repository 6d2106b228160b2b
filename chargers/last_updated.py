"""When sites, EVSEs and connectors last became other ones for those who mirror them (OCPI: `last_updated`).

A change below counts above: of a connector for its EVSE, of both for their site (OCPI 2.3.0 mod_locations).
What people and imports change stamps all three. What a charger tells stamps its own EVSE alone, and whoever
asks for a site's newest change looks at what stands there: chargers of one site must not queue for its row.
Rows are stamped from below upwards, and an EVSE after the session on it; that is the order of their locks.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from chargers.models import EVSE, Connector, Site
from tariffs.models import Tariff


def evse_changed(evse_pk: int, *, now: datetime) -> None:
    """Something about this EVSE is another than before, say a session that takes it or leaves it."""
    EVSE.objects.filter(pk=evse_pk).update(updated_at=now)


def connectors_changed(connector_pks: Collection[int], *, now: datetime, tariffs: bool = False) -> None:
    """Stamp connectors and what they belong to; `tariffs`: what they sell by is another."""
    if not connector_pks:
        return
    stamps = {"updated_at": now} | ({"tariffs_changed_at": now} if tariffs else {})
    Connector.objects.filter(pk__in=connector_pks).update(**stamps)
    EVSE.objects.filter(connectors__in=connector_pks).update(updated_at=now)
    Site.objects.filter(evses__connectors__in=connector_pks).update(updated_at=now)


@receiver(post_save, sender=Site, dispatch_uid="chargers.site_saved")
@receiver(post_save, sender=EVSE, dispatch_uid="chargers.evse_saved")
@receiver(post_save, sender=Connector, dispatch_uid="chargers.connector_saved")
def on_saved(instance: Site | EVSE | Connector, *, created: bool, raw: bool = False, **_: Any) -> None:
    """Stamp what was saved whole, as the admin does, and what it belongs to; a new row has its stamp."""
    if raw:
        return
    now = timezone.now()
    if not created:
        type(instance)._default_manager.filter(pk=instance.pk).update(updated_at=now)
        instance.updated_at = now
    _stamp_above(instance, now)


@receiver(post_delete, sender=EVSE, dispatch_uid="chargers.evse_deleted")
@receiver(post_delete, sender=Connector, dispatch_uid="chargers.connector_deleted")
def on_deleted(instance: EVSE | Connector, **_: Any) -> None:
    """What is gone changed what it belonged to."""
    _stamp_above(instance, timezone.now())


def _stamp_above(instance: Site | EVSE | Connector, now: datetime) -> None:
    if isinstance(instance, Connector):
        EVSE.objects.filter(pk=instance.evse_id).update(updated_at=now)
        Site.objects.filter(evses=instance.evse_id).update(updated_at=now)
    if isinstance(instance, EVSE):
        Site.objects.filter(pk=instance.site_id).update(updated_at=now)


@receiver(m2m_changed, sender=Connector.tariffs.through, dispatch_uid="chargers.tariffs_attached")
def on_tariffs_attached(
    instance: Connector | Tariff, *, action: str, pk_set: set[int] | None, **_: Any
) -> None:
    """Connectors sell by other tariffs: attached or taken away, from either side."""
    if action in ("post_add", "post_remove") and pk_set:
        pks = pk_set if isinstance(instance, Tariff) else {instance.pk}
    elif action == "pre_clear":  # afterwards nobody knows which they were
        pks = _connectors_of(instance) if isinstance(instance, Tariff) else {instance.pk}
    else:
        return
    connectors_changed(pks, now=timezone.now(), tariffs=True)


@receiver(post_save, sender=Tariff, dispatch_uid="chargers.tariff_saved")
def on_tariff_saved(instance: Tariff, *, created: bool, raw: bool = False, **_: Any) -> None:
    """A tariff that is offered or no longer offered is another choice at its connectors."""
    if not created and not raw:
        connectors_changed(_connectors_of(instance), now=timezone.now(), tariffs=True)


def _connectors_of(tariff: Tariff) -> set[int]:
    return set(tariff.connectors.values_list("pk", flat=True))
