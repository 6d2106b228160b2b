"""What bad chargers send over a real socket, row by row: a typed answer, and the socket lives on."""

import json
from typing import Any

import pytest
from pytest_django import Settings

from chargers.facts import EvseStatusChanged, TransactionEnded, TransactionMetered, TransactionStarted
from chargers.models import ChargingStation, StationMessage, Transaction
from chargers.ocpp import consumer
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import RawCharger, connected, make_station

AT = "2026-05-01T12:00:00Z"
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": AT}


def still_lives(charger: RawCharger) -> bool:
    return "currentTime" in charger.call("Heartbeat", {}, "alive")


def started(charger: RawCharger, **changed: Any) -> int:
    return int(charger.call("StartTransaction", START | changed)["transactionId"])


def problems() -> list[str]:
    return list(StationMessage.objects.order_by("pk").values_list("problem", flat=True))


# --- Frames ---------------------------------------------------------------------------------------


def test_an_oversize_frame_closes_the_socket(server: str) -> None:
    make_station()

    with connected(server) as charger:
        charger.send(json.dumps([2, "1", "DataTransfer", {"vendorId": "v", "data": "x" * 70_000}]))
        assert charger.close_code() == 1009


def test_a_binary_frame_closes_the_socket(server: str) -> None:
    make_station()

    with connected(server) as charger:
        charger.send(b"\x00\x01")
        assert charger.close_code() == 1003


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "{}",
        "7",
        "[]",
        "null",
        '[2,1,"Heartbeat",{}]',
        '[2,null,"Heartbeat",{}]',
        json.dumps([2, "i" * 100, "Heartbeat", {}]),
        "[" * 60_000,
        "9" * 5000,
        '[3,"nobody-asked",{}]',
        '[4,"nobody-asked","GenericError","",{}]',
    ],
)
def test_what_carries_no_id_gets_no_answer_and_does_no_harm(server: str, text: str) -> None:
    make_station()

    with connected(server) as charger:
        charger.send(text)
        assert still_lives(charger)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[5,"1",{}]', "FormationViolation"),
        ('["2","1","Heartbeat",{}]', "FormationViolation"),
        ('[2,"1","Heartbeat"]', "FormationViolation"),
        ('[2,"1",{"a":1},{}]', "FormationViolation"),
        ('[2,"1","Heartbeat",[]]', "FormationViolation"),
        ('[2,"1","NoSuchAction",{}]', "NotImplemented"),
        ('[2,"1","RemoteStartTransaction",{"idTag":"x"}]', "NotImplemented"),
        ('[2,"1","Authorize",{}]', "OccurenceConstraintViolation"),
        ('[2,"1","Authorize",{"idTag":7}]', "TypeConstraintViolation"),
        ('[2,"1","Authorize",{"idTag":"' + "x" * 21 + '"}]', "PropertyConstraintViolation"),
        ('[2,"1","Authorize",{"idTag":"a\\u0000b"}]', "FormationViolation"),
        ('[2,"1","Authorize",{"idTag":"\\udc00"}]', "FormationViolation"),
        (
            '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Exploded"}]',
            "PropertyConstraintViolation",
        ),
        (
            '[2,"1","StatusNotification",{"connectorId":9007199254740993,"errorCode":"NoError","status":"Available"}]',
            "PropertyConstraintViolation",
        ),
        (
            '[2,"1","DataTransfer",{"vendorId":"v","data":' + "[" * 2000 + "]" * 2000 + "}]",
            "FormationViolation",
        ),
        ('[2,"1","DataTransfer",{"vendorId":"v","data":NaN}]', "FormationViolation"),
    ],
)
def test_a_bad_request_gets_its_code_and_nothing_of_itself_back(server: str, text: str, code: str) -> None:
    make_station()

    with connected(server) as charger:
        charger.send(text)
        frame = charger.receive()

        assert (frame[0], frame[1], frame[2], frame[4]) == (4, "1", code, {})
        assert still_lives(charger)
    assert problems() == []


def test_many_malformed_frames_close_the_socket(server: str) -> None:
    make_station()

    with connected(server) as charger:
        for _ in range(consumer.MALFORMED_PER_MINUTE + 2):
            charger.send("not json")
        assert charger.close_code() == 1008


def test_many_unsolicited_answers_close_the_socket(server: str) -> None:
    make_station()

    with connected(server) as charger:
        for _ in range(consumer.UNSOLICITED_PER_MINUTE + 2):
            charger.send('[3,"nobody-asked",{"status":"Accepted"}]')
        assert charger.close_code() == 1008


