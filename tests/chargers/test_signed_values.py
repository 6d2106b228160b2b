"""Signed meter values are kept as text, once, with their transaction; they disturb no plain value and no frame."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chargers.facts import SignedReading, TransactionEnded, TransactionMetered
from chargers.models import ChargingStation, SignedMeterValue, StationMessage
from chargers.ocpp import station
from chargers.ocpp.meter_values import read_meter_values
from chargers.ocpp.signed_values import LONGEST_BYTES, MOST_OF_A_MESSAGE, read_signed_values
from chargers.simulator.options import Options
from chargers.simulator.station import SimulatedStation
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import PASSWORD, RawCharger, RunningSimulator, connected, eventually, make_station
from tests.chargers.test_simulator import ask_start

AT, LATER = "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"
RECEIVED = datetime(2026, 5, 1, 12, 0, 5, tzinfo=UTC)
OCMF = 'OCMF|{"FV":"1.0","RD":[{"TX":"B","RV":1.0}]}|{"SD":"3045"}'


def signed(value: Any = OCMF, **fields: Any) -> dict[str, Any]:
    return {"value": value, "format": "SignedData", "context": "Transaction.Begin"} | fields


def entry(*samples: Any, timestamp: Any = AT) -> dict[str, Any]:
    return {"timestamp": timestamp, "sampledValue": list(samples)}


def read(*samples: Any) -> tuple[SignedReading, ...]:
    return read_signed_values([entry(*samples)], RECEIVED)


class TestReading:
    def test_a_signed_value_is_its_text_its_context_and_the_chargers_time(self) -> None:
        (value,) = read(signed(context="Transaction.End", measurand="Energy.Active.Export.Register"))

        assert (value.text, value.problem) == (OCMF, "")
        assert (value.context, value.measurand) == ("Transaction.End", "Energy.Active.Export.Register")
        assert (value.sampled_at, value.received_at) == (datetime(2026, 5, 1, 12, 0, tzinfo=UTC), RECEIVED)

    def test_what_is_not_said_is_what_ocpp_says_of_it(self) -> None:
        (value,) = read({"value": OCMF, "format": "SignedData"})

        assert (value.context, value.measurand) == ("Sample.Periodic", "Energy.Active.Import.Register")

    def test_ocmf_is_signed_also_where_the_charger_forgot_to_say_so(self) -> None:
        forgetful = {"value": OCMF}

        assert [value.text for value in read(forgetful)] == [OCMF]
        (reading,) = read_meter_values([entry(forgetful, {"value": "5"})], RECEIVED)
        assert (reading.register_wh, reading.problem) == (5, "")

    def test_plain_values_are_none_of_it(self) -> None:
        assert read({"value": "1500"}, {"value": "1500", "format": "Raw"}) == ()

    @pytest.mark.parametrize("value", ["9", "1e5000000", "NaN", "x" * LONGEST_BYTES])
    def test_nothing_signed_becomes_a_number(self, value: str) -> None:
        both = [entry(signed(value), {"value": "7"})]

        registers = [reading.register_wh for reading in read_meter_values(both, RECEIVED)]

        assert registers == [7]
        assert [each.text for each in read_signed_values(both, RECEIVED)] == [value]

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            ("OCMF|" + "x" * LONGEST_BYTES, "longer"),
            ("é" * LONGEST_BYTES, "longer"),
            ("\x00\x1b\x02", "no text"),
            ("half \ufffd a text", "no text"),
            ("\ud800", "no text"),
        ],
    )
    def test_what_cannot_be_kept_says_why_and_is_still_told_apart(self, value: str, why: str) -> None:
        one, other = read(signed(value), signed(value + "."))

        assert (one.text, other.text) == ("", "")
        assert why in one.problem
        assert one.digest != other.digest

    @pytest.mark.parametrize("value", [None, 5, True, [], {}, "", "  "])
    def test_signed_data_without_a_text_is_no_value(self, value: Any) -> None:
        assert read(signed(value), {"format": "SignedData"}) == ()

    @pytest.mark.parametrize(
        "meter_values", [None, "x", [None, 1, {}], [{"sampledValue": "x"}], [{"sampledValue": [1, None, {}]}]]
    )
    def test_anything_else_is_skipped(self, meter_values: Any) -> None:
        assert read_signed_values(meter_values, RECEIVED) == ()

    def test_a_message_brings_so_many_and_no_more(self) -> None:
        many = [entry(*[signed(f"OCMF|{n}") for n in range(2 * MOST_OF_A_MESSAGE)])]

        assert len(read_signed_values(many, RECEIVED)) == MOST_OF_A_MESSAGE


START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": AT}


def begin(charger: RawCharger) -> int:
    return int(charger.call("StartTransaction", START)["transactionId"])


def meter(charger: RawCharger, transaction_id: int, *samples: Any) -> None:
    payload = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [entry(*samples)]}
    assert charger.call("MeterValues", payload) == {}


def stop(charger: RawCharger, transaction_id: int, *samples: Any) -> None:
    payload = {"transactionId": transaction_id, "meterStop": 5000, "timestamp": LATER}
    answer = charger.call(
        "StopTransaction", payload | {"transactionData": [entry(*samples, timestamp=LATER)]}
    )
    assert answer == {"idTagInfo": {"status": "Accepted"}}


def kept() -> list[tuple[str, str]]:
    return list(SignedMeterValue.objects.order_by("pk").values_list("context", "text"))


class TestAtTheDoor:
    def test_the_first_and_the_last_value_are_kept_with_the_transaction(
        self, server: str, desk: FakeDesk
    ) -> None:
        make_station()
        last = signed("OCMF|{}|{}", context="Transaction.End")

        with connected(server) as charger:
            transaction_id = begin(charger)
            meter(charger, transaction_id, signed(), {"value": "2000"})
            stop(charger, transaction_id, last, {"value": "5000", "context": "Transaction.End"})

        assert kept() == [("Transaction.Begin", OCMF), ("Transaction.End", "OCMF|{}|{}")]
        assert SignedMeterValue.objects.latest("pk").sampled_at == datetime(2026, 5, 1, 13, 0, tzinfo=UTC)
        ((metered,),) = [fact.readings for fact in desk.of(TransactionMetered)]
        ((ended,),) = [fact.readings for fact in desk.of(TransactionEnded)]
        assert (metered.register_wh, ended.register_wh) == (2000, 5000)
        assert not StationMessage.objects.exists()

    def test_the_same_told_again_is_kept_once(self, server: str) -> None:
        make_station()
        last = signed("OCMF|{}|{}", context="Transaction.End")

        with connected(server) as charger:
            transaction_id = begin(charger)
            meter(charger, transaction_id, signed())
            meter(charger, transaction_id, signed())
            stop(charger, transaction_id, signed(), last)
            stop(charger, transaction_id, signed(), last)

        assert kept() == [("Transaction.Begin", OCMF), ("Transaction.End", "OCMF|{}|{}")]

    def test_a_value_that_comes_after_the_stop_is_kept_and_changes_nothing(
        self, server: str, desk: FakeDesk
    ) -> None:
        make_station()

        with connected(server) as charger:
            transaction_id = begin(charger)
            stop(charger, transaction_id)
            meter(charger, transaction_id, signed(context="Transaction.End"), {"value": "9000"})

        assert kept() == [("Transaction.End", OCMF)]
        assert not desk.of(TransactionMetered)

    def test_bad_values_cost_neither_the_frame_nor_the_plain_value_beside_them(
        self, server: str, desk: FakeDesk
    ) -> None:
        make_station()
        huge, garbage = "OCMF|" + "x" * 40_000, "\x00\x01\ud83d garbage"

        with connected(server) as charger:
            transaction_id = begin(charger)
            meter(charger, transaction_id, signed(huge), {"value": "2000"})
            meter(charger, transaction_id, signed(huge), {"value": "2100"})
            meter(charger, transaction_id, signed(garbage), {"value": "2200"})
            meter(charger, transaction_id, {"format": "SignedData"}, {"value": "2300"})
            meter(charger, transaction_id, signed(77), {"value": "2400"})

        readings = [reading.register_wh for fact in desk.of(TransactionMetered) for reading in fact.readings]
        assert readings == [2000, 2100, 2200, 2300, 2400]
        dropped = SignedMeterValue.objects.order_by("pk").values_list("text", "dropped")
        assert list(dropped) == [
            ("", f"longer than {LONGEST_BYTES} bytes"),
            ("", "characters that are no text"),
        ]

    def test_a_meter_that_signs_without_end_is_kept_up_to_a_limit_and_its_end_always(
        self, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(station, "MOST_SIGNED_BETWEEN", 2)
        make_station()

        with connected(server) as charger:
            transaction_id = begin(charger)
            for n in range(5):
                meter(charger, transaction_id, signed(f"OCMF|{n}", context="Sample.Periodic"))
            stop(charger, transaction_id, signed(context="Transaction.End"))

        assert [text for _, text in kept()] == ["OCMF|0", "OCMF|1", "", OCMF]
        assert SignedMeterValue.objects.exclude(dropped="").get().dropped == "more than 2 of its kind"


class TestSimulator:
    def test_it_signs_its_first_and_last_value(self, server: str, desk: FakeDesk) -> None:
        place = make_station()
        options = Options(identity="CP-1", url=server, password=PASSWORD, signed=True, plug_after_seconds=0.0)

        with RunningSimulator(options) as charger:
            charger.wait_for("booted")
            ask_start(place)
            eventually(lambda: kept())
            charger.do("unplug", 1)
            eventually(lambda: len(kept()) > 1)
            key = told_key(charger.station)

        (first, begun), (last, ended) = kept()  # the first came again with the stop
        assert (first, last) == ("Transaction.Begin", "Transaction.End")
        assert verified(begun, key)["RD"][0]["TX"] == "B"
        assert verified(ended, key)["RD"][0]["RV"] >= verified(begun, key)["RD"][0]["RV"]

    def test_it_signs_nothing_unless_told_to(self) -> None:
        plain = SimulatedStation(Options(identity="CP-1", url="ws://nowhere", password=PASSWORD))

        assert plain.configuration.get({"key": ["MeterPublicKey1"]})["unknownKey"] == ["MeterPublicKey1"]


def told_key(simulated: SimulatedStation) -> str:
    (entry,) = simulated.configuration.get({"key": ["MeterPublicKey1"]})["configurationKey"]
    assert entry["readonly"]
    return str(entry["value"])


def verified(text: str, key_hex: str) -> dict[str, Any]:
    """The payload of an OCMF text, once its signature was found to be that key's."""
    name, payload, signature = text.split("|")
    key = serialization.load_der_public_key(bytes.fromhex(key_hex))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert name == "OCMF"
    key.verify(bytes.fromhex(json.loads(signature)["SD"]), payload.encode(), ec.ECDSA(hashes.SHA256()))
    read: dict[str, Any] = json.loads(payload)
    return read


@pytest.mark.parametrize("name", ["MeterPublicKey[2]", "MeterPublicKey2", "MeterPublicKey"])
def test_the_public_key_of_a_meter_is_what_its_station_reported(name: str) -> None:
    told = ChargingStation(configuration={name: "3059", "MeterPublicKey1": "another"})

    assert told.meter_public_key(2) == "3059"
    assert ChargingStation().meter_public_key(2) == ""
