"""Wake-ups by task name: lower rooms call higher ones without importing them.

A wake-up is a hint. It is sent after commit, it never fails its caller, and the sweep behind the row it
points at finds whatever a lost one leaves.
"""

import logging
import time

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0  # after a failure; a broker that hangs may hold up one caller in so many seconds, not all

_silent_until = 0.0  # of the process; by time.monotonic()


def wake(task_name: str, *arguments: object, in_seconds: float = 0.0) -> None:
    """Ask a worker to run `task_name(*arguments)` once the present transaction has committed, or later than that."""
    transaction.on_commit(lambda: _send(task_name, arguments, in_seconds), robust=True)


def _send(task_name: str, arguments: tuple[object, ...], in_seconds: float = 0.0) -> None:
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    try:
        current_app.send_task(
            task_name, args=arguments, countdown=in_seconds or None, retry=False, ignore_result=True
        )
    except (BrokerError, OSError) as error:
        _silent_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("wake-up %s lost, the sweep will find it: %s", task_name, error)
