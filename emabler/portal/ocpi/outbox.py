"""The outbox as staff read it: what PTPs must still be told, what was given up and why."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet

from emabler.portal.ocpi import words
from emabler.portal.ocpi.subjects import Subject, subjects_of
from emabler.portal.words import Sign
from payments.models import OutboxMessage

ROWS_SHOWN: Final = 50
OPEN: Final = "open"
_POSITION: Final = re.compile(r"(\d{1,17})-([0-9a-f]{32})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message of the outbox as the list shows it. `href` leads to what it tells about, if that is known."""

    pk: uuid.UUID
    sign: Sign
    topic: str
    subject: str
    href: str
    ptp: str
    created: str
    attempts: int
    next_attempt: str
    delivered: str
    last_error: str
    waits: bool
    given_up: bool


@dataclass(frozen=True, kw_only=True)
class OutboxPage:
    """One page of the outbox; the position is empty where there is nothing further."""

    rows: list[Delivery]
    older: str


def outbox_page(filters: dict[str, Any], *, before: str = "", now: datetime) -> OutboxPage:
    """Read one page, the newest first. Six queries at most."""
    rows = _cut(_chosen(filters), before).order_by("-created_at", "-pk")
    found = list(rows.select_related("ptp")[: ROWS_SHOWN + 1])
    shown = found[:ROWS_SHOWN]
    subjects = subjects_of(shown)
    return OutboxPage(
        rows=[_delivery(message, subjects, now) for message in shown],
        older=_position_of(shown[-1]) if len(found) > ROWS_SHOWN else "",
    )


def _chosen(filters: dict[str, Any]) -> QuerySet[OutboxMessage]:
    rows = OutboxMessage.objects.all()
    state = filters.get("state") or OPEN
    if state == OPEN:
        rows = rows.filter(state__in=[OutboxMessage.State.DUE, OutboxMessage.State.GIVEN_UP])
    elif state != "all":
        rows = rows.filter(state=state)
    if filters.get("ptp"):
        rows = rows.filter(ptp=filters["ptp"])
    return rows.filter(topic=filters["topic"]) if filters.get("topic") else rows


def _cut(rows: QuerySet[OutboxMessage], before: str) -> QuerySet[OutboxMessage]:
    found = _POSITION.fullmatch(before)
    if found is None:
        return rows
    at, pk = _EPOCH + timedelta(microseconds=int(found[1])), uuid.UUID(found[2])
    return rows.filter(created_at__lte=at).filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))


def _position_of(message: OutboxMessage) -> str:
    return f"{(message.created_at - _EPOCH) // timedelta(microseconds=1)}-{message.pk.hex}"


def _delivery(message: OutboxMessage, subjects: dict[uuid.UUID, Subject], now: datetime) -> Delivery:
    subject = subjects[message.pk]
    waits = message.state == OutboxMessage.State.DUE
    return Delivery(
        pk=message.pk,
        sign=words.DELIVERY[message.state],
        topic=words.topic(message.topic),
        subject=subject.text,
        href=subject.href,
        ptp=message.ptp.name,
        created=words.when(message.created_at),
        attempts=message.attempts,
        next_attempt=_next(message, now) if waits else "",
        delivered=words.when(message.delivered_at, ""),
        last_error=message.last_error,
        waits=waits,
        given_up=message.state == OutboxMessage.State.GIVEN_UP,
    )


def _next(message: OutboxMessage, now: datetime) -> str:
    if message.claimed_until is not None and message.claimed_until > now:
        return "on its way"
    return "now" if message.next_attempt_at <= now else words.when(message.next_attempt_at)
