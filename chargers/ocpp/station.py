"""What a station's messages change, whatever version they came in: rows, and the desk above, in one transaction.

Everything is looked up within the station that proved to be itself: another charger's ids mean nothing here
(SteVe CVE-2026-28230). Functions run on a database thread, inside the message's transaction.
"""

import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from chargers.desk import current_desk
from chargers.facts import (
    EvseStatus,
    EvseStatusChanged,
    MessageLost,
    MeterReading,
    SignedReading,
    StationBooted,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)
from chargers.models import EVSE, ChargingStation, SignedMeterValue, StationMessage, Transaction
from chargers.ocpp.presence import Link, fenced_station
from chargers.prepared import Prepared, insert, insert_if_new, update, update_while_null
from chargers.signals import announce_status

logger = logging.getLogger(__name__)

EVIDENCE_BYTES = 8192
# What is kept of one transaction's signed values. Law asks for the first and the last; with what lies between a
# CDR stays below the 1 MB that a web server in front of a platform usually takes.
MOST_SIGNED_AT_AN_END = 5
MOST_SIGNED_BETWEEN = 50
_ENDS = ("Transaction.Begin", "Transaction.End")
# What every transaction message looks up, prepared (see chargers.prepared).
_EVSE = Prepared(
    lambda station_pk, number: EVSE.objects.filter(station=station_pk, number=number),
    station_pk=int,
    number=int,
)
_TRANSACTION = Prepared(
    lambda station_pk, transaction_id: Transaction.objects.filter(
        station=station_pk, transaction_id=transaction_id
    ),
    station_pk=int,
    transaction_id=str,
)
_BY_NATURAL_KEY = Prepared(
    lambda station_pk, natural_key: Transaction.objects.filter(station=station_pk, natural_key=natural_key),
    station_pk=int,
    natural_key=str,
)
_OPEN_AT = Prepared(
    lambda evse_pk: Transaction.objects.filter(evse=evse_pk, stopped_at__isnull=True).order_by("-pk"),
    evse_pk=int,
)
INFERRED = "Inferred"  # our stop reason where the charger named none because it forgot


