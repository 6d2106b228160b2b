"""ASGI entry point: Django over HTTP, chargers over WebSocket."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
http_application = get_asgi_application()

from chargers.routing import websocket_urlpatterns  # noqa: E402  (models need the app registry first)

application = ProtocolTypeRouter({"http": http_application, "websocket": URLRouter(websocket_urlpatterns)})
