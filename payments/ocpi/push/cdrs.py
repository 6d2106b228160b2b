"""CDRs and credits to their PTP: posted until they arrive, each under one id for ever (OCPI mod_cdrs).

The CDR is what makes the PTP capture. After an attempt without a clear answer we first ask whether it has it;
a CDR that it refuses is shown to staff and not repeated for ever (MONEY.md B22–B24).
"""

import contextlib
import uuid
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from django.db.models import QuerySet
from django.utils import timezone

from payments import decisions, outbox, settlement
from payments.errors import WrongState
from payments.models import OcpiConnection, OutboxMessage, Payment, ToldCdr
from payments.ocpi import told_cdrs
from payments.ocpi.push import remembered, sending
from payments.ocpi.push.client import Answer
from payments.ocpi.push.remembered import Kind
from payments.ocpi.push.sending import Failed
from payments.ocpi.their_parties import owner_of
from payments.outbox import Delivery
from payments.statements import is_refund_due
from payments.states import PaymentState, Review

MODULE: Final = "cdrs"
_POLLS: Final = "the platform has no CDRs; it polls"


@sending.carrier
def carry(message: OutboxMessage, connection: OcpiConnection) -> Delivery:
    """Tell the CDR of a payment, or the one that costs nothing and lets its hold go; the subject is the payment."""
    if not connection.endpoint(MODULE):
        return outbox.nothing_to_tell(_POLLS)
    found = _told(connection).filter(payment=uuid.UUID(message.subject), cdr__credit_of=None).first()
    if found is None and _is_waited_for(message, connection):
        # Whatever hides it, the money must not be forgotten: asked again later, and shown to staff meanwhile.
        return Delivery(delivered=False, error="its CDR is not to be found", called=False)
    if found is None:
        return outbox.nothing_to_tell("there is no CDR of it")
    delivery = _push(message, connection, found)
    if delivery.delivered and _releases(found):
        with contextlib.suppress(WrongState):
            settlement.acknowledge_release(found.payment.pk, now=timezone.now())
    return delivery


@sending.carrier
def carry_credit(message: OutboxMessage, connection: OcpiConnection) -> Delivery:
    """Tell a credit, by which the PTP gives money back; the subject is the credit."""
    if not connection.endpoint(MODULE):
        return outbox.nothing_to_tell(_POLLS)
    found = _told(connection).filter(cdr=uuid.UUID(message.subject)).first()
    if found is None:
        return sending.impossible("there is no such credit")
    assert found.cdr is not None
    if not is_refund_due(found.cdr) and remembered.recall(connection, Kind.CDR, str(found.pk)) is None:
        # Staff booked it as given back by hand: told of it now, the PTP would give it a second time.
        return outbox.nothing_to_tell("the money is back already")
    delivery = _push(message, connection, found)
    if delivery.delivered:
        with contextlib.suppress(WrongState):
            decisions.acknowledge_refund(found.payment.pk, credit_id=found.cdr_id, now=timezone.now())
    return delivery


def _told(connection: OcpiConnection) -> QuerySet[ToldCdr]:
    """What came by this connection, also for a party whose contract has ended: it holds the driver's money."""
    told_cdrs.stamp_due(connection)
    return told_cdrs.told(connection)


def _is_waited_for(message: OutboxMessage, connection: OcpiConnection) -> bool:
    """Whether the PTP captures by this CDR, or drops a hold by it."""
    waiting = [PaymentState.CAPTURING]
    if told_cdrs.releases(connection):
        waiting.append(PaymentState.RELEASING)
    return Payment.objects.filter(pk=message.subject, state__in=waiting, session__isnull=False).exists()


def _push(message: OutboxMessage, connection: OcpiConnection, told: ToldCdr) -> Delivery:
    """Post it, unless the platform turns out to have it. Raises Failed."""
    endpoint = connection.endpoint(MODULE)
    document = told_cdrs.document(told, sending.version_of(connection))
    subject = str(told.pk)
    has = remembered.recall(connection, Kind.CDR, subject)
    if (message.repeated or has is not None) and _is_there(
        connection, document, (has or {}).get("location", "")
    ):
        return Delivery(delivered=True)
    answer = _call(connection, "POST", endpoint, document, body=document)
    if answer.ok:
        location = _location(endpoint, answer)
        remembered.note(connection, Kind.CDR, subject, {"location": location}, now=timezone.now())
        return Delivery(delivered=True)
    if sending.refused(answer):
        decisions.flag(told.payment.pk, Review.CDR_REFUSED, now=timezone.now(), why=str(answer))
    return sending.outcome_within(sending.REFUSALS, message, connection, answer)


def _call(
    connection: OcpiConnection, method: str, address: str, document: dict[str, Any], *, body: Any = None
) -> Answer:
    """Call about a CDR: from the party that sold to the one whose token paid. Raises Failed."""
    return sending.call(
        connection,
        method,
        address,
        module=MODULE,
        body=body,
        to_party=owner_of(connection, document["cdr_token"]),
        from_party=(document["country_code"], document["party_id"]),
    )


def _is_there(connection: OcpiConnection, document: dict[str, Any], location: str) -> bool:
    """Whether the platform has this CDR. Raises Failed where it answers nobody.

    OCPI names its address in the answer to the POST, which may have been lost: then it is looked for below
    the endpoint.
    """
    address = location or sending.under(connection.endpoint(MODULE), document["id"])
    try:
        answer = _call(connection, "GET", address, document)
    except Failed as failure:
        if not failure.http_status:
            raise
        return False  # it answers, but has no such address: a repeated POST bears the same id
    known = answer.data if answer.ok and isinstance(answer.data, dict) else {}
    return str(known.get("id", "")).lower() == str(document["id"]).lower()


def _location(endpoint: str, answer: Answer) -> str:
    """Where the platform says that the CDR is; elsewhere than at its own host we do not show our token."""
    try:
        location = urljoin(endpoint, answer.headers.get("Location", "").strip())
        is_theirs = urlsplit(location)[:2] == urlsplit(endpoint)[:2]
    except ValueError:  # no address at all; the CDR has arrived all the same
        return ""
    return location if location != endpoint and is_theirs else ""


def _releases(told: ToldCdr) -> bool:
    """Whether this delivery was the signal to drop the hold."""
    payment: Payment = told.payment
    return payment.state == PaymentState.RELEASING and told_cdrs.releases(told.connection)


outbox.register(settlement.OCPI_CDR, carry, after=(settlement.OCPI_SESSION,))
outbox.register(decisions.OCPI_CREDIT, carry_credit, after=(settlement.OCPI_SESSION, settlement.OCPI_CDR))
