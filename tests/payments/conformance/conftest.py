"""What every test of this room must leave behind: nothing that runs on."""

import threading
from collections.abc import Iterator

import pytest

from tests.payments.conformance.cpo import THREADS


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    """A thread that outlives its test takes its time from the tests that follow."""
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith(THREADS)]
    assert left == []
