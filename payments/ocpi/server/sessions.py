"""The sessions that a PTP paid for (OCPI 2.3.0 mod_sessions, Sender): its own, and nobody else's."""

import contextlib
from typing import Any, ClassVar

from payments import settlement
from payments.errors import WrongState
from payments.models import Payment
from payments.ocpi.envelope import OcpiError, Reply, Status, unknown
from payments.ocpi.server.pagination import moment, page
from payments.ocpi.server.paths import both, uuid_in
from payments.ocpi.server.segments import may_be_id
from payments.ocpi.server.transport import Call, OcpiView
from payments.ocpi.session_rows import payments_changed_since, payments_of, session_status, session_values
from payments.ocpi.sessions import SessionStatus, session_document
from payments.ocpi.told_cdrs import releases
from payments.states import PaymentState


class SessionsView(OcpiView):
    """`/sessions`: what came by this connection."""

    module: ClassVar[str] = "sessions"

    def get(self, call: Call) -> Reply:
        """List Sessions that changed since `date_from`, which is required here."""
        if moment(call, "date_from") is None:
            raise OcpiError(Status.INVALID, "date_from: This parameter is required.")
        return page(
            call,
            payments_of(call.connection, call.only),
            changed_at=payments_changed_since,
            write=lambda payments: [_write(call, payment) for payment in payments],
            order=("opened_at", "pk"),
        )


class SessionView(OcpiView):
    """`/sessions/{country_code}/{party_id}/{session_id}`: one of the list, beyond what OCPI asks for."""

    module: ClassVar[str] = "sessions"

    def get(self, call: Call, country_code: str, party_id: str, session_id: str) -> Reply:
        """Return a Session."""
        if not may_be_id(country_code) or not may_be_id(party_id):
            raise unknown("session")
        named = frozenset({(country_code.upper(), party_id.upper())})
        parties = named if call.only is None else named & call.only
        payment = (
            payments_of(call.connection, parties).filter(session=uuid_in(session_id, of="session")).first()
        )
        if payment is None:
            raise unknown("session")
        return Reply(data=_write(call, payment))


def _write(call: Call, payment: Payment) -> dict[str, Any]:
    """Write a Session; where that is all the platform ever gets, it has now been told to drop the hold."""
    document = session_document(session_values(payment), call.version)
    if _tells_release(call, payment):
        release(payment, call)
    return document


def _tells_release(call: Call, payment: Payment) -> bool:
    assert payment.session is not None
    return (
        payment.state == PaymentState.RELEASING
        and session_status(payment.session) is SessionStatus.INVALID
        and not releases(call.connection)
        and not call.connection.endpoint("sessions")
    )


def release(payment: Payment, call: Call) -> None:
    """Book that a platform that takes no pushes has got the signal to drop a hold."""
    with contextlib.suppress(WrongState):  # it moved on meanwhile; whoever moved it knew more
        settlement.acknowledge_release(payment.pk, now=call.now)


urlpatterns = [
    *both("sessions", SessionsView, "ocpi-sessions"),
    *both("sessions/<str:country_code>/<str:party_id>/<str:session_id>", SessionView),
]
