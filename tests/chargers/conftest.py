"""The server of this room with a desk that only writes down."""

from collections.abc import Iterator

import pytest

from chargers import desk as desk_module
from chargers.desk import take_desk
from chargers.ocpp import consumer, database
from chargers.ocpp.throttle import DoorThrottle
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import serving


@pytest.fixture
def desk() -> Iterator[FakeDesk]:
    """Seat a fake desk for the time of the test."""
    before, fake = desk_module._desk, FakeDesk()
    take_desk(fake)
    yield fake
    if before is not None:
        take_desk(before)


@pytest.fixture
def server(transactional_db: None, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The product's ASGI application on a real socket; yields the URL for chargers."""
    from emabler.asgi import application

    monkeypatch.setattr(consumer, "_door", DoorThrottle())
    monkeypatch.setattr(consumer, "SETTLE_IN_SECONDS", 3600.0)  # tests of settling in set their own
    with serving(application) as url:
        yield url
    database.close()
