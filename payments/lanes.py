"""Lanes of the outbox: which message of a PTP lets which other go first.

A message waits while one of the topics that its own goes after is due in its lane, until that has failed PATIENCE
times: order while order is possible, and money never waits for ever behind a refused Session.
"""

from django.db.models import Exists, OuterRef, Q, QuerySet

from payments.models import OutboxMessage

PATIENCE = 5  # attempts, about a minute, for which a message lets those behind it in its lane wait

_earlier: dict[str, tuple[str, ...]] = {}  # topics that go first in the lane of a topic


def order(topic: str, *, after: tuple[str, ...]) -> None:
    """Let messages of a topic go after those of other topics in their lane."""
    _earlier[topic] = after


def waits(message: OutboxMessage) -> bool:
    """Whether it lets an earlier one of its lane go first; `waiting` says the same of many."""
    earlier = _earlier.get(message.topic, ())
    if not earlier or not message.lane:
        return False
    lane = OutboxMessage.objects.filter(ptp=message.ptp_id, lane=message.lane)
    return _first(lane, earlier).exists()


def waiting() -> Q:
    """Messages that let an earlier one of their lane go first."""
    behind = Q(pk__in=())
    for topic, earlier in _earlier.items():
        if earlier:
            lane = OutboxMessage.objects.filter(ptp=OuterRef("ptp"), lane=OuterRef("lane"))
            behind |= Q(topic=topic) & ~Q(lane="") & Q(Exists(_first(lane, earlier)))
    return behind


def followers(message: OutboxMessage) -> QuerySet[OutboxMessage]:
    """Messages that may wait for this one."""
    topics = [topic for topic, earlier in _earlier.items() if message.topic in earlier]
    if not message.lane or not topics:
        return OutboxMessage.objects.none()
    return OutboxMessage.objects.filter(
        ptp=message.ptp_id, lane=message.lane, topic__in=topics, state=OutboxMessage.State.DUE
    )


def _first(lane: QuerySet[OutboxMessage], topics: tuple[str, ...]) -> QuerySet[OutboxMessage]:
    return lane.filter(topic__in=topics, state=OutboxMessage.State.DUE, attempts__lt=PATIENCE)
