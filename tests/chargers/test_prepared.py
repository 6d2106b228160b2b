"""Prepared statements say the same as the ORM, on every database, for every kind of field."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chargers.models import EVSE, ChargingStation, Transaction
from chargers.prepared import Prepared, insert, insert_if_new, update, update_while_null
from sessions_app.models import MeterSample, Session
from tests import builders

pytestmark = pytest.mark.django_db

BY_NUMBER = Prepared(
    lambda station_pk, number: EVSE.objects.filter(station=station_pk, number=number).select_related(
        "site", "station__process"
    ),
    station_pk=int,
    number=int,
)


def _fields(row: Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _transaction(at: EVSE, **fields: object) -> Transaction:
    facts = {
        "station_id": at.station_id,
        "evse": at,
        "transaction_id": str(builders.next_number()),
        "natural_key": uuid.uuid4().hex,
        "id_tag": "TAG",
        "accepted": True,
        "meter_start_wh": 2**40,
        "started_at": timezone.now(),
        "start_received_at": timezone.now(),
    }
    return Transaction(**(facts | fields))


# --- Queries --------------------------------------------------------------------------------------


def test_a_prepared_query_returns_what_the_orm_returns_with_related_rows() -> None:
    place = builders.evse(source={"capabilities": ["RFID_READER"]})

    found = BY_NUMBER.first(station_pk=place.station_id, number=place.number)

    assert found == place
    assert _fields(found) == _fields(EVSE.objects.get(pk=place.pk))
    with CaptureQueriesContext(connection) as queries:
        assert found.site.time_zone == "Europe/Helsinki"
        assert found.station is not None
        assert found.station.online
    assert not queries.captured_queries


def test_each_run_takes_its_own_values() -> None:
    first, second = builders.evse(), builders.evse()

    found = [BY_NUMBER.first(station_pk=each.station_id, number=each.number) for each in (first, second)]

    assert found == [first, second]


def test_a_query_without_a_match_returns_none() -> None:
    assert BY_NUMBER.first(station_pk=1, number=999) is None


def test_an_absent_related_row_is_none() -> None:
    place = builders.evse(at=builders.station(online=False))

    found = BY_NUMBER.first(station_pk=place.station_id, number=place.number)

    assert found is not None
    assert found.station is not None
    assert found.station.process is None


def test_every_kind_of_parameter_is_found_again() -> None:
    running = builders.cast().running()
    session = running.session
    by_all = Prepared(
        lambda pk, id_tag, transaction_pk: Session.objects.filter(
            pk=pk, id_tag=id_tag, transaction=transaction_pk, state__in=["CHARGING", "SUSPENDED"]
        ),
        pk=uuid.UUID,
        id_tag=str,
        transaction_pk=int,
    )
    values = {"pk": session.pk, "id_tag": session.id_tag, "transaction_pk": session.transaction_id}

    assert _fields(by_all.first(**values)) == _fields(session)
    assert by_all.first(**{**values, "pk": uuid.uuid4()}) is None
    assert by_all.first(**{**values, "id_tag": "another"}) is None
    assert by_all.first(**{**values, "transaction_pk": 0}) is None


def test_the_order_is_the_one_that_was_asked_for() -> None:
    place = builders.evse()
    older, newer = _transaction(place), _transaction(place)
    older.save()
    newer.save()
    newest = Prepared(lambda pk: Transaction.objects.filter(evse=pk).order_by("-pk"), pk=int)

    assert newest.first(pk=place.pk) == newer


def test_a_text_is_a_value_and_never_sql() -> None:
    place = builders.evse()
    by_id = Prepared(lambda text: Transaction.objects.filter(transaction_id=text), text=str)
    _transaction(place, transaction_id="7").save()

    assert by_id.first(text="7' OR '1'='1") is None
    assert by_id.first(text="%s") is None


# --- Rows -----------------------------------------------------------------------------------------


def test_an_inserted_row_is_the_row_that_save_would_have_written() -> None:
    place = builders.evse()
    row = _transaction(place)

    insert(row)

    assert row.pk is not None
    assert _fields(Transaction.objects.get(pk=row.pk)) == _fields(row)
    row.id_tag = "SAVED-LATER"
    row.save()
    assert Transaction.objects.get().id_tag == "SAVED-LATER"


def test_a_second_row_with_the_same_key_is_refused() -> None:
    place = builders.evse()
    first = _transaction(place)
    insert(first)

    with pytest.raises(IntegrityError), transaction.atomic():
        insert(_transaction(place, transaction_id=first.transaction_id))

    assert Transaction.objects.count() == 1


def test_a_row_is_inserted_once_where_its_key_may_be_taken() -> None:
    session = builders.cast().running().session
    facts = {
        "session": session,
        "sampled_at": timezone.now(),
        "received_at": timezone.now(),
        "register_wh": 100,
        "power_w": None,
        "current_a": Decimal("12.345"),
        "context": "Sample.Periodic",
    }
    row, again = MeterSample(**facts), MeterSample(**facts)

    assert insert_if_new(row)
    assert not insert_if_new(again)

    assert again.pk is None
    assert _fields(MeterSample.objects.get()) == _fields(row)


def test_an_update_writes_its_fields_and_no_other() -> None:
    session = builders.cast().running().session
    session.meter_state = {"text": "ä", "list": [1, None]}
    session.stop_at = timezone.now()
    session.clock_skew_seconds = -1.5
    session.energy_wh = 99

    update(session, ["meter_state", "stop_at", "clock_skew_seconds"])

    stored = Session.objects.get(pk=session.pk)
    assert stored.energy_wh == 0
    stored.energy_wh = 99
    assert _fields(stored) == _fields(session)


def test_an_update_of_a_row_that_is_gone_raises() -> None:
    place = builders.evse()
    row = _transaction(place)
    row.pk = 10**9

    with pytest.raises(Transaction.DoesNotExist):
        update(row, ["accepted"])


def test_the_first_end_of_a_transaction_is_kept() -> None:
    row = _transaction(builders.evse())
    insert(row)
    first, later = timezone.now(), timezone.now() + timedelta(seconds=1)

    row.stopped_at, row.stop_reason = first, "Local"
    assert update_while_null(row, "stopped_at", ["stopped_at", "stop_reason"])
    row.stopped_at, row.stop_reason = later, "Remote"
    assert not update_while_null(row, "stopped_at", ["stopped_at", "stop_reason"])

    stored = Transaction.objects.get()
    assert (stored.stopped_at, stored.stop_reason) == (first, "Local")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_prepared_query_locks_its_row() -> None:
    charger = builders.station()
    locking = Prepared(
        lambda pk: ChargingStation.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=pk),
        pk=int,
    )

    with transaction.atomic():
        assert locking.first(pk=charger.pk) == charger
        with psycopg.connect(**_address()) as other:
            locked = "SELECT id FROM chargers_chargingstation WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"
            assert other.execute(locked, [charger.pk]).fetchone() is None


def _address() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    return {name: parameters[name] for name in ("dbname", "user", "host", "port") if name in parameters}
