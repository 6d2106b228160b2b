"""Celery tasks of what we send over OCPI, and the carriers registered: each task is a wake-up, safe to lose."""

from datetime import timedelta
from typing import Any, Final

from celery import shared_task
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from payments.models import OcpiMessage, OcpiPush
from payments.ocpi.push import (  # noqa: F401  (they register their carriers)
    cdrs,
    command_results,
    locations,
    pulls,
    sessions,
    tariffs,
    terminals,
    watch,
)
from payments.ocpi.push.remembered import Kind

LOG_BATCH: Final = 5_000  # rows that one statement deletes, so that it holds nobody up
LOG_BATCHES: Final = 20


@shared_task(name=watch.TASK)  # type: ignore[untyped-decorator]
def watch_platforms() -> int:
    """Find out what each platform does not know of tariffs, sites and terminals; returns how many messages."""
    return watch.look(timezone.now())


@shared_task(name="payments.ocpi.push.tasks.pull_from_platforms")  # type: ignore[untyped-decorator]
def pull_from_platforms() -> int:
    """Fetch confirmations and terminals where their time has come; returns how many platforms gave them."""
    return pulls.pull_due(timezone.now())


@shared_task(name="payments.ocpi.push.tasks.forget_old_messages")  # type: ignore[untyped-decorator]
def forget_old_messages() -> int:
    """Delete OCPI traffic, and what we noted of sessions for it, once it is older than it is kept.

    Returns how many rows. A session that is told of after all is then told whole.
    """
    before = timezone.now() - timedelta(days=settings.OCPI_LOG_DAYS)
    sessions_and_cdrs = OcpiPush.objects.filter(kind__in=(Kind.SESSION, Kind.CDR), pushed_at__lt=before)
    return _delete(OcpiMessage.objects.filter(at__lt=before)) + _delete(sessions_and_cdrs)


def _delete(rows: QuerySet[Any]) -> int:
    gone = 0
    for _ in range(LOG_BATCHES):
        pks = list(rows.order_by().values_list("pk", flat=True)[:LOG_BATCH])
        if not pks:
            break
        gone += rows.model._default_manager.filter(pk__in=pks).delete()[0]
    return gone
