"""POST sessions: an approved hold becomes a session, once, however often it is asked for."""

import hashlib
import re
from typing import Any

from django.utils import timezone

from chargers.models import Connector
from payments import idempotency
from payments.errors import IdempotencyConflict
from payments.idempotency import Answer
from payments.models import Payment, Ptp, Terminal
from payments.preauthorization import Hold, find_quote, open_payment
from payments.ptp_api.authentication import Caller
from payments.ptp_api.lookup import connector_of, terminal_of
from payments.ptp_api.problems import Problem, invalid, problem_body
from payments.statements import receipt_urls, settlement_brief
from payments.terminals import language_for

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
LONGEST_STORED_KEY = 190  # with its prefix it fits the column; longer ones are stored as their hash


def start_session(caller: Caller, body: dict[str, Any], idempotency_key: str | None) -> Answer:
    """Answer a validated StartBody; the same key or reference with the same body gets the stored answer.

    Raises Problem and the errors of payments.preauthorization; nothing is stored then, and the same key may
    be used again.
    """
    stored_key = _stored_key(idempotency_key)
    terminal = terminal_of(caller, body.get("terminal_id"), told_in="body")
    reference = body["authorization_reference"]
    return idempotency.once(
        ptp=caller.ptp,
        keys=[stored_key, f"reference:{reference}"],
        request_hash=idempotency.fingerprint({**body, "terminal_id": terminal.terminal_id}),
        act=lambda: _open(caller, terminal, body),
    )


def _stored_key(key: str | None) -> str:
    if not key:
        raise Problem("idempotency_key_missing")
    if not IDEMPOTENCY_KEY.fullmatch(key):
        raise invalid("invalid_body", "Idempotency-Key", "invalid", "At most 255 visible ASCII characters.")
    if len(key) > LONGEST_STORED_KEY:
        key = "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    return f"key:{key}"


def _open(caller: Caller, terminal: Terminal, body: dict[str, Any]) -> Answer:
    _refuse_known_hold(caller.ptp, body["authorization_reference"])
    connector = connector_of(caller, body["connector_id"], terminal)
    quote = find_quote(ptp=caller.ptp, quote_id=body["quote_id"], connector=connector)
    payment = open_payment(_hold(terminal, body), quote, now=timezone.now())
    assert payment.session is not None
    return _refused(payment, connector) if payment.session.is_over else _started(payment)


def _refuse_known_hold(ptp: Ptp, reference: str) -> None:
    """A hold that another door (OCPI) has brought already has no stored answer here."""
    if Payment.objects.filter(ptp=ptp, authorization_reference=reference).exists():
        raise IdempotencyConflict(IdempotencyConflict.__doc__)


def _hold(terminal: Terminal, body: dict[str, Any]) -> Hold:
    card = body.get("card", {})
    return Hold(
        ptp=terminal.ptp,
        terminal=terminal,
        authorization_reference=body["authorization_reference"],
        authorized_minor=body["authorized_minor"],
        currency=body["currency"],
        card_scheme=card.get("scheme", ""),
        card_last4=card.get("last4", ""),
        language=language_for(terminal, body.get("language", "")),
    )


def _started(payment: Payment) -> Answer:
    assert payment.session is not None
    return Answer(
        202,
        {
            "id": str(payment.session.pk),
            "status": str(payment.session.state),
            "payment_status": str(payment.state),
            "receipt": receipt_urls(payment.session.pk),
        },
    )


def _refused(payment: Payment, connector: Connector) -> Answer:
    """The session is stored as REJECTED, its hold is to be released: the PTP must know both at once."""
    session = payment.session
    assert session is not None
    body = problem_body(
        "connector_unavailable",
        f"{connector.evse.label} cannot start a session: {session.refusal}.",
        session_id=str(session.pk),
        reason=session.refusal,
        settlement=settlement_brief(payment),
        receipt=receipt_urls(session.pk),
    )
    return Answer(409, body)
