"""OCPP 1.6J StartTransaction, MeterValues and StopTransaction: never refused, always judged."""

import hashlib
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from chargers.facts import MeterReading
from chargers.failpoints import failpoint
from chargers.models import ChargingStation, Transaction
from chargers.ocpp import station
from chargers.ocpp.meter_values import read_meter_values
from chargers.ocpp.numbers import read_integer, read_register_wh, read_time
from chargers.ocpp.presence import fenced_station
from chargers.ocpp.signed_values import read_signed_values
from chargers.ocpp.station import Message, Reply, keep_evidence

# OCPP 1.6 §7.37; any other word is kept as `Other`.
STOP_REASONS = frozenset(
    {
        "DeAuthorized",
        "EmergencyStop",
        "EVDisconnected",
        "HardReset",
        "Local",
        "Other",
        "PowerLoss",
        "Reboot",
        "Remote",
        "SoftReset",
        "UnlockCommand",
    }
)


def start_transaction(message: Message) -> Reply:
    """OCPP 1.6 §4.8. A repeat gets the same transaction id and the same verdict."""
    owner = fenced_station(message.link)
    payload = message.payload
    evse = station.find_evse(owner, read_integer(payload.get("connectorId")))
    if message.problem:
        keep_evidence(message, message.problem)
    if evse is None:
        keep_evidence(message, "start at an EVSE that this station does not have")
        return unapplied_start(message)
    started_at, time_problem = read_time(payload.get("timestamp"), message.received_at)
    meter_start_wh, meter_problem = read_register_wh(payload.get("meterStart"))
    transaction, look_again_at = station.begin_transaction(
        message,
        evse,
        natural_key=_natural_key(payload),
        id_tag=_id_tag(payload),
        meter_start_wh=meter_start_wh,
        started_at=started_at,
    )
    if time_problem or meter_problem:
        keep_evidence(message, "; ".join(filter(None, (time_problem, meter_problem))), transaction)
    failpoint("F09_start_in_tx")
    return Reply(
        _start_answer(int(transaction.transaction_id), accepted=transaction.accepted),
        transaction_pk=transaction.pk if look_again_at else None,
        look_again_at=look_again_at,
    )


def unapplied_start(message: Message) -> Reply:
    """Tell the charger to stop a transaction that we could not attach; a repeat gets the same id."""
    digest = hashlib.sha256(f"{message.link.station_pk}|{_natural_key(message.payload)}".encode()).digest()
    return Reply(_start_answer(int.from_bytes(digest[:4]) % (2**31 - 1) + 1, accepted=False))


def meter_values(message: Message) -> Reply:
    """OCPP 1.6 §4.7. Values without a transaction id belong to the open transaction of their EVSE."""
    owner = fenced_station(message.link)
    transaction, problem = _metered_transaction(owner, message)
    if problem:
        keep_evidence(message, problem, transaction)
    if transaction is None:
        return Reply({})
    _keep_signed(message, transaction, "meterValue")
    if transaction.stopped_at is not None and not transaction.given_up:
        return Reply({})
    readings = read_meter_values(message.payload.get("meterValue"), message.received_at)
    if not readings:
        return Reply({})  # no news: the next look at the paid limit stays as it is
    look_again_at = station.note_meter(message, transaction, readings)
    failpoint("F12_meter_in_tx")
    return Reply({}, transaction_pk=transaction.pk, look_again_at=look_again_at)


def stop_transaction(message: Message) -> Reply:
    """OCPP 1.6 §4.10. The first stop of a transaction counts; whatever comes later is kept as evidence."""
    owner = fenced_station(message.link)
    answer = Reply({"idTagInfo": {"status": "Accepted"}})
    transaction = _stopped_transaction(owner, message)
    if transaction is None:
        keep_evidence(message, message.problem or "stop of a transaction that this station does not have")
        return answer
    _keep_signed(message, transaction, "transactionData")  # before the end: the books close with it
    meter_stop_wh, meter_problem = read_register_wh(message.payload.get("meterStop"))
    ended_at, time_problem = read_time(message.payload.get("timestamp"), message.received_at)
    end = _End(
        meter_stop_wh,
        ended_at,
        _reason(message.payload.get("reason")),
        read_meter_values(message.payload.get("transactionData"), message.received_at),
    )
    if not station.end_transaction(message, transaction, **end._asdict()):
        _stop_again(message, transaction, end)
        return answer
    problem = "; ".join(filter(None, (message.problem, meter_problem, time_problem)))
    if problem:
        keep_evidence(message, problem, transaction)
    failpoint("F16_stop_in_tx")
    return Reply(answer.payload, transaction_pk=transaction.pk)


