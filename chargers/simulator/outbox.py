"""Transaction messages of a simulated station: kept in order with their own timestamps until answered."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from chargers.simulator.connector import SimulatedConnector, SimulatedTransaction
from chargers.simulator.wire import CallRefused, NotConnected

ATTEMPTS = 3  # TransactionMessageAttempts, for refusals only: what was never answered is kept for ever
RETRY_SECONDS = 1.0


class Outbox:
    """The queue of one station; it survives reconnects and reboots."""

    def __init__(
        self,
        call: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]],
        on_start_answer: Callable[[SimulatedConnector, SimulatedTransaction, dict[str, Any]], None],
    ) -> None:
        self._call = call
        self._on_start_answer = on_start_answer
        self._queue: deque[tuple[str, SimulatedConnector, SimulatedTransaction, dict[str, Any]]] = deque()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queue)

    def put(
        self,
        action: str,
        connector: SimulatedConnector,
        transaction: SimulatedTransaction,
        payload: dict[str, Any],
    ) -> None:
        """Queue a message; the transaction's id is filled in when it leaves."""
        self._queue.append((action, connector, transaction, payload))
        self._filled.set()

    async def run(self, online: asyncio.Event) -> None:
        """Deliver in order while online, until cancelled."""
        attempts = 0
        while True:
            await self._filled.wait()
            await online.wait()
            action, connector, transaction, payload = self._queue[0]
            if action != "StartTransaction":
                payload = {**payload, "transactionId": transaction.server_id or -1}
            try:
                answer = await self._call(action, payload)
            except (NotConnected, TimeoutError):
                await asyncio.sleep(0.1)
                continue
            except CallRefused:
                attempts += 1
                if attempts < ATTEMPTS:
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
            else:
                if action == "StartTransaction":
                    self._on_start_answer(connector, transaction, answer)
            attempts = 0
            self._queue.popleft()
            if not self._queue:
                self._filled.clear()
