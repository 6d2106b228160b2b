"""Alarm clocks for the rooms above, as in sessions_app/signals.py: sent after commit, never truth, safe to lose."""

from django.db import transaction
from django.dispatch import Signal

# Sent with `evse_pk` after a charger reported another state of an EVSE than the last.
evse_status_changed = Signal()


def announce_status(evse_pk: int) -> None:
    """Ring the bell for the rooms above, after commit."""
    transaction.on_commit(lambda: evse_status_changed.send_robust(None, evse_pk=evse_pk), robust=True)
