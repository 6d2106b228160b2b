"""Draw the PDFs of receipts: one worker at a time, begun when nothing else waits (CELERY_TASK_ROUTES).

A page takes as much of a processor as several messages to PTPs. Many at once, after hours without workers or
PTPs, would keep the money of others waiting for paper; who wants a receipt sooner is drawn it on the spot.
"""

import logging
import random
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
BATCH: Final = 500
_TURN: Final = "receipts:drawing"


def draw_missing() -> int:
    """Draw what has no PDF for a turn, and wake another where more is left; returns how many.

    Does nothing while another worker has the turn. Without a shared cache each process has its own.
    """
    if not cache.add(_TURN, True, timeout=FORGOTTEN_AFTER_SECONDS):
        return 0
    try:
        drawn, more = _draw_for_a_turn()
    finally:
        cache.delete(_TURN)
    if more:  # where none could be drawn, the next sweep tries again
        wake(TASK)
    return drawn


def _draw_for_a_turn() -> tuple[int, bool]:
    """Return how many were drawn, and whether more are left; in random order, for some may fail each time."""
    ids = list(
        Receipt.objects.filter(pdf__isnull=True).order_by("issued_at").values_list("pk", flat=True)[:BATCH]
    )
    random.shuffle(ids)
    drawn, until = 0, time.monotonic() + TURN_SECONDS
    for pk in ids:
        receipt = Receipt.objects.select_related("payment__session").get(pk=pk)
        try:
            draw(receipt)
            drawn += 1
        except Exception:
            # One that cannot be drawn must not keep the others waiting.
            logger.exception("receipt %s cannot be drawn", receipt.full_number)
        if time.monotonic() > until:
            break
    return drawn, drawn > 0 and Receipt.objects.filter(pdf__isnull=True).exists()


def draw(receipt: Receipt) -> None:
    """Draw a receipt and keep it; its document is frozen, so a second drawing would say the same."""
    rendered = render(receipt)
    failpoint("F26_receipt_rendered")
    Receipt.objects.filter(pk=receipt.pk, pdf__isnull=True).update(pdf=rendered)
