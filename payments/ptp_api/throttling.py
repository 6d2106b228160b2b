"""How much one key may ask: requests per minute, counted in windows that begin with the minute."""

import time

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

WINDOW_SECONDS = 60


class KeyThrottle(BaseThrottle):
    """At most settings.PTP_REQUESTS_PER_MINUTE requests per API key; two cache operations each."""

    _wait_seconds = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request and say whether it may pass."""
        self._wait_seconds = seconds_to_wait(request.auth.pk)
        return self._wait_seconds == 0

    def wait(self) -> float:
        """Seconds until the next window begins."""
        return self._wait_seconds


def seconds_to_wait(key_pk: int) -> float:
    """Count one request of a key; return 0 when it may pass, else the seconds until the next window."""
    now = time.time()
    window = int(now // WINDOW_SECONDS)
    name = f"ptp-requests:{key_pk}:{window}"
    cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
    try:
        count = cache.incr(name)
    except ValueError:
        return 0  # the cache dropped it between two breaths; this request passes
    return 0 if count <= settings.PTP_REQUESTS_PER_MINUTE else (window + 1) * WINDOW_SECONDS - now
