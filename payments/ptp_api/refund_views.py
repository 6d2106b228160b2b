"""Refunds: what the PTP is to give back, and its word that it did."""

import uuid

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from payments import decisions
from payments.ptp_api import described
from payments.ptp_api.lookup import Order, listing, page_of, parameter
from payments.ptp_api.problems import Problem, invalid
from payments.ptp_api.wire import PtpView
from payments.statements import due_refunds, is_refund_due, refund_statement, refunds_of

_ORDER = Order(key="issued_at", name="id")


class RefundsView(PtpView):
    """What is to be given back."""

    @described.refunds
    def get(self, request: Request) -> Response:
        """List it, oldest first, until it is given back."""
        if parameter(request, "status") != "due":
            raise invalid("invalid_query", "status", "invalid", "The one status to ask for is due.")
        theirs = refunds_of(self.caller.ptp)
        credits, following = page_of(request, due_refunds(theirs), _ORDER, among=theirs)
        return Response(listing([refund_statement(credit, due=True) for credit in credits], following))


class RefundConfirmView(PtpView):
    """The money that went back."""

    @described.confirm_refund
    def post(self, request: Request, refund_id: uuid.UUID) -> Response:
        """Note that it went back; a repeat is 200, also when a further refund has begun since."""
        credit = refunds_of(self.caller.ptp).filter(pk=refund_id).first()
        if credit is None:
            raise Problem("not_found", "There is no such refund.")
        payment = credit.session.payment
        decisions.acknowledge_refund(payment.pk, now=timezone.now(), credit_id=credit.pk)
        return Response(refund_statement(credit, due=is_refund_due(credit)))