def test_a_flood_is_slowed_down_not_dropped(server: str, settings: Settings) -> None:
    make_station()
    settings.OCPP_FRAME_BURST = 5
    settings.OCPP_FRAMES_PER_SECOND = 200.0

    with connected(server) as charger:
        for number in range(60):
            charger.send(f'[2,"{number}","Heartbeat",{{}}]')
        answered = [charger.receive()[1] for _ in range(60)]

    assert answered == [str(number) for number in range(60)]


def test_vendor_extras_and_invented_words_pass(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        charger.call(
            "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M", "vendorExtra": 1}
        )
        charger.call(
            "StatusNotification",
            {"connectorId": 1, "errorCode": "VendorError", "status": "Available", "extra": {"a": 1}},
        )

    assert [fact.error_code for fact in desk.of(EvseStatusChanged)] == ["VendorError"]


def test_hostile_text_is_stored_as_text(server: str) -> None:
    make_station()

    with connected(server) as charger:
        charger.call(
            "BootNotification", {"chargePointVendor": "<script>", "chargePointModel": "'; DROP TABLE--"}
        )

    station = ChargingStation.objects.get()
    assert (station.vendor, station.model) == ("<script>", "'; DROP TABLE--")


def test_data_transfer_is_answered_and_not_kept(server: str) -> None:
    make_station()

    with connected(server) as charger:
        assert charger.call("DataTransfer", {"vendorId": "v", "data": "x" * 5000}) == {
            "status": "UnknownVendorId"
        }
    assert problems() == []


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("DiagnosticsStatusNotification", {"status": "Idle"}),
        ("FirmwareStatusNotification", {"status": "Installed"}),
        ("SecurityEventNotification", {"type": "TamperDetectionActivated", "timestamp": AT}),
        ("LogStatusNotification", {"status": "Idle"}),
    ],
)
def test_notices_are_answered(server: str, action: str, payload: dict[str, Any]) -> None:
    make_station()

    with connected(server) as charger:
        assert charger.call(action, payload) == {}


# --- Transaction messages: never refused, always judged -------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        "{",
        '{"connectorId":"x","idTag":7,"meterStart":"NaN","timestamp":1}',
        '{"connectorId":1e26,"idTag":"a\\u0000b","meterStart":1e400000,"timestamp":"x"}',
        '{"connectorId":0,"idTag":"T","meterStart":0,"timestamp":"2026-05-01T12:00:00Z"}',
        '{"connectorId":99,"idTag":"T","meterStart":0,"timestamp":"2026-05-01T12:00:00Z"}',
    ],
)
def test_a_start_that_cannot_be_attached_is_answered_invalid_and_kept(
    server: str, desk: FakeDesk, payload: str
) -> None:
    make_station()

    with connected(server) as charger:
        answers = []
        for unique_id in ("1", "2"):
            charger.send(f'[2,"{unique_id}","StartTransaction",{payload}]')
            answers.append(charger.receive())
        assert still_lives(charger)

    first, second = answers
    assert first[0] == 3
    assert first[2]["idTagInfo"] == {"status": "Invalid"}
    assert 0 < first[2]["transactionId"] < 2**31
    assert second[2] == first[2]
    assert problems()
    assert desk.of(TransactionStarted) == []
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("meter_start", [-1, "x", 2**60, None, 1.5e30])
def test_a_start_with_a_bad_meter_is_stored_without_it(
    server: str, desk: FakeDesk, meter_start: object
) -> None:
    make_station()

    with connected(server) as charger:
        started(charger, meterStart=meter_start)

    assert [fact.meter_start_wh for fact in desk.of(TransactionStarted)] == [None]
    assert problems()


@pytest.mark.parametrize("timestamp", ["x", None, "1970-01-01", 7])
def test_a_start_with_a_bad_time_still_starts(server: str, desk: FakeDesk, timestamp: object) -> None:
    make_station()

    with connected(server) as charger:
        started(charger, timestamp=timestamp)

    (fact,) = desk.of(TransactionStarted)
    assert fact.started_at <= fact.received_at
    assert problems()


