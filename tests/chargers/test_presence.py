"""One connection speaks for a station: the newest that proved itself."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from chargers.facts import EvseStatusChanged, TransactionStarted
from chargers.models import ChargingStation, WebProcess
from chargers.ocpp import presence
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import connected, make_station

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


def test_the_newest_connection_wins_and_the_old_one_is_closed(server: str, desk: FakeDesk) -> None:
    make_station()

    with connected(server) as old, connected(server) as new:
        assert old.close_code() == 1008
        new.call("StatusNotification", STATUS)

    assert len(desk.of(EvseStatusChanged)) == 1
    assert ChargingStation.objects.get().swaps == 1


def test_the_end_of_the_old_connection_does_not_end_the_new_one(server: str) -> None:
    make_station()

    with connected(server) as old, connected(server) as new:
        old.close_code()
        new.call("Heartbeat", {})
        assert ChargingStation.objects.get().online


def test_a_wrong_password_displaces_nobody(server: str) -> None:
    make_station()

    with connected(server) as charger:
        with pytest.raises(Exception, match="401"), connected(server, password="wrong"):
            pass
        charger.call("Heartbeat", {})
        assert ChargingStation.objects.get().swaps == 0


def test_writes_of_a_connection_that_lost_the_station_do_not_count(server: str, desk: FakeDesk) -> None:
    """Another process took over, and the message that tells so was lost: fencing holds."""
    station = make_station()

    with connected(server) as charger:
        charger.call("Heartbeat", {})
        ChargingStation.objects.filter(pk=station.pk).update(connection_id=uuid.uuid4())
        charger.send(
            [
                2,
                "1",
                "StartTransaction",
                {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "2026-05-01T12:00:00Z"},
            ]
        )
        assert charger.close_code() == 1008

    assert desk.of(TransactionStarted) == []


@pytest.mark.django_db
def test_a_dead_process_takes_its_stations_offline() -> None:
    dead = WebProcess.objects.create(alive_at=timezone.now() - timedelta(minutes=5))
    station = make_station(process=dead, connection_id=uuid.uuid4())

    assert not station.online
    presence.forget_dead_processes(timezone.now())

    station.refresh_from_db()
    assert station.connection_id is None
    assert not WebProcess.objects.exists()


@pytest.mark.django_db
def test_the_only_process_starts_with_nobody_present() -> None:
    before = WebProcess.objects.create()
    station = make_station(process=before, connection_id=uuid.uuid4(), channel_name="x")

    presence.single_process_start()

    station.refresh_from_db()
    assert (station.connection_id, station.process, station.online) == (None, None, False)


@pytest.mark.django_db
def test_a_process_that_was_taken_for_dead_takes_its_stations_back() -> None:
    process_id = uuid.uuid4()
    assert not presence.touch_process(process_id, timezone.now())
    station = make_station()
    link, _ = presence.take(station, process_id=process_id, channel_name="", subprotocol="ocpp1.6")
    WebProcess.objects.all().delete()
    station.refresh_from_db()
    assert not station.online

    assert not presence.touch_process(process_id, timezone.now())
    presence.reattach(process_id, [link])

    station.refresh_from_db()
    assert station.online
