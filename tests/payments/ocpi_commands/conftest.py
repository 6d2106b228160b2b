"""The cast, and the platform of its PTP."""

import pytest

from tests.builders import Cast
from tests.payments.ocpi_commands.platform import Platform, platform


@pytest.fixture
def ptp(cast: Cast) -> Platform:
    """The platform of the cast's PTP, which was shown the cast's tariff."""
    return platform(of=cast)


@pytest.fixture(autouse=True)
def _doors(settings) -> None:
    settings.ROOT_URLCONF = "tests.payments.ocpi_commands.urls"
