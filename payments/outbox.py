"""Messages to PTPs: stored with the fact they tell, claimed by one worker, retried until they arrive.

This room stores and claims. Who renders and sends a topic registers itself as its carrier.
"""

import logging
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from chargers.failpoints import failpoint
from payments.models import OutboxMessage, Ptp
from sessions_app.wakeups import wake

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 2.0
MAX_RETRY_SECONDS = 3600.0  # MONEY.md B22: up to an hour between attempts
GIVE_UP_AFTER = timedelta(hours=72)  # MONEY.md B22: at least
CLAIM_SECONDS = 60  # longer than the slowest call; a killed worker's message is free again after it
JITTER = 0.2
CALLS_PER_PTP = 2  # at once; the embedded worker has four threads for everything

DELIVER_TASK = "payments.tasks.deliver_one"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one attempt went. `permanent`: the peer will never take it as it is."""

    delivered: bool
    error: str = ""
    permanent: bool = False


Carrier = Callable[[OutboxMessage], Delivery]
_carriers: dict[str, Carrier] = {}


def register(topic: str, carrier: Carrier) -> None:
    """Let `carrier` render and send messages of this topic. It must bring its own time-outs."""
    _carriers[topic] = carrier


def tell(*, ptp: Ptp, topic: str, subject: str, now: datetime, lane: str = "") -> OutboxMessage:
    """Store that the PTP must hear of `subject`, inside the caller's transaction, and wake a worker.

    News of a subject that waits already is the same message, with the newest content. Messages of one lane
    leave one after the other, the oldest first.
    """
    message, created = OutboxMessage.objects.get_or_create(
        ptp=ptp,
        topic=topic,
        subject=subject,
        defaults={"lane": lane, "created_at": now, "next_attempt_at": now},
    )
    if not created:
        OutboxMessage.objects.filter(pk=message.pk).update(
            state=OutboxMessage.State.DUE,
            version=F("version") + 1,
            next_attempt_at=now,
            attempts=0,
            created_at=now,
        )
    wake(DELIVER_TASK, str(message.pk))
    return message


def deliver(message_id: uuid.UUID, *, now: datetime) -> bool:
    """Carry one message if it is due and nobody else has it; returns whether it arrived."""
    message = _claim(message_id, now)
    if message is None:
        return False
    failpoint("F18_delivery_claimed")
    carrier = _carriers.get(message.topic)
    if carrier is None:
        result = Delivery(delivered=False, error=f"nobody carries {message.topic}", permanent=True)
    else:
        failpoint("F19_delivery_before_http")
        result = carrier(message)
        failpoint("F20_delivery_after_http")
    _note(message, result, now)
    failpoint("F22_delivery_after_tx")
    return result.delivered


def due_ids(now: datetime, limit: int) -> list[uuid.UUID]:
    """Return the messages whose time has come, also those a killed worker left claimed."""
    due = OutboxMessage.objects.filter(state=OutboxMessage.State.DUE, next_attempt_at__lte=now)
    free = due.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now))
    return list(free.order_by("next_attempt_at").values_list("pk", flat=True)[:limit])


def _claim(message_id: uuid.UUID, now: datetime) -> OutboxMessage | None:
    """Take the message by a conditional update: one worker wins, on every database.

    A PTP that answers nobody holds each call for its whole time-out. With all workers in such calls no other
    PTP would be told anything, and no sweep would run: so only a few at a time call the same one (S17). A
    message that finds its PTP busy stays due for the next sweep.
    """
    busy = OutboxMessage.objects.filter(
        ptp__outbox=message_id, state=OutboxMessage.State.DUE, claimed_until__gt=now
    )
    if busy.count() >= CALLS_PER_PTP:
        return None
    won = OutboxMessage.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
        pk=message_id,
        state=OutboxMessage.State.DUE,
        next_attempt_at__lte=now,
    ).update(claimed_until=now + timedelta(seconds=CLAIM_SECONDS))
    return OutboxMessage.objects.select_related("ptp").get(pk=message_id) if won else None


def _note(message: OutboxMessage, result: Delivery, now: datetime) -> None:
    """Write down how it went; news that came meanwhile keeps the message due."""
    with transaction.atomic():
        if result.delivered:
            arrived = OutboxMessage.objects.filter(pk=message.pk, version=message.version).update(
                state=OutboxMessage.State.DELIVERED, delivered_at=now, claimed_until=None, last_error=""
            )
            failpoint("F21_delivery_in_tx")
            if not arrived:
                OutboxMessage.objects.filter(pk=message.pk).update(claimed_until=None)
                wake(DELIVER_TASK, str(message.pk))
            return
        _note_failure(message, result, now)
    logger.warning("%s for %s not delivered: %s", message.topic, message.ptp.name, result.error)


def _note_failure(message: OutboxMessage, result: Delivery, now: datetime) -> None:
    """Wait longer, or give up; news that came meanwhile is due at once and starts anew."""
    row = OutboxMessage.objects.filter(pk=message.pk)
    give_up = result.permanent or now - message.created_at > GIVE_UP_AFTER
    unchanged = row.filter(version=message.version).update(
        state=OutboxMessage.State.GIVEN_UP if give_up else OutboxMessage.State.DUE,
        attempts=F("attempts") + 1,
        next_attempt_at=now + timedelta(seconds=retry_seconds(message.attempts)),
        claimed_until=None,
        last_error=result.error[:300],
    )
    if not unchanged:
        row.update(claimed_until=None, last_error=result.error[:300])
        wake(DELIVER_TASK, str(message.pk))


def retry_seconds(attempts: int) -> float:
    """Return how long to wait after so many failed attempts: doubling, bounded, with jitter."""
    wait_seconds: float = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempts, 20), MAX_RETRY_SECONDS)
    return wait_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  (spreads load, guards nothing)
