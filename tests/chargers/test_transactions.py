"""Transactions as chargers tell them: once, by their own charger only, in the desk's transaction."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chargers.facts import TransactionEnded, TransactionMetered, TransactionStarted
from chargers.models import StationMessage, Transaction
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import RawCharger, connected, make_station

AT = "2026-05-01T12:00:00Z"
LATER = "2026-05-01T13:00:00Z"
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": AT}


def start(charger: RawCharger, **changed: Any) -> dict[str, Any]:
    return dict(charger.call("StartTransaction", START | changed))


def stop(charger: RawCharger, transaction_id: int, **changed: Any) -> Any:
    payload = {"transactionId": transaction_id, "meterStop": 5000, "timestamp": LATER, "reason": "Local"}
    return charger.call("StopTransaction", payload | changed)


def meter(charger: RawCharger, **named: Any) -> Any:
    payload = {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "2000"}]}]}
    return charger.call("MeterValues", payload | named)


def test_a_repeated_start_gets_the_same_id_and_happens_once(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        first = start(charger)
        again = start(charger)
    with connected(server) as charger:
        after_reconnect = start(charger)

    assert first == again == after_reconnect
    assert len(desk.of(TransactionStarted)) == 1


def test_a_refused_start_is_refused_again_when_repeated(server: str, desk: FakeDesk) -> None:
    make_station()
    desk.accepts = False

    with connected(server) as charger:
        first = start(charger)
        desk.accepts = True
        assert start(charger) == first

    assert first["idTagInfo"] == {"status": "Invalid"}
    assert not Transaction.objects.get().accepted


def test_a_start_repeated_with_a_corrected_clock_is_the_same(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        assert start(charger) == start(charger, timestamp=LATER)

    assert len(desk.of(TransactionStarted)) == 1


def test_a_start_after_its_stop_is_still_the_same_start(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        first = start(charger)
        stop(charger, first["transactionId"])
        assert start(charger) == first

    assert (len(desk.of(TransactionStarted)), len(desk.of(TransactionEnded))) == (1, 1)


def test_ids_are_random_positive_int32(server: str) -> None:
    make_station(evses=2)

    with connected(server) as charger:
        ids = {start(charger, connectorId=n, idTag=f"T{n}")["transactionId"] for n in (1, 2)}

    assert len(ids) == 2
    assert all(0 < transaction_id < 2**31 for transaction_id in ids)


def test_a_new_start_where_one_is_open_closes_the_forgotten_one(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        old = start(charger)
        new = start(charger, idTag="TAG2", meterStart=3000, timestamp=LATER)
        stop(charger, old["transactionId"])

    forgotten = Transaction.objects.get(id_tag="TAG1")
    assert forgotten.inferred
    assert new["transactionId"] != old["transactionId"]
    (ended,) = desk.of(TransactionEnded)
    assert (ended.transaction_pk, ended.meter_stop_wh, ended.reason) == (forgotten.pk, None, "Inferred")
    assert [late.transaction_pk for late in desk.late] == [forgotten.pk]
    assert Transaction.objects.get(id_tag="TAG2").stopped_at is None
    assert StationMessage.objects.filter(transaction=forgotten).count() == 2  # the inference, the late stop


def test_the_first_stop_counts_and_later_ones_are_evidence(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        transaction_id = start(charger)["transactionId"]
        stop(charger, transaction_id)
        stop(charger, transaction_id)
        assert not StationMessage.objects.exists()
        stop(charger, transaction_id, meterStop=9999)

    (ended,) = desk.of(TransactionEnded)
    assert (ended.meter_stop_wh, ended.reason, ended.ended_at) == (
        5000,
        "Local",
        datetime(2026, 5, 1, 13, 0, tzinfo=UTC),
    )
    assert Transaction.objects.get().meter_stop_wh == 5000
    assert StationMessage.objects.get().payload["meterStop"] == 9999


def test_a_stop_without_a_reason_is_local(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        transaction_id = start(charger)["transactionId"]
        charger.call(
            "StopTransaction", {"transactionId": transaction_id, "meterStop": 5000, "timestamp": LATER}
        )

    assert desk.of(TransactionEnded)[0].reason == "Local"


def test_stop_data_becomes_readings(server: str, desk: FakeDesk) -> None:
    make_station()
    data = [
        {"timestamp": AT, "sampledValue": [{"value": "1000", "context": "Transaction.Begin"}]},
        {"timestamp": LATER, "sampledValue": [{"value": "5.0", "unit": "kWh", "context": "Transaction.End"}]},
    ]

    with connected(server) as charger:
        stop(charger, start(charger)["transactionId"], transactionData=data)

    readings = desk.of(TransactionEnded)[0].readings
    assert [(r.context, r.register_wh) for r in readings] == [
        ("Transaction.Begin", 1000),
        ("Transaction.End", 5000),
    ]


@pytest.mark.parametrize("unknown_id", [-1, 0])
def test_a_stop_without_an_id_finds_its_transaction_by_tag(
    server: str, desk: FakeDesk, unknown_id: int
) -> None:
    make_station(evses=2)

    with connected(server) as charger:
        start(charger)
        start(charger, connectorId=2, idTag="TAG2")
        stop(charger, unknown_id, idTag="TAG2")

    (ended,) = desk.of(TransactionEnded)
    assert ended.transaction_pk == Transaction.objects.get(id_tag="TAG2").pk


def test_a_stop_without_id_and_tag_finds_its_transaction_by_the_first_register(
    server: str, desk: FakeDesk
) -> None:
    make_station(evses=2)
    data = [{"timestamp": AT, "sampledValue": [{"value": "7000", "context": "Transaction.Begin"}]}]

    with connected(server) as charger:
        start(charger)
        start(charger, connectorId=2, idTag="TAG2", meterStart=7000)
        stop(charger, -1, transactionData=data)

    assert desk.of(TransactionEnded)[0].transaction_pk == Transaction.objects.get(id_tag="TAG2").pk


def test_a_stop_without_id_and_tag_closes_the_only_transaction_that_it_fits(
    server: str, desk: FakeDesk
) -> None:
    make_station()

    with connected(server) as charger:
        start(charger)
        stop(charger, -1)

    assert desk.of(TransactionEnded)[0].transaction_pk == Transaction.objects.get().pk


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"transactionId": -1},
        {"transactionId": -1, "meterStop": 5000, "timestamp": "2020-01-01T00:00:00Z"},  # of long ago
        {"transactionId": -1, "meterStop": 5, "timestamp": "2030-01-01T00:00:00Z"},  # of another meter
        {"transactionId": "x", "meterStop": 5000, "timestamp": None},
    ],
)
def test_a_stop_that_names_nothing_does_not_end_the_only_transaction(
    server: str, desk: FakeDesk, payload: dict[str, Any]
) -> None:
    make_station()

    with connected(server) as charger:
        start(charger)
        assert charger.call("StopTransaction", payload) == {"idTagInfo": {"status": "Accepted"}}

    assert desk.of(TransactionEnded) == []
    assert StationMessage.objects.count() == 1


@pytest.mark.parametrize("named", [{}, {"transactionId": 0}, {"transactionId": -1}])
def test_meter_values_without_an_id_belong_to_the_open_transaction(
    server: str, desk: FakeDesk, named: dict[str, int]
) -> None:
    make_station()

    with connected(server) as charger:
        meter(charger, **named)
        start(charger)
        meter(charger, **named)
        meter(charger, connectorId=0, **named)

    (fact,) = desk.of(TransactionMetered)
    assert fact.transaction_pk == Transaction.objects.get().pk
    assert [reading.register_wh for reading in fact.readings] == [2000]
    assert not StationMessage.objects.exists()


def test_meter_values_after_the_end_change_nothing(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        transaction_id = start(charger)["transactionId"]
        stop(charger, transaction_id)
        assert meter(charger, transactionId=transaction_id) == {}

    assert desk.of(TransactionMetered) == []


def test_a_station_cannot_touch_another_ones_transaction(server: str, desk: FakeDesk) -> None:
    """The matrix of SteVe's CVE-2026-28230: every message that names a transaction."""
    make_station("CP-1")
    make_station("CP-2")

    with connected(server, "CP-1") as victim, connected(server, "CP-2") as thief:
        transaction_id = start(victim)["transactionId"]
        told = len(desk.told)

        assert meter(thief, transactionId=transaction_id) == {}
        assert stop(thief, transaction_id) == {"idTagInfo": {"status": "Accepted"}}
        assert stop(thief, -1, idTag="TAG1") == {"idTagInfo": {"status": "Accepted"}}
        assert len(desk.told) == told

        own = start(thief)["transactionId"]
        assert own != transaction_id

    stolen_from = Transaction.objects.get(station__identity="CP-1")
    assert stolen_from.stopped_at is None
    assert StationMessage.objects.filter(station__identity="CP-2").count() == 3


def test_only_the_desk_says_who_may_charge(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as charger:
        assert charger.call("Authorize", {"idTag": "TAG1"}) == {"idTagInfo": {"status": "Accepted"}}
        desk.accepts = False
        assert charger.call("Authorize", {"idTag": "TAG2"}) == {"idTagInfo": {"status": "Invalid"}}

    assert desk.asked_tags == ["TAG1", "TAG2"]