@pytest.mark.parametrize(
    ("value", "unit", "register_wh"),
    [
        ("1500", None, 1500),
        ("1.5", "kWh", 1500),
        ("-5", None, None),
        ("NaN", None, None),
        ("1e400000", None, None),
        ("1e5000000", "kWh", None),
        ("1,5", "kWh", None),
        ("9999999999999", None, None),
        ("1500", "Wheat", None),
        (1500, None, 1500),
    ],
)
def test_meter_values_are_answered_whatever_they_hold(
    server: str, desk: FakeDesk, value: object, unit: str | None, register_wh: int | None
) -> None:
    make_station()
    sample = {"value": value} | ({"unit": unit} if unit else {})

    with connected(server) as charger:
        transaction_id = started(charger)
        answer = charger.call(
            "MeterValues",
            {
                "connectorId": 1,
                "transactionId": transaction_id,
                "meterValue": [{"timestamp": AT, "sampledValue": [sample]}],
            },
        )

    assert answer == {}
    (fact,) = desk.of(TransactionMetered)
    assert [reading.register_wh for reading in fact.readings] == [register_wh]
    assert bool(fact.readings[0].problem) == (register_wh is None)


@pytest.mark.parametrize(
    "payload", ["{}", "{", '{"connectorId":1,"meterValue":"x"}', '{"transactionId":1e26}']
)
def test_broken_meter_values_are_answered_and_kept(server: str, desk: FakeDesk, payload: str) -> None:
    make_station()

    with connected(server) as charger:
        started(charger)
        charger.send(f'[2,"m","MeterValues",{payload}]')
        assert charger.receive() == [3, "m", {}]
        assert still_lives(charger)

    assert desk.of(TransactionMetered) == []
    assert problems()


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        "{",
        '{"transactionId":424242,"meterStop":5,"timestamp":"2026-05-01T12:00:00Z"}',
        '{"transactionId":"x","meterStop":"NaN","timestamp":null}',
        '{"transactionId":-1,"meterStop":5,"timestamp":"2026-05-01T12:00:00Z","idTag":"OTHER"}',
    ],
)
def test_a_stop_of_nothing_is_accepted_and_kept(server: str, desk: FakeDesk, payload: str) -> None:
    make_station(evses=2)

    with connected(server) as charger:
        started(charger)
        started(charger, connectorId=2, idTag="TAG2")
        charger.send(f'[2,"s","StopTransaction",{payload}]')
        assert charger.receive() == [3, "s", {"idTagInfo": {"status": "Accepted"}}]
        assert still_lives(charger)

    assert desk.of(TransactionEnded) == []
    assert len(problems()) == 1
    assert Transaction.objects.filter(stopped_at__isnull=True).count() == 2


@pytest.mark.parametrize("meter_stop", [-1, "x", 2**60])
def test_a_stop_with_a_bad_meter_ends_the_transaction_without_it(
    server: str, desk: FakeDesk, meter_stop: object
) -> None:
    make_station()

    with connected(server) as charger:
        transaction_id = started(charger)
        charger.call(
            "StopTransaction",
            {"transactionId": transaction_id, "meterStop": meter_stop, "timestamp": AT, "reason": "Magic"},
        )

    (fact,) = desk.of(TransactionEnded)
    assert (fact.meter_stop_wh, fact.reason) == (None, "Other")
    assert problems()


def test_evidence_of_a_flooding_station_is_bounded(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_station()
    monkeypatch.setattr(consumer, "EVIDENCE_BURST", 3)

    with connected(server) as charger:
        for number in range(10):
            charger.call("StopTransaction", {"transactionId": number + 1, "meterStop": 1, "timestamp": AT})

    assert len(problems()) == 3


def test_large_evidence_is_cut(server: str) -> None:
    make_station()

    with connected(server) as charger:
        charger.call(
            "StopTransaction",
            {"transactionId": 1, "meterStop": 1, "timestamp": AT, "idTag": "x" * 20_000},
        )

    assert len(json.dumps(StationMessage.objects.get().payload)) < 9000


def test_a_fault_of_ours_keeps_the_message_and_lets_the_queue_drain(server: str, desk: FakeDesk) -> None:
    make_station()

    def fail(_: object) -> None:
        raise RuntimeError("a bug above")

    desk.on["ended"] = fail
    with connected(server) as charger:
        transaction_id = started(charger)
        stop = {"transactionId": transaction_id, "meterStop": 2000, "timestamp": AT}
        assert charger.call("StopTransaction", stop) == {"idTagInfo": {"status": "Accepted"}}

    evidence = StationMessage.objects.get()
    assert evidence.payload == stop
    assert Transaction.objects.get().stopped_at is None  # fact and consequence are one
