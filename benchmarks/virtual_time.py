"""Hours in seconds, without faking a Wh: an event loop whose clock jumps to the next thing that is due.

The simulated charger and the server's own socket handler run in it as they are, with their timers, over a wire
of two queues in place of TCP. Energy is the charger's integral of its power over that time; every clock that is
asked (asyncio's, the wall's, the monotonic one) says the same.
"""

import asyncio
import math
import selectors
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import time_machine

MICROSECOND = 10**6  # of them make a second; the clock knows no shorter time
BEGINNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: where nothing is ready it moves the clock to what the loop waits for."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits for somebody")
        if not ready and timeout:
            self._clock.shift(math.ceil(timeout * MICROSECOND) / MICROSECOND)  # less would not move it
        return ready


@contextmanager
def virtual_time() -> Any:
    """Run the block in a loop with virtual time; yields `run`, which takes a coroutine to its end."""
    with time_machine.travel(BEGINNING, tick=False) as clock:
        loop = asyncio.SelectorEventLoop(_JumpingSelector(clock))
        loop._clock_resolution = 2 / MICROSECOND  # type: ignore[attr-defined]  # or what is due now never runs
        asyncio.set_event_loop(loop)
        try:
            yield loop.run_until_complete
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()


class Wire:
    """One WebSocket connection as both of its ends see it; each frame takes `delay_seconds`."""

    def __init__(self, delay_seconds: float) -> None:
        self.close_code: int | None = None
        self.transport = mock.Mock(abort=self._hang_up)
        self._delay_seconds = delay_seconds
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_charger: asyncio.Queue[str | None] = asyncio.Queue()
        self._to_server.put_nowait({"type": "websocket.connect"})

    # --- The charger's end, as `websockets` has it

    async def send(self, text: str) -> None:
        """A frame to the server."""
        self._later(self._to_server.put_nowait, {"type": "websocket.receive", "text": text})

    async def close(self) -> None:
        """Say goodbye."""
        self._hang_up()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self._to_charger.get()) is not None:
            yield text

    # --- The server's end, as ASGI has it

    async def receive(self) -> dict[str, Any]:
        """What the application is told."""
        return await self._to_server.get()

    async def tell(self, event: dict[str, Any]) -> None:
        """What the application says."""
        if event["type"] == "websocket.send":
            self._later(self._to_charger.put_nowait, event["text"])
        elif event["type"] == "websocket.close":
            self._to_charger.put_nowait(None)

    def _hang_up(self) -> None:
        self._to_server.put_nowait({"type": "websocket.disconnect"})
        self._to_charger.put_nowait(None)

    def _later(self, act: Callable[[Any], None], what: Any) -> None:
        asyncio.get_running_loop().call_later(self._delay_seconds, act, what)
