"""OCPP 1.6 sampled values become readings in Wh, W, A; what cannot be used says why."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chargers.facts import MeterReading
from chargers.ocpp.meter_values import read_meter_values

AT = "2026-05-01T12:00:00Z"
RECEIVED = datetime(2026, 5, 1, 12, 0, 5, tzinfo=UTC)


def read(*samples: dict[str, Any], timestamp: Any = AT) -> tuple[MeterReading, ...]:
    return read_meter_values([{"timestamp": timestamp, "sampledValue": list(samples)}], RECEIVED)


def test_a_bare_value_is_the_import_register_in_wh() -> None:
    (reading,) = read({"value": "1500"})

    assert reading == MeterReading(
        sampled_at=datetime(2026, 5, 1, 12, 0, tzinfo=UTC), received_at=RECEIVED, register_wh=1500
    )


def test_kwh_is_converted_exactly() -> None:
    (reading,) = read({"value": "1.234", "unit": "kWh", "measurand": "Energy.Active.Import.Register"})

    assert reading.register_wh == 1234


def test_power_current_and_charge_level_are_read() -> None:
    (reading,) = read(
        {"value": "7.4", "measurand": "Power.Active.Import", "unit": "kW"},
        {"value": "10.1", "measurand": "Current.Import", "phase": "L1", "unit": "A"},
        {"value": "10.4", "measurand": "Current.Import", "phase": "L2", "unit": "A"},
        {"value": "55", "measurand": "SoC", "unit": "Percent"},
        {"value": "230", "measurand": "Voltage", "unit": "V"},
    )

    assert (reading.power_w, reading.current_a, reading.soc_percent) == (7400, Decimal("10.400"), 55)
    assert reading.register_wh is None
    assert reading.problem == ""


def test_phase_rows_count_only_without_a_total() -> None:
    lines = [{"value": "0.4", "phase": line} for line in ("L1", "L2", "L3")]

    (with_total,) = read({"value": "100"}, *lines)
    (without_total,) = read(*lines)

    assert with_total.register_wh == 100
    assert without_total.register_wh == 1  # summed before it is rounded


def test_other_energy_measurands_are_not_the_register() -> None:
    (reading,) = read(
        {"value": "7", "measurand": "Energy.Active.Export.Register"},
        {"value": "8", "measurand": "Energy.Active.Import.Interval"},
        {"value": "9", "measurand": "Energy.Reactive.Import.Register"},
    )

    assert reading.register_wh is None


def test_the_outlet_is_what_the_driver_gets() -> None:
    (reading,) = read({"value": "900", "location": "Inlet"}, {"value": "800", "location": "Outlet"})

    assert reading.register_wh == 800


def test_contexts_are_kept_apart() -> None:
    begin, periodic = read({"value": "1", "context": "Transaction.Begin"}, {"value": "2"})

    assert (begin.context, begin.register_wh) == ("Transaction.Begin", 1)
    assert (periodic.context, periodic.register_wh) == ("Sample.Periodic", 2)


def test_signed_data_is_no_number() -> None:
    (reading,) = read({"value": "OCMF|{}|{}", "format": "SignedData"}, {"value": "5"})

    assert (reading.register_wh, reading.problem) == (5, "")


def test_bad_values_and_times_are_told() -> None:
    for value in ("NaN", "1e5000000", "1,5", "-5", "9999999999999"):
        (reading,) = read({"value": value}, timestamp="x")

        assert reading.register_wh is None
        assert "register" in reading.problem
        assert "timestamp" in reading.problem
        assert reading.sampled_at == RECEIVED


def test_anything_else_is_skipped() -> None:
    assert read_meter_values(None, RECEIVED) == ()
    assert read_meter_values([1, "x", {}, {"sampledValue": "x"}, {"sampledValue": [1]}], RECEIVED) == ()
