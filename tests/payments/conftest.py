"""What the tests of this room share."""

import pytest
from django.core.cache import cache

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
