"""The reference: `websockets` and the `ocpp` package as their documentation shows them, keeping nothing.

What a central system costs that validates, answers and forgets. Run: python -m benchmarks.bare_ocpp PORT
"""

import asyncio
import contextlib
import itertools
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result

logging.getLogger("ocpp").setLevel(logging.WARNING)
_transaction_ids = itertools.count(1)


def _now() -> str:
    return datetime.now(UTC).isoformat()


class BareChargePoint(ChargePoint):  # type: ignore[misc]  # ocpp ships no types
    """Answers, and remembers nothing."""

    @on("BootNotification")
    def on_boot(self, **_: Any) -> Any:
        return call_result.BootNotification(current_time=_now(), interval=300, status="Accepted")

    @on("Heartbeat")
    def on_heartbeat(self, **_: Any) -> Any:
        return call_result.Heartbeat(current_time=_now())

    @on("StatusNotification")
    def on_status(self, **_: Any) -> Any:
        return call_result.StatusNotification()

    @on("StartTransaction")
    def on_start(self, **_: Any) -> Any:
        accepted = {"status": "Accepted"}
        return call_result.StartTransaction(transaction_id=next(_transaction_ids), id_tag_info=accepted)

    @on("StopTransaction")
    def on_stop(self, **_: Any) -> Any:
        return call_result.StopTransaction()

    @on("MeterValues")
    def on_meter(self, **_: Any) -> Any:
        return call_result.MeterValues()


async def _handle(socket: websockets.ServerConnection) -> None:
    assert socket.request is not None
    with contextlib.suppress(websockets.ConnectionClosed):
        await BareChargePoint(socket.request.path.rsplit("/", 1)[-1], socket).start()


async def _serve(port: int) -> None:
    protocols = [websockets.Subprotocol("ocpp1.6")]
    async with websockets.serve(_handle, "127.0.0.1", port, subprotocols=protocols, compression=None):
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
