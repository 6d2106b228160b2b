"""Which CDRs a platform is told, under which id and with which `last_updated`.

OCPI lists CDRs by `last_updated`, and platforms ask for what is new since they last looked. A time that is
taken before a CDR is committed would let one slip through: looked for a moment too early, it is older than the
next look. So the stamp is given here, to CDRs that are there already, when the platform first can get them:
before every list and every push, under the connection's row lock, never back in time.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from payments.models import OcpiConnection, Payment, ToldCdr
from payments.ocpi.cdrs import cdr_document, zero_cdr_document, zero_cdr_id
from payments.ocpi.connections import Party, of_parties
from payments.ocpi.dialects import Version
from payments.ocpi.tariffs import utc_text
from payments.states import PaymentState
from sessions_app.models import CDR
from tariffs.engine.money import from_minor

# A payment moved when its CDR came to be. One that moved so long before the newest stamp was there when that
# was given, and has one: no transaction lasts as long.
_LONGEST_TRANSACTION: Final = timedelta(hours=1)


def stamp_due(connection: OcpiConnection) -> None:
    """Give every CDR its stamp that this platform may be told and has none; writes only where there is one."""
    if not _due(connection, _horizon(connection)):
        return
    with transaction.atomic():
        # Not its key: who holds a payment and makes a row of this connection would wait for us, and we for the payment.
        OcpiConnection.objects.select_for_update(no_key=True).only("pk").get(pk=connection.pk)
        newest = _newest(connection)
        now = max(timezone.now(), newest) if newest else timezone.now()
        due = _due(connection, _horizon(connection))
        for each in due:
            each.told_at, each.with_invoice = now, _makes_invoice(connection)
        ToldCdr.objects.bulk_create(due)


def told(connection: OcpiConnection, parties: frozenset[Party] | None = None) -> QuerySet[ToldCdr]:
    """Return what a platform is told, of some of our parties or of all, with all that `document` reads."""
    of = Q() if parties is None else _of_parties(parties)
    return (
        ToldCdr.objects.filter(of, connection=connection)
        .select_related(
            "connection",
            "payment__receipt",
            "payment__session__connector",
            "payment__session__evse__site",
            "cdr__credit_of",
            "cdr__credit_note",
        )
        .defer(
            "payment__receipt__document",
            "payment__receipt__pdf",
            "payment__session__cost_state",
            "payment__session__meter_state",
            "payment__session__tariff_snapshot",
            "cdr__credit_note__document",
            "cdr__credit_note__pdf",
        )
    )


def _of_parties(parties: frozenset[Party]) -> Q:
    """Of the parties that the CDRs name: those of the tap, for older sessions the sites' own."""
    place = "payment__session__place"
    older = of_parties(parties, prefix="payment__session__evse__site__") & Q(**{f"{place}__isnull": True})
    return of_parties(parties, prefix=f"{place}__") | older


def document(told: ToldCdr, version: Version) -> dict[str, Any]:
    """Write one of `told` as its platform gets it, each time the same."""
    payment, cdr = told.payment, told.cdr
    session = payment.session
    assert session is not None
    token = payment.token or None
    if cdr is None:
        return zero_cdr_document(session, version=version, issued_at=told.told_at, token=token)
    cdr.session = session  # read once, with the payment
    written = cdr_document(
        cdr,
        version=version,
        invoice_reference=_invoice_number(told, cdr),
        token=token,
        hold_amount=from_minor(payment.authorized_minor, payment.currency),
    )
    return written | {"last_updated": utc_text(told.told_at)}


def _invoice_number(told: ToldCdr, cdr: CDR) -> str:
    """The number of our receipt exactly when we make it (OCPI 2.3.0 mod_payments, InvoiceCreator)."""
    makes_it = _makes_invoice(told.connection) if told.with_invoice is None else told.with_invoice
    if not makes_it:
        return ""
    paper = getattr(cdr, "credit_note", None) if cdr.credit_of_id else getattr(told.payment, "receipt", None)
    return "" if paper is None else str(paper.full_number)


def _makes_invoice(connection: OcpiConnection) -> bool:
    return connection.invoice_creator == OcpiConnection.InvoiceCreator.CPO


def releases(connection: OcpiConnection) -> bool:
    """Whether a CDR that costs nothing is what tells this platform to drop a hold."""
    return connection.release_signal == OcpiConnection.ReleaseSignal.ZERO_COST_CDR


def _newest(connection: OcpiConnection) -> datetime | None:
    newest: datetime | None = ToldCdr.objects.filter(connection=connection).aggregate(at=Max("told_at"))["at"]
    return newest


def _horizon(connection: OcpiConnection) -> datetime | None:
    """Older payments have their stamps; a stamp from a clock that was ahead for a while must not hide any."""
    newest = _newest(connection)
    return min(newest, timezone.now()) - _LONGEST_TRANSACTION if newest else None


def _due(connection: OcpiConnection, horizon: datetime | None) -> list[ToldCdr]:
    """What has no stamp yet: bills and credits, and releases where a CDR is the signal for them."""
    payments = Payment.objects.filter(connection=connection).order_by()
    releasing = payments.filter(state=PaymentState.RELEASING) if releases(connection) else payments.none()
    if horizon is not None:
        payments = payments.filter(changed_at__gte=horizon)
    untold = CDR.objects.filter(told=None).order_by().values_list("issued_at", "pk", "session__payment")
    bills = set(
        untold.filter(session__payment__in=payments)
        .exclude(session__payment__state=PaymentState.AUTHORIZED)
        .exclude(total_incl_minor=0)
    )
    # What waits to be released is few, and may have done so since before a CDR became the signal for it.
    bills |= set(untold.filter(session__payment__in=releasing))
    due = [
        ToldCdr(id=pk, connection=connection, payment_id=payment_pk, cdr_id=pk)
        for _, pk, payment_pk in sorted(bills)
    ]
    return due + _due_releases(connection, releasing)


def _due_releases(connection: OcpiConnection, releasing: QuerySet[Payment]) -> list[ToldCdr]:
    bare = releasing.filter(session__isnull=False, session__cdrs=None, told_cdrs=None)
    return [
        ToldCdr(id=zero_cdr_id(session_pk), connection=connection, payment_id=pk)
        for pk, session_pk in bare.values_list("pk", "session")
    ]
