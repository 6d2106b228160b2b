"""What the tests of the handshake share."""

import pytest
from django.utils import timezone

from payments.models import OcpiConnection
from payments.ocpi import connections
from tests.payments.ocpi_handshake.door import Door
from tests.payments.ocpi_handshake.platform import Platform


@pytest.fixture
def platform():
    """A PTP's platform, NL*PTP, that speaks both versions."""
    running = Platform()
    with running.server:
        yield running


@pytest.fixture
def invited(db):
    """An invited connection and its token A."""
    return connections.invite(name="A Platform", country_code="NL", party_id="PTP", now=timezone.now())


@pytest.fixture
def door(invited):
    return Door(invited[1])


@pytest.fixture
def stored(invited):
    def read():
        return OcpiConnection.objects.get(pk=invited[0].pk)

    return read


@pytest.fixture(autouse=True)
def _urls(settings):
    settings.ROOT_URLCONF = "tests.payments.ocpi_handshake.urls"
