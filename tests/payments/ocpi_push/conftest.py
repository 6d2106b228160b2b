"""The platform of the cast's PTP, in both versions, and a carrier that only writes down."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from payments import lanes, outbox
from payments.ocpi.push import tasks  # noqa: F401  (registers the carriers, as the worker does)
from tests.builders import Cast
from tests.payments.ocpi_push.carried import Carried
from tests.payments.ocpi_push.platform import Platform, platform


@pytest.fixture
def ptp(cast: Cast) -> Iterator[Platform]:
    """A registered platform that speaks 2.3.0 and has every receiver."""
    with platform(cast) as running:
        yield running


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> Carried:
    """A carrier of the topics `first` and `second`, which goes after `first`; it takes no time."""
    monkeypatch.setattr(
        outbox, "time", SimpleNamespace(monotonic=lambda: 0.0)
    )  # the tests say what time it is
    monkeypatch.setattr(outbox, "_carriers", {})
    monkeypatch.setattr(lanes, "_earlier", {})
    carrier = Carried()
    outbox.register("first", carrier)
    outbox.register("second", carrier, after=("first",))
    return carrier
