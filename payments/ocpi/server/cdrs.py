"""The bills of the sessions that a PTP paid for (OCPI 2.3.0 mod_cdrs, Sender): its own, and nobody else's.

For a PTP that takes no pushes this is how it learns what to capture.
"""

import contextlib
from typing import Any, ClassVar

from payments import decisions
from payments.errors import WrongState
from payments.models import ToldCdr
from payments.ocpi.envelope import Reply, unknown
from payments.ocpi.server.pagination import page
from payments.ocpi.server.paths import both, uuid_in
from payments.ocpi.server.segments import may_be_id
from payments.ocpi.server.sessions import release
from payments.ocpi.server.transport import Call, OcpiView
from payments.ocpi.told_cdrs import document, stamp_due, told
from payments.states import PaymentState
from sessions_app.models import CDR


class CdrsView(OcpiView):
    """`/cdrs`: bills, credits, and where that is the signal agreed on, those that only let a hold go."""

    module: ClassVar[str] = "cdrs"

    def get(self, call: Call) -> Reply:
        """List CDRs by the time at which this platform first could get them."""
        stamp_due(call.connection)
        return page(
            call,
            told(call.connection, call.only),
            changed_at="told_at",
            write=lambda cdrs: [_write(call, each) for each in cdrs],
            order=("told_at", "pk"),
        )


class CdrView(OcpiView):
    """`/cdrs/[{country_code}/{party_id}/]{cdr_id}`: one of the list, beyond what OCPI asks for."""

    module: ClassVar[str] = "cdrs"

    def get(self, call: Call, cdr_id: str, country_code: str = "", party_id: str = "") -> Reply:
        """Return a CDR."""
        stamp_due(call.connection)
        parties = call.only
        if country_code:
            if not may_be_id(country_code) or not may_be_id(party_id):
                raise unknown("CDR")
            named = frozenset({(country_code.upper(), party_id.upper())})
            parties = named if parties is None else named & parties
        found = told(call.connection, parties).filter(pk=uuid_in(cdr_id, of="CDR")).first()
        if found is None:
            raise unknown("CDR")
        return Reply(data=_write(call, found))


def _write(call: Call, each: ToldCdr) -> dict[str, Any]:
    """Write a CDR; where that is all the platform ever gets, it has now been told to let go or to give back."""
    written = document(each, call.version)
    if not call.connection.endpoint("cdrs"):
        if each.payment.state == PaymentState.RELEASING:
            release(each.payment, call)
        elif each.payment.state == PaymentState.REFUNDING and _is_newest_credit(each):
            with contextlib.suppress(WrongState):
                decisions.acknowledge_refund(each.payment.pk, credit_id=each.cdr_id, now=call.now)
    return written


def _is_newest_credit(each: ToldCdr) -> bool:
    """Whether it is the refund that is on its way, and none of those before it."""
    cdr = each.cdr
    if cdr is None or cdr.credit_of_id is None:
        return False
    later = CDR.objects.filter(credit_of=cdr.credit_of_id, credit_number__gt=cdr.credit_number)
    return not later.exists()


urlpatterns = [
    *both("cdrs", CdrsView, "ocpi-cdrs"),
    *both("cdrs/<str:cdr_id>", CdrView),
    *both("cdrs/<str:country_code>/<str:party_id>/<str:cdr_id>", CdrView),
]
