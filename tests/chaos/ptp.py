"""The PTP over OCPI in a process of its own, by the campaign's clock: `python -m tests.chaos.ptp`.

It is the PTP in the box; of its conduct only patience is changed: it drops no hold of which it hears nothing
(an outage of hours would be reason enough), and asks again every few seconds.
"""

import argparse
import logging
import threading
import time

from payments.simulator.ocpi import settling
from payments.simulator.ocpi.control import Control
from payments.simulator.ocpi.registration import HandshakeFailed
from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.wire import Party, PeerServer
from tests.chaos.clock import clock_of_this_process
from tests.chaos.network import OCPI, PARTY, TERMINALS, TOKEN_A

HANDSHAKE_SECONDS = 60.0
LONG_SECONDS = 30 * 24 * 3600.0
REPEAT_SECONDS = 3.0


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions-url", required=True)
    parser.add_argument("--control-port", type=int, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    settling.BACKOFF_SECONDS = (1, 2, REPEAT_SECONDS)  # type: ignore[misc]
    settings = PtpSettings(
        version="2.3.0",
        name=OCPI,
        party=Party(*PARTY),
        terminals=(TERMINALS[OCPI],),
        abandon_seconds=LONG_SECONDS,
        poll_seconds=LONG_SECONDS,  # it is told what changes; a poll every half a minute would be most of the load
        repeat_seconds=REPEAT_SECONDS,
    )
    simulator = PtpSimulator(settings, clock=clock_of_this_process().now)
    control = PeerServer(port=options.control_port)
    Control(simulator).add_to(control)
    with simulator:
        _register(simulator, options.versions_url)
        with control:
            threading.Event().wait()


def _register(simulator: PtpSimulator, versions_url: str) -> None:
    deadline = time.monotonic() + HANDSHAKE_SECONDS
    while True:
        try:
            simulator.register(versions_url, TOKEN_A)
            return
        except HandshakeFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    main()
