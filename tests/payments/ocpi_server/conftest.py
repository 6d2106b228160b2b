"""What the tests of the lists that we serve share."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tests.builders import Cast
from tests.payments.ocpi_server.reader import Reader, reader


@pytest.fixture
def ptp(cast: Cast) -> Reader:
    """The platform of the cast's PTP; it has seen nothing yet."""
    return reader(of=cast.ptp)


@pytest.fixture(autouse=True)
def _doors(settings) -> None:
    settings.ROOT_URLCONF = "tests.payments.ocpi_server.urls"


@pytest.fixture(autouse=True)
def _clock_goes_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of time here are milliseconds wide, and a machine's clock may be set back by as much."""
    read, last = timezone.now, timezone.now()

    def now() -> datetime:
        nonlocal last
        last = max(read(), last + timedelta(milliseconds=1))
        return last

    monkeypatch.setattr(timezone, "now", now)
