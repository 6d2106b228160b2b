"""Sweepers of sessions: they finish what a crash, a lost wake-up or a silent charger left open.

Each row is its own transaction, so running twice or in several processes does no harm.
"""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chargers.facts import CommandAction
from chargers.models import Command
from chargers.models import Transaction as ChargerTransaction
from sessions_app import following, lifecycle
from sessions_app.models import Session
from sessions_app.states import LIVE, NEVER_STARTED
from sessions_app.transactions import stop_transaction

logger = logging.getLogger(__name__)
BATCH = 500  # rows a sweep looks at; the next one comes in seconds
STRAY_AFTER = timedelta(days=1)  # a stray transaction of yesterday is the operator's business


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
    return looked_at + _chase_strays()


def _sweep_limit(session_id: object) -> None:
    """The second path to the paid limit, for when the charger's process died with its timer."""
    now = timezone.now()
    with transaction.atomic():
        session = lifecycle.locked(session_id)  # type: ignore[arg-type]
        following.stop_if_limit_is_due(session, now=now)


def _chase_strays() -> int:
    """Stop again what runs without a session behind it and did not obey the first stop (B5)."""
    now = timezone.now()
    strays = ChargerTransaction.objects.filter(
        stopped_at__isnull=True,
        accepted=False,
        start_received_at__gte=now - STRAY_AFTER,
        id_tag__in=Session.objects.filter(
            state__in=sorted(NEVER_STARTED), requested_at__gte=now - STRAY_AFTER
        ).values("id_tag"),
    ).select_related("station")
    chased = 0
    for stray in strays[:BATCH]:
        recently = Command.objects.filter(
            station=stray.station,
            action=CommandAction.STOP,
            arguments__transaction_id=stray.transaction_id,
            created_at__gt=now - timedelta(seconds=settings.STOP_TIMEOUT_SECONDS),
        )
        if not recently.exists():
            with transaction.atomic():
                stop_transaction(stray, now)
            chased += 1
    return chased
