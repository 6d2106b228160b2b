"""Which configuration keys an ad hoc charging station must have, and how we bring it there (OCPP.md section 5)."""

from django.conf import settings

_ENERGY = "Energy.Active.Import.Register"
_POWER = "Power.Active.Import"
_CURRENT = "Current.Import"


def differences(reported: dict[str, str]) -> dict[str, str]:
    """Return the keys to change and their values; keys that the station did not report are left alone. Pure
    but for the sampling interval, which is a setting."""
    wanted = {
        "MeterValueSampleInterval": str(settings.OCPP_METER_INTERVAL_SECONDS),
        "MeterValuesSampledData": _measurands(reported.get("MeterValuesSampledData", "")),
        # A paid tap has authorised the start: asking again would only add a way to fail.
        "AuthorizeRemoteTxRequests": "false",
        # Our `Invalid` must end a transaction that nobody pays for.
        "StopTransactionOnInvalidId": "true",
        # Offline nobody has paid: no energy for cards that we cannot ask about.
        "LocalAuthorizeOffline": "false",
        "AllowOfflineTxForUnknownId": "false",
    }
    return {
        key: value
        for key, value in wanted.items()
        if key in reported and reported[key].strip().lower() != value.lower()
    }


def second_choice(key: str, refused_value: str) -> str | None:
    """Return what to ask for when a station refused a value, None when there is nothing less to ask for."""
    if key != "MeterValuesSampledData":
        return None
    fewer = {_measurands(""): f"{_ENERGY},{_POWER}", f"{_ENERGY},{_POWER}": _ENERGY}
    return fewer.get(refused_value, f"{_ENERGY},{_POWER}" if refused_value != _ENERGY else None)


def _measurands(reported: str) -> str:
    """Keep what the station sends if energy and power are in it; else ask for a modest list."""
    listed = [name.strip() for name in reported.split(",")]
    if _ENERGY in listed and _POWER in listed:
        return reported.strip()
    return ",".join((_ENERGY, _POWER, _CURRENT))
