"""Sweeps over the chargers' rows; what they find is the truth, whatever hint was lost."""

from celery import shared_task
from django.utils import timezone

from chargers import commands


@shared_task(name="chargers.tasks.expire_commands")  # type: ignore[untyped-decorator]
def expire_commands() -> int:
    """Tell askers of commands whose deadline has passed; returns how many."""
    return commands.expire(timezone.now())
