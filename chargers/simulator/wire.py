"""The simulated station's side of OCPP-J: calls out one at a time, calls in answered at once."""

import asyncio
import base64
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Answer = dict[str, Any] | None  # None: no answer at all
IncomingCall = Callable[[str, dict[str, Any]], Answer]


class NotConnected(Exception):
    """There is no socket, or it went away before an answer came."""


class CallRefused(Exception):
    """The server answered a CALLERROR."""


class NotImplementedHere(Exception):
    """The station does not know this action."""


class Wire:
    """One WebSocket connection of a station."""

    def __init__(self, socket: ClientConnection, on_call: IncomingCall, timeout_seconds: float) -> None:
        self._socket = socket
        self._on_call = on_call
        self._timeout_seconds = timeout_seconds
        self._one_at_a_time = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    async def open(
        cls, url: str, identity: str, password: str, on_call: IncomingCall, timeout_seconds: float
    ) -> "Wire":
        """Connect with Basic auth. Raises OSError or websockets' InvalidHandshake, InvalidStatus."""
        credentials = base64.b64encode(f"{identity}:{password}".encode()).decode()
        socket = await connect(
            f"{url.rstrip('/')}/{quote(identity, safe='')}",
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers={"Authorization": f"Basic {credentials}"},
            proxy=None,
            open_timeout=10,
            close_timeout=2,
            compression=None,
        )
        return cls(socket, on_call, timeout_seconds)

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its answer.

        Raises NotConnected, CallRefused, TimeoutError.
        """
        async with self._one_at_a_time:
            unique_id = str(uuid.uuid4())
            future = self._waiting[unique_id] = asyncio.get_running_loop().create_future()
            try:
                await self._send([2, unique_id, action, payload])
                return await asyncio.wait_for(future, self._timeout_seconds)
            finally:
                del self._waiting[unique_id]

    async def read(self) -> int | None:
        """Answer and deliver until the socket ends; returns the close code, None when it was cut."""
        try:
            async for text in self._socket:
                await self._take(json.loads(text))
        except (ConnectionClosed, NotConnected):
            pass  # the latter: it went away while a command was being answered
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(NotConnected())
                    future.exception()  # whoever asked may have failed to send, and waits no more
        return self._socket.close_code

    async def close(self) -> None:
        """Say goodbye."""
        await self._socket.close()

    def cut(self) -> None:
        """Lose power: the socket ends without a goodbye."""
        self._socket.transport.abort()

    async def _take(self, frame: list[Any]) -> None:
        kind, unique_id = frame[0], frame[1]
        if kind == 2:
            await self._answer(unique_id, frame[2], frame[3])
            return
        future = self._waiting.get(unique_id)
        if future is None or future.done():
            return
        if kind == 3:
            future.set_result(frame[2])
        else:
            future.set_exception(CallRefused(frame[2]))

    async def _answer(self, unique_id: str, action: str, payload: dict[str, Any]) -> None:
        try:
            answer = self._on_call(action, payload)
        except NotImplementedHere:
            await self._send([4, unique_id, "NotImplemented", "", {}])
            return
        if answer is not None:
            await self._send([3, unique_id, answer])

    async def _send(self, frame: list[Any]) -> None:
        try:
            await self._socket.send(json.dumps(frame))
        except ConnectionClosed as closed:
            raise NotConnected from closed
