"""Messages to PTPs: stored with the fact they tell, claimed by one worker, retried until they arrive.

This room stores and claims. Who renders and sends a topic registers itself as its carrier. A PTP that is down
is asked by one message at a time (circuit.py); its first answer makes all that waits for it due.
"""

import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, zip_longest

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Least

from chargers.failpoints import failpoint
from payments import circuit, lanes
from payments.lanes import PATIENCE
from payments.models import OutboxMessage, Ptp
from sessions_app.wakeups import wake

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 2.0
MAX_RETRY_SECONDS = 3600.0  # MONEY.md B22: up to an hour between attempts
# Longer than the slowest attempt, which is two calls. No longer: what a killed worker had claimed counts among
# the CALLS_PER_PTP until then, and keeps all that waits for this PTP waiting.
CLAIM_SECONDS = 30
JITTER = 0.2
CALLS_PER_PTP = 2  # at once; the embedded worker has four threads for everything
PROBES_LOOKED_AT = 20  # messages that may have been taken meanwhile, before a probe is left to the next sweep

# What a proxy says when nobody is behind it. A 500 is not among them: it may be about this one message, and a
# message that its peer chokes on must not make the peer look down.
NOBODY_THERE = frozenset({502, 503, 504})
TOO_MANY = 429  # calls: it wants peace, also where it does not say for how long

DELIVER_TASK = "payments.tasks.deliver_one"
SWEEP_TASK = "payments.tasks.deliver_due"

