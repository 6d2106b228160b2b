"""A hold by the name that its PTP gave it: a CiString, so `ABC` and `abc` are one (OCPI 2.3.0 types)."""

from django.db.models.functions import Lower

from payments.models import OcpiConnection, Payment


def payment_of(connection: OcpiConnection, reference: str) -> Payment | None:
    """Return the payment of a hold; one of the same spelling goes first, by whatever door it came."""
    exact = Payment.objects.filter(ptp=connection.ptp_id, authorization_reference=reference).first()
    if exact is not None:
        return exact
    spelled = Payment.objects.alias(in_lower=Lower("authorization_reference"))
    return spelled.filter(connection=connection, in_lower=reference.lower()).first()
