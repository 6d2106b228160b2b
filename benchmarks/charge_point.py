"""A simulated OCPP 1.6J charge point for load: one connection, one call in flight, a script of calls.

Scripts are generators of calls that are sent the answer of each. They charge at the connectors of their
sales (what was paid for), so that real sessions, live cost and journals stand behind the transactions.
"""

import asyncio
import random
import time
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport

CALL, CALL_RESULT = 2, 3
BOOT = {"chargePointVendor": "LoadGen", "chargePointModel": "Sim-1", "firmwareVersion": "1.0"}
# A step of a session that lasts milliseconds here: within the meter's slack, so that it counts as plausible.
STEP_WH = 4
STEPS_OF_A_SESSION = 10
SHORT_CHARGE_WH = 40

Call = tuple[str, dict[str, Any]]
Script = Generator[Call, dict[str, Any], None]


@dataclass(frozen=True, slots=True)
class Sale:
    """A paid session that waits for its charger: where, and the tag that the charger will be given."""

    connector: int
    id_tag: str


# --- What a charge point says ---------------------------------------------------------------------


def now() -> str:
    """Return the time as chargers write it, in microseconds so that no two samples share one."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def status(sale: Sale, value: str) -> Call:
    """Build a StatusNotification."""
    return "StatusNotification", {
        "connectorId": sale.connector,
        "errorCode": "NoError",
        "status": value,
        "timestamp": now(),
    }


def start(sale: Sale) -> Call:
    """Build a StartTransaction."""
    return "StartTransaction", {
        "connectorId": sale.connector,
        "idTag": sale.id_tag,
        "meterStart": 0,
        "timestamp": now(),
    }


def stop(sale: Sale, register_wh: int, transaction: int) -> Call:
    """Build a StopTransaction."""
    return "StopTransaction", {
        "transactionId": transaction,
        "idTag": sale.id_tag,
        "meterStop": register_wh,
        "timestamp": now(),
        "reason": "EVDisconnected",
    }


def meter(sale: Sale, register_wh: int, transaction: int) -> Call:
    """Build a MeterValues with the three readings that a DC charger commonly sends."""
    periodic = "Sample.Periodic"
    energy = {"measurand": "Energy.Active.Import.Register", "unit": "Wh", "context": periodic}
    power = {"measurand": "Power.Active.Import", "unit": "W", "context": periodic}
    charge = {"measurand": "SoC", "unit": "Percent", "context": periodic}
    samples = [
        {"value": str(register_wh), **energy},
        {"value": "48750.5", **power},
        {"value": "57", **charge},
    ]
    return "MeterValues", {
        "connectorId": sale.connector,
        "transactionId": transaction,
        "meterValue": [{"timestamp": now(), "sampledValue": samples}],
    }


# --- Scripts --------------------------------------------------------------------------------------


def heartbeat_script(sales: Iterator[Sale]) -> Script:
    """Heartbeat without end."""
    while True:
        yield "Heartbeat", {}


def meter_script(sales: Iterator[Sale]) -> Script:
    """One StartTransaction, then MeterValues without end."""
    sale = next(sales)
    reply = yield start(sale)
    register_wh = 0
    while True:
        register_wh += STEP_WH
        yield meter(sale, register_wh, reply.get("transactionId", 0))


def startstop_script(sales: Iterator[Sale]) -> Script:
    """StartTransaction and StopTransaction, until nothing is sold any more."""
    for sale in sales:
        reply = yield start(sale)
        yield stop(sale, SHORT_CHARGE_WH, reply.get("transactionId", 0))


def session_script(sales: Iterator[Sale]) -> Script:
    """Whole sessions: status, start, ten meter values, stop, status, heartbeat."""
    for sale in sales:
        yield status(sale, "Preparing")
        reply = yield start(sale)
        transaction = reply.get("transactionId", 0)
        for step in range(1, STEPS_OF_A_SESSION + 1):
            yield meter(sale, step * STEP_WH, transaction)
        yield stop(sale, STEPS_OF_A_SESSION * STEP_WH, transaction)
        yield status(sale, "Available")
        yield "Heartbeat", {}


SCRIPTS: dict[str, Callable[[Iterator[Sale]], Script]] = {
    "heartbeat": heartbeat_script,
    "meter": meter_script,
    "startstop": startstop_script,
    "session": session_script,
}

# Answers to what a central system may ask of a charge point after its boot.
ANSWERS: dict[str, dict[str, Any]] = {
    "GetConfiguration": {"configurationKey": [], "unknownKey": []},
    "TriggerMessage": {"status": "NotImplemented"},
    "UnlockConnector": {"status": "Unlocked"},
}


# --- The charge point -----------------------------------------------------------------------------


@dataclass
class Tally:
    """What the charge points of one run saw."""

    latency: "array[float]" = field(default_factory=lambda: array("d"))  # seconds, while recording
    acknowledged: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    # Per (identity, connector): the answered start, the last answered register, the answered stop.
    ledger: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)


class ChargePoint(WSListener):  # type: ignore[misc]  # picows is a compiled module
    """Sends one call at a time; the next one leaves when the answer arrives, or at its pace."""

    def __init__(self, identity: str, sales: Iterator[Sale]) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        self.identity = identity
        self.sales = sales
        self.tally = Tally()
        self.booted: asyncio.Future[None] = loop.create_future()
        self.transport: WSTransport | None = None
        self.recording = False
        self.underway = asyncio.Event()  # the script has had an answer
        self.on_exhausted: Callable[[], None] = lambda: None
        self._loop = loop
        self._script: Script | None = None
        self._interval_seconds = 0.0
        self._prefix = f"{random.getrandbits(48):012x}-"
        self._sequence = 0
        self._call: Call = ("", {})
        self._due_at = 0.0
        self._entry: dict[str, int] = {}  # of the ledger: the transaction that runs
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight: asyncio.Future[None] | None = None

    def begin(self, script: str, tally: Tally, *, sales: int, interval_seconds: float = 0.0) -> None:
        """Run a script on the next so many sales.

        With an interval, one call is due every so many seconds, the first at a random moment.
        """
        self.tally, self._interval_seconds = tally, interval_seconds
        self._script = SCRIPTS[script](islice(self.sales, sales))
        self.underway.clear()
        self._due_at = time.perf_counter() + random.uniform(0, interval_seconds)
        self._next(None)

    async def finish(self) -> None:
        """Send nothing more and wait for the answer of what is in flight."""
        self._script = None
        if self._timer is not None:
            self._timer.cancel()
        if self._in_flight is not None:
            await self._in_flight

    def close(self) -> None:
        """Close the connection."""
        if self.transport is not None:
            self.transport.send_close(1000)
            self.transport.disconnect()

    # picows calls these

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._send("BootNotification", BOOT)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            message = orjson.loads(frame.get_payload_as_memoryview())
            if message[0] == CALL:
                self._answer(message[1], message[2])
            else:
                self._confirmed(message)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        if not self.booted.done():
            self.booted.set_exception(ConnectionError("closed before boot"))
        if self._script is not None:
            self.tally.errors["disconnected"] += 1
        self._script = None
        self._land()

    # protocol

    def _next(self, answer: dict[str, Any] | None) -> None:
        if self._script is None:
            return
        try:
            action, payload = next(self._script) if answer is None else self._script.send(answer)
        except StopIteration:
            self._script = None
            self.underway.set()
            self.on_exhausted()
            return
        if not self._interval_seconds:
            self._due_at = time.perf_counter()
            self._send(action, payload)
            return
        wait_seconds = max(0.0, self._due_at - time.perf_counter())
        self._timer = self._loop.call_later(wait_seconds, self._send, action, payload)

    def _send(self, action: str, payload: dict[str, Any]) -> None:
        if self.transport is None:
            return
        self._sequence += 1
        self._call = (action, payload)
        self._in_flight = self._loop.create_future()
        self.transport.send(
            WSMsgType.TEXT, orjson.dumps([CALL, f"{self._prefix}{self._sequence}", action, payload])
        )

    def _answer(self, message_id: str, action: str) -> None:
        payload = ANSWERS.get(action, {"status": "Accepted"})
        if self.transport is not None:
            self.transport.send(WSMsgType.TEXT, orjson.dumps([CALL_RESULT, message_id, payload]))

    def _confirmed(self, message: list[Any]) -> None:
        action, sent = self._call
        self._land()
        if message[0] != CALL_RESULT:
            self.tally.errors[f"{action} {message[2]}"] += 1
        elif action == "BootNotification":
            if not self.booted.done():
                self.booted.set_result(None)
            return
        else:
            self._note(action, sent, message[2])
        # Late calls count from the moment they were due, or a slow server would hide its own slowness.
        self._due_at += self._interval_seconds
        self._next(message[2] if message[0] == CALL_RESULT else {})

    def _note(self, action: str, sent: dict[str, Any], answer: dict[str, Any]) -> None:
        tally = self.tally
        self.underway.set()
        tally.acknowledged[action] += 1
        if self.recording:
            tally.latency.append(time.perf_counter() - self._due_at)
        if action == "StartTransaction":
            self._entry = tally.ledger.setdefault((self.identity, sent["connectorId"]), {})
            self._entry["transaction"] = answer["transactionId"]
            if answer["idTagInfo"]["status"] != "Accepted":
                tally.errors["start not accepted"] += 1
        elif action == "MeterValues":
            self._entry["register_wh"] = int(sent["meterValue"][0]["sampledValue"][0]["value"])
        elif action == "StopTransaction":
            self._entry["stopped"] = 1

    def _land(self) -> None:
        if self._in_flight is not None and not self._in_flight.done():
            self._in_flight.set_result(None)
        self._in_flight = None
