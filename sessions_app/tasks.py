"""Sweepers of sessions: they finish what a crash, a lost wake-up or a silent charger left open.

Each row is its own transaction, so running twice or in several processes does no harm.
"""

import logging

from celery import shared_task
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from sessions_app import following, lifecycle, strays
from sessions_app.models import Session
from sessions_app.states import LIVE

logger = logging.getLogger(__name__)
BATCH = 500  # rows a sweep looks at; the next one comes in seconds


@shared_task(name="sessions_app.tasks.sweep_sessions")  # type: ignore[untyped-decorator]
def sweep_sessions() -> int:
    """Look at every session whose deadline or paid limit has come; returns how many were looked at."""
    now = timezone.now()
    due = (
        Session.objects.filter(
            Q(deadline_at__lte=now, state__in=sorted(LIVE)) | Q(stop_at__lte=now, state__in=sorted(LIVE))
        )
        .order_by("deadline_at")
        .values_list("pk", flat=True)[:BATCH]
    )
    looked_at = 0
    for session_id in list(due):
        try:
            lifecycle.sweep_one(session_id, now=now)
            _sweep_limit(session_id)
        except Exception:
            # One broken row must not keep the others waiting; it is found again by the next sweep.
            logger.exception("sweep of session %s failed", session_id)
        looked_at += 1
    return looked_at + strays.chase(now)


def _sweep_limit(session_id: object) -> None:
    """The second path to the paid limit, for when the charger's process died with its timer."""
    now = timezone.now()
    with transaction.atomic():
        session = lifecycle.locked(session_id)  # type: ignore[arg-type]
        following.stop_if_limit_is_due(session, now=now)
