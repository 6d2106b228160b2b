"""The same request twice is one request: answers are kept under their keys for as long as money is.

The answer is written in the transaction of the act itself. Two equal requests at once meet at the unique
key: the second waits for the first and then reads its answer.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction

from payments.errors import IdempotencyConflict, InProgress
from payments.models import IdempotentAnswer, Ptp

LOCK_TIMEOUT_MS = 5000  # a terminal asks again rather than waiting longer


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it leaves the door."""

    status_code: int
    body: dict[str, Any]


def fingerprint(request: dict[str, Any]) -> str:
    """Return the hash by which two requests are told equal: of the parsed values, not of their spelling."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()


def once(*, ptp: Ptp, keys: Sequence[str], request_hash: str, act: Callable[[], Answer]) -> Answer:
    """Return what `act` answers, running it at most once for these keys.

    Raises IdempotencyConflict when a key was used with another request, InProgress when the same request is
    being worked on for longer than a terminal should wait.
    """
    if found := _find(ptp, keys, request_hash):
        return found
    try:
        with transaction.atomic():
            _limit_waiting()
            if found := _find(ptp, keys, request_hash):
                return found
            answer = act()
            for key in keys:
                IdempotentAnswer.objects.create(
                    ptp=ptp,
                    key=key,
                    request_hash=request_hash,
                    status_code=answer.status_code,
                    body=answer.body,
                )
            return answer
    except IntegrityError:
        # The other of two equal requests committed between our look and our write.
        if found := _find(ptp, keys, request_hash):
            return found
        raise
    except OperationalError as error:
        if _waited_too_long(error):
            raise InProgress from error
        raise


def _waited_too_long(error: OperationalError) -> bool:
    """Whether a lock was not to be had in time, as PostgreSQL (55P03) and SQLite say it."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate == "55P03" or "locked" in str(error)


def _limit_waiting() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")


def _find(ptp: Ptp, keys: Sequence[str], request_hash: str) -> Answer | None:
    stored = list(IdempotentAnswer.objects.filter(ptp=ptp, key__in=keys))
    if not stored:
        return None
    if any(answer.request_hash != request_hash for answer in stored):
        raise IdempotencyConflict
    return Answer(stored[0].status_code, stored[0].body)
