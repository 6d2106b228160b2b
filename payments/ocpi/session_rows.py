"""From payments to what the shapes write of sessions: those of one platform, and when each changed."""

from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from payments.models import OcpiConnection, Payment
from payments.ocpi.cdrs import cdr_token
from payments.ocpi.connections import Party, of_parties
from payments.ocpi.prices import price_of
from payments.ocpi.sessions import SessionStatus, SessionValues, kwh, ocpi_session_status
from payments.states import PaymentState
from sessions_app.models import Session

# While a hold waits to be released every look at it is one of its session: the platform is told again.
_RELEASED: Final = (PaymentState.RELEASING, PaymentState.RELEASED)


def payments_of(connection: OcpiConnection, parties: frozenset[Party] | None = None) -> QuerySet[Payment]:
    """Return what came by a connection, for some of our parties or for all, with all that `session_values` reads."""
    of = Q() if parties is None else of_parties(parties, prefix="session__evse__site__")
    return (
        Payment.objects.filter(of, connection=connection)
        .select_related("session__connector", "session__evse__site")
        .defer("session__cost_state", "session__meter_state", "session__tariff_snapshot")
    )


def payments_changed_since(at: datetime) -> Q:
    """Return the condition that a payment's session changed at `at` or later; agrees with `last_updated`."""
    moved = Payment.objects.filter(session__changed_at__gte=at).order_by().values("pk")
    settled = Payment.objects.filter(state__in=_RELEASED, changed_at__gte=at).order_by().values("pk")
    return Q(pk__in=moved.union(settled))


def session_values(payment: Payment) -> SessionValues:
    """Return a payment's session as it is now; read it with `payments_of`."""
    session = payment.session
    assert session is not None, "a payment that came by OCPI has a session"
    status = session_status(session)
    site = session.evse.site
    return SessionValues(
        country_code=site.country_code,
        party_id=site.party_id,
        session_id=str(session.pk),
        status=status,
        start_at=session.started_at or session.requested_at,
        end_at=session.ended_at if session.is_over else None,
        energy_kwh=kwh(session.energy_wh),
        cdr_token=payment.token or cdr_token(session),
        authorization_reference=payment.authorization_reference,
        location_id=site.location_id,
        evse_uid=session.evse.uid,
        connector_id=session.connector.connector_id,
        currency=session.currency,
        total=price_of(session.cost_excl_minor, session.cost_incl_minor, session.currency),
        updated_at=_changed_at(payment, session),
    )


def session_status(session: Session) -> SessionStatus:
    """Return OCPI's status; what ended without a bill is INVALID, which tells the PTP to drop the hold."""
    return ocpi_session_status(session.state, nothing_charged=session.cost_incl_minor == 0)


def _changed_at(payment: Payment, session: Session) -> datetime:
    if payment.state in _RELEASED:
        return max(session.changed_at, payment.changed_at)
    return session.changed_at
