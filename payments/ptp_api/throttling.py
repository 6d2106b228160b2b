"""How much one key may ask: requests per minute."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from payments import throttling


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
    return throttling.seconds_to_wait(f"ptp-requests:{key_pk}", settings.PTP_REQUESTS_PER_MINUTE)
