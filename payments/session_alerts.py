"""What went wrong with a session while or after it ran, taken note of on the payment's side: staff must look.

An alert is a column of the session; it is cleared in the transaction that flags the payment. It waits where staff
look at something else already, and while the PTP has to answer: that answer may be another reason, and two in one
field would hide one of them. A lost wake-up costs time only, the sweep finds the row.
"""

import logging
import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from payments import states
from payments.models import Payment
from payments.settlement import locked, move
from payments.states import PaymentState, Review
from sessions_app import lifecycle
from sessions_app.states import Alert

logger = logging.getLogger(__name__)
BATCH = 500  # payments a sweep looks at; the next one comes in seconds

REVIEWS = {
    Alert.UNHEARD: Review.UNSETTLED,  # the hold stands and nobody knows for how long (B18)
    Alert.DISOBEYED: Review.UNSETTLED,  # nor here (B14)
    Alert.LATE_STOP: Review.LATE_STOP_DIFFERS,
    Alert.FAULT: Review.METER_DOUBT,
}
_OF_THE_HOLD = [str(alert) for alert, review in REVIEWS.items() if review is Review.UNSETTLED]
_UNANSWERED = sorted(states.WAITING - {PaymentState.AUTHORIZED})


def take(payment_id: uuid.UUID, *, now: datetime) -> bool:
    """Flag a payment for what its session raised, once; returns whether that was possible."""
    with transaction.atomic():
        payment = locked(payment_id)
        if payment.session_id is None:
            return False
        session = lifecycle.locked(payment.session_id)
        if not session.alert:
            return False
        review = REVIEWS[Alert(session.alert)]
        if review is Review.UNSETTLED and payment.state != PaymentState.AUTHORIZED:
            lifecycle.alert_taken(session)  # it ended all the same
            return False
        if payment.state in _UNANSWERED or payment.review not in ("", review):
            return False
        reason = {"reason": session.needs_review or session.alert}
        move(payment, states.Flagged(review), now=now, data=reason)
        lifecycle.alert_taken(session)
    return True


def sweep(now: datetime) -> int:
    """Flag every payment whose session raised something; returns how many."""
    gone = Q(session__alert__in=_OF_THE_HOLD) & ~Q(state=PaymentState.AUTHORIZED)
    seen = Q(review__in=["", *REVIEWS.values()]) & ~Q(state__in=_UNANSWERED)
    raised = Payment.objects.filter(gone | seen, session__alert__in=[str(alert) for alert in REVIEWS])
    taken = 0
    for payment_id in list(raised.order_by().values_list("pk", flat=True)[:BATCH]):
        try:
            taken += take(payment_id, now=now)
        except Exception:
            # One broken row must not keep the others waiting; it is found again by the next sweep.
            logger.exception("the alert of payment %s could not be taken", payment_id)
    return taken
