"""Sessions: started by an approved hold, followed, stopped."""

import uuid

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from payments.ptp_api import described
from payments.ptp_api.bodies import StartBody
from payments.ptp_api.lookup import payment_of
from payments.ptp_api.problems import CONTENT_TYPE
from payments.ptp_api.session_start import start_session
from payments.ptp_api.wire import PtpView
from payments.statements import session_statement
from sessions_app import lifecycle
from sessions_app.errors import NothingToStop
from sessions_app.states import StopReason


class SessionsView(PtpView):
    """Where sessions begin."""

    @described.start
    def post(self, request: Request) -> Response:
        """Start a session for an approved preauthorisation."""
        body = StartBody(data=request.data)
        body.is_valid(raise_exception=True)
        answer = start_session(self.caller, body.validated_data, request.headers.get("Idempotency-Key"))
        content_type = CONTENT_TYPE if answer.status_code >= 400 else None
        return Response(answer.body, status=answer.status_code, content_type=content_type)


class SessionView(PtpView):
    """One session."""

    @described.session
    def get(self, request: Request, session_id: uuid.UUID) -> Response:
        """Tell how a session and its payment stand."""
        payment = payment_of(self.caller, session_id)
        return Response(session_statement(payment, now=timezone.now()))


class StopView(PtpView):
    """The Stop button."""

    @described.stop
    def post(self, request: Request, session_id: uuid.UUID) -> Response:
        """Ask a session to end: 202 while the charger is being asked, 200 once it is over."""
        payment = payment_of(self.caller, session_id)
        actor = f"terminal of {self.caller.ptp.name}"
        now = timezone.now()
        try:
            lifecycle.request_stop(session_id, reason=StopReason.TERMINAL, actor=actor, now=now)
        except NothingToStop:
            return Response(session_statement(payment, now=now))
        payment = payment_of(self.caller, session_id)
        assert payment.session is not None
        status = 200 if payment.session.is_over else 202
        return Response(session_statement(payment, now=now), status=status)
