"""Whether a connector can be offered: the charger's word and the sessions that are live."""

import pytest
from django.utils import timezone

from chargers.availability import UnavailableReason, problem_of
from chargers.facts import EvseStatus
from chargers.models import EVSE
from sessions_app.offering import reason_against, reasons_against
from tests import builders

pytestmark = pytest.mark.django_db


def read(*evses):
    return list(
        EVSE.objects.select_related("station__process").filter(pk__in=[e.pk for e in evses]).order_by("pk")
    )


@pytest.mark.parametrize("status", list(EvseStatus))
@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("removed", [True, False])
def test_without_sessions_it_is_what_the_charger_says(status, online, removed):
    evse = builders.evse(at=builders.station(online=online), status=status, removed=removed)

    (found,) = read(evse)

    assert reason_against(found) == problem_of(found)


def test_without_a_station_nothing_can_start():
    evse = builders.evse()
    evse.station = evse.number = None

    assert reason_against(evse) == UnavailableReason.NO_STATION


@pytest.mark.parametrize("status", [EvseStatus.AVAILABLE, EvseStatus.PREPARING])
def test_a_transaction_of_someone_else_counts_as_the_charger_says(status):
    evse = builders.evse(status=status)
    now = timezone.now()
    builders.Transaction.objects.create(
        station=evse.station,
        evse=evse,
        transaction_id="1",
        natural_key="1",
        id_tag="RFID",
        accepted=False,
        started_at=now,
        start_received_at=now,
    )

    (found,) = read(evse)

    assert reason_against(found) == problem_of(found) == UnavailableReason.OCCUPIED


def test_a_session_that_waits_for_its_driver_takes_the_evse():
    cast = builders.cast()
    cast.payment()

    assert reason_against(read(cast.evse)[0]) == UnavailableReason.OCCUPIED


def test_a_session_that_is_over_leaves_the_evse_free():
    cast = builders.cast()
    builders.answer_start(cast.payment(), builders.CommandOutcome.REJECTED)

    assert reason_against(read(cast.evse)[0]) is None


def test_many_free_connectors_take_two_queries(django_assert_num_queries):
    station = builders.station()
    evses = read(*[builders.evse(at=station) for _ in range(10)])

    with django_assert_num_queries(2):
        assert set(reasons_against(evses).values()) == {None}
