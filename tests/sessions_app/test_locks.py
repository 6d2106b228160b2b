"""Locks of sessions where the database has real ones: nobody waits for who waits for him."""

import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from sessions_app import lifecycle, states
from sessions_app.models import Session
from tests import builders

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def _until_somebody_waits() -> None:
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)


def _move_twice(session_id: uuid.UUID, moved: threading.Event, faults: list[Exception]) -> None:
    """A row that is written twice has its foreign keys checked at the commit, by a lock on what they name."""
    try:
        with transaction.atomic():
            session = lifecycle.locked(session_id)
            lifecycle.move(session, states.EnergyPaused(by_vehicle=False), now=timezone.now())
            lifecycle.move(session, states.EnergyFlows(), now=timezone.now())
            moved.set()
            _until_somebody_waits()
    except Exception as fault:  # noqa: BLE001  (the test looks at it)
        faults.append(fault)
    finally:
        connection.close()


def test_a_sweep_does_not_dead_lock_with_a_session_that_is_written_twice() -> None:
    session_id = builders.cast().running().session.pk
    moved, faults = threading.Event(), list[Exception]()
    other = threading.Thread(target=_move_twice, args=(session_id, moved, faults))

    other.start()
    assert moved.wait(20)
    lifecycle.sweep_one(session_id, now=timezone.now() + timedelta(days=1))
    other.join()

    assert not faults
    assert Session.objects.get(pk=session_id).stale
