"""Staff looked at a session that the charger's story left in doubt, and say that it is done."""

import uuid
from datetime import datetime

from django.db import transaction

from chargers.prepared import insert
from sessions_app.lifecycle import locked
from sessions_app.models import Session, SessionEvent


def close_review(session_id: uuid.UUID, *, actor: str, reason: str, now: datetime) -> bool:
    """Close what stands in `needs_review`, with a line in the journal; False where nothing stands there.

    Raises Session.DoesNotExist.
    """
    with transaction.atomic():
        session = locked(session_id)
        if not session.needs_review:
            return False
        session.event_count += 1
        insert(
            SessionEvent(
                session=session,
                number=session.event_count,
                at=now,
                kind="ReviewClosed",
                state_before=session.state,
                state_after=session.state,
                actor=actor,
                data={"reason": reason, "was": session.needs_review},
            )
        )
        Session.objects.filter(pk=session.pk).update(needs_review="", event_count=session.event_count)
    return True
