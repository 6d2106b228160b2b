"""What may be offered to a driver, and how long a start may take."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.availability import UnavailableReason, cable_is_in, problem_of, start_timeout_seconds
from chargers.facts import EvseStatus
from chargers.models import EVSE, Transaction, WebProcess
from tests.chargers.parts import make_station

pytestmark = pytest.mark.django_db


def online_evse(status: EvseStatus = EvseStatus.AVAILABLE) -> EVSE:
    process = WebProcess.objects.create()
    evse = make_station(process=process, connection_id=uuid.uuid4()).evses.get()
    EVSE.objects.update(status=status, status_at=timezone.now())
    return EVSE.objects.select_related("station__process").get(pk=evse.pk)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (EvseStatus.AVAILABLE, None),
        (EvseStatus.PREPARING, None),
        (EvseStatus.UNKNOWN, UnavailableReason.NOT_REPORTED),
        (EvseStatus.CHARGING, UnavailableReason.OCCUPIED),
        (EvseStatus.SUSPENDED_EV, UnavailableReason.OCCUPIED),
        (EvseStatus.SUSPENDED_EVSE, UnavailableReason.OCCUPIED),
        (EvseStatus.FINISHING, UnavailableReason.OCCUPIED),
        (EvseStatus.RESERVED, UnavailableReason.RESERVED),
        (EvseStatus.UNAVAILABLE, UnavailableReason.OUT_OF_USE),
        (EvseStatus.FAULTED, UnavailableReason.FAULTED),
    ],
)
def test_every_status_has_its_answer(status: EvseStatus, reason: UnavailableReason | None) -> None:
    assert problem_of(online_evse(status)) is reason


def test_what_is_gone_is_not_offered() -> None:
    evse = online_evse()
    assert evse.station is not None
    assert evse.station.process is not None

    evse.station.process.alive_at = timezone.now() - timedelta(minutes=1)
    assert problem_of(evse) is UnavailableReason.OFFLINE
    evse.station = None
    assert problem_of(evse) is UnavailableReason.NO_STATION
    evse.removed = True
    assert problem_of(evse) is UnavailableReason.REMOVED


def open_transaction(evse: EVSE, **fields: object) -> None:
    given = {
        "transaction_id": "7",
        "natural_key": "k",
        "id_tag": "T",
        "accepted": True,
        "started_at": timezone.now(),
        "start_received_at": timezone.now(),
    } | fields
    assert evse.station is not None
    Transaction.objects.create(station=evse.station, evse=evse, **given)


def test_an_open_transaction_occupies_until_the_charger_says_free() -> None:
    evse = online_evse()

    open_transaction(evse)
    assert problem_of(evse) is UnavailableReason.OCCUPIED

    EVSE.objects.update(status_at=timezone.now() + timedelta(seconds=1))
    evse.refresh_from_db()
    assert problem_of(evse) is None


def test_the_cable_is_in_from_preparing_to_finishing() -> None:
    assert cable_is_in(online_evse(EvseStatus.PREPARING))
    EVSE.objects.update(status=EvseStatus.AVAILABLE)
    assert not cable_is_in(EVSE.objects.get())


@pytest.mark.parametrize(
    ("reported", "status", "seconds"),
    [
        ("45", EvseStatus.AVAILABLE, 60.0),
        ("", EvseStatus.AVAILABLE, 300.0),
        ("", EvseStatus.PREPARING, 120.0),
        ("NaN", EvseStatus.PREPARING, 120.0),
        ("0", EvseStatus.PREPARING, 120.0),
        ("999999", EvseStatus.AVAILABLE, 300.0),
    ],
)
def test_a_start_may_take_as_long_as_its_charger_waits(
    reported: str, status: EvseStatus, seconds: float
) -> None:
    evse = online_evse(status)
    assert evse.station is not None
    evse.station.configuration = {"ConnectionTimeOut": reported}

    assert start_timeout_seconds(evse) == seconds
