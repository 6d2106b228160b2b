"""Webhooks to PTPs: the outbox's messages rendered, signed and posted, at least once.

The content is read when it leaves, so a late message tells the newest state. Only 410 (Gone) ends a message
for good: a 401, 404 or 422 is most often a deployment of the peer that went wrong, and what we tell is about
money. Whatever is lost here, polling tells too.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from payments import exact_json, outbox
from payments.decisions import REFUND_DUE
from payments.models import OutboxMessage
from payments.outbound import Refused, Unreachable, post
from payments.outbox import Delivery
from payments.sealed import unseal
from payments.settlement import SESSION_UPDATED, SETTLEMENT_DUE
from payments.statements import (
    DUE,
    is_refund_due,
    payments_of,
    refund_statement,
    refunds_of,
    session_statement,
    settlement_statement,
    utc,
    with_cdrs,
)

GONE = 410


def delivery_id(message: OutboxMessage) -> str:
    """Return what names this news: the same over retries, another one when there is more to tell."""
    return f"{message.pk}-{message.version}"


def signature(secret: str, body: bytes, *, at: int) -> str:
    """Return the value of X-Emabler-Signature: HMAC-SHA256 over `<t>.<body>`, hex, with its time."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def carry_session_updated(message: OutboxMessage) -> Delivery:
    """Tell how a session stands now."""
    payment = payments_of(message.ptp).filter(pk=message.subject).first()
    if payment is None:
        return _impossible("the payment is gone")
    return _carry(message, session_statement(payment, now=timezone.now()))


def carry_settlement_due(message: OutboxMessage) -> Delivery:
    """Tell what is to be captured or released; once the PTP has answered by itself there is nothing to tell."""
    payment = with_cdrs(payments_of(message.ptp)).filter(pk=message.subject).first()
    if payment is None:
        return _impossible("the payment is gone")
    if payment.state not in DUE:
        return outbox.nothing_to_tell("the PTP answered by itself")
    return _carry(message, settlement_statement(payment, now=timezone.now()))


def carry_refund_due(message: OutboxMessage) -> Delivery:
    """Tell what is to be given back; once the PTP has done it there is nothing to tell."""
    credit = refunds_of(message.ptp).filter(pk=message.subject).first()
    if credit is None:
        return _impossible("there is no such credit")
    if not is_refund_due(credit):
        return outbox.nothing_to_tell("the PTP answered by itself")
    return _carry(message, refund_statement(credit, due=True))


def _carry(message: OutboxMessage, data: dict[str, Any]) -> Delivery:
    ptp = message.ptp
    if not ptp.webhook_url or not ptp.webhook_secret_sealed:
        return _impossible("the PTP has no webhook or no secret")
    event = {
        "event_id": delivery_id(message),
        "event": message.topic,
        "created_at": utc(message.created_at),
        "data": data,
    }
    body = exact_json.dumps(event).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "emabler-webhooks",
        "X-Emabler-Event": message.topic,
        "X-Emabler-Delivery": delivery_id(message),
        "X-Emabler-Signature": signature(unseal(ptp.webhook_secret_sealed), body, at=int(time.time())),
    }
    return _posted(lambda: post(ptp.webhook_url, body, headers))


def _posted(send: Callable[[], int]) -> Delivery:
    try:
        status = send()
    except Refused as error:
        return Delivery(delivered=False, error=str(error), called=False)
    except Unreachable as error:
        return Delivery(delivered=False, error=str(error), unreachable=True)
    if 200 <= status < 300:
        return Delivery(delivered=True)
    if status == GONE:
        return Delivery(delivered=False, error=f"HTTP {status}", permanent=True)
    return outbox.not_taken(f"HTTP {status}", status)


def _impossible(why: str) -> Delivery:
    return Delivery(delivered=False, error=why, permanent=True, called=False)


outbox.register(SESSION_UPDATED, carry_session_updated)
outbox.register(SETTLEMENT_DUE, carry_settlement_due)
outbox.register(REFUND_DUE, carry_refund_due)
