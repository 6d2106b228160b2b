"""What the tests of this room share."""

from types import SimpleNamespace

import pytest
from django.core.cache import cache

from payments.receipts import throttle
from tests import builders
from tests.builders import Cast
from tests.payments.ptp_client import TerminalClient


@pytest.fixture
def cast(db: None) -> Cast:
    """One terminal that sells one free connector of one online charger."""
    return builders.cast()


@pytest.fixture
def terminal(cast: Cast) -> TerminalClient:
    """The cast's terminal at the API, with the key of its PTP."""
    return TerminalClient(cast.key)


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    """Requests of one test do not count against the next."""
    cache.clear()


@pytest.fixture
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the receipts' limits stands, so that no minute or hour of theirs ends while a test counts."""
    monkeypatch.setattr(throttle, "time", SimpleNamespace(time=lambda: 1_800_000_010.0))
