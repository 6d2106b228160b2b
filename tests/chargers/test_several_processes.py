"""Several web processes with Redis between them; each server of a test has an event loop and a lease of its own."""

from collections.abc import Iterator

import pytest
from django.db import transaction
from pytest_django import Settings

from chargers import commands, wake
from chargers.models import ChargingStation, WebProcess
from chargers.ocpp import consumer, database, process
from chargers.ocpp.throttle import DoorThrottle
from tests.chargers.fake_desk import FakeDesk
from tests.chargers.parts import connected, eventually, make_station, serving
from tests.servers import free_port, redis_url

pytestmark = pytest.mark.redis


@pytest.fixture
def servers(
    transactional_db: None, desk: FakeDesk, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """Two servers that share the database and Redis."""
    from emabler.asgi import application

    settings.REDIS_URL = redis_url()
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [redis_url()]},
        }
    }
    monkeypatch.setattr(consumer, "_door", DoorThrottle())
    monkeypatch.setattr(consumer, "SETTLE_IN_SECONDS", 3600.0)
    monkeypatch.setattr(
        wake, "HINT_TIMEOUT_SECONDS", 20.0
    )  # no hint may be given up here, however slow Redis is
    monkeypatch.setattr(process, "LAYER_SECONDS", 20.0)
    with serving(application) as first, serving(application) as second:
        yield first, second
    database.close()


def test_a_command_from_another_process_reaches_the_socket_by_a_hint(
    servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station()
    monkeypatch.setattr(process, "QUEUE_PERIOD_SECONDS", 3600.0)  # no sweep helps
    monkeypatch.setattr(wake, "wake_here", lambda station_pk: False)  # as in a process without the socket

    with connected(servers[0]) as charger:
        charger.call("Heartbeat", {})
        with transaction.atomic():
            commands.reset(station=station, hard=False, actor="test")
        assert charger.next_command()[2] == "Reset"


def test_a_connection_to_another_process_closes_the_old_one(
    servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_station()

    with connected(servers[0]) as old, connected(servers[1]) as new:
        assert old.close_code() == 1008
        new.call("Heartbeat", {})
        assert WebProcess.objects.count() == 2
        assert ChargingStation.objects.get().online


def test_a_lost_word_of_the_takeover_is_found_by_the_sweep(
    servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_station()
    monkeypatch.setattr(process, "HEARD_PERIOD_SECONDS", 0.2)

    async def lost(*_: object) -> None:
        return None

    monkeypatch.setattr(process.Process, "tell_displaced", lost)
    with connected(servers[0]) as old, connected(servers[1]):
        assert old.close_code() == 1008


def test_a_silent_redis_costs_the_hint_and_not_the_command(
    servers: tuple[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station()
    monkeypatch.setattr(process, "QUEUE_PERIOD_SECONDS", 0.2)
    monkeypatch.setattr(wake, "wake_here", lambda station_pk: False)

    async def broken(*_: object) -> None:
        raise ConnectionError("no Redis")

    monkeypatch.setattr(wake, "_send_hint", broken)
    with connected(servers[0]) as charger:
        charger.call("Heartbeat", {})
        commands.reset(station=station, hard=False, actor="test")
        eventually(lambda: charger.next_command()[2] == "Reset")


def test_chargers_are_served_where_redis_is_away_from_the_start(
    servers: tuple[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station()
    monkeypatch.setattr(process, "QUEUE_PERIOD_SECONDS", 0.2)
    monkeypatch.setattr(wake, "wake_here", lambda station_pk: False)
    nowhere = {"hosts": [f"redis://127.0.0.1:{free_port()}/0"]}
    settings.CHANNEL_LAYERS = {"default": {**settings.CHANNEL_LAYERS["default"], "CONFIG": nowhere}}

    with connected(servers[0]) as charger:
        charger.call("Heartbeat", {})
        commands.reset(station=station, hard=False, actor="test")
        assert charger.next_command()[2] == "Reset"
