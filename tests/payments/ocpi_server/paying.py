"""Sessions that were paid for by a platform."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from payments.models import Payment
from tests import builders
from tests.builders import Cast
from tests.payments.ocpi_server.reader import Reader

LONG_AGO = "2020-01-01T00:00:00Z"
PUSHED = {
    "sessions:RECEIVER": "https://ptp.example.com/ocpi/sessions",
    "cdrs:RECEIVER": "https://ptp.example.com/ocpi/cdrs",
}
TOKEN = {"country_code": "NL", "party_id": "PTP", "uid": "u-1", "type": "AD_HOC_USER", "contract_id": "c-1"}


def tap(cast: Cast, ptp: Reader, **fields: Any) -> Payment:
    """A hold that came by this platform."""
    return cast.payment(connection=ptp.connection, terminal=None, token=TOKEN, **fields)


def charged(cast: Cast, ptp: Reader, *, energy_wh: int = 10_000) -> Payment:
    """A session that was paid for by this platform and is over; nothing was charged with too little energy."""
    now = timezone.now() - timedelta(minutes=30)
    running = builders.start(tap(cast, ptp, now=now), at=now)
    return running.end(energy_wh=energy_wh, after_seconds=1200)


def elsewhere(party: tuple[str, str] = ("FI", "EMB")) -> Cast:
    """Another site with a charger, of that party."""
    other = builders.cast()
    type(other.site).objects.filter(pk=other.site.pk).update(country_code=party[0], party_id=party[1])
    other.site.refresh_from_db()
    return other


def text_of(at: datetime) -> str:
    """A moment as a query tells it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
