"""A whole simulated station: connects, boots, obeys, charges, and keeps what it could not deliver."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from websockets.exceptions import InvalidHandshake

from chargers.simulator.configuration import Configuration
from chargers.simulator.connector import SimulatedConnector, SimulatedTransaction, iso, now
from chargers.simulator.obedience import Obedience
from chargers.simulator.options import Fault, Options
from chargers.simulator.outbox import Outbox
from chargers.simulator.signed_meter import Moment, SignedMeter, signed_value
from chargers.simulator.wire import CallRefused, NotConnected, Wire

TICK_SECONDS = 0.1
OFFLINE_LOOK_SECONDS = 0.2  # how soon `come_online` is noticed
LONGEST_PAUSE_SECONDS = 60.0
REBOOT_FAULT_AFTER_SECONDS = 3.0
REBOOT_TAKES_SECONDS = 1.0

Emit = Callable[[dict[str, Any]], None]


class SimulatedStation:
    """Run `await station.run()`; drive it with `plug`, `unplug`, `stop`, `reboot`, `go_offline`,
    `come_online`.

    `emit` is told everything that happens as a dict with `event` and `at`.
    """

    def __init__(self, options: Options, emit: Emit = lambda _: None) -> None:
        self.options = options
        self._meters = {
            number: SignedMeter(f"{options.identity}-{number}")
            for number in range(1, options.connectors * options.signed + 1)
        }
        self.configuration = Configuration(
            options, {n: meter.public_key for n, meter in self._meters.items()}
        )
        self.connectors = {
            number: SimulatedConnector(
                number=number,
                power_w=options.power_w,
                register_wh=options.register_wh + 1000.0 * (number - 1),
                battery_wh=options.battery_wh,
            )
            for number in range(1, options.connectors + 1)
        }
        self.online = asyncio.Event()  # connected and accepted
        self.outbox = Outbox(self.call, self._start_answered)
        self._emit = emit
        self._obedience = Obedience(self)
        self._wire: Wire | None = None
        self._must_boot = True
        self._held_offline_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._reboot_fault_done = False
        self._advanced_at = time.monotonic()

    # --- Life -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until cancelled; then say goodbye to the server."""
        self.spawn(self._tick())
        self.spawn(self.outbox.run(self.online))
        try:
            await self._stay_connected()
        finally:
            for task in list(self._tasks):
                task.cancel()
            if self._wire is not None:
                await self._wire.close()

    async def _stay_connected(self) -> None:
        pause = self.options.reconnect_seconds
        while True:
            while (held := self._held_offline_until - time.monotonic()) > 0:
                await asyncio.sleep(min(held, OFFLINE_LOOK_SECONDS))
            try:
                self._wire = await Wire.open(
                    self.options.url,
                    self.options.identity,
                    self.options.password,
                    self._obedience.take,
                    self.options.call_timeout_seconds,
                )
            except (OSError, TimeoutError, InvalidHandshake) as error:
                self.tell("connection_failed", error=type(error).__name__, detail=str(error)[:200])
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            pause = self.options.reconnect_seconds
            await self._live_on(self._wire)
            await asyncio.sleep(pause)

    async def _live_on(self, wire: Wire) -> None:
        self.tell("connected")
        greeting = self.spawn(self._greet())
        code = await wire.read()
        self._wire = None
        self.online.clear()
        greeting.cancel()
        self.tell("disconnected", code=code)

    async def _greet(self) -> None:
        """Boot if this is a start, tell statuses that changed, then beat."""
        try:
            while self._must_boot:
                await self.boot()
            self.online.set()
            await self.tell_statuses()
            while True:
                await asyncio.sleep(self.configuration.seconds("HeartbeatInterval"))
                await self.call("Heartbeat", {})
        except (NotConnected, CallRefused, TimeoutError):
            if self._wire is not None:
                self._wire.cut()

    async def boot(self) -> None:
        """Send BootNotification; wait if the server wants us to."""
        answer = await self.call(
            "BootNotification",
            {
                "chargePointVendor": "Simulated",
                "chargePointModel": "Station 1",
                "chargePointSerialNumber": self.options.identity[:25],
                "firmwareVersion": "1.0",
            },
        )
        if answer.get("status") != "Accepted":
            await asyncio.sleep(min(30, max(1, answer.get("interval") or 10)))
            return
        if answer.get("interval"):
            self.configuration.change({"key": "HeartbeatInterval", "value": str(answer["interval"])})
        self._must_boot = False
        for connector in self.connectors.values():
            connector.told_status = ""
        self.tell("booted")

    async def call(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send a request. Raises NotConnected, CallRefused, TimeoutError."""
        if self._wire is None:
            raise NotConnected
        return await self._wire.call(action, payload)

    def tell(self, event: str, **facts: Any) -> None:
        """Report what happened."""
        self._emit({"at": iso(now()), "identity": self.options.identity, "event": event, **facts})

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a task of the station; it ends with the station."""
        task = asyncio.get_running_loop().create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (NotConnected, CallRefused, TimeoutError) as error:
            self.tell("gave_up", error=type(error).__name__)

    # --- What people and the world do -------------------------------------------------------------

    def plug(self, number: int) -> None:
        """Plug the cable in; a waiting remote start begins."""
        connector = self.connectors[number]
        if connector.plugged:
            return
        connector.plugged, connector.taken_wh = True, 0.0
        self.tell("plugged", connector=number)
        if connector.waiting_tag:
            self.begin(connector, connector.waiting_tag)
        self.refresh(connector)

    def unplug(self, number: int) -> None:
        """Pull the cable; a running transaction ends."""
        connector = self.connectors[number]
        if connector.transaction is not None:
            self.end(connector, "EVDisconnected")
        connector.plugged = False
        self.tell("unplugged", connector=number)
        self.refresh(connector)

    def stop(self, number: int, reason: str = "Local") -> None:
        """End a running transaction at the station."""
        connector = self.connectors[number]
        if connector.transaction is not None:
            self.end(connector, reason)
            self.refresh(connector)

    def reboot(self, takes_seconds: float = REBOOT_TAKES_SECONDS) -> None:
        """Lose power for a moment: the socket is cut, the station boots, transactions go on."""
        self.tell("rebooting")
        self._must_boot = True
        self._reboot_fault_done = True
        self.go_offline(takes_seconds)

    def go_offline(self, seconds: float) -> None:
        """Lose the network; charging goes on and messages are kept."""
        self._held_offline_until = time.monotonic() + seconds
        self.online.clear()
        if self._wire is not None:
            self._wire.cut()

    def come_online(self) -> None:
        """Have the network again before the time that `go_offline` was given."""
        self._held_offline_until = 0.0

    # --- Transactions -----------------------------------------------------------------------------

    def begin(self, connector: SimulatedConnector, id_tag: str) -> None:
        """Open a transaction: close the contactor, keep the message until it is answered."""
        self._advance()
        connector.waiting_tag, connector.limit_w = "", None
        transaction = SimulatedTransaction(id_tag, connector.shown_wh, connector.metered_at)
        connector.transaction = transaction
        self.outbox.put(
            "StartTransaction",
            connector,
            transaction,
            {
                "connectorId": connector.number,
                "idTag": id_tag,
                "meterStart": transaction.meter_start_wh,
                "timestamp": iso(transaction.started_at),
            },
        )
        transaction.signed_start = self._sign(connector, transaction, "B")
        if transaction.signed_start is not None:
            value = {"connectorId": connector.number, "meterValue": [transaction.signed_start]}
            self.outbox.put("MeterValues", connector, transaction, value)
        self.tell(
            "started", connector=connector.number, id_tag=id_tag, meter_start_wh=transaction.meter_start_wh
        )
        if self.options.fault is not Fault.NO_METER_VALUES:
            self.spawn(self._sample(connector, transaction))
        if self.options.unplug_after_seconds is not None:
            self.spawn(self._unplug_later(connector, transaction, self.options.unplug_after_seconds))
        if self.options.fault is Fault.REBOOT and not self._reboot_fault_done:
            self.spawn(self._reboot_later())

    def end(self, connector: SimulatedConnector, reason: str) -> None:
        """Close the transaction: open the contactor, keep the message until it is answered."""
        self._advance()
        transaction, connector.transaction = connector.transaction, None
        assert transaction is not None
        meter_stop_wh = connector.shown_wh
        payload: dict[str, Any] = {
            "idTag": transaction.id_tag,
            "meterStop": meter_stop_wh,
            "timestamp": iso(connector.metered_at),
            "reason": reason,
        }
        if self.configuration.get({"key": ["StopTxnSampledData"]})["configurationKey"][0]["value"]:
            begin = connector.meter_value("Transaction.Begin", register_wh=transaction.meter_start_wh)
            begin["timestamp"] = iso(transaction.started_at)
            payload["transactionData"] = [begin, connector.meter_value("Transaction.End")]
        signed = (transaction.signed_start, self._sign(connector, transaction, "E"))
        if any(signed):
            payload.setdefault("transactionData", []).extend(value for value in signed if value)
        self.outbox.put("StopTransaction", connector, transaction, payload)
        self.tell(
            "stopped",
            connector=connector.number,
            reason=reason,
            meter_stop_wh=meter_stop_wh,
            energy_wh=meter_stop_wh - transaction.meter_start_wh,
        )
        if self.options.leave_after_seconds is not None and reason != "EVDisconnected":
            self.spawn(self._leave_later(connector, self.options.leave_after_seconds))

    def _sign(
        self, connector: SimulatedConnector, transaction: SimulatedTransaction, moment: Moment
    ) -> dict[str, Any] | None:
        """Let the meter sign the register as it stands; None where it cannot."""
        meter = self._meters.get(connector.number)
        if meter is None:
            return None
        at = now()
        text = meter.ocmf(moment, register_wh=connector.shown_wh, at=at, id_tag=transaction.id_tag)
        context = {"B": "Transaction.Begin", "E": "Transaction.End"}[moment]
        return signed_value(text, context=context, at=iso(at))

    def _start_answered(
        self, connector: SimulatedConnector, transaction: SimulatedTransaction, answer: dict[str, Any]
    ) -> None:
        transaction.server_id = answer.get("transactionId")
        status = (answer.get("idTagInfo") or {}).get("status")
        self.tell(
            "start_answered", connector=connector.number, transaction_id=transaction.server_id, status=status
        )
        refused = status != "Accepted" and self.configuration.on("StopTransactionOnInvalidId")
        if refused and connector.transaction is transaction:
            self.stop(connector.number, "DeAuthorized")

    async def _sample(self, connector: SimulatedConnector, transaction: SimulatedTransaction) -> None:
        while connector.transaction is transaction:
            # Slept in short pieces, so that a changed interval holds at once.
            due = time.monotonic() + self.configuration.seconds("MeterValueSampleInterval")
            while time.monotonic() < due:
                await asyncio.sleep(min(TICK_SECONDS, max(0.01, due - time.monotonic())))
                interval = self.configuration.seconds("MeterValueSampleInterval")
                due = min(due, time.monotonic() + interval)
            if connector.transaction is transaction:
                self.sample(connector)

    def sample(self, connector: SimulatedConnector) -> None:
        """Take a meter value of the running transaction now."""
        self._advance()
        assert connector.transaction is not None
        value = connector.sample(self.options.fault)
        payload = {"connectorId": connector.number, "meterValue": [value]}
        self.outbox.put("MeterValues", connector, connector.transaction, payload)
        self.tell(
            "meter",
            connector=connector.number,
            register_wh=connector.shown_wh,
            power_w=int(connector.present_power_w),
        )

    async def _unplug_later(
        self, connector: SimulatedConnector, transaction: SimulatedTransaction, seconds: float
    ) -> None:
        await asyncio.sleep(seconds)
        if connector.transaction is transaction:
            self.unplug(connector.number)

    async def _leave_later(self, connector: SimulatedConnector, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if connector.transaction is None and connector.plugged:
            self.unplug(connector.number)

    async def _reboot_later(self) -> None:
        self._reboot_fault_done = True
        await asyncio.sleep(REBOOT_FAULT_AFTER_SECONDS)
        self.reboot()

    # --- Statuses ---------------------------------------------------------------------------------

    def refresh(self, connector: SimulatedConnector) -> None:
        """Work out the status and tell it if it changed."""
        connector.status = connector.natural_status()
        if connector.status != connector.told_status:
            self.spawn(self.tell_statuses())

    async def tell_statuses(self, *, again: bool = False) -> None:
        """Tell the statuses that the server does not know; all of them when asked."""
        if not self.online.is_set():
            return  # not queued offline: told after the reconnect
        for connector in self.connectors.values():
            ask = again
            while ask or connector.told_status != connector.status:
                ask = False
                told, connector.told_status = connector.told_status, connector.status
                try:
                    await self._tell_status(connector.number, connector.status)
                except (NotConnected, TimeoutError):
                    connector.told_status = told
                    return

    async def _tell_status(self, number: int, status: str) -> None:
        payload = {"connectorId": number, "errorCode": "NoError", "status": status, "timestamp": iso(now())}
        await self.call("StatusNotification", payload)
        self.tell("status", connector=number, status=status)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._advance()
            for connector in self.connectors.values():
                self.refresh(connector)

    def _advance(self) -> None:
        """Let energy flow up to now: at each tick, and whenever a meter is read or a contactor moves."""
        # Read together: what is stamped later than it was metered looks like more power than there is.
        clock, at = time.monotonic(), now()
        for connector in self.connectors.values():
            connector.advance(clock - self._advanced_at, at)
        self._advanced_at = clock
