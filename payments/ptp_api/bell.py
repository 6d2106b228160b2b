"""Wakes event streams of this process when their session changes; a hint, the streams look by themselves too."""

import asyncio
import uuid
from collections import defaultdict
from contextlib import suppress
from types import TracebackType
from typing import Any

from django.dispatch import receiver

from sessions_app.signals import session_changed

_bells: dict[uuid.UUID, set["Bell"]] = defaultdict(set)


class Bell:
    """Rings when its session changes. Use as a context manager inside a running event loop."""

    def __init__(self, session_id: uuid.UUID) -> None:
        self.session_id = session_id
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def __enter__(self) -> "Bell":
        _bells[self.session_id].add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _bells[self.session_id].discard(self)
        if not _bells[self.session_id]:
            _bells.pop(self.session_id, None)

    def ring(self) -> None:
        """Ring, from any thread; a loop that has ended hears nothing."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, seconds: float) -> None:
        """Return when it rings, or after so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()


@receiver(session_changed, dispatch_uid="payments.ptp_api.bell")
def _on_session_changed(*, session_id: uuid.UUID, **_: Any) -> None:
    for bell in tuple(_bells.get(session_id, ())):
        bell.ring()
