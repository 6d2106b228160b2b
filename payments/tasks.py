"""Celery tasks of payments: each is a wake-up for a row, safe to run twice, to lose and to repeat."""

import logging
import random
import time
import uuid
from datetime import timedelta

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from chargers.failpoints import failpoint
from payments import outbox, session_alerts, settlement, webhooks  # noqa: F401  (webhooks registers its carriers)
from payments.models import Payment, Receipt
from payments.ocpi import results
from payments.ocpi.push import tasks as ocpi_tasks  # noqa: F401  (tasks and carriers of what OCPI sends)
from payments.receipts.pdf import render
from payments.states import WAITING, PaymentState
from sessions_app.states import FINAL
from sessions_app.wakeups import wake

logger = logging.getLogger(__name__)
BATCH = 500  # rows a sweep looks at; the next one comes in seconds
DELIVER_FOR_SECONDS = 8.0  # with one slow peer at the end, asked twice, still below CELERY_TASK_TIME_LIMIT
RENDER_AFTER = timedelta(seconds=30)  # a receipt older than this without PDF lost its wake-up
RENDER_FOR_SECONDS = 1.0  # about twenty of them: then a worker looks whether money waits
RENDER_SWEEP_TASK = "payments.tasks.render_missing"


@shared_task(name="payments.tasks.follow_session")  # type: ignore[untyped-decorator]
def follow_session(session_id: str) -> None:
    """A session changed: settle it if it is over, and let its PTP know."""
    payment = Payment.objects.select_related("session", "ptp").filter(session=uuid.UUID(session_id)).first()
    if payment is None or payment.session is None:
        return
    if payment.connection_id is not None:
        results.decide_for(payment.session.pk, now=timezone.now())
    if payment.session.is_over:
        settlement.settle(payment.pk, now=timezone.now())
    if payment.session.alert:
        session_alerts.take(payment.pk, now=timezone.now())
    settlement.tell_session_updated(payment, now=timezone.now())


@shared_task(name="payments.tasks.sweep_payments")  # type: ignore[untyped-decorator]
def sweep_payments() -> int:
    """Settle what ended unheard, look at what is overdue; returns how many."""
    now = timezone.now()
    results.decide_due(now=now)
    unsettled = Q(state=PaymentState.AUTHORIZED, session__state__in=sorted(FINAL))
    overdue = Q(state__in=sorted(WAITING), deadline_at__lte=now)
    ids = list(
        Payment.objects.filter(unsettled | overdue)
        .order_by("deadline_at")
        .values_list("pk", flat=True)[:BATCH]
    )
    for payment_id in ids:
        try:
            settlement.sweep_one(payment_id, now=now)
        except Exception:
            # One broken row must not keep the others waiting; it is found again by the next sweep.
            logger.exception("sweep of payment %s failed", payment_id)
    return len(ids) + session_alerts.sweep(now)


@shared_task(name=RENDER_SWEEP_TASK)  # type: ignore[untyped-decorator]
def render_missing() -> int:
    """Render what has no PDF for a while, and wake another worker where more is left; returns how many.

    In random order: others may be at it, and twice the same is work for nothing. As all that draws, it is
    begun when nothing else waits (CELERY_TASK_ROUTES).
    """
    late = Receipt.objects.filter(pdf__isnull=True, issued_at__lt=timezone.now() - RENDER_AFTER)
    ids = list(late.values_list("payment_id", flat=True)[:BATCH])
    random.shuffle(ids)
    until, rendered = time.monotonic() + RENDER_FOR_SECONDS, 0
    for payment_id in ids:
        if time.monotonic() > until:
            wake(RENDER_SWEEP_TASK)
            break
        try:
            render_receipt(str(payment_id))
        except Exception:
            logger.exception("the receipt of payment %s cannot be rendered", payment_id)
        rendered += 1
    return rendered


@shared_task(name="payments.tasks.deliver_one")  # type: ignore[untyped-decorator]
def deliver_one(message_id: str) -> bool:
    """Carry one message to its PTP if it is due."""
    return outbox.deliver(uuid.UUID(message_id), now=timezone.now())


@shared_task(name="payments.tasks.deliver_due")  # type: ignore[untyped-decorator]
def deliver_due() -> int:
    """Carry the messages whose time has come, for a while; returns how many arrived. The next sweep goes on."""
    arrived = 0
    until = time.monotonic() + DELIVER_FOR_SECONDS
    for message_id in outbox.due_ids(timezone.now(), BATCH):
        if time.monotonic() > until:
            break
        try:
            arrived += outbox.deliver(message_id, now=timezone.now())
        except Exception:
            # One message that cannot be rendered must not keep the others waiting; its claim ends by itself.
            logger.exception("delivery of message %s failed", message_id)
    return arrived


@shared_task(name="payments.tasks.probe_silent")  # type: ignore[untyped-decorator]
def probe_silent() -> int:
    """Ask each PTP that is down whether it is there again; returns how many are."""
    return outbox.probe_silent(timezone.now())


@shared_task(name="payments.tasks.render_receipt")  # type: ignore[untyped-decorator]
def render_receipt(payment_id: str) -> None:
    """Render the PDF of a receipt once; the document is frozen, so a second rendering would say the same."""
    receipt = Receipt.objects.select_related("payment__session").filter(payment=uuid.UUID(payment_id)).first()
    if receipt is None or receipt.pdf:
        return
    rendered = render(receipt)
    failpoint("F26_receipt_rendered")
    Receipt.objects.filter(pk=receipt.pk, pdf__isnull=True).update(pdf=rendered)
