"""Staff accept what was captured: as the PTP confirmed it, as its settlement file shows it, or as they were told.

It books the capture and moves no money. Where it differs from the bill by more than one person may refund, or where
a person's word alone stands behind it, a second one must agree to the same amount.
"""

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from payments import decisions, settlement
from payments.models import Decision, Payment
from payments.reconciliation.acts import note
from payments.reconciliation.evidence import Evidence, Source, evidence_of
from payments.reconciliation.inbox import Act, act_for
from payments.reconciliation.refunds import Changed, SamePerson
from tariffs.engine.money import to_minor


def needs_two(payment: Payment, amount_minor: int, source: Source) -> bool:
    """Whether one person alone may not accept it."""
    limit_minor = to_minor(settings.REFUND_SECOND_PERSON_ABOVE, payment.currency)
    wanted_minor = payment.due_minor - payment.written_off_minor
    by_word_minor = max(amount_minor, wanted_minor) if source is Source.STAFF else 0
    return max(abs(amount_minor - wanted_minor), by_word_minor) > limit_minor


def accept(
    payment_id: uuid.UUID, amount_minor: int, *, user: Any, reason: str, now: datetime, key: str
) -> Payment | None:
    """Book what was captured in all, before refunds; None where a second person must agree first.

    `key` is that of the evidence as the person saw it. Raises Changed where there is news, SamePerson, WrongState.
    """
    with transaction.atomic():
        payment = settlement.locked(payment_id)
        found = evidence_of([payment], now=now).get(payment.pk)
        if found is None or found.key != key or act_for(payment, found) is not Act.ACCEPT:
            raise Changed
        if found.amount_minor not in (None, amount_minor):
            raise Changed
        data: dict[str, Any] = {"by": found.source}
        actor = user.get_username()
        if needs_two(payment, amount_minor, found.source):
            asked = found.asked
            if asked is None or asked.amount_minor != amount_minor:
                _ask(payment, found, amount_minor, user=user, reason=reason, now=now)
                return None
            if asked.user_id == user.pk:
                raise SamePerson
            actor, data["asked because"] = f"{asked.who}, approved by {actor}"[:150], asked.reason
        return decisions.accept_capture(
            payment_id, amount_minor, actor=actor, reason=reason, now=now, data=data
        )


def _ask(
    payment: Payment, found: Evidence, amount_minor: int, *, user: Any, reason: str, now: datetime
) -> None:
    note(
        Decision.Act.ACCEPT_ASKED,
        f"payment:{payment.pk}",
        actor=user.get_username(),
        now=now,
        reason=reason,
        payment=payment,
        data={"amount_minor": amount_minor, "user": user.pk, "evidence": found.key},
    )
