"""What one web process does for all its chargers: its lease, who was heard, queued rows, hints from others.

Started by the first charger that connects; lives in the event loop that holds the sockets.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from chargers.models import Command
from chargers.ocpp import database, presence
from chargers.ocpp.presence import Link
from chargers.wake import wake_here

logger = logging.getLogger(__name__)

LEASE_PERIOD_SECONDS = 5.0  # a third of the lease: two touches may fail before anybody notices
QUEUE_PERIOD_SECONDS = 2.0  # how long a command waits at most whose hint was lost
HEARD_PERIOD_SECONDS = 10.0
LAYER_SECONDS = 2.0  # for Redis to answer; nobody waits longer for a hint


class Connection(Protocol):
    """What a process needs of a live connection."""

    link: Link

    async def displace(self) -> None:
        """Close this connection: another one speaks for the station."""


class Process:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self.id = uuid.uuid4()
        self.channel_name = ""
        self.connections: dict[int, Connection] = {}
        self.heard: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take the lease and begin the periodic work."""
        await database.in_transaction(lambda: presence.touch_process(self.id, timezone.now()))
        self._every(LEASE_PERIOD_SECONDS, self._renew_lease)
        self._every(QUEUE_PERIOD_SECONDS, self._wake_queued)
        self._every(HEARD_PERIOD_SECONDS, self._store_heard)
        if settings.REDIS_URL:
            await self._open_channel()
            self._keep(self._listen_to_layer())
        self._keep(self._leave_when_cancelled())

    def add(self, connection: Connection) -> Connection | None:
        """Register a connection; returns the one of the same station that it takes over from."""
        before = self.connections.get(connection.link.station_pk)
        self.connections[connection.link.station_pk] = connection
        return before

    def remove(self, connection: Connection) -> None:
        """Forget a connection, unless a newer one has taken its place."""
        if self.connections.get(connection.link.station_pk) is connection:
            del self.connections[connection.link.station_pk]

    async def tell_displaced(self, predecessor: presence.Predecessor, link: Link) -> None:
        """Tell the process of a connection that was taken over from; if this is lost, fencing still holds."""
        layer = get_channel_layer() if settings.REDIS_URL else None
        if layer is None or not predecessor.channel_name or predecessor.process_id == self.id:
            return
        message = {
            "type": "charger.displaced",
            "station_pk": link.station_pk,
            "connection_id": str(predecessor.connection_id),
        }
        try:
            await asyncio.wait_for(layer.send(predecessor.channel_name, message), LAYER_SECONDS)
        except Exception:
            logger.warning(
                "could not tell the process of an old connection of %s", link.identity, exc_info=True
            )

    # --- Periodic work ----------------------------------------------------------------------------

    async def _renew_lease(self) -> None:
        now = timezone.now()
        if await database.in_transaction(lambda: presence.touch_process(self.id, now)):
            return
        links = [connection.link for connection in self.connections.values()]
        await database.in_transaction(lambda: presence.reattach(self.id, links))

    async def _wake_queued(self) -> None:
        queued = Command.objects.filter(
            station__process=self.id, state=Command.State.QUEUED, deadline_at__gt=timezone.now()
        ).values_list("station_id", flat=True)
        for station_pk in await database.in_transaction(lambda: set(queued)):
            wake_here(station_pk)

    async def _store_heard(self) -> None:
        heard, self.heard = list(self.heard), set()
        present = list(self.connections)
        if heard:
            await database.in_transaction(lambda: presence.note_heard(self.id, heard, timezone.now()))
        if settings.REDIS_URL and present:
            for station_pk in await database.in_transaction(
                lambda: presence.lost_to_others(self.id, present)
            ):
                await self._displace(station_pk)

    async def _open_channel(self) -> None:
        """Subscribe to hints; without Redis chargers are served all the same, their commands some seconds later."""
        layer = get_channel_layer()
        if layer is None:
            return
        try:
            self.channel_name = await asyncio.wait_for(layer.new_channel("chargers"), LAYER_SECONDS)
        except Exception:
            logger.warning("no hints from other processes yet", exc_info=True)

    async def _listen_to_layer(self) -> None:
        layer = get_channel_layer()
        while layer is not None:
            if not self.channel_name:
                await asyncio.sleep(1.0)
                await self._open_channel()
                continue
            try:
                message = await layer.receive(self.channel_name)
                if message.get("type") == "charger.wake":
                    wake_here(int(message["station_pk"]))
                elif message.get("type") == "charger.displaced":
                    await self._displace(int(message["station_pk"]), str(message["connection_id"]))
            except Exception:
                # The layer only brings hints; the sweep works without it until it is back.
                logger.warning("channel layer is not answering", exc_info=True)
                await asyncio.sleep(1.0)

    async def _displace(self, station_pk: int, connection_id: str | None = None) -> None:
        connection = self.connections.get(station_pk)
        if connection is not None and connection_id in (None, str(connection.link.connection_id)):
            await connection.displace()

    # --- Task keeping -----------------------------------------------------------------------------

    def _every(self, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
        async def repeat() -> None:
            while True:
                await asyncio.sleep(seconds)
                try:
                    await act()
                except DatabaseError:
                    logger.exception("the database refused periodic work; the next round tries again")

        self._keep(repeat())

    def _keep(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def _leave_when_cancelled(self) -> None:
        """When the loop ends cleanly all its tasks are cancelled: the moment to say that we are gone."""
        try:
            await asyncio.Event().wait()
        finally:
            _processes.pop(asyncio.get_running_loop(), None)
            await database.in_transaction(lambda: presence.leave_process(self.id))


_processes: dict[asyncio.AbstractEventLoop, "asyncio.Future[Process]"] = {}


async def this_process() -> Process:
    """Return this event loop's process, started; raises DatabaseError when it could not take its lease."""
    loop = asyncio.get_running_loop()
    known = _processes.get(loop)
    if known is None:
        known = _processes[loop] = loop.create_task(_start())
    try:
        return await asyncio.shield(known)
    except Exception:
        _processes.pop(loop, None)  # whatever it was, the next charger tries anew
        raise


async def _start() -> Process:
    process = Process()
    await process.start()
    await database.in_transaction(lambda: presence.forget_dead_processes(timezone.now()))
    return process
