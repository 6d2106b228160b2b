"""Many payments at once, for query budgets: copies of one with its whole story, written in bulk."""

import uuid
from typing import Any

from payments.models import Confirmation, Payment, PaymentEvent
from sessions_app.models import CDR, Session, SessionEvent


def copies_of(payment: Payment, count: int) -> list[Payment]:
    """Store so many copies of a payment, each with session, CDR, journals and confirmations of its own."""
    session = payment.session
    assert session is not None
    keys = [(uuid.uuid4(), uuid.uuid4()) for _ in range(count)]
    Session.objects.bulk_create(
        _copy(session, id=own, authorization_id=key, id_tag=key.hex[:20], transaction=None)
        for key, own in keys
    )
    payments = Payment.objects.bulk_create(
        _copy(payment, id=key, session_id=own, authorization_reference=key.hex) for key, own in keys
    )
    told = list(payment.confirmations.all())
    CDR.objects.bulk_create(
        _copy(each, id=uuid.uuid4(), session_id=own) for each in session.cdrs.all() for _, own in keys
    )
    SessionEvent.objects.bulk_create(
        _copy(each, id=None, session_id=own) for each in session.events.all() for _, own in keys
    )
    PaymentEvent.objects.bulk_create(
        _copy(each, id=None, payment_id=key) for each in payment.events.all() for key, _ in keys
    )
    Confirmation.objects.bulk_create(
        _copy(each, id=None, payment_id=key, confirmation_id=uuid.uuid4().hex)
        for each in told
        for key, _ in keys
    )
    return payments


def _copy(row: Any, **changes: Any) -> Any:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    for name in changes:
        values.pop(f"{name}_id", None)
    return type(row)(**{**values, **changes})
