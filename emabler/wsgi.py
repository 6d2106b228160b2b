"""WSGI entry point: the HTTP pages and APIs in a process of their own (no WebSockets, no event streams)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "emabler.settings")
application = get_wsgi_application()

from emabler.running.web_lock import take_web_lock  # noqa: E402  (needs settings)

take_web_lock()
