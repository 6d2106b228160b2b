"""The Celery application and the beat table: every sweeper, its period and why.

A task is only a wake-up for a row. Whatever Redis or a killed worker loses, the next sweep finds.
"""

import os
from typing import Any

from celery import Celery, Task, signals
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")

app = Celery("emabler")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Sweeps overtake wake-ups, which are as many as there is trouble. The pages of receipts wait for both.
FIRST, LAST = {"priority": 0}, {"priority": 9}

# Nor is a worker to put back what it had not begun when its connection broke: that can end the worker itself.
Channel.do_restore = False


@signals.task_prerun.connect
@signals.task_postrun.connect
def _give_connection_back(task: Task, **_: object) -> None:
    """As around a request: to the pool, where it is looked at before its next use; without a pool it ends."""
    if not task.request.is_eager:
        close_old_connections()


@app.on_configure.connect
def _plan_sweeps(sender: Celery, **_: object) -> None:
    """Fill the beat table once settings are read; the period is a setting so that journeys run fast."""
    period = settings.SWEEP_INTERVAL_SECONDS
    planned: dict[str, dict[str, Any]] = {
        # Commands nobody answered, or that no socket could take, must tell their session so.
        "expire-commands": {"task": "chargers.tasks.expire_commands", "schedule": period},
        # Session deadlines: start, stop, final meter value, full battery, forgotten transactions.
        "sweep-sessions": {"task": "sessions_app.tasks.sweep_sessions", "schedule": period},
        # Ended sessions whose wake-up was lost; payments past their deadline.
        "sweep-payments": {"task": "payments.tasks.sweep_payments", "schedule": period},
        # Lines of settlement files that are new, or whose payment came to rest.
        "compare-files": {"task": "payments.tasks.compare_files", "schedule": period, "options": LAST},
        # Receipts whose wake-up was lost.
        "draw-receipts": {"task": "payments.tasks.draw_receipts", "schedule": period, "options": LAST},
        # Deliveries whose time has come, also those a killed worker left claimed.
        "deliver-due": {"task": "payments.tasks.deliver_due", "schedule": period},
        # A PTP that is down gets a call every PEER_PROBE_SECONDS, though all its messages wait for longer.
        "probe-silent": {"task": "payments.tasks.probe_silent", "schedule": period},
        # What platforms do not know yet of tariffs, EVSE states and sites; wake-ups come for the states alone.
        "watch-platforms": {"task": "payments.ocpi.push.tasks.watch_platforms", "schedule": period},
        # Confirmations that were lost on the way; looks whose night it is, and asks where one is overdue.
        "pull-from-platforms": {"task": "payments.ocpi.push.tasks.pull_from_platforms", "schedule": 300.0},
        "forget-old-messages": {
            "task": "payments.ocpi.push.tasks.forget_old_messages",
            "schedule": 6 * 3600.0,
        },
    }
    for each in planned.values():
        # A sweep that no worker took until the next one is due is not needed any more. Without that, a worker
        # that comes back late finds hundreds of them before what people wait for.
        each["options"] = {**FIRST, **each.get("options", {}), "expires": each["schedule"]}
    sender.conf.beat_schedule = planned


@signals.task_success.connect
def _note_sweep(sender: Task, **_: object) -> None:
    """A sweep ran to its end: whoever watches them must see it."""
    from emabler import sweeps  # its rows exist once Django is set up, which this module comes before

    if sender.name in sweeps.watched():
        sweeps.note(sender.name, timezone.now())
