"""ASGI entry point: Django over HTTP, chargers over WebSocket."""

import os
import warnings

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
http_application = get_asgi_application()

from chargers.routing import websocket_urlpatterns  # noqa: E402  (models need the app registry first)
from emabler.running.web_lock import take_web_lock  # noqa: E402

take_web_lock()
# WhiteNoise iterates a file synchronously and Django warns of it at each request; the files are small.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

application = ProtocolTypeRouter({"http": http_application, "websocket": URLRouter(websocket_urlpatterns)})
