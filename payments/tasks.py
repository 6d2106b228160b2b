"""Celery tasks of payments: each is a wake-up for a row, safe to run twice, to lose and to repeat."""

import logging
import time
import uuid

from celery import shared_task
from django.db.models import Q
from django.utils import timezone

from payments import outbox, session_alerts, settlement, webhooks  # noqa: F401  (webhooks registers its carriers)
from payments.models import Payment
from payments.ocpi import results
from payments.ocpi.push import tasks as ocpi_tasks  # noqa: F401  (tasks and carriers of what OCPI sends)
from payments.receipts import drawing
from payments.reconciliation import comparing
from payments.states import WAITING, PaymentState
from sessions_app.states import FINAL

logger = logging.getLogger(__name__)
BATCH = 500  # rows a sweep looks at; the next one comes in seconds
DELIVER_FOR_SECONDS = 8.0  # with one slow peer at the end, asked twice, still below CELERY_TASK_TIME_LIMIT


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


@shared_task(name=comparing.TASK)  # type: ignore[untyped-decorator]
def compare_files() -> int:
    """Compare payments with the settlement files that name them; returns how many."""
    return comparing.sweep(timezone.now())


@shared_task(name=drawing.TASK)  # type: ignore[untyped-decorator]
def draw_receipts() -> int:
    """Draw receipts that have no PDF, for a moment; returns how many."""
    return drawing.draw_missing()
