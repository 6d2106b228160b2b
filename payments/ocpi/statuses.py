"""EVSE states in OCPI's words (OCPI 2.3.0 mod_locations, Status)."""

from typing import Final

from chargers.facts import EvseStatus

# A cable that is plugged in before the payment must not look like an occupied charger: PREPARING is free.
_WORDS: Final = {
    EvseStatus.UNKNOWN: "UNKNOWN",
    EvseStatus.AVAILABLE: "AVAILABLE",
    EvseStatus.PREPARING: "AVAILABLE",
    EvseStatus.CHARGING: "CHARGING",
    EvseStatus.SUSPENDED_EV: "CHARGING",
    EvseStatus.SUSPENDED_EVSE: "CHARGING",
    EvseStatus.FINISHING: "CHARGING",
    EvseStatus.RESERVED: "RESERVED",
    EvseStatus.UNAVAILABLE: "INOPERATIVE",
    EvseStatus.FAULTED: "OUTOFORDER",
}


def ocpi_status(status: str, *, online: bool, removed: bool) -> str:
    """OCPI's word for what a charger reported; a charger that is gone is UNKNOWN, whatever it said last."""
    if removed:
        return "REMOVED"
    return _WORDS[EvseStatus(status)] if online else "UNKNOWN"
