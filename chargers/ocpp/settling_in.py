"""What a station is asked some seconds after it connected or booted, once it has said what it says by itself."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils import timezone

from chargers import commands
from chargers.desk import current_desk
from chargers.facts import CommandAction
from chargers.models import EVSE, ChargingStation, Command, Transaction
from chargers.ocpp.presence import Link, fenced_station

ACTOR = "system"


def settle_in(link: Link, *, booted: bool) -> list[tuple[int, datetime | None]]:
    """Ask for what is missing, inside the caller's transaction; returns open transactions and when to look at them.

    A reconnect without a boot is normal, and statuses are not queued offline: what changed meanwhile must be
    asked for. Raises Displaced.
    """
    station = fenced_station(link)
    if station.booted_at is None:
        _ask_once(station, "BootNotification")
    if _statuses_are_old(station):
        _ask_once(station, "StatusNotification")
    wanted = booted or not station.configuration
    if wanted and not _waiting(station, CommandAction.READ_CONFIGURATION).exists():
        commands.read_configuration(station=station, actor=ACTOR)
    now = timezone.now()
    running = Transaction.objects.filter(station=station, stopped_at__isnull=True, accepted=True)
    return [
        (pk, current_desk().look_again(transaction_pk=pk, at=now))
        for pk in running.values_list("pk", flat=True)[:100]
    ]


def _statuses_are_old(station: ChargingStation) -> bool:
    old = Q(status_at__isnull=True) | Q(status_at__lt=station.connected_at)
    return EVSE.objects.filter(old, station=station, removed=False).exists()


def _ask_once(station: ChargingStation, message: str) -> None:
    if not _waiting(station, CommandAction.TRIGGER).filter(arguments__message=message).exists():
        commands.trigger(station=station, message=message, actor=ACTOR)


def _waiting(station: ChargingStation, action: CommandAction) -> QuerySet[Command]:
    return Command.objects.filter(
        station=station, action=action, state__in=[Command.State.QUEUED, Command.State.SENT]
    )
