"""How a simulated station answers the server's commands, or fails to."""

import asyncio
from typing import TYPE_CHECKING, Any

from chargers.simulator.connector import SimulatedConnector
from chargers.simulator.options import Fault
from chargers.simulator.wire import Answer, NotImplementedHere

if TYPE_CHECKING:
    from chargers.simulator.station import SimulatedStation

REACTION_SECONDS = 0.05  # answers leave before their consequences

ACCEPTED: dict[str, Any] = {"status": "Accepted"}
REJECTED: dict[str, Any] = {"status": "Rejected"}


class Obedience:
    """Takes the server's calls; returns the answer at once, consequences follow in tasks."""

    def __init__(self, station: "SimulatedStation") -> None:
        self._station = station
        self._declined_a_stop = False

    def take(self, action: str, payload: dict[str, Any]) -> Answer:
        """Answer one call; None: stay silent. Raises NotImplementedHere."""
        self._station.tell("command", action=action, payload=_shown(action, payload))
        if self._station.options.fault is Fault.SILENT:
            return None
        match action:
            case "RemoteStartTransaction":
                return self._remote_start(payload)
            case "RemoteStopTransaction":
                return self._remote_stop(payload)
            case "UnlockConnector":
                return self._unlock(payload)
            case "Reset":
                return self._reset(payload)
            case "TriggerMessage":
                return self._trigger(payload)
            case "SetChargingProfile" if self._station.options.smart_charging:
                return self._set_charging_profile(payload)
            case "GetConfiguration":
                return self._station.configuration.get(payload)
            case "ChangeConfiguration":
                return self._station.configuration.change(payload)
        raise NotImplementedHere(action)

    def _remote_start(self, payload: dict[str, Any]) -> Answer:
        if self._station.options.fault is Fault.IGNORE_START:
            return None
        connector = self._station.connectors.get(payload.get("connectorId") or 1)
        busy = connector is None or connector.transaction is not None or bool(connector.waiting_tag)
        if busy or self._station.options.fault is Fault.REJECT_START:
            return REJECTED
        assert connector is not None
        connector.waiting_tag = payload["idTag"]
        self._station.spawn(self._start(connector, payload["idTag"]))
        return ACCEPTED

    async def _start(self, connector: SimulatedConnector, id_tag: str) -> None:
        """Begin when the cable is in; give up after ConnectionTimeOut (OCPP 1.6 §9.1)."""
        station = self._station
        await asyncio.sleep(REACTION_SECONDS)
        if connector.waiting_tag != id_tag:
            return  # the cable was faster, and has begun it
        if station.configuration.on("AuthorizeRemoteTxRequests"):
            connector.waiting_tag = ""
            answer = await station.call("Authorize", {"idTag": id_tag})
            if (answer.get("idTagInfo") or {}).get("status") != "Accepted":
                return
            connector.waiting_tag = id_tag
        if connector.plugged:
            station.begin(connector, id_tag)
            return
        if station.options.plug_after_seconds is not None:
            station.spawn(self._plug_later(connector, id_tag))
        await asyncio.sleep(station.configuration.seconds("ConnectionTimeOut"))
        if connector.waiting_tag == id_tag:
            connector.waiting_tag = ""
            station.tell("start_timed_out", connector=connector.number)

    async def _plug_later(self, connector: SimulatedConnector, id_tag: str) -> None:
        await asyncio.sleep(self._station.options.plug_after_seconds or 0.0)
        if connector.waiting_tag == id_tag:
            self._station.plug(connector.number)

    def _remote_stop(self, payload: dict[str, Any]) -> Answer:
        if self._station.options.fault is Fault.IGNORE_STOP:
            return None
        if self._station.options.fault is Fault.DECLINE_FIRST_STOP and not self._declined_a_stop:
            self._declined_a_stop = True
            return REJECTED
        for connector in self._station.connectors.values():
            running = connector.transaction
            if running is not None and running.server_id == payload.get("transactionId"):
                seconds = self._station.options.stop_seconds
                self._later(self._station.stop, connector.number, "Remote", after_seconds=seconds)
                return ACCEPTED
        return REJECTED

    def _set_charging_profile(self, payload: dict[str, Any]) -> Answer:
        """Take the first limit of a profile for the running transaction; other profiles are refused."""
        connector = self._station.connectors.get(payload.get("connectorId", 0))
        profile = payload["csChargingProfiles"]
        running = connector.transaction if connector is not None else None
        ours = running is not None and running.server_id == profile.get("transactionId")
        if connector is None or not ours or profile["chargingProfilePurpose"] != "TxProfile":
            return REJECTED
        connector.limit_w = float(profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"])
        self._station.refresh(connector)
        return ACCEPTED

    def _unlock(self, payload: dict[str, Any]) -> Answer:
        connector = self._station.connectors.get(payload.get("connectorId", 0))
        if connector is None:
            return {"status": "NotSupported"}
        self._station.stop(connector.number, "UnlockCommand")
        self._later(self._station.unplug, connector.number)
        return {"status": "Unlocked"}

    def _reset(self, payload: dict[str, Any]) -> Answer:
        reason = "HardReset" if payload.get("type") == "Hard" else "SoftReset"
        for connector in self._station.connectors.values():
            self._station.stop(connector.number, reason)
        self._later(self._station.reboot)
        return ACCEPTED

    def _trigger(self, payload: dict[str, Any]) -> Answer:
        station = self._station
        match payload.get("requestedMessage"):
            case "StatusNotification":
                station.spawn(station.tell_statuses(again=True))
            case "BootNotification":
                station.spawn(station.boot())
            case "Heartbeat":
                station.spawn(_discard(station.call("Heartbeat", {})))
            case "MeterValues":
                for connector in station.connectors.values():
                    if connector.transaction is not None:
                        station.sample(connector)
            case _:
                return {"status": "NotImplemented"}
        return ACCEPTED

    def _later(self, act: Any, *arguments: Any, after_seconds: float = REACTION_SECONDS) -> None:
        asyncio.get_running_loop().call_later(after_seconds, act, *arguments)


async def _discard(answer: Any) -> None:
    await answer


def _shown(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    secret = action == "ChangeConfiguration" and payload.get("key") == "AuthorizationKey"
    return {**payload, "value": "***"} if secret else payload