def _keep_signed(message: Message, transaction: Transaction, field: str) -> None:
    values = read_signed_values(message.payload.get(field), message.received_at)
    station.keep_signed(transaction, values)


class _End(NamedTuple):
    """The end of a transaction as a stop tells it."""

    meter_stop_wh: int | None
    ended_at: datetime
    reason: str
    readings: tuple[MeterReading, ...]


def _stop_again(message: Message, transaction: Transaction, end: _End) -> None:
    """A stop of a transaction that is closed: the charger's own end after ours, a repeat, or another end."""
    if station.end_transaction_late(message, transaction, **end._asdict()):
        keep_evidence(message, "came after the transaction had been closed by inference", transaction)
        return
    transaction.refresh_from_db()
    if transaction.meter_stop_wh != end.meter_stop_wh:
        keep_evidence(message, "the transaction was already closed with other values", transaction)


def note_lost(message: Message) -> None:
    """Tell whom it concerns that a fault of ours kept this message from being applied."""
    named = read_integer(message.payload.get("transactionId"))
    station.note_lost(message, transaction_id=str(named), id_tag=_id_tag(message.payload))


def _metered_transaction(owner: ChargingStation, message: Message) -> tuple[Transaction | None, str]:
    named = read_integer(message.payload.get("transactionId"))
    if named is not None and named > 0:
        transaction = station.find_transaction(owner, str(named))
        if transaction is None:
            return None, "meter values of a transaction that this station does not have"
        return transaction, message.problem
    # -1 and 0 mean: begun offline, the id was never learned.
    evse = station.find_evse(owner, read_integer(message.payload.get("connectorId")))
    if evse is None:
        return None, message.problem
    return station.open_transaction_at(evse) or station.given_up_at(evse), message.problem


def _stopped_transaction(owner: ChargingStation, message: Message) -> Transaction | None:
    named = read_integer(message.payload.get("transactionId"))
    if named is not None and named > 0:
        return station.find_transaction(owner, str(named))
    return _guessed_transaction(owner, message)


def _guessed_transaction(owner: ChargingStation, message: Message) -> Transaction | None:
    """Find the one open transaction that a stop without a usable id can mean (MONEY.md B21), or None.

    1.6 names neither connector nor start here, but the tag, and sometimes the register at the beginning.
    """
    candidates = list(Transaction.objects.filter(station=owner, stopped_at__isnull=True)[:50])
    id_tag = _id_tag(message.payload)
    if id_tag:
        candidates = [c for c in candidates if c.id_tag == id_tag]
    begin = [
        reading.register_wh
        for reading in read_meter_values(message.payload.get("transactionData"), message.received_at)
        if reading.context == "Transaction.Begin" and reading.register_wh is not None
    ]
    if begin:
        candidates = [c for c in candidates if c.meter_start_wh in begin]
    if not id_tag and not begin:
        candidates = [c for c in candidates if _can_close(message, c)]
    return candidates[0] if len(candidates) == 1 else None


def _can_close(message: Message, transaction: Transaction) -> bool:
    """Whether a stop that names nothing lies after this transaction's start, by its clock and by its register.

    Being the only open one proves nothing: a queued stop of yesterday would end a driver's charge, unbilled.
    """
    meter_stop_wh, _ = read_register_wh(message.payload.get("meterStop"))
    ended_at, problem = read_time(message.payload.get("timestamp"), message.received_at)
    if meter_stop_wh is None or problem:
        return False
    return ended_at >= transaction.started_at and meter_stop_wh >= (transaction.meter_start_wh or 0)


def _start_answer(transaction_id: int, *, accepted: bool) -> dict[str, Any]:
    return {"transactionId": transaction_id, "idTagInfo": {"status": "Accepted" if accepted else "Invalid"}}


def _natural_key(payload: dict[str, Any]) -> str:
    """Return what makes a repeat recognisable: connector, tag, time and register, as the charger wrote them."""
    content = [payload.get(key) for key in ("connectorId", "idTag", "timestamp", "meterStart")]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()


def _id_tag(payload: dict[str, Any]) -> str:
    id_tag = payload.get("idTag")
    return id_tag[:36] if isinstance(id_tag, str) else ""


def _reason(value: Any) -> str:
    if value is None:
        return "Local"
    return value if isinstance(value, str) and value in STOP_REASONS else "Other"
