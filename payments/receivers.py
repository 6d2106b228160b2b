"""Bells ring here: settle what ended, tell the PTP what changed. Ids only; the rows are truth."""

import uuid
from typing import Any

from django.db.models.signals import m2m_changed
from django.dispatch import receiver

from chargers.signals import evse_status_changed
from payments.models import Terminal
from payments.ocpi.push import watch
from payments.ocpi.push.terminals import tell_assigned
from sessions_app.signals import session_changed
from sessions_app.wakeups import wake


@receiver(session_changed, dispatch_uid="payments.session_changed")
def on_session_changed(*, session_id: uuid.UUID, **_: Any) -> None:
    """Wake the worker that follows this session's payment, and the one that tells who mirrors the EVSE's state."""
    wake("payments.tasks.follow_session", str(session_id))
    watch.look_soon()


@receiver(evse_status_changed, dispatch_uid="payments.evse_status_changed")
def on_evse_status_changed(**_: Any) -> None:
    """A driver unplugged, or a charger broke: who mirrors the EVSE's state must hear before the next tap."""
    watch.look_soon()


@receiver(m2m_changed, sender=Terminal.sites.through, dispatch_uid="payments.terminal_sites")
@receiver(m2m_changed, sender=Terminal.evses.through, dispatch_uid="payments.terminal_evses")
def on_terminal_assigned(
    *, instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_: Any
) -> None:
    """An operator assigned terminals to sites or EVSEs, from either side: their PTP must hear of it."""
    if action not in ("post_add", "post_remove", "post_clear", "pre_clear"):
        return
    if not reverse:
        tell_assigned([instance.pk])
    elif action == "pre_clear":  # afterwards nobody knows any more which they were
        tell_assigned(list(instance.terminals.values_list("pk", flat=True)))
    else:
        tell_assigned(list(pk_set or ()))
