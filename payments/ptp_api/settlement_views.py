"""Settlement: what is to be captured or released, and what the PTP says it did."""

import uuid

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from payments import settlement
from payments.errors import IdempotencyConflict
from payments.models import Payment
from payments.ptp_api import described
from payments.ptp_api.authentication import Caller
from payments.ptp_api.bodies import CaptureBody
from payments.ptp_api.lookup import Order, listing, page_of, parameter, payment_of, terminal_of
from payments.ptp_api.problems import Problem, invalid
from payments.ptp_api.wire import PtpView
from payments.settlement import CaptureReport
from payments.statements import DUE, payments_of, settlement_statement, with_cdrs
from payments.states import CaptureStatus

_ORDER = Order(key="settled_at", name="session_id")


class SettlementsView(PtpView):
    """What waits for the PTP."""

    @described.settlements
    def get(self, request: Request) -> Response:
        """List what is due, oldest first, until it is captured or released."""
        if parameter(request, "status") != "due":
            raise invalid("invalid_query", "status", "invalid", "The one status to ask for is due.")
        theirs = payments_of(self.caller.ptp)
        due = with_cdrs(theirs).filter(state__in=DUE, settled_at__isnull=False)
        if terminal_id := parameter(request, "terminal_id"):
            due = due.filter(terminal=terminal_of(self.caller, terminal_id))
        payments, following = page_of(request, due, _ORDER, among=theirs)
        now = timezone.now()
        return Response(listing([settlement_statement(p, now=now) for p in payments], following))


class SettlementView(PtpView):
    """The final details of one session."""

    @described.settlement
    def get(self, request: Request, session_id: uuid.UUID) -> Response:
        """Tell what a session costs in the end, and what is to be done with the hold."""
        return _settlement(self.caller, session_id)


class CaptureView(PtpView):
    """What the PTP captured."""

    @described.capture
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        """Book a confirmation: a repeat is 200, the same id with another body 409, too much is flagged."""
        payment = payment_of(self.caller, session_id)
        body = CaptureBody(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        report = CaptureReport(
            confirmation_id=values["confirmation_id"],
            status=CaptureStatus(values["status"]),
            amount_minor=values["amount_minor"],
            currency=values["currency"],
            eft_data=values["eft_data"],
        )
        _confirm(payment, report)
        return _settlement(self.caller, session_id)


class ReleaseView(PtpView):
    """The hold that was dropped."""

    @described.release
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        """Note that the hold is gone; a repeat is 200."""
        payment = payment_of(self.caller, session_id)
        settlement.acknowledge_release(payment.pk, now=timezone.now())
        return _settlement(self.caller, session_id)


def _confirm(payment: Payment, report: CaptureReport) -> None:
    try:
        settlement.confirm(payment.pk, report, now=timezone.now())
    except IdempotencyConflict:
        detail = "This confirmation_id came before with another content."
        raise Problem("idempotency_conflict", detail, status=409) from None


def _settlement(caller: Caller, session_id: uuid.UUID) -> Response:
    payment = with_cdrs(payments_of(caller.ptp)).filter(session=session_id).first()
    if payment is None:
        raise Problem("not_found", "There is no such session.")
    return Response(settlement_statement(payment, now=timezone.now()))
