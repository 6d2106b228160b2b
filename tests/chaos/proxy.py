"""A TCP proxy between peers and web processes: it balances, and on order it cuts, delays and swallows."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

CHUNK_BYTES = 64 * 1024
CONNECT_SECONDS = 3.0


@dataclass(eq=False, slots=True)
class Link:
    """One connection that is carried, and its two ends."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    swallows: bool = False  # nothing arrives any more, in neither way, and nobody is told

    def cut(self) -> None:
        """End it on both sides without a goodbye."""
        for writer in (self.near, self.far):
            with suppress(OSError, RuntimeError):
                writer.transport.abort()


class Proxy:
    """Carries connections to whichever backend answers, drawn anew each time."""

    def __init__(self, backends: Sequence[int], rng: random.Random) -> None:
        self._backends, self._rng = backends, rng
        self._links: set[Link] = set()
        self.port = 0
        self.delay_seconds = 0.0

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]

    def draw(self, share: float) -> list[Link]:
        """Return about such a share of the connections that are open."""
        return [link for link in self._links if self._rng.random() < share]

    async def _carry(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            near.transport.abort()  # nobody is behind us
            return
        back, far = found
        link = Link(near, far)
        self._links.add(link)
        with suppress(asyncio.CancelledError):  # the campaign is over
            await asyncio.gather(self._pipe(link, reader, far), self._pipe(link, back, near))
        self._links.discard(link)
        link.cut()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in self._rng.sample(list(self._backends), len(self._backends)):
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _pipe(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, RuntimeError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self._rng.uniform(0.5, 1.5) * self.delay_seconds)
                if not link.swallows:
                    writer.write(chunk)
                    await writer.drain()
        link.far.close()
        link.near.close()
