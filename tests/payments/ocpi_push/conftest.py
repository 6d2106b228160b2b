"""The platform of the cast's PTP, in both versions."""

from collections.abc import Iterator

import pytest

from payments.ocpi.push import tasks  # noqa: F401  (registers the carriers, as the worker does)
from tests.builders import Cast
from tests.payments.ocpi_push.platform import Platform, platform


@pytest.fixture
def ptp(cast: Cast) -> Iterator[Platform]:
    """A registered platform that speaks 2.3.0 and has every receiver."""
    with platform(cast) as running:
        yield running