@dataclass(slots=True)
class Message:
    """One request of a station, as it is handled."""

    link: Link
    action: str
    payload: dict[str, Any]
    received_at: datetime
    problem: str = ""
    keep_evidence: bool = True  # off while a station floods us with it
    evidence_kept: int = field(default=0, init=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, and when a transaction wants to be looked at again (None: not any more)."""

    payload: dict[str, Any]
    transaction_pk: int | None = None
    look_again_at: datetime | None = None


def keep_evidence(message: Message, problem: str, transaction: Transaction | None = None) -> None:
    """Store a message that could not be applied as sent; staff see it, money is never changed by it."""
    logger.warning("%s from %s: %s", message.action, message.link.identity, problem)
    if not message.keep_evidence:
        return
    raw = orjson.dumps(message.payload)
    payload = (
        message.payload
        if len(raw) <= EVIDENCE_BYTES
        else {"cut": raw[:EVIDENCE_BYTES].decode(errors="ignore")}
    )
    StationMessage.objects.create(
        station_id=message.link.station_pk,
        transaction=transaction,
        received_at=message.received_at,
        action=message.action[:50],
        problem=problem[:200],
        payload=payload,
    )
    message.evidence_kept += 1


def note_boot(message: Message, described: dict[str, str]) -> None:
    """A station started up and says what it is."""
    fenced_station(message.link)
    ChargingStation.objects.filter(pk=message.link.station_pk).update(
        booted_at=message.received_at, **described
    )
    current_desk().booted(StationBooted(station_pk=message.link.station_pk, received_at=message.received_at))


def note_status(
    message: Message, *, number: int, status: EvseStatus, error_code: str, changed_at: datetime
) -> None:
    """An EVSE reports its state; number 0 is the station itself and changes no EVSE."""
    station = fenced_station(message.link)
    evse = find_evse(station, number)
    if evse is None:
        return
    current_desk().status_changed(
        EvseStatusChanged(
            evse_pk=evse.pk,
            status=status,
            error_code=error_code,
            changed_at=changed_at,
            received_at=message.received_at,
        )
    )
    # After the desk: an EVSE's row is locked after the session that runs there, everywhere.
    is_news = evse.status != status
    news = {"updated_at": message.received_at} if is_news else {}
    EVSE.objects.filter(pk=evse.pk).update(
        status=status.value, error_code=error_code, status_at=message.received_at, **news
    )
    if is_news:
        announce_status(evse.pk)


def may_charge(message: Message, id_tag: str) -> bool:
    """Ask the desk whether an id tag may charge at this station."""
    fenced_station(message.link)
    return current_desk().authorize(station_pk=message.link.station_pk, id_tag=id_tag, at=message.received_at)


def find_evse(station: ChargingStation, number: int | None) -> EVSE | None:
    """Return the station's EVSE of that number."""
    if number is None or not 1 <= number < 2**31:
        return None
    return _EVSE.first(station_pk=station.pk, number=number)


def find_transaction(station: ChargingStation, transaction_id: str) -> Transaction | None:
    """Return the station's own transaction of that id."""
    return _TRANSACTION.first(station_pk=station.pk, transaction_id=transaction_id)


def open_transaction_at(evse: EVSE) -> Transaction | None:
    """Return the newest open transaction of an EVSE."""
    return _OPEN_AT.first(evse_pk=evse.pk)


def given_up_at(evse: EVSE) -> Transaction | None:
    """Return the last transaction of an EVSE where only our books closed it."""
    last = Transaction.objects.filter(evse=evse).order_by("-start_received_at", "-pk").first()
    return last if last is not None and last.given_up else None


def begin_transaction(
    message: Message,
    evse: EVSE,
    *,
    natural_key: str,
    id_tag: str,
    meter_start_wh: int | None,
    started_at: datetime,
) -> tuple[Transaction, datetime | None]:
    """Open a transaction, or return the one that this start already opened, with the same verdict.

    A charger repeats its start until it is answered, after a restart sometimes with a corrected clock.
    """
    known = _BY_NATURAL_KEY.first(station_pk=message.link.station_pk, natural_key=natural_key)
    forgotten = open_transaction_at(evse)
    if known is None and forgotten is not None:
        if forgotten.id_tag == id_tag and forgotten.meter_start_wh == meter_start_wh:
            known = forgotten
        else:
            _close_forgotten(message, forgotten)
    if known is not None:
        return known, None
    transaction = Transaction(
        station_id=message.link.station_pk,
        evse=evse,
        transaction_id=_new_transaction_id(message.link.station_pk),
        natural_key=natural_key,
        id_tag=id_tag,
        accepted=False,
        meter_start_wh=meter_start_wh,
        started_at=started_at,
        start_received_at=message.received_at,
    )
    insert(transaction)
    answer = current_desk().started(
        TransactionStarted(
            transaction_pk=transaction.pk,
            station_pk=message.link.station_pk,
            evse_pk=evse.pk,
            id_tag=id_tag,
            meter_start_wh=meter_start_wh,
            started_at=started_at,
            received_at=message.received_at,
        )
    )
    if answer.accepted:
        transaction.accepted = True
        update(transaction, ["accepted"])
    return transaction, answer.look_again_at


def note_meter(
    message: Message, transaction: Transaction, readings: tuple[MeterReading, ...]
) -> datetime | None:
    """Hand readings to the desk; returns when it wants to look again."""
    if not readings:
        return None
    return current_desk().metered(
        TransactionMetered(transaction_pk=transaction.pk, readings=readings, received_at=message.received_at)
    )


def keep_signed(transaction: Transaction, values: tuple[SignedReading, ...]) -> None:
    """Keep what the meter signed with its transaction, each text once; no money depends on it.

    The first value beyond the limit is noted without its text, the following ones are passed over.
    """
    for value in values:
        kept = SignedMeterValue.objects.filter(transaction=transaction)
        if value.context in _ENDS:
            most, count = MOST_SIGNED_AT_AN_END, kept.filter(context=value.context).count()
        else:
            most, count = MOST_SIGNED_BETWEEN, kept.exclude(context__in=_ENDS).count()
        if count <= most:
            dropped = value.problem or (f"more than {most} of its kind" if count == most else "")
            insert_if_new(
                SignedMeterValue(
                    transaction=transaction,
                    context=value.context,
                    measurand=value.measurand,
                    sampled_at=value.sampled_at,
                    received_at=value.received_at,
                    text="" if dropped else value.text,
                    digest=value.digest,
                    dropped=dropped,
                )
            )


def end_transaction(
    message: Message,
    transaction: Transaction,
    *,
    meter_stop_wh: int | None,
    ended_at: datetime,
    reason: str,
    readings: tuple[MeterReading, ...] = (),
) -> bool:
    """Close a transaction once; returns False when it was closed before, and nothing changes then."""
    if not _close(
        transaction,
        meter_stop_wh=meter_stop_wh,
        stopped_at=ended_at,
        stop_received_at=message.received_at,
        stop_reason=reason,
        inferred=reason == INFERRED,
    ):
        return False
    current_desk().ended(
        TransactionEnded(
            transaction_pk=transaction.pk,
            meter_stop_wh=meter_stop_wh,
            ended_at=ended_at,
            received_at=message.received_at,
            reason=reason,
            readings=readings,
        )
    )
    return True


def end_transaction_late(
    message: Message,
    transaction: Transaction,
    *,
    meter_stop_wh: int | None,
    ended_at: datetime,
    reason: str,
    readings: tuple[MeterReading, ...] = (),
) -> bool:
    """Take the charger's own end of a transaction that was closed by inference, once; money is settled already.

    Returns False when the charger itself had closed it, or has told this end before (MONEY.md B20).
    """
    inferred = Transaction.objects.filter(pk=transaction.pk, inferred=True, late_stop_at__isnull=True)
    if not inferred.update(late_stop_at=message.received_at, meter_stop_wh=meter_stop_wh):
        return False
    current_desk().ended_late(
        TransactionEnded(
            transaction_pk=transaction.pk,
            meter_stop_wh=meter_stop_wh,
            ended_at=ended_at,
            received_at=message.received_at,
            reason=reason,
            readings=readings,
        )
    )
    return True


def note_lost(message: Message, *, transaction_id: str, id_tag: str) -> None:
    """A fault of ours kept a transaction message from being applied: whoever follows that transaction must know."""
    found = Transaction.objects.filter(
        station=message.link.station_pk, transaction_id=transaction_id
    ).values_list("pk", flat=True)
    current_desk().lost(
        MessageLost(
            station_pk=message.link.station_pk,
            transaction_pk=found.first(),
            id_tag=id_tag,
            action=message.action,
            received_at=message.received_at,
        )
    )


def _close(transaction: Transaction, **end: Any) -> bool:
    """Write the end if there is none yet, also none that a sweep wrote a moment ago."""
    closed = Transaction(pk=transaction.pk, **end)
    return update_while_null(closed, "stopped_at", tuple(end))


def _close_forgotten(message: Message, forgotten: Transaction) -> None:
    """A new transaction begins where one is still open: the charger forgot the old one, its last sample counts."""
    keep_evidence(message, "a transaction was still open at this EVSE; closed by inference", forgotten)
    end_transaction(message, forgotten, meter_stop_wh=None, ended_at=message.received_at, reason=INFERRED)


def _new_transaction_id(station_pk: int) -> str:
    """Return a random positive int32, as small firmware keeps it, that this station has not had."""
    while True:
        transaction_id = str(secrets.randbelow(2**31 - 1) + 1)
        if _TRANSACTION.first(station_pk=station_pk, transaction_id=transaction_id) is None:
            return transaction_id
