"""Draw the PDFs of receipts: one worker at a time, begun when nothing else waits (CELERY_TASK_ROUTES).

A page takes as much of a processor as several messages to PTPs. Many at once, after hours without workers or
PTPs, would keep the money of others waiting for paper; who wants a receipt sooner is drawn it on the spot.
"""

import logging
import time
from typing import Final

from django.core.cache import cache

from chargers.failpoints import failpoint
from payments.models import Receipt
from payments.receipts.pdf import render
from sessions_app.wakeups import wake

logger = logging.getLogger(__name__)

TASK: Final = "payments.tasks.draw_receipts"
TURN_SECONDS: Final = 1.0  # then a worker looks whether money waits
FORGOTTEN_AFTER_SECONDS: Final = 10  # the turn of a worker that was killed
BATCH: Final = 100
_TURN: Final = "receipts:drawing"


def draw_missing() -> int:
    """Draw what has no PDF for a turn, the oldest first, and wake another where more is left; returns how many.

    Does nothing while another worker has the turn. Without a shared cache each process has its own.
    """
    if not cache.add(_TURN, True, timeout=FORGOTTEN_AFTER_SECONDS):
        return 0
    try:
        return _draw_for_a_turn()
    finally:
        cache.delete(_TURN)


def _draw_for_a_turn() -> int:
    drawn, failed = 0, set[int]()
    until = time.monotonic() + TURN_SECONDS
    while waiting := _missing(failed):
        for receipt in waiting:
            if time.monotonic() > until:
                wake(TASK)
                return drawn
            try:
                draw(receipt)
                drawn += 1
            except Exception:
                # One that cannot be drawn must not keep the others waiting; the next sweep tries it again.
                logger.exception("receipt %s cannot be drawn", receipt.full_number)
                failed.add(receipt.pk)
    return drawn


def _missing(failed: set[int]) -> list[Receipt]:
    rows = Receipt.objects.filter(pdf__isnull=True).exclude(pk__in=failed)
    return list(rows.select_related("payment__session").order_by("issued_at")[:BATCH])


def draw(receipt: Receipt) -> None:
    """Draw a receipt and keep it; its document is frozen, so a second drawing would say the same."""
    rendered = render(receipt)
    failpoint("F26_receipt_rendered")
    Receipt.objects.filter(pk=receipt.pk, pdf__isnull=True).update(pdf=rendered)
