"""Whether an EVSE can be offered to a driver now, judged by what its charger reported."""

from enum import StrEnum

from django.conf import settings
from django.db.models import F, Q

from chargers.facts import EvseStatus
from chargers.models import EVSE, Transaction

CABLE_IN = frozenset(
    {
        EvseStatus.PREPARING,
        EvseStatus.CHARGING,
        EvseStatus.SUSPENDED_EV,
        EvseStatus.SUSPENDED_EVSE,
        EvseStatus.FINISHING,
    }
)
LONGEST_CONNECTION_TIMEOUT_SECONDS = 30 * 60  # a longer one is a misconfiguration; a hold is not kept for it


class UnavailableReason(StrEnum):
    """Why an EVSE cannot be started."""

    REMOVED = "removed"  # taken out of the network
    NO_STATION = "no_station"  # no charging station is behind it
    OFFLINE = "offline"  # its charger has no connection to us now
    NOT_REPORTED = "not_reported"  # connected, but has not said in which state this EVSE is
    FAULTED = "faulted"
    OUT_OF_USE = "out_of_use"
    RESERVED = "reserved"
    OCCUPIED = "occupied"  # a vehicle charges or has not left yet


_BY_STATUS = {
    EvseStatus.UNKNOWN: UnavailableReason.NOT_REPORTED,
    EvseStatus.FAULTED: UnavailableReason.FAULTED,
    EvseStatus.UNAVAILABLE: UnavailableReason.OUT_OF_USE,
    EvseStatus.RESERVED: UnavailableReason.RESERVED,
    EvseStatus.CHARGING: UnavailableReason.OCCUPIED,
    EvseStatus.SUSPENDED_EV: UnavailableReason.OCCUPIED,
    EvseStatus.SUSPENDED_EVSE: UnavailableReason.OCCUPIED,
    EvseStatus.FINISHING: UnavailableReason.OCCUPIED,
}


def problem_of(evse: EVSE) -> UnavailableReason | None:
    """Return why this EVSE cannot be started now, None when it can.

    Live sessions are not looked at: they are the business of the room above. Read `evse` with
    `select_related("station__process")`.
    """
    if evse.removed:
        return UnavailableReason.REMOVED
    if evse.station is None:
        return UnavailableReason.NO_STATION
    if not evse.station.online:
        return UnavailableReason.OFFLINE
    by_status = _BY_STATUS.get(EvseStatus(evse.status))
    if by_status is None and _transaction_runs(evse):
        return UnavailableReason.OCCUPIED
    return by_status


def _transaction_runs(evse: EVSE) -> bool:
    """Whether a transaction is open that the charger has not contradicted by reporting the EVSE as free since."""
    open_ones = Transaction.objects.filter(evse=evse, stopped_at__isnull=True)
    if evse.status == EvseStatus.AVAILABLE:
        not_contradicted = Q(evse__status_at__isnull=True) | Q(evse__status_at__lt=F("start_received_at"))
        open_ones = open_ones.filter(not_contradicted)
    return open_ones.exists()


def cable_is_in(evse: EVSE) -> bool:
    """Whether a cable was plugged in when the charger last spoke of this EVSE."""
    return EvseStatus(evse.status) in CABLE_IN


def start_timeout_seconds(evse: EVSE) -> float:
    """Return how long after a start command a transaction may still begin (MONEY.md T_start).

    The charger's own `ConnectionTimeOut` plus a margin where it reported one; else by whether the cable is in.
    """
    reported = _connection_timeout_seconds(evse)
    if reported is not None:
        return reported + float(settings.START_TIMEOUT_MARGIN_SECONDS)
    if cable_is_in(evse):
        return float(settings.START_TIMEOUT_PLUGGED_SECONDS)
    return float(settings.START_TIMEOUT_UNPLUGGED_SECONDS)


def _connection_timeout_seconds(evse: EVSE) -> float | None:
    configuration = evse.station.configuration if evse.station is not None else {}
    text = str(configuration.get("ConnectionTimeOut", ""))
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0
    return float(seconds) if 0 < seconds <= LONGEST_CONNECTION_TIMEOUT_SECONDS else None
