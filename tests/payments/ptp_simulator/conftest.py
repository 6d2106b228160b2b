"""A scripted CPO and a PTP that has shaken hands with it; the tests turn its wheel by hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.taps import Tap, TapOrder
from tests.payments.ptp_simulator.scripted_cpo import TOKEN_A, ScriptedCpo, scripted_cpo

Make = Callable[..., PtpSimulator]


@pytest.fixture(params=["2.2.1", "2.3.0"])
def cpo(request: pytest.FixtureRequest) -> Iterator[ScriptedCpo]:
    with scripted_cpo(request.param) as cpo:
        yield cpo


@pytest.fixture
def make_ptp() -> Iterator[Make]:
    """Make PTPs whose server runs and whose wheel (`tick`) is turned by the test."""
    with ExitStack() as stack:

        def make(settings: dict[str, Any] | None = None, **more: Any) -> PtpSimulator:
            ptp = PtpSimulator(PtpSettings(**(settings or {})), **more)
            stack.enter_context(ptp.server)
            return ptp

        yield make


@pytest.fixture
def ptp(cpo: ScriptedCpo, make_ptp: Make) -> PtpSimulator:
    ptp = make_ptp()
    ptp.register(cpo.versions_url, TOKEN_A)
    return ptp


def tap(ptp: PtpSimulator, **more: Any) -> Tap:
    """Hold a card to the terminal at the one connector."""
    return ptp.tap(TapOrder(location_id="L1", evse_uid="E1", **more))


def effects(ptp: PtpSimulator, reference: str) -> list[str]:
    """What happened to the card."""
    return [kind for kind, owner in ptp.state()["psp"]["effects"] if owner == reference]
