"""What the branches are played on: the product on a real socket, its worker, and places to charge at.

HTTP and WebSockets are real, as are the PTP in the box and the simulated charger; the tasks of the worker are
run by the test's own hand, so that nothing waits for a sweep's period. Wake-ups are taken in the order they
come; those that a test loses, the sweeps must find.
"""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar
from unittest import mock

from celery import current_app
from django.test import override_settings
from django.utils import timezone

from chargers.models import EVSE, ChargingStation, Connector, Site
from chargers.ocpp import consumer, database
from chargers.ocpp.throttle import DoorThrottle
from chargers.provisioning import set_secret
from payments.ocpi import connections
from payments.simulator.ocpi.settings import PtpSettings
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.wire import Party
from sessions_app import wakeups
from tariffs.engine.terms import Tariff
from tariffs.models import TariffVersion
from tariffs.versions import save_tariff
from tests import builders, servers
from tests.chargers.parts import PASSWORD, PATIENCE_SECONDS, serving

SWEEPS = (
    "chargers.tasks.expire_commands",
    "sessions_app.tasks.sweep_sessions",
    "payments.tasks.sweep_payments",
    "payments.tasks.deliver_due",
    "payments.tasks.probe_silent",
)
# The PTP in the box polls what it mirrors; pushes of that have tests of their own.
LEFT_OUT = frozenset({"payments.ocpi.push.tasks.watch_platforms", "payments.tasks.draw_receipts"})
FAST = {
    "MINIMUM_HOLD": Decimal("0.05"),  # a hold that is used up within seconds
    "STOP_LATENCY_SECONDS": 0.05,
    "LIVE_UPDATE_SECONDS": 0.2,
}
T = TypeVar("T")


class Worker:
    """Takes wake-ups and sweeps, as a Celery worker and its beat do, whenever the test turns it."""

    def __init__(self) -> None:
        self._woken: queue.SimpleQueue[tuple[str, tuple[object, ...]]] = queue.SimpleQueue()
        self.loses_wake_ups = False

    def wake(self, task: str, arguments: tuple[object, ...], _in_seconds: float = 0.0) -> None:
        """Stands in for the broker."""
        if not self.loses_wake_ups and task not in LEFT_OUT:
            self._woken.put((task, arguments))

    def turn(self) -> None:
        """Work on what was woken, then sweep."""
        while not self._woken.empty():
            task, arguments = self._woken.get()
            current_app.tasks[task].run(*arguments)
        for task in SWEEPS:
            current_app.tasks[task].run()

    def forget(self) -> None:
        """Lose what waits, as Redis does when it is flushed."""
        while not self._woken.empty():
            self._woken.get()


@dataclass
class Place:
    """A charger with its EVSEs, all sold by one tariff."""

    site: Site
    station: ChargingStation
    evses: list[EVSE]
    connectors: list[Connector]
    tariff_version: TariffVersion
    ocpp_url: str = field(repr=False)

    @property
    def evse(self) -> EVSE:
        """The first EVSE as it stands now."""
        return EVSE.objects.select_related("station").get(pk=self.evses[0].pk)


class Ground:
    """One server and one worker for all branches of a module."""

    def __init__(self) -> None:
        self.worker = Worker()
        self._port = servers.free_port()
        self._ptps: dict[str, PtpSimulator] = {}
        self._server = ExitStack()
        self._peers = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def ocpp_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/ocpp"

    def start(self) -> None:
        """Serve; after `stop` on the same address, as after a restart."""
        from emabler.asgi import application

        self._server.enter_context(serving(application, port=self._port))

    def stop(self) -> None:
        """Be gone: sockets end, nothing in memory is kept."""
        self._server.close()
        database.close()

    def close(self) -> None:
        """End everything."""
        self._peers.close()
        self.stop()

    def ptp(self, version: str) -> PtpSimulator:
        """The PTP in the box that speaks this version, registered on first use."""
        if version not in self._ptps:
            party = Party("NL", f"P{version[2]}X")
            settings = PtpSettings(
                version=version, party=party, name=f"PTP {version}", poll_seconds=3600.0, call_seconds=20.0
            )
            ptp = self._ptps[version] = PtpSimulator(settings)
            self._peers.enter_context(ptp.server)
            _, token = connections.invite(
                name=settings.name,
                country_code=party.country_code,
                party_id=party.party_id,
                our_party=("FI", "EMB"),
                now=timezone.now(),
            )
            ptp.register(f"{self.url}/ocpi/versions", token)
        return self._ptps[version]

    def place(self, terms: Tariff | None = None, *, evses: int = 1, max_power_w: int = 4_000_000) -> Place:
        """A new charger that nobody has heard of yet."""
        version = save_tariff(terms or builders.tariff_terms())
        station = builders.station(online=False)
        set_secret(station, PASSWORD)
        station.save()
        made = [builders.evse(at=station, status="UNKNOWN", status_at=None) for _ in range(evses)]
        sold = [builders.connector(at=evse, tariff=version, max_power_w=max_power_w) for evse in made]
        return Place(station.site, station, made, sold, version, self.ocpp_url)

    def until(self, look: Callable[[], T], *, turning: Callable[[], None] = lambda: None) -> T:
        """Turn the worker, and what else turns, until `look` finds something; return it."""
        end = time.monotonic() + 2 * PATIENCE_SECONDS
        while True:
            self.worker.turn()
            turning()
            found = look()
            if found or time.monotonic() > end:
                assert found, "it did not happen in time"
                return found
            time.sleep(0.01)


@contextmanager
def laid_out() -> Iterator[Ground]:
    """Lay out the ground until the block ends."""
    ground = Ground()
    with ExitStack() as stack:
        stack.enter_context(override_settings(PUBLIC_URL=ground.url, **FAST))
        stack.enter_context(mock.patch.object(wakeups, "_send", ground.worker.wake))
        stack.enter_context(mock.patch.object(consumer, "_door", DoorThrottle()))
        # What a charger is asked after it connected is asked where a test wants it.
        stack.enter_context(mock.patch.object(consumer, "SETTLE_IN_SECONDS", 3600.0))
        current_app.loader.import_default_modules()
        stack.callback(ground.close)
        ground.start()
        yield ground
