"""The terminal itself: its Receipt button, and that it is alive."""

from datetime import timedelta

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from payments.ptp_api import described
from payments.ptp_api.bodies import HeartbeatBody
from payments.ptp_api.lookup import Order, listing, moment_parameter, page_of, parameter, terminal_of
from payments.ptp_api.wire import PtpView
from payments.statements import payments_of, receipt_statement, utc
from payments.terminals import note_seen

RECEIPTS_FOR = timedelta(hours=24)  # who asks later has the QR code or the card statement
_ORDER = Order(key="settled_at", name="session_id", newest_first=True)


class ReceiptsView(PtpView):
    """The Receipt button."""

    @described.receipts
    def get(self, request: Request) -> Response:
        """List what was settled at the terminal in the last 24 hours, newest first."""
        terminal = terminal_of(self.caller, parameter(request, "terminal_id"))
        now = timezone.now()
        since = max(moment_parameter(request, "since") or now - RECEIPTS_FOR, now - RECEIPTS_FOR)
        theirs = payments_of(self.caller.ptp).filter(terminal=terminal)
        settled = theirs.filter(settled_at__gte=since)
        payments, following = page_of(request, settled, _ORDER, among=theirs)
        return Response(listing([receipt_statement(p, now=now) for p in payments], following))


class HeartbeatView(PtpView):
    """A terminal says that it is alive."""

    @described.heartbeat
    def post(self, request: Request) -> Response:
        """Note that the terminal is alive, and tell it the time."""
        body = HeartbeatBody(data=request.data)
        body.is_valid(raise_exception=True)
        terminal = terminal_of(self.caller, body.validated_data.get("terminal_id"), told_in="body")
        now = timezone.now()
        note_seen(terminal, now=now)
        return Response({"terminal_id": terminal.terminal_id, "server_time": utc(now)})
