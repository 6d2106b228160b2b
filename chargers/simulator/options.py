"""What a simulated station is, and what is wrong with it."""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Ways in which real chargers misbehave."""

    NONE = "none"
    REBOOT = "reboot"  # loses power three seconds into its first transaction, boots, goes on with it
    REJECT_START = "reject-start"
    IGNORE_START = "ignore-start"  # never answers a remote start
    IGNORE_STOP = "ignore-stop"  # never answers a remote stop, and goes on charging
    DECLINE_FIRST_STOP = "decline-first-stop"
    SILENT = "silent"  # answers no command at all
    METER_RESET = "meter-reset"  # its register falls to zero after some samples
    KWH_UNIT = "kwh-unit"  # samples in kWh instead of Wh, and labelled so: what every server must understand
    KWH_AS_WH = "kwh-as-wh"  # every second sample is a figure in kWh that claims to be Wh, or claims nothing
    ODOMETER_JUMP = "odometer-jump"  # one sample is 500 kWh too high
    NO_METER_VALUES = "no-meter-values"


@dataclass(frozen=True, kw_only=True)
class Options:
    """A simulated station. Times in seconds, power in W, energy in Wh."""

    identity: str
    url: str  # without the identity: ws://host:port/ocpp
    password: str
    connectors: int = 1
    power_w: float = 11_000.0
    battery_wh: float | None = None  # what the vehicle still takes; None: never full
    plug_after_seconds: float | None = None  # after an accepted remote start; None: somebody has to plug in
    unplug_after_seconds: float | None = None  # after the start of a transaction
    leave_after_seconds: float | None = None  # after a transaction that ended with the cable in
    meter_interval_seconds: float = 60.0  # until the server configures another
    connection_timeout_seconds: float = 60.0
    stop_seconds: float = 0.05  # from an accepted remote stop to the end of energy
    smart_charging: bool = False  # takes charging profiles
    signed: bool = False  # signs its first and last meter value (OCMF)
    register_wh: float = 1_234_567.0  # lifetime register of the first connector at the beginning
    fault: Fault = Fault.NONE
    reconnect_seconds: float = 1.0  # first pause before a reconnect; it doubles up to a minute
    call_timeout_seconds: float = 30.0
