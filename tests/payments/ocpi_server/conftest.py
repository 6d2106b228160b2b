"""What the tests of the lists that we serve share."""

import pytest

from tests.builders import Cast
from tests.payments.ocpi_server.reader import Reader, reader


@pytest.fixture
def ptp(cast: Cast) -> Reader:
    """The platform of the cast's PTP; it has seen nothing yet."""
    return reader(of=cast.ptp)


@pytest.fixture(autouse=True)
def _doors(settings) -> None:
    settings.ROOT_URLCONF = "tests.payments.ocpi_server.urls"
