"""Where chargers connect: `/ocpp/<identity>`, also behind a prefix and in any case (`/OCPP/1.6/<identity>`)."""

from django.urls import re_path

from chargers.ocpp.consumer import OcppConsumer, Refuser

websocket_urlpatterns = [
    re_path(r"(?i)^(?:.*/)?ocpp/.+$", OcppConsumer.as_asgi()),
    re_path(r"", Refuser.as_asgi()),  # any other path: an answer, not a traceback
]
