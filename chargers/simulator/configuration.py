"""Configuration keys of a simulated station (OCPP 1.6 §9)."""

from typing import Any

from chargers.simulator.options import Options

READ_ONLY = frozenset({"NumberOfConnectors", "SupportedFeatureProfiles", "GetConfigurationMaxKeys"})


class Configuration:
    """Keys and values, as GetConfiguration and ChangeConfiguration see them."""

    def __init__(self, options: Options, meter_keys: dict[int, str] | None = None) -> None:
        self._values = {
            "AllowOfflineTxForUnknownId": "false",
            "AuthorizeRemoteTxRequests": "true",
            "ConnectionTimeOut": f"{options.connection_timeout_seconds:g}",
            "GetConfigurationMaxKeys": "50",
            "HeartbeatInterval": "300",
            "LocalAuthorizeOffline": "true",
            "MeterValueSampleInterval": f"{options.meter_interval_seconds:g}",
            "MeterValuesSampledData": "Energy.Active.Import.Register",
            "NumberOfConnectors": str(options.connectors),
            "StopTransactionOnInvalidId": "true",
            "StopTxnSampledData": "Energy.Active.Import.Register",
            "SupportedFeatureProfiles": "Core,RemoteTrigger" + ",SmartCharging" * options.smart_charging,
            "AuthorizationKey": options.password.encode().hex(),
        } | {f"MeterPublicKey{number}": key for number, key in (meter_keys or {}).items()}
        self._read_only = READ_ONLY | {f"MeterPublicKey{number}" for number in meter_keys or {}}

    def seconds(self, key: str) -> float:
        """Return a duration."""
        return float(self._values[key])

    def on(self, key: str) -> bool:
        """Return a switch."""
        return self._values[key].lower() == "true"

    def get(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Answer GetConfiguration."""
        asked = payload.get("key") or list(self._values)
        known = [
            {"key": key, "readonly": key in self._read_only, "value": self._values[key]}
            for key in asked
            if key in self._values
        ]
        return {"configurationKey": known, "unknownKey": [key for key in asked if key not in self._values]}

    def change(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Answer ChangeConfiguration."""
        key, value = payload["key"], payload["value"]
        if key not in self._values:
            return {"status": "NotSupported"}
        if key in self._read_only or (
            key in ("ConnectionTimeOut", "MeterValueSampleInterval") and not _is_number(value)
        ):
            return {"status": "Rejected"}
        self._values[key] = value
        return {"status": "Accepted"}


def _is_number(value: str) -> bool:
    return value.replace(".", "", 1).isdigit()
