"""Our commands in OCPP 1.6 words, and a station's answers in ours. Pure.

Outgoing payloads are built with the `ocpp` package's dataclasses; money never passes here (its encoder would
round a Decimal to one digit).
"""

import dataclasses
import re
from typing import Any

from ocpp.charge_point import remove_nones, snake_to_camel_case
from ocpp.v16 import call
from ocpp.v16.enums import ChargingProfileKindType, ChargingProfilePurposeType, ChargingRateUnitType

from chargers.facts import CommandAction, CommandOutcome
from chargers.ocpp.frames import CallError, CallResult

MOST_KEYS = 500
ZERO_POWER_PROFILE = 7000  # plus the connector: another profile of that id would be replaced (§5.16)
LONGEST_VALUE = 500
_SECRET_KEY = re.compile(
    r"AuthorizationKey|Password|Passphrase|Secret|Token|PrivateKey|ApiKey", re.IGNORECASE
)
_YES = frozenset({"Accepted", "Unlocked", "RebootRequired"})
_NO = frozenset({"Rejected", "UnlockFailed", "NotSupported", "NotImplemented"})


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """How a station answered a command; `response` is what the row keeps."""

    outcome: CommandOutcome
    detail: str
    response: dict[str, Any]
    configuration: dict[str, str] | None = None  # what a READ_CONFIGURATION brought


def translate(action: CommandAction, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a command's OCPP action and payload.

    Raises KeyError, TypeError or ValueError for arguments that 1.6 cannot say.
    """
    message = _build(action, arguments)
    return type(message).__name__, remove_nones(snake_to_camel_case(dataclasses.asdict(message)))


def _build(action: CommandAction, arguments: dict[str, Any]) -> Any:
    match action:
        case CommandAction.START:
            return call.RemoteStartTransaction(
                id_tag=arguments["id_tag"], connector_id=int(arguments["evse"])
            )
        case CommandAction.STOP:
            return call.RemoteStopTransaction(transaction_id=int(arguments["transaction_id"]))
        case CommandAction.CUT_POWER:
            return call.SetChargingProfile(
                connector_id=int(arguments["evse"]), cs_charging_profiles=_zero_power(arguments)
            )
        case CommandAction.UNLOCK:
            return call.UnlockConnector(connector_id=int(arguments["evse"]))
        case CommandAction.RESET:
            return call.Reset(type="Hard" if arguments["hard"] else "Soft")
        case CommandAction.TRIGGER:
            return call.TriggerMessage(
                requested_message=arguments["message"], connector_id=arguments.get("evse")
            )
        case CommandAction.READ_CONFIGURATION:
            return call.GetConfiguration(key=arguments.get("keys") or None)
        case CommandAction.WRITE_CONFIGURATION:
            return call.ChangeConfiguration(key=arguments["key"], value=arguments["value"])


def _zero_power(arguments: dict[str, Any]) -> dict[str, Any]:
    """A profile that leaves its transaction no power, above every other one (OCPP 1.6 §3.13, §7.8)."""
    unit = ChargingRateUnitType.amps if arguments["in_amperes"] else ChargingRateUnitType.watts
    return {
        "charging_profile_id": ZERO_POWER_PROFILE + int(arguments["evse"]),
        "transaction_id": int(arguments["transaction_id"]),
        "stack_level": int(arguments["stack_level"]),
        "charging_profile_purpose": ChargingProfilePurposeType.tx_profile,
        "charging_profile_kind": ChargingProfileKindType.relative,
        "charging_schedule": {
            "charging_rate_unit": unit,
            "charging_schedule_period": [{"start_period": 0, "limit": 0}],
        },
    }


def read_answer(action: CommandAction, frame: CallResult | CallError) -> Answer:
    """Judge a station's answer. One that cannot be understood leaves open what the station did."""
    if isinstance(frame, CallError):
        return Answer(
            CommandOutcome.REJECTED, frame.code, {"error": frame.code, "description": frame.description}
        )
    if action is CommandAction.READ_CONFIGURATION:
        return _read_configuration(frame.payload)
    status = frame.payload.get("status")
    if not isinstance(status, str) or status not in _YES | _NO:
        return Answer(CommandOutcome.UNANSWERED, "unreadable answer", {"status": str(status)[:50]})
    outcome = CommandOutcome.ACCEPTED if status in _YES else CommandOutcome.REJECTED
    return Answer(outcome, status, {"status": status})


def _read_configuration(payload: dict[str, Any]) -> Answer:
    entries = payload.get("configurationKey")
    found: dict[str, str] = {}
    for entry in entries[:MOST_KEYS] if isinstance(entries, list) else []:
        key = entry.get("key") if isinstance(entry, dict) else None
        if isinstance(key, str) and 0 < len(key) <= 50:
            found[key] = redacted(key, entry.get("value"))
    return Answer(CommandOutcome.ACCEPTED, f"{len(found)} keys", {"keys": len(found)}, configuration=found)


def redacted(key: str, value: Any) -> str:
    """Return a configuration value fit to be stored and shown; secrets are left out."""
    if _SECRET_KEY.search(key):
        return "***"
    return "" if value is None else str(value)[:LONGEST_VALUE]
