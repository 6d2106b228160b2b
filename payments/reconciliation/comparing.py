"""Compare payments with the settlement files that name them, and ask staff where a file says something else.

A line waits to be compared until its payment is at rest and nobody looks at it for another reason: what a PTP
still has to confirm is compared with what it confirmed. Which lines wait is a column, so nothing is forgotten.
"""

import logging
import uuid
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from payments import decisions, settlement
from payments.models import SettlementLine
from payments.reconciliation.books import Position, position_of
from payments.reconciliation.match import Source
from payments.states import WAITING, Review
from sessions_app.wakeups import wake

logger = logging.getLogger(__name__)

TASK: Final = "payments.tasks.compare_files"
BATCH: Final = 500  # payments a sweep looks at; the next one comes in seconds
FITS: Final = "the settlement files fit again"
_READY = Q(payment__review__in=["", Review.FILE_DIFFERS]) & ~Q(payment__state__in=sorted(WAITING))


def again(lines: Q) -> None:
    """Have these lines' payments compared anew, in the caller's transaction: which lines count has changed."""
    SettlementLine.objects.filter(lines).update(compared_at=None)
    wake(TASK)


def sweep(now: datetime) -> int:
    """Compare what waits and can be compared now; returns how many payments."""
    due = SettlementLine.objects.filter(_READY, payment__isnull=False, compared_at=None)
    ids = list(due.order_by().values_list("payment", flat=True).distinct()[:BATCH])
    for payment_id in ids:
        assert payment_id is not None
        try:
            compare(payment_id, now=now)
        except Exception:
            # One broken row must not keep the others waiting; it is found again by the next sweep.
            logger.exception("payment %s could not be compared with its settlement files", payment_id)
    return len(ids)


def compare(payment_id: uuid.UUID, *, now: datetime) -> None:
    """Flag a payment that its files contradict; one that they fit again needs nobody any more."""
    with transaction.atomic():
        payment = settlement.locked(payment_id)
        # Named before they are read: a line that comes meanwhile waits for the next time.
        lines = list(payment.settlement_lines.filter(compared_at=None).values_list("pk", flat=True))
        position = position_of(payment, now=now)
        if payment.state in WAITING or payment.review not in ("", Review.FILE_DIFFERS) or position is None:
            return
        if _contradicted(position):
            decisions.flag(payment_id, Review.FILE_DIFFERS, now=now)
        elif payment.review:
            decisions.close_review(payment_id, actor="", reason=FITS, now=now)
        SettlementLine.objects.filter(pk__in=lines).update(compared_at=now)


def _contradicted(position: Position) -> bool:
    return any(each.found_by is Source.FILE for each in position.verdict.differences)
