"""Paths of the terminal API, below /api/ptp/v1/."""

from django.urls import path, re_path

from payments.ptp_api.connector_views import ConnectorsView, QuoteView
from payments.ptp_api.event_stream import events
from payments.ptp_api.refund_views import RefundConfirmView, RefundsView
from payments.ptp_api.session_views import SessionsView, SessionView, StopView
from payments.ptp_api.settlement_views import CaptureView, ReleaseView, SettlementsView, SettlementView
from payments.ptp_api.terminal_views import HeartbeatView, ReceiptsView
from payments.ptp_api.wire import NothingHereView

app_name = "ptp_api"
urlpatterns = [
    path("connectors", ConnectorsView.as_view(), name="connectors"),
    path("connectors/<uuid:connector_id>/quote", QuoteView.as_view(), name="quote"),
    path("sessions", SessionsView.as_view(), name="sessions"),
    path("sessions/<uuid:session_id>", SessionView.as_view(), name="session"),
    path("sessions/<uuid:session_id>/events", events, name="events"),
    path("sessions/<uuid:session_id>/stop", StopView.as_view(), name="stop"),
    path("sessions/<uuid:session_id>/settlement", SettlementView.as_view(), name="settlement"),
    path("sessions/<uuid:session_id>/capture", CaptureView.as_view(), name="capture"),
    path("sessions/<uuid:session_id>/release", ReleaseView.as_view(), name="release"),
    path("settlements", SettlementsView.as_view(), name="settlements"),
    path("refunds", RefundsView.as_view(), name="refunds"),
    path("refunds/<uuid:refund_id>/confirm", RefundConfirmView.as_view(), name="refund-confirm"),
    path("receipts", ReceiptsView.as_view(), name="receipts"),
    path("heartbeat", HeartbeatView.as_view(), name="heartbeat"),
    re_path("", NothingHereView.as_view()),
]
