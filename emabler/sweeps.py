"""The heartbeat of the sweeps: each writes when it last ran, so that one that stopped is seen before it is missed.

Whatever is lost on the way - Redis, a worker, a wake-up - a sweep finds it; so the sweeps themselves are
watched, by database truth: /readyz and the portal say when one is late, in whichever process it should have run.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from emabler.models import SweepRun

logger = logging.getLogger(__name__)

OFTEN_SECONDS: Final = 60.0  # what runs less often than this is housekeeping, no money waits for it
WRITTEN_EVERY_SECONDS: Final = 5.0  # by one process, however often the sweep runs
LATE_AFTER_SECONDS: Final = 60.0
LATE_AFTER_PERIODS: Final = 12

_started_at = timezone.now()
_written: dict[str, float] = {}  # task → moment of its last heartbeat from this process


def watched() -> list[str]:
    """Return the tasks of the beat table that money waits for, in its order: commands, sessions, payments, PTPs."""
    return [each["task"] for each in _often() if not each["options"]["priority"]]


def _often() -> list[dict[str, Any]]:
    planned = current_app.conf.beat_schedule.values()
    return [each for each in planned if float(each["schedule"]) <= OFTEN_SECONDS]


def note(task: str, now: datetime) -> None:
    """Write down that a sweep ran; a database that refuses costs a heartbeat, nothing else."""
    moment = time.monotonic()
    if moment - _written.get(task, -WRITTEN_EVERY_SECONDS) < WRITTEN_EVERY_SECONDS:
        return
    try:
        SweepRun.objects.update_or_create(task=task, defaults={"ran_at": now})
    except DatabaseError:
        logger.warning("the heartbeat of %s could not be written", task, exc_info=True)
        return
    _written[task] = moment


def late(now: datetime) -> list[str]:
    """Return the sweeps that have not run for too long; a process that has just started gives them time."""
    runs = dict(SweepRun.objects.values_list("task", "ran_at"))
    limit = max(LATE_AFTER_SECONDS, LATE_AFTER_PERIODS * settings.SWEEP_INTERVAL_SECONDS)
    return [
        task
        for task in watched()
        if now - runs.get(task, _started_at) > timedelta(seconds=limit)
        and now - _started_at > timedelta(seconds=limit)
    ]


def run_all(now: datetime | None = None) -> dict[str, str]:
    """Run every sweep that is no housekeeping here and now, without Celery; returns what each said.

    Safe beside workers that do the same: each row is a transaction of its own.
    """
    current_app.loader.import_default_modules()
    said: dict[str, str] = {}
    for task in [each["task"] for each in _often()]:
        try:
            said[task] = str(current_app.tasks[task].run())
            note(task, now or timezone.now())
        except Exception as error:
            logger.exception("sweep %s failed", task)
            said[task] = f"failed: {type(error).__name__}"
    return said
