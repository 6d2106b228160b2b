"""Ask something of a charger, from any process: a durable row with a deadline, and a wake-up after commit.

Call these inside the transaction of whatever asks, so that the wish and its reason are stored together. The
outcome comes back through `desk.command_settled` with the `reference` given here.
"""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from chargers.desk import current_desk
from chargers.facts import CommandAction, CommandOutcome, CommandSettled
from chargers.models import EVSE, ChargingStation, Command, Transaction
from chargers.wake import push_to_charger

logger = logging.getLogger(__name__)
SWEEP_BATCH = 500
SMART_CHARGING = "SmartCharging"  # OCPP 1.6 §3.3, the feature profile
_UNREFUSED = (Command.State.QUEUED, Command.State.SENT, Command.State.ACCEPTED)


def start(
    *, station: ChargingStation, evse: EVSE, id_tag: str, reference: str, actor: str, deadline_at: datetime
) -> Command:
    """Ask a charger to start charging for `id_tag`. Raises IntegrityError for a second start of a reference (I9)."""
    arguments = {"evse": evse.number, "evse_pk": evse.pk, "id_tag": id_tag}
    return _queue(station.pk, CommandAction.START, arguments, actor, deadline_at, reference)


def stop(*, transaction: Transaction, reference: str, actor: str, deadline_at: datetime) -> Command:
    """Ask a charger to end a transaction."""
    arguments = {"transaction_id": transaction.transaction_id, "transaction_pk": transaction.pk}
    return _queue(transaction.station_id, CommandAction.STOP, arguments, actor, deadline_at, reference)


def cut_power(
    *, transaction: Transaction, reference: str, actor: str, deadline_at: datetime
) -> Command | None:
    """Ask a charger for zero power in a transaction that it does not end; asking once is enough.

    Returns None where it has no smart charging, or was asked already (OCPP 1.6 §5.16: such a profile stays in
    force until the transaction ends).
    """
    station = transaction.station
    asked = Command.objects.filter(
        station=station, action=CommandAction.CUT_POWER, arguments__transaction_pk=transaction.pk
    )
    if not station.has_feature(SMART_CHARGING) or asked.filter(state__in=_UNREFUSED).exists():
        return None
    highest = str(station.configuration.get("ChargeProfileMaxStackLevel", ""))
    arguments = {
        "evse": transaction.evse.number,
        "evse_pk": transaction.evse_id,
        "transaction_id": transaction.transaction_id,
        "transaction_pk": transaction.pk,
        "in_amperes": station.configuration.get("ChargingScheduleAllowedChargingRateUnit") == "Current",
        "stack_level": int(highest) if highest.isascii() and highest.isdigit() and len(highest) <= 4 else 0,
    }
    return _queue(station.pk, CommandAction.CUT_POWER, arguments, actor, deadline_at, reference)


def unlock(*, evse: EVSE, actor: str, reference: str = "", deadline_at: datetime | None = None) -> Command:
    """Ask a charger to let go of the cable. Raises ValueError for an EVSE without a station."""
    if evse.station_id is None:
        raise ValueError(f"{evse} has no charging station")
    arguments = {"evse": evse.number, "evse_pk": evse.pk}
    return _queue(evse.station_id, CommandAction.UNLOCK, arguments, actor, deadline_at, reference)


def reset(
    *, station: ChargingStation, hard: bool, actor: str, deadline_at: datetime | None = None
) -> Command:
    """Ask a charger to restart; soft lets it end its transactions first."""
    return _queue(station.pk, CommandAction.RESET, {"hard": hard}, actor, deadline_at)


def trigger(
    *,
    station: ChargingStation,
    message: str,
    actor: str,
    evse: EVSE | None = None,
    deadline_at: datetime | None = None,
) -> Command:
    """Ask a charger to send a message now (`StatusNotification`, `BootNotification`, `MeterValues`, …)."""
    arguments: dict[str, Any] = {"message": message}
    if evse is not None:
        arguments |= {"evse": evse.number, "evse_pk": evse.pk}
    return _queue(station.pk, CommandAction.TRIGGER, arguments, actor, deadline_at)


def read_configuration(
    *, station: ChargingStation, actor: str, keys: tuple[str, ...] = (), deadline_at: datetime | None = None
) -> Command:
    """Ask a charger for its configuration keys, all of them by default; they end up on the station's row."""
    return _queue(station.pk, CommandAction.READ_CONFIGURATION, {"keys": list(keys)}, actor, deadline_at)


def write_configuration(
    *, station: ChargingStation, key: str, value: str, actor: str, deadline_at: datetime | None = None
) -> Command:
    """Ask a charger to change one configuration key."""
    arguments = {"key": key, "value": value}
    return _queue(station.pk, CommandAction.WRITE_CONFIGURATION, arguments, actor, deadline_at)


def _queue(
    station_pk: int,
    action: CommandAction,
    arguments: dict[str, Any],
    actor: str,
    deadline_at: datetime | None,
    reference: str = "",
) -> Command:
    now = timezone.now()
    command = Command.objects.create(
        station_id=station_pk,
        action=action,
        arguments=arguments,
        reference=reference,
        actor=actor[:150],
        created_at=now,
        deadline_at=deadline_at or now + timedelta(seconds=settings.COMMAND_TIMEOUT_SECONDS),
    )
    transaction.on_commit(partial(push_to_charger, station_pk), robust=True)
    return command


def settle(
    *,
    command_pk: int,
    outcome: CommandOutcome,
    now: datetime,
    expected: tuple[str, ...],
    detail: str = "",
    response: dict[str, Any] | None = None,
) -> bool:
    """Store how a command ended and tell the desk, inside the caller's transaction.

    Only one outcome counts: returns False when the command is no longer in an `expected` state.
    """
    changed = Command.objects.filter(pk=command_pk, state__in=expected).update(
        state=outcome.value, settled_at=now, response=response or ({"detail": detail} if detail else {})
    )
    if not changed:
        return False
    command = Command.objects.get(pk=command_pk)
    current_desk().command_settled(
        CommandSettled(
            command_pk=command.pk,
            station_pk=command.station_id,
            action=CommandAction(command.action),
            reference=command.reference,
            outcome=outcome,
            detail=detail,
            settled_at=now,
        )
    )
    return True


def expire(now: datetime) -> int:
    """Settle commands past their deadline, each in a transaction of its own; returns how many.

    What never left is UNSENT, what left and was not answered is UNANSWERED.
    """
    overdue = Command.objects.filter(
        state__in=[Command.State.QUEUED, Command.State.SENT], deadline_at__lte=now
    ).order_by("deadline_at")
    settled = 0
    for command_pk, state in overdue.values_list("pk", "state")[:SWEEP_BATCH]:
        unsent = state == Command.State.QUEUED
        outcome = CommandOutcome.UNSENT if unsent else CommandOutcome.UNANSWERED
        try:
            with transaction.atomic():
                settled += settle(
                    command_pk=command_pk,
                    outcome=outcome,
                    now=now,
                    expected=(state,),
                    detail=outcome.value.lower(),
                )
        except Exception:
            # One broken row must not keep the others waiting; it is found again by the next sweep.
            logger.exception("command %s could not be settled", command_pk)
    return settled
