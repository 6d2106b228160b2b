"""Which connection speaks for a station: taken by the newest that authenticated, given back when it ends.

Every write of a connection carries its `connection_id` (fencing): once another connection took over, on
this process or another, nothing of the old one matches any more.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from chargers.models import PROCESS_LEASE_SECONDS, ChargingStation, WebProcess
from chargers.prepared import Prepared


class Displaced(Exception):
    """Another connection speaks for this station now."""


@dataclass(frozen=True, slots=True)
class Link:
    """One connection of one station."""

    station_pk: int
    identity: str
    connection_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The connection that was taken over from, and where it lives."""

    connection_id: uuid.UUID
    process_id: uuid.UUID | None
    channel_name: str


def take(
    station: ChargingStation, *, process_id: uuid.UUID, channel_name: str, subprotocol: str
) -> tuple[Link, Predecessor | None]:
    """Make a new connection the one that speaks for the station, inside the caller's transaction."""
    link = Link(station.pk, station.identity, uuid.uuid4())
    now = timezone.now()
    before = ChargingStation.objects.select_for_update(no_key=True, of=("self",)).get(pk=station.pk)
    predecessor = (
        Predecessor(before.connection_id, before.process_id, before.channel_name)
        if before.connection_id is not None
        else None
    )
    ChargingStation.objects.filter(pk=station.pk).update(
        connection_id=link.connection_id,
        process_id=process_id,
        channel_name=channel_name,
        protocol=subprotocol,
        connected_at=now,
        last_seen_at=now,
        swaps=F("swaps") + (1 if predecessor is not None else 0),
    )
    return link, predecessor


def give_back(link: Link) -> bool:
    """The connection is over; returns False when another one had already taken over."""
    return bool(
        ChargingStation.objects.filter(pk=link.station_pk, connection_id=link.connection_id).update(
            connection_id=None, process=None, channel_name="", disconnected_at=timezone.now()
        )
    )


_FENCED = Prepared(
    lambda pk, connection_id: ChargingStation.objects.select_for_update(no_key=True).filter(
        pk=pk, connection_id=connection_id
    ),
    pk=int,
    connection_id=uuid.UUID,
)


def fenced_station(link: Link) -> ChargingStation:
    """Return the station with its row locked, so that its messages are applied one after the other.

    Raises Displaced when another connection has taken over.
    """
    station = _FENCED.first(pk=link.station_pk, connection_id=link.connection_id)
    if station is None:
        raise Displaced(link.identity)
    return station


def touch_process(process_id: uuid.UUID, now: datetime) -> bool:
    """Renew a process's lease; returns False when its row was gone and had to be made again."""
    if WebProcess.objects.filter(pk=process_id).update(alive_at=now):
        return True
    WebProcess.objects.create(pk=process_id, started_at=now, alive_at=now)
    return False


def reattach(process_id: uuid.UUID, links: list[Link]) -> None:
    """Point stations at their process again after its row was lost (it had been taken for dead)."""
    for link in links:
        ChargingStation.objects.filter(pk=link.station_pk, connection_id=link.connection_id).update(
            process_id=process_id
        )


def note_heard(process_id: uuid.UUID, station_pks: list[int], now: datetime) -> None:
    """Store that these stations were heard: one statement for all."""
    ChargingStation.objects.filter(pk__in=station_pks, process_id=process_id).update(last_seen_at=now)


def lost_to_others(process_id: uuid.UUID, station_pks: list[int]) -> list[int]:
    """Return those of a process's stations for which another process speaks now."""
    others = ChargingStation.objects.filter(pk__in=station_pks, process__isnull=False)
    return list(others.exclude(process_id=process_id).values_list("pk", flat=True))


def leave_process(process_id: uuid.UUID) -> None:
    """A process stops cleanly: its stations are gone at once."""
    _clear_presence(ChargingStation.objects.filter(process_id=process_id))
    WebProcess.objects.filter(pk=process_id).delete()


def forget_dead_processes(now: datetime) -> None:
    """Clear what processes that died left behind; their lease has been over for several periods."""
    dead = WebProcess.objects.filter(alive_at__lt=now - timedelta(seconds=4 * PROCESS_LEASE_SECONDS))
    for process_id in dead.values_list("pk", flat=True):
        with transaction.atomic():
            leave_process(process_id)


def single_process_start() -> None:
    """Clear all presence at the start of the only process: whoever held sockets before it is dead.

    Call this under the lock that makes it the only one.
    """
    with transaction.atomic():
        _clear_presence(ChargingStation.objects.filter(connection_id__isnull=False))
        WebProcess.objects.all().delete()


def _clear_presence(stations: QuerySet[ChargingStation]) -> None:
    stations.update(connection_id=None, process=None, channel_name="", disconnected_at=timezone.now())
