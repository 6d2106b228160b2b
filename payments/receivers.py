"""The session's bell rings here: settle what ended, tell the PTP what changed. Ids only; the rows are truth."""

import uuid
from typing import Any

from django.dispatch import receiver

from sessions_app.signals import session_changed
from sessions_app.wakeups import wake


@receiver(session_changed, dispatch_uid="payments.session_changed")
def on_session_changed(*, session_id: uuid.UUID, **_: Any) -> None:
    """Wake the worker that follows this session's payment."""
    wake("payments.tasks.follow_session", str(session_id))
