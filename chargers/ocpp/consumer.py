"""The wire: one connection of one charging station, from the handshake to the close.

A lean base instead of Channels' own consumer: that one hops to a thread before every message and listens to
the channel layer per socket, which costs more than handling the message (PERFORMANCE.md section 3). Here the
process listens once for all its sockets, and a message takes at most one hop, to the database.
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import datetime
from functools import partial
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils import timezone

from chargers import wake
from chargers.failpoints import failpoint
from chargers.ocpp import auth, database, frames, presence, v16
from chargers.ocpp.look_again import LookAgain
from chargers.ocpp.presence import Displaced, Link, Predecessor
from chargers.ocpp.process import Process, this_process
from chargers.ocpp.schemas import violation_of
from chargers.ocpp.sender import Sender
from chargers.ocpp.settling_in import settle_in
from chargers.ocpp.station import Message, Reply, keep_evidence
from chargers.ocpp.throttle import Bucket, DoorThrottle

logger = logging.getLogger(__name__)

# Close codes (RFC 6455 §7.4.1).
PROTOCOL_ERROR, UNSUPPORTED_DATA, POLICY, TOO_BIG, SERVER_FAULT, TRY_LATER = (
    1002,
    1003,
    1008,
    1009,
    1011,
    1013,
)

SETTLE_IN_SECONDS = 2.0  # a good station has sent its boot and statuses by then
MALFORMED_PER_MINUTE = 20
UNSOLICITED_PER_MINUTE = 50
EVIDENCE_BURST, EVIDENCE_PER_SECOND = 50, 1 / 60  # rows that one connection may leave as evidence
DATABASE_ATTEMPTS = 3

_door = DoorThrottle()


class LeanConsumer(AsyncConsumer):
    """Receives and answers in one task, without a thread hop or channel per connection."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        self.base_send = send
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            await self.gone()

    async def dispatch(self, message: Any) -> None:
        match message["type"]:
            case "websocket.receive":
                await self.websocket_receive(message)
            case "websocket.connect":
                await self.websocket_connect(message)
            case "websocket.disconnect":
                await self.websocket_disconnect(message)

    async def websocket_connect(self, message: Any) -> None:
        raise NotImplementedError

    async def websocket_receive(self, message: Any) -> None:
        """Nothing is expected before a connection is accepted."""

    async def websocket_disconnect(self, message: Any) -> None:
        raise StopConsumer

    async def gone(self) -> None:
        """Clean up; called once, however the connection ended."""

    async def tell(self, event: dict[str, Any]) -> None:
        """Send an ASGI event; a peer that is gone is no fault of ours."""
        try:
            await self.base_send(event)
        except (OSError, RuntimeError) as error:
            logger.debug("the peer is gone: %s", error)

    async def refuse(self, status: int, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Refuse the handshake with an HTTP status where the server can, with its own refusal elsewhere."""
        if "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self.tell({"type": "websocket.close"})
            return
        await self.tell({"type": "websocket.http.response.start", "status": status, "headers": list(headers)})
        await self.tell({"type": "websocket.http.response.body", "body": b""})


class Refuser(LeanConsumer):
    """Answers sockets that knock at no door of ours."""

    async def websocket_connect(self, message: Any) -> None:
        await self.refuse(404)


class OcppConsumer(LeanConsumer):
    """One charging station's connection."""

    link: Link
    _process: Process | None = None  # set once the station speaks through this connection
    _closing = False

    # --- Handshake --------------------------------------------------------------------------------

    async def websocket_connect(self, message: Any) -> None:
        """Throttle, authenticate, agree on a version, then speak for the station."""
        knock = auth.read_knock(self.scope)
        now = time.monotonic()
        wait = _door.seconds_to_wait(knock.identity, knock.address, now)
        if wait > 0:
            await self.refuse(429, ((b"retry-after", str(int(wait) + 1).encode()),))
            return
        if auth.transport_is_refused(knock):
            logger.warning("refused %r from %s: security profile 2 needs TLS", knock.identity, knock.address)
            await self.refuse(403)
            return
        try:
            admitted = await self._admit(knock)
        except DatabaseError:
            logger.exception("cannot authenticate %s now", knock.identity)
            await self.refuse(503, ((b"retry-after", b"10"),))
            return
        if not admitted:
            _door.note_failure(knock.identity, knock.address, now)
            await self.refuse(401, ((b"www-authenticate", b'Basic realm="OCPP", charset="UTF-8"'),))
            return
        _door.note_success(knock.identity, knock.address)
        await self._open(knock)

    async def _admit(self, knock: auth.Knock) -> bool:
        process = await this_process()

        def admit() -> tuple[bool, Link | None, Predecessor | None]:
            station = auth.find_station(knock)
            if station is None or knock.subprotocol is None:
                return station is not None, None, None
            link, predecessor = presence.take(
                station,
                process_id=process.id,
                channel_name=process.channel_name,
                subprotocol=knock.subprotocol,
            )
            return True, link, predecessor

        admitted, link, predecessor = await database.in_transaction(admit)
        if link is not None:
            self.link = link
            self._process = process
            self._predecessor = predecessor
        return admitted

    async def _open(self, knock: auth.Knock) -> None:
        await self.tell({"type": "websocket.accept", "subprotocol": knock.subprotocol})
        process = self._process
        if process is None:
            # OCPP-J 1.6 §3.1.2: no version in common is told by accepting without one, then closing.
            logger.warning("%s offers no version that we speak", knock.identity)
            await self.close(PROTOCOL_ERROR)
            return
        now = time.monotonic()
        self._bucket = Bucket.full(settings.OCPP_FRAME_BURST, settings.OCPP_FRAMES_PER_SECOND, now)
        self._malformed = Bucket.full(MALFORMED_PER_MINUTE, MALFORMED_PER_MINUTE / 60, now)
        self._unsolicited = Bucket.full(UNSOLICITED_PER_MINUTE, UNSOLICITED_PER_MINUTE / 60, now)
        self._evidence = Bucket.full(EVIDENCE_BURST, EVIDENCE_PER_SECOND, now)
        self._tasks: set[asyncio.Task[None]] = set()
        self._settling: asyncio.Task[None] | None = None
        self._look_again = LookAgain(self.link, self._spawn)
        self._sender = Sender(self.link, self._send_text)
        old = process.add(self)
        if old is not None:
            self._spawn(old.displace())
        if self._predecessor is not None:
            logger.warning("a second connection of %s takes over", self.link.identity)
            self._spawn(process.tell_displaced(self._predecessor, self.link))
        wake.listen(self.link.station_pk, self._sender.wake)
        self._spawn(self._sender.run())
        self._settle_in_soon(booted=False)

    # --- Frames -----------------------------------------------------------------------------------

    async def websocket_receive(self, message: Any) -> None:
        """One frame: guard, one hop, answer. Nothing a charger sends raises out of here."""
        if self._closing or self._process is None:
            return
        text = message.get("text")
        if text is None:
            await self.close(UNSUPPORTED_DATA)
            return
        wait = self._bucket.take(time.monotonic())
        if wait > 0:
            # The server stops reading the socket meanwhile: TCP slows the charger down.
            await asyncio.sleep(wait)
        self._process.heard.add(self.link.station_pk)
        try:
            await self._take(frames.read_frame(text, max_bytes=settings.OCPP_MAX_FRAME_BYTES))
        except Displaced:
            await self.displace()

    async def _take(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Call():
                await self._answer(frame)
            case frames.CallResult() | frames.CallError():
                if not self._sender.take_answer(frame):
                    await self._count(self._unsolicited, "answers that nobody asked for")
            case frames.Refusal():
                await self._refuse_frame(frame)

    async def _refuse_frame(self, refusal: frames.Refusal) -> None:
        logger.warning("frame of %s refused: %s", self.link.identity, refusal.why)
        if refusal.why == frames.TOO_LARGE:
            await self.close(TOO_BIG)
            return
        if refusal.unique_id is not None:
            await self._send_text(frames.call_error(refusal.unique_id, refusal.code))
        await self._count(self._malformed, "malformed frames")

    async def _count(self, bucket: Bucket, what: str) -> None:
        if not bucket.try_take(time.monotonic()):
            logger.warning("%s is closed: too many %s", self.link.identity, what)
            await self.close(POLICY)

    async def _answer(self, frame: frames.Call) -> None:
        route = v16.ROUTES.get(frame.action)
        if route is None:
            await self._send_text(frames.call_error(frame.unique_id, "NotImplemented"))
            return
        problem, code = frame.problem, frame.problem_code
        violation = None if problem else violation_of(frame.action, frame.payload)
        if violation is not None:
            problem, code = f"{violation.code} {violation.place}".strip(), violation.code
        if problem and not route.is_transaction_message:
            logger.warning("%s of %s refused: %s", frame.action, self.link.identity, problem)
            await self._send_text(frames.call_error(frame.unique_id, code))
            return
        message = Message(
            self.link,
            frame.action,
            frame.payload,
            timezone.now(),
            problem,
            keep_evidence=self._evidence.seconds_until_one(time.monotonic()) == 0,
        )
        await self._apply(route, message, frame.unique_id)

    async def _apply(self, route: v16.Route, message: Message, unique_id: str) -> None:
        failpoint(route.before)
        try:
            reply = await self._handled(route, message)
        except (OperationalError, InterfaceError):
            # Not stored, so not answered: the charger keeps it and sends it again when we are back.
            logger.exception("%s of %s waits for the database", message.action, message.link.identity)
            await self.close(TRY_LATER)
            return
        except Displaced:
            raise
        except Exception:
            # The door's last line: a fault of ours must neither kill the socket nor show itself to the peer.
            logger.exception("%s of %s was not applied", message.action, message.link.identity)
            await self._send_text(await self._unapplied(route, message, unique_id))
            return
        failpoint(route.after)
        await self._send_text(frames.call_result(unique_id, reply.payload))
        self._follow_up(message, reply)

    async def _handled(self, route: v16.Route, message: Message) -> Reply:
        if not route.needs_database:
            return route.handle(message)
        for attempt in range(1, DATABASE_ATTEMPTS):
            try:
                return await database.in_transaction(partial(route.handle, message))
            except OperationalError:
                logger.warning("attempt %d at %s failed", attempt, message.action, exc_info=True)
                await asyncio.sleep(0.2 * attempt)
        return await database.in_transaction(partial(route.handle, message))

    async def _unapplied(self, route: v16.Route, message: Message, unique_id: str) -> str:
        """Keep a transaction message that we failed to apply, and answer it; refuse any other."""
        if route.unapplied is None:
            return frames.call_error(unique_id, "InternalError")
        problem = "could not be applied because of a fault of ours; see the log"
        try:
            await database.in_transaction(partial(keep_evidence, message, problem))
        except DatabaseError:
            logger.exception("%s of %s is lost: %r", message.action, message.link.identity, message.payload)
        await self._tell_lost(route, message)
        return frames.call_result(unique_id, route.unapplied(message).payload)

    async def _tell_lost(self, route: v16.Route, message: Message) -> None:
        """Flag what the message was about: its books lack what it said."""
        if route.note_lost is None:
            return
        try:
            await database.in_transaction(partial(route.note_lost, message))
        except Exception:
            # The fault may be in the very rows that are to be flagged; the evidence is stored and stays.
            logger.exception("nobody could be told of a lost %s of %s", message.action, message.link.identity)

    def _follow_up(self, message: Message, reply: Reply) -> None:
        for _ in range(message.evidence_kept):
            self._evidence.take(time.monotonic())
        if reply.transaction_pk is not None:
            self._look_again.arm(reply.transaction_pk, reply.look_again_at)
        if message.action == "BootNotification":
            self._settle_in_soon(booted=True)

    # --- Beside the frames ------------------------------------------------------------------------

    def _settle_in_soon(self, *, booted: bool) -> None:
        if self._settling is not None:
            self._settling.cancel()
        self._settling = self._spawn(self._settle_in(booted=booted))

    async def _settle_in(self, *, booted: bool) -> None:
        await asyncio.sleep(SETTLE_IN_SECONDS)
        running: list[tuple[int, datetime | None]] = await database.in_transaction(
            partial(settle_in, self.link, booted=booted)
        )
        for transaction_pk, at in running:
            self._look_again.arm(transaction_pk, at)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run beside the reader; kept until done, cancelled at disconnect, faults logged."""
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Displaced:
            await self.displace()
        except DatabaseError:
            logger.exception("work beside the frames of %s failed", self.link.identity)

    async def _send_text(self, text: str) -> None:
        if not self._closing:
            await self.tell({"type": "websocket.send", "text": text})

    # --- The end ----------------------------------------------------------------------------------

    async def close(self, code: int) -> None:
        """Close from our side; frames that still come in are ignored."""
        if not self._closing:
            self._closing = True
            try:
                await self.tell({"type": "websocket.close", "code": code})
            except Exception:  # noqa: BLE001
                # daphne's library lets an application close with 1000 or 3000-4999 only, and raises a bare
                # Exception for the codes of the RFC; the private range says the same there.
                await self.tell({"type": "websocket.close", "code": code + 3000})

    async def displace(self) -> None:
        """Another connection speaks for the station: this one ends (it has lost its right to write already)."""
        logger.warning("connection %s of %s was taken over", self.link.connection_id, self.link.identity)
        await self.close(POLICY)

    async def gone(self) -> None:
        """The station is gone, and shows as gone at once."""
        self._closing = True
        process, self._process = self._process, None
        if process is not None:
            await self._leave(process)

    async def _leave(self, process: Process) -> None:
        if hasattr(self, "_sender"):
            wake.stop_listening(self.link.station_pk, self._sender.wake)
            process.remove(self)
            self._look_again.cancel()
            for task in list(self._tasks):
                task.cancel()
        try:
            await database.in_transaction(partial(presence.give_back, self.link))
        except DatabaseError:
            logger.exception("presence of %s stays until its process's lease ends", self.link.identity)
