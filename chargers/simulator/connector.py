"""One connector: cable, vehicle, meter, and the transaction that runs there. Driven by whoever calls `advance`."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chargers.simulator.options import Fault

METER_RESET_AFTER = 3  # samples
ODOMETER_JUMP_AT = 2
ODOMETER_JUMP_WH = 500_000


def iso(moment: datetime) -> str:
    """Return a timestamp as OCPP writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> datetime:
    """Return the station's own clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class SimulatedTransaction:
    """A transaction as the station remembers it, also through a restart."""

    id_tag: str
    meter_start_wh: int
    started_at: datetime
    server_id: int | None = None  # learned from StartTransaction.conf
    samples: int = 0
    signed_start: dict[str, Any] | None = None  # told at once, and again with the stop
    stopping: bool = False


@dataclass(slots=True)
class SimulatedConnector:
    """State of one connector. `register_wh` is a lifetime counter."""

    number: int
    power_w: float
    register_wh: float
    battery_wh: float | None
    status: str = "Available"
    told_status: str = ""
    plugged: bool = False
    waiting_tag: str = ""  # a remote start that waits for its cable
    transaction: SimulatedTransaction | None = None
    taken_wh: float = field(default=0.0)  # by the vehicle that is plugged in
    limit_w: float | None = None  # of a charging profile for the running transaction
    metered_at: datetime = field(default_factory=now)  # the moment of `register_wh`

    @property
    def battery_is_full(self) -> bool:
        return self.battery_wh is not None and self.taken_wh >= self.battery_wh

    @property
    def shown_wh(self) -> int:
        """The register as the meter shows it; what many small sums lost on the way is no Wh less."""
        return int(self.register_wh + 1e-6)

    @property
    def present_power_w(self) -> float:
        flows = self.transaction is not None and self.plugged and not self.battery_is_full
        if not flows:
            return 0.0
        return self.power_w if self.limit_w is None else min(self.power_w, self.limit_w)

    def advance(self, seconds: float, at: datetime) -> None:
        """Let time pass until `at`: energy flows into the vehicle while it takes any."""
        self.metered_at = at
        energy_wh = self.present_power_w * seconds / 3600
        if self.battery_wh is not None:
            energy_wh = min(energy_wh, max(0.0, self.battery_wh - self.taken_wh))
        self.register_wh += energy_wh
        self.taken_wh += energy_wh

    def natural_status(self) -> str:
        """Return the status that follows from cable, vehicle and transaction."""
        if self.transaction is not None:
            if self.limit_w == 0:
                return "SuspendedEVSE"
            return "SuspendedEV" if self.battery_is_full else "Charging"
        if self.status in ("Charging", "SuspendedEV", "Finishing") and self.plugged:
            return "Finishing"
        return "Preparing" if self.plugged or self.waiting_tag else "Available"

    def meter_value(
        self, context: str, fault: Fault = Fault.NONE, register_wh: int | None = None
    ) -> dict[str, Any]:
        """Return one entry of a `meterValue` list, as this station writes it: the register and its moment."""
        energy_wh = self.shown_wh if register_wh is None else register_wh
        in_kwh = fault is Fault.KWH_UNIT
        energy = {
            "value": f"{energy_wh / 1000:.3f}" if in_kwh else str(energy_wh),
            "context": context,
            "measurand": "Energy.Active.Import.Register",
            "unit": "kWh" if in_kwh else "Wh",
        }
        power = {
            "value": f"{self.present_power_w:.0f}",
            "context": context,
            "measurand": "Power.Active.Import",
            "unit": "W",
        }
        return {"timestamp": iso(self.metered_at), "sampledValue": [energy, power]}

    def sample(self, fault: Fault) -> dict[str, Any]:
        """Take a periodic sample of the running transaction, with the station's faults in it."""
        assert self.transaction is not None
        self.transaction.samples += 1
        shown_wh = None
        if fault is Fault.METER_RESET and self.transaction.samples == METER_RESET_AFTER:
            self.register_wh = 0.0
        if fault is Fault.ODOMETER_JUMP and self.transaction.samples == ODOMETER_JUMP_AT:
            shown_wh = self.shown_wh + ODOMETER_JUMP_WH
        value = self.meter_value("Sample.Periodic", fault, shown_wh)
        if fault is Fault.KWH_AS_WH and self.transaction.samples % 2 == 0:
            _write_kwh_for_wh(value["sampledValue"][0], labelled=self.transaction.samples % 4 == 2)
        return value


def _write_kwh_for_wh(energy: dict[str, Any], *, labelled: bool) -> None:
    """Put a figure in kWh where Wh are meant: by its label, or by having none (OCPP 1.6 §7.41)."""
    energy["value"] = f"{int(energy['value']) / 1000:.3f}"
    if not labelled:
        del energy["unit"]