_DUE = OutboxMessage.State.DUE


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one attempt went.

    `permanent`: the peer will never take it as it is. `unreachable`: nobody answered, which says nothing of
    the message. `faulty`: the peer failed over it, be it this one or each. `called` is False where no call was
    made, which says nothing of the peer. `retry_after_seconds` is what the peer asked for, 0 where it did not.
    """

    delivered: bool
    error: str = ""
    permanent: bool = False
    unreachable: bool = False
    faulty: bool = False
    called: bool = True
    retry_after_seconds: float = 0.0


def nothing_to_tell(why: str) -> Delivery:
    """The message is settled without a call."""
    return Delivery(delivered=True, error=why, called=False)


def not_taken(
    error: str, http_status: int, *, faulty: bool = False, retry_after_seconds: float = 0.0
) -> Delivery:
    """The peer answered, and not with a yes. From HTTP 500 on, and where `faulty`, it is the peer that failed."""
    nobody = http_status in NOBODY_THERE
    return Delivery(
        delivered=False,
        error=error[:300],
        unreachable=nobody,
        faulty=not nobody and (faulty or http_status >= 500),
        retry_after_seconds=max(retry_after_seconds, 1.0 if http_status == TOO_MANY else 0.0),
    )


Carrier = Callable[[OutboxMessage], Delivery]
_carriers: dict[str, Carrier] = {}


def register(topic: str, carrier: Carrier, *, after: tuple[str, ...] = ()) -> None:
    """Let `carrier` render and send messages of this topic, in a lane those in `after` first (lanes.py).

    It must bring its own time-outs.
    """
    _carriers[topic] = carrier
    lanes.order(topic, after=after)


def tell(*, ptp: Ptp, topic: str, subject: str, now: datetime, lane: str = "") -> OutboxMessage:
    """Store that the PTP must hear of `subject`, inside the caller's transaction, and wake a worker.

    News of a subject that waits already is the same message, with the newest content. Messages of one lane
    leave in the order that their topics were registered with.
    """
    message, created = OutboxMessage.objects.get_or_create(
        ptp=ptp,
        topic=topic,
        subject=subject,
        defaults={"lane": lane, "created_at": now, "next_attempt_at": now},
    )
    if not created:
        OutboxMessage.objects.filter(pk=message.pk).update(
            state=_DUE, version=F("version") + 1, next_attempt_at=now, attempts=0, created_at=now
        )
    wake(DELIVER_TASK, str(message.pk))
    return message


def replay(message: OutboxMessage, *, now: datetime) -> None:
    """Send a message again because a person wants so, as if it had never failed; it bears the same delivery id."""
    with transaction.atomic():
        _replay(OutboxMessage.objects.filter(pk=message.pk), now)
        wake(DELIVER_TASK, str(message.pk))


def replay_all(ptp: Ptp, *, now: datetime) -> int:
    """Send what was given up for this PTP, and what waits for its next attempt; returns how many messages."""
    with transaction.atomic():
        count = _replay(
            OutboxMessage.objects.filter(ptp=ptp).exclude(state=OutboxMessage.State.DELIVERED), now
        )
        wake(SWEEP_TASK)
    return count


def hurry(ptp_id: int, *, now: datetime) -> None:
    """The PTP is there again: all that waits for it is due."""
    # Fewer attempts than PATIENCE: each goes once more in the order of its lane.
    OutboxMessage.objects.filter(ptp=ptp_id, state=_DUE).update(
        next_attempt_at=now, attempts=Least(F("attempts"), PATIENCE - 1)
    )
    wake(SWEEP_TASK)


def _replay(messages: QuerySet[OutboxMessage], now: datetime) -> int:
    """What has arrived once is sent whole again: its carrier is told that it is a repetition."""
    messages.filter(last_error="").update(last_error="to be sent again")
    return messages.update(state=_DUE, attempts=0, created_at=now, next_attempt_at=now)


# --- One message ----------------------------------------------------------------------------------


def deliver(message_id: uuid.UUID, *, now: datetime, probing: bool = False) -> bool:
    """Carry one message if it is due and nobody else has it; returns whether it arrived.

    `probing` does not ask whether its time has come: it asks whether the PTP is there again.
    """
    began = time.monotonic()
    message = _claim(message_id, now, probing=probing)
    if message is None:
        return False
    failpoint("F18_delivery_claimed")
    result = _carried(message)
    after = now + timedelta(seconds=time.monotonic() - began)
    _note(message, result, after)
    failpoint("F22_delivery_after_tx")
    _note_peer(message, result, after)
    if not result.unreachable and not result.retry_after_seconds:
        # As late as it is: what was told meanwhile is due, too.
        _wake_next(message.ptp_id, now + timedelta(seconds=time.monotonic() - began))
    return result.delivered


def _carried(message: OutboxMessage) -> Delivery:
    """Let the topic's carrier try. A fault of ours is a failed attempt: uncounted, it would be repeated for ever
    and keep those behind it in its lane waiting as long.
    """
    carrier = _carriers.get(message.topic)
    if carrier is None:
        why = f"nobody carries {message.topic}"
        return Delivery(delivered=False, error=why, permanent=True, called=False)
    failpoint("F19_delivery_before_http")
    try:
        result = carrier(message)
    except Exception as error:
        logger.exception("message %s cannot be carried", message.pk)
        result = Delivery(delivered=False, error=f"fault: {type(error).__name__}", called=False)
    failpoint("F20_delivery_after_http")
    return result


def _claim(message_id: uuid.UUID, now: datetime, *, probing: bool = False) -> OutboxMessage | None:
    """Take the message by a conditional update: one worker wins, on every database.

    A PTP that answers nobody holds each call for its whole time-out. With all workers in such calls no other
    PTP would be told anything, and no sweep would run: so only a few at a time call the same one (S17). A
    message that finds its PTP busy is taken up when one of these calls ends; one whose PTP is down stays due.
    """
    ready = _free(now) if probing else _free(now).filter(next_attempt_at__lte=now)
    message = ready.select_related("ptp").filter(pk=message_id).first()
    if message is None or lanes.waits(message):
        return None
    asks = probing or circuit.is_open(message.ptp)
    if asks and not circuit.take_probe(message.ptp_id, now=now):
        return None
    if not asks and _calls_to(message.ptp_id, now) >= CALLS_PER_PTP:
        return None
    # News that came since it was read wakes a worker of its own.
    won = ready.filter(pk=message_id, version=message.version).update(
        claimed_until=now + timedelta(seconds=CLAIM_SECONDS)
    )
    if not won:
        if asks:
            circuit.give_probe_back(message.ptp_id, now=now)
        return None
    if not asks and _came_too_late(message, now):
        # Others counted at the same moment; the end of their calls wakes it.
        OutboxMessage.objects.filter(pk=message.pk).update(claimed_until=message.claimed_until)
        return None
    message.repeated, message.probes = bool(message.last_error or message.claimed_until), asks
    return message


def _free(now: datetime) -> QuerySet[OutboxMessage]:
    """Messages to be sent that no living worker has."""
    return OutboxMessage.objects.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lte=now), state=_DUE)


def _due(now: datetime) -> QuerySet[OutboxMessage]:
    """Free messages whose time has come, whose PTP is there, and that let no other go first."""
    return _free(now).filter(circuit.CLOSED, next_attempt_at__lte=now).exclude(lanes.waiting())


def _calls_to(ptp_id: int, now: datetime) -> int:
    return _claimed(ptp_id, now).count()


def _claimed(ptp_id: int, now: datetime) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(ptp=ptp_id, state=_DUE, claimed_until__gt=now)


def _came_too_late(message: OutboxMessage, now: datetime) -> bool:
    """Whether as many as may call were claimed before this one. Of those that claim together some always call."""
    until = now + timedelta(seconds=CLAIM_SECONDS)
    earlier = Q(claimed_until__lt=until) | Q(claimed_until=until, pk__lt=message.pk)
    return _claimed(message.ptp_id, now).filter(earlier).count() >= CALLS_PER_PTP


# --- All that is due ------------------------------------------------------------------------------


def due_ids(now: datetime, limit: int) -> list[uuid.UUID]:
    """Return the messages whose time has come, also those a killed worker left claimed, the PTPs in turn.

    A thousand messages for one PTP keep those of another waiting for one call, not for a thousand.
    """
    due = _due(now)
    ptps = list(due.order_by().values_list("ptp", flat=True).distinct())
    queues = [
        due.filter(ptp=ptp).order_by("next_attempt_at", "created_at").values_list("pk", flat=True)[:limit]
        for ptp in ptps
    ]
    in_turn: Iterator[uuid.UUID | None] = chain.from_iterable(zip_longest(*queues))
    return [pk for pk in in_turn if pk is not None][:limit]


def probe_silent(now: datetime) -> int:
    """Let one message call each PTP that nothing gets through to; returns how many of these arrived.

    It is the one whose turn is next, not the oldest: a message that the PTP chokes on must not be the only
    one that ever asks for it.
    """
    answered = 0
    for ptp_id in circuit.due_for_probe(now):
        waiting = _free(now).filter(ptp=ptp_id).exclude(lanes.waiting())
        ids = waiting.order_by("next_attempt_at").values_list("pk", flat=True)[:PROBES_LOOKED_AT]
        try:
            answered += _probe(ptp_id, list(ids), now)
        except Exception:
            # One that cannot be rendered must not keep the other PTPs down; its claim lets another ask next.
            logger.exception("PTP %s could not be asked whether it is there", ptp_id)
    return answered


def _probe(ptp_id: int, message_ids: list[uuid.UUID], now: datetime) -> bool:
    """Send the first of these that nobody else has taken meanwhile."""
    for pk in message_ids:
        if deliver(pk, now=now, probing=True):
            return True
        if not circuit.may_probe(ptp_id, now=now):
            return False
    return False


# --- What came of it ------------------------------------------------------------------------------


def _note(message: OutboxMessage, result: Delivery, now: datetime) -> None:
    """Write down how it went; news that came meanwhile keeps the message due."""
    with transaction.atomic():
        if result.delivered:
            arrived = OutboxMessage.objects.filter(pk=message.pk, version=message.version).update(
                state=OutboxMessage.State.DELIVERED,
                delivered_at=now,
                claimed_until=None,
                last_error=result.error[:300],
            )
            failpoint("F21_delivery_in_tx")
            if not arrived:
                OutboxMessage.objects.filter(pk=message.pk).update(claimed_until=None)
                wake(DELIVER_TASK, str(message.pk))
            _wake_followers(message)
            return
        _note_failure(message, result, now)
    # Where nobody was called nothing has gone wrong: it waits, and the portal shows why.
    level = logging.WARNING if result.called else logging.DEBUG
    logger.log(level, "%s for %s not delivered: %s", message.topic, message.ptp.name, result.error)


def _note_failure(message: OutboxMessage, result: Delivery, now: datetime) -> None:
    """Wait longer, or give up; news that came meanwhile is due at once and starts anew."""
    row = OutboxMessage.objects.filter(pk=message.pk)
    patience = timedelta(hours=settings.DELIVERY_GIVE_UP_HOURS)
    give_up = result.permanent or now - message.created_at > patience
    asked_for = min(result.retry_after_seconds, MAX_RETRY_SECONDS)
    wait_seconds = max(retry_seconds(message.attempts), asked_for)
    unchanged = row.filter(version=message.version).update(
        state=OutboxMessage.State.GIVEN_UP if give_up else _DUE,
        attempts=F("attempts") + 1,
        next_attempt_at=now + timedelta(seconds=wait_seconds),
        claimed_until=None,
        last_error=result.error[:300],
    )
    if not unchanged:
        row.update(claimed_until=None, last_error=result.error[:300])
        wake(DELIVER_TASK, str(message.pk))
    elif give_up or message.attempts + 1 >= PATIENCE:
        _wake_followers(message)


def _wake_followers(message: OutboxMessage) -> None:
    """What waited behind this message in its lane need not wait for the sweep."""
    for pk in lanes.followers(message).values_list("pk", flat=True):
        wake(DELIVER_TASK, str(pk))


def _wake_next(ptp_id: int, now: datetime) -> None:
    """A call ended: a message that found its PTP busy, such as the third of a tap, need not wait for the sweep."""
    waiting = _due(now).filter(ptp=ptp_id).order_by("next_attempt_at", "created_at")
    if heads := list(waiting.values_list("pk", flat=True)[:CALLS_PER_PTP]):
        for pk in heads[: max(CALLS_PER_PTP - _calls_to(ptp_id, now), 0)]:
            wake(DELIVER_TASK, str(pk))


def _note_peer(message: OutboxMessage, result: Delivery, now: datetime) -> None:
    """Tell the circuit; the first answer of a PTP that was silent makes all that waits for it due.

    One that had answered the last call when this one began is not written again: what failed meanwhile is
    forgotten with the next.
    """
    ptp_id = message.ptp_id
    if not result.called:
        if message.probes:
            circuit.give_probe_back(ptp_id, now=now)
        return
    if result.unreachable:
        circuit.note_unreachable(ptp_id, now=now)
        return
    if message.ptp.failures_in_row:
        with transaction.atomic():  # a circuit that is known to be closed makes nothing due any more
            if circuit.note_answer(ptp_id):
                hurry(ptp_id, now=now)
    if result.faulty:
        circuit.note_fault(ptp_id, message.pk, now=now)
    elif result.delivered:
        _note_recovery(message, now)


def _note_recovery(message: OutboxMessage, now: datetime) -> None:
    """A message got through. Where it had failed for long, what ailed the PTP is over, and all that waits is due.

    That happens once for each such message, so a PTP of which a part goes on failing is not called without end.
    """
    waiting = OutboxMessage.objects.filter(ptp=message.ptp_id, state=_DUE, attempts__gte=PATIENCE)
    if message.attempts >= PATIENCE:
        hurry(message.ptp_id, now=now)
    if message.ptp.errors_in_row and not waiting.exists():
        circuit.forget_faults(message.ptp_id)


def retry_seconds(attempts: int) -> float:
    """Return how long to wait after so many failed attempts: doubling, bounded, with jitter."""
    wait_seconds: float = min(FIRST_RETRY_SECONDS * 2.0 ** min(attempts, 20), MAX_RETRY_SECONDS)
    return wait_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  (spreads load, guards nothing)
