"""Real parts for tests of this room: the server under uvicorn, a raw charger, the simulator in a thread."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvicorn
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chargers.models import EVSE, ChargingStation, Site
from chargers.provisioning import set_secret
from chargers.simulator.options import Options
from chargers.simulator.station import SimulatedStation

PASSWORD = "correct-horse-battery"
PATIENCE_SECONDS = 20.0  # an upper bound for a loaded machine, never what a test waits for

T = TypeVar("T")


def eventually(look: Callable[[], T]) -> T:
    """Return what `look` finds as soon as it is something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found or time.monotonic() > end:
            assert found, "it did not happen in time"
            return found
        time.sleep(0.02)


def make_station(identity: str = "CP-1", evses: int = 1, **fields: Any) -> ChargingStation:
    """Provision a station with its site and EVSEs."""
    site, _ = Site.objects.get_or_create(
        location_id="LOC1",
        defaults={"country_code": "FI", "party_id": "EMB", "country": "FIN", "time_zone": "Europe/Helsinki"},
    )
    station = ChargingStation(identity=identity, site=site, **fields)
    set_secret(station, PASSWORD)
    station.save()
    for number in range(1, evses + 1):
        EVSE.objects.create(site=site, uid=f"{identity}-{number}", station=station, number=number)
    return station


@contextmanager
def serving(application: Any, *, port: int = 0) -> Iterator[str]:
    """Serve an ASGI application, on a free port by default; yields its WebSocket URL for chargers."""
    config = uvicorn.Config(
        application,
        host="127.0.0.1",
        port=port,
        ws="websockets-sansio",
        ws_max_size=1_000_000,
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/ocpp"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


class RawCharger:
    """A charger that sends exactly what a test wants."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.commands: list[list[Any]] = []
        self._next_id = 0

    def send(self, frame: Any) -> None:
        """Send a frame, JSON-encoded unless it is text or bytes already."""
        self.socket.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def receive(self) -> list[Any]:
        """Return the next answer; commands that come in between are kept."""
        while True:
            frame = json.loads(self.socket.recv(timeout=PATIENCE_SECONDS))
            if frame[0] != 2:
                return list(frame)
            self.commands.append(frame)

    def next_command(self) -> list[Any]:
        """Return the next command."""
        while not self.commands:
            frame = json.loads(self.socket.recv(timeout=PATIENCE_SECONDS))
            assert frame[0] == 2, frame
            self.commands.append(frame)
        return self.commands.pop(0)

    def call(self, action: str, payload: Any, unique_id: str | None = None) -> Any:
        """Send a request and return the payload of its CALLRESULT."""
        frame = self.exchange(action, payload, unique_id)
        assert frame[0] == 3, frame
        return frame[2]

    def exchange(self, action: str, payload: Any, unique_id: str | None = None) -> list[Any]:
        """Send a request and return the whole answer."""
        self._next_id += 1
        unique_id = unique_id or f"m{self._next_id}"
        self.send([2, unique_id, action, payload])
        frame = self.receive()
        assert frame[1] == unique_id
        return frame

    def close_code(self) -> int | None:
        """Read to the end and return the close code."""
        try:
            while True:
                self.socket.recv(timeout=PATIENCE_SECONDS)
        except ConnectionClosed:
            return self.socket.close_code


def basic(identity: str, password: str) -> dict[str, str]:
    """Return a Basic auth header."""
    return {"Authorization": "Basic " + base64.b64encode(f"{identity}:{password}".encode()).decode()}


@contextmanager
def connected(
    url: str,
    identity: str = "CP-1",
    password: str = PASSWORD,
    subprotocols: tuple[str, ...] = ("ocpp1.6",),
    path: str | None = None,
) -> Iterator[RawCharger]:
    """Connect a raw charger; leaving the block closes its socket."""
    with connect(
        f"{url}/{path or identity}",
        subprotocols=list(subprotocols),  # type: ignore[arg-type]
        additional_headers=basic(identity, password),
        proxy=None,
        compression=None,
        close_timeout=1,
    ) as socket:
        yield RawCharger(socket)


class RunningSimulator:
    """The simulator in a thread of its own, driven from the test."""

    def __init__(self, options: Options) -> None:
        self.happened: list[dict[str, Any]] = []
        self.options = options
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "RunningSimulator":
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._life.cancel)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def do(self, name: str, *arguments: Any) -> None:
        """Call a method of the station in its own loop."""
        self._loop.call_soon_threadsafe(getattr(self.station, name), *arguments)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what happened under one name."""
        return [event for event in list(self.happened) if event["event"] == name]

    def wait_for(self, name: str, times: int = 1) -> dict[str, Any]:
        """Return the n-th event of that name once it happened."""
        return eventually(lambda: self.events(name)[times - 1 :])[0]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.close()

    async def _main(self) -> None:
        self.station = SimulatedStation(self.options, self.happened.append)
        self._life = asyncio.get_running_loop().create_task(self.station.run())
        self._ready.set()
        await asyncio.wait([self._life])
