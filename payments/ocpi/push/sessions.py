"""Sessions to their PTP: PUT whole whenever their state changes, PATCHed in between, in order (OCPI mod_sessions).

A PATCH holds scalars only: charging periods in it would be appended. Where the platform may have missed one,
the next push is whole again. A Session that became INVALID is what lets the hold go, where the connection's
release signal says so (MONEY.md B6).
"""

import contextlib
from typing import Any, Final

from django.utils import timezone

from payments import outbox, settlement
from payments.errors import WrongState
from payments.models import OcpiConnection, OutboxMessage, Payment
from payments.ocpi.push import remembered, sending
from payments.ocpi.push.client import Answer
from payments.ocpi.push.remembered import Kind, digest
from payments.ocpi.session_rows import payments_of, session_values
from payments.ocpi.sessions import SessionStatus, SessionValues, patch_document, session_document
from payments.ocpi.their_parties import owner_of
from payments.outbox import Delivery
from payments.states import PaymentState

MODULE: Final = "sessions"
# What may change while nothing else does; it alone is patched.
_SCALARS: Final = ("kwh", "total_cost")


@sending.carrier
def carry(message: OutboxMessage, connection: OcpiConnection) -> Delivery:
    """Tell how a session stands now; the subject is its payment."""
    # Also for a party whose contract has ended meanwhile: the platform holds the driver's money.
    payment = payments_of(connection).filter(pk=message.subject).first()
    if payment is None:
        return sending.impossible("the payment is gone")
    if not connection.endpoint(MODULE):
        return outbox.nothing_to_tell("the platform has no sessions; it polls")
    values = session_values(payment)
    delivery = _push(message, connection, values)
    if delivery.delivered and _releases(connection, payment, values):
        _acknowledge(payment)
    return delivery


def _push(message: OutboxMessage, connection: OcpiConnection, values: SessionValues) -> Delivery:
    """Send the least that the platform lacks. Raises Failed."""
    version = sending.version_of(connection)
    document = session_document(values, version)
    state = _state_of(document)
    has = {} if message.repeated else remembered.recall(connection, Kind.SESSION, message.subject) or {}
    if all(has.get(name) == state[name] for name in state):
        return outbox.nothing_to_tell("the platform has it")
    may_patch = has.get("rest") == state["rest"] and not has.get("whole")
    if may_patch:
        answer = _send(connection, values, "PATCH", patch_document(values, version))
        # One that does not know the session, or no PATCH, gets it whole from now on: a PUT replaces.
        state["whole"] = sending.wants_whole(answer)
    if not may_patch or state["whole"]:
        answer = _send(connection, values, "PUT", document)
    if answer.ok:
        remembered.note(connection, Kind.SESSION, message.subject, {**has, **state}, now=timezone.now())
    return sending.outcome(answer)


def _send(connection: OcpiConnection, values: SessionValues, method: str, body: dict[str, Any]) -> Answer:
    party = (values.country_code, values.party_id)
    address = sending.under(connection.endpoint(MODULE), *party, values.session_id)
    owner = owner_of(connection, values.cdr_token)
    return sending.call(
        connection, method, address, module=MODULE, body=body, to_party=owner, from_party=party
    )


def _state_of(document: dict[str, Any]) -> dict[str, Any]:
    """What tells whether something is to be sent, and whether it may be a patch."""
    rest = {name: value for name, value in document.items() if name not in (*_SCALARS, "last_updated")}
    scalars = {name: document[name] for name in _SCALARS if name in document}
    return {"rest": digest(rest), "scalars": digest(scalars)}


def _releases(connection: OcpiConnection, payment: Payment, values: SessionValues) -> bool:
    """Whether this delivery was the signal to drop the hold."""
    return (
        payment.state == PaymentState.RELEASING
        and values.status is SessionStatus.INVALID
        and connection.release_signal == OcpiConnection.ReleaseSignal.SESSION_INVALID
    )


def _acknowledge(payment: Payment) -> None:
    with contextlib.suppress(WrongState):  # something else moved it meanwhile
        settlement.acknowledge_release(payment.pk, now=timezone.now())


outbox.register(settlement.OCPI_SESSION, carry)
