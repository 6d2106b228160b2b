"""Takes a station's queued commands to its socket: one in flight, each sent at most once, none after its deadline.

A task of its own per connection: an answer awaited inside the reader would starve the frame that brings it.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError
from django.db.models import Case, IntegerField, Value, When
from django.utils import timezone

from chargers import commands
from chargers.desk import current_desk
from chargers.facts import CommandAction, CommandOutcome
from chargers.failpoints import failpoint
from chargers.models import ChargingStation, Command
from chargers.ocpp import database, frames, v16_commands, v16_configuration
from chargers.ocpp.presence import Displaced, Link, fenced_station

logger = logging.getLogger(__name__)

# A driver waits for these; housekeeping comes after them and may not hold them up for long.
URGENT = (
    CommandAction.START,
    CommandAction.STOP,
    CommandAction.CUT_POWER,
    CommandAction.UNLOCK,
    CommandAction.RESET,
)
HOUSEKEEPING_SECONDS = 10.0
RETRY_SECONDS = 1.0

_FAILPOINTS = {
    CommandAction.START: ("F04_start_claimed", "F06_start_sent", "F07_start_answered"),
    CommandAction.STOP: ("F14_stop_claimed", "F14_stop_sent", "F14_stop_answered"),
}
_NO_FAILPOINTS = ("", "", "")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A claimed command, ready to leave."""

    command_pk: int
    unique_id: str
    action: CommandAction
    arguments: dict[str, Any]
    frame: str
    deadline_at: datetime


class Sender:
    """The outgoing half of one connection."""

    def __init__(self, link: Link, send: Callable[[str], Awaitable[None]]) -> None:
        self._link = link
        self._send = send
        self._awake = asyncio.Event()
        self._awake.set()
        self._pending: tuple[str, asyncio.Future[frames.CallResult | frames.CallError]] | None = None

    def wake(self) -> None:
        """Look at the queue."""
        self._awake.set()

    def take_answer(self, frame: frames.CallResult | frames.CallError) -> bool:
        """Take the answer to the command in flight; returns False when nobody waits for this one."""
        if self._pending is None or self._pending[0] != frame.unique_id or self._pending[1].done():
            return False
        self._pending[1].set_result(frame)
        return True

    async def run(self) -> None:
        """Send until cancelled or displaced. What is in flight then is settled at its deadline."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            try:
                while await self._send_next():
                    pass
            except Displaced:
                return
            except DatabaseError:
                logger.exception("commands of %s wait for the database", self._link.identity)
                await asyncio.sleep(RETRY_SECONDS)
                self._awake.set()
            except Exception:
                # A fault of ours with one command must not silence the station until it reconnects.
                logger.exception("a command of %s failed", self._link.identity)
                await asyncio.sleep(RETRY_SECONDS)
                self._awake.set()

    async def _send_next(self) -> bool:
        outgoing = await database.in_transaction(partial(claim_next, self._link))
        if outgoing is None:
            return False
        claimed, sent, answered = _FAILPOINTS.get(outgoing.action, _NO_FAILPOINTS)
        failpoint(claimed)
        answer = await self._exchange(outgoing, sent)
        failpoint(answered)
        await database.in_transaction(partial(store_answer, self._link, outgoing, answer))
        return True

    async def _exchange(self, outgoing: Outgoing, sent: str) -> frames.CallResult | frames.CallError | None:
        future: asyncio.Future[frames.CallResult | frames.CallError] = (
            asyncio.get_running_loop().create_future()
        )
        self._pending = (outgoing.unique_id, future)
        try:
            await self._send(outgoing.frame)
            failpoint(sent)
            return await asyncio.wait_for(future, _patience_seconds(outgoing))
        except TimeoutError:
            return None
        finally:
            self._pending = None


def _patience_seconds(outgoing: Outgoing) -> float:
    left = (outgoing.deadline_at - timezone.now()).total_seconds()
    return max(0.0, left if outgoing.action in URGENT else min(left, HOUSEKEEPING_SECONDS))


def claim_next(link: Link) -> Outgoing | None:
    """Mark the next command as sent on this connection, before a byte leaves; None when there is none.

    Raises Displaced.
    """
    fenced_station(link)
    now = timezone.now()
    urgency = Case(When(action__in=URGENT, then=Value(0)), default=Value(1), output_field=IntegerField())
    waiting = Command.objects.filter(
        station_id=link.station_pk, state=Command.State.QUEUED, deadline_at__gt=now
    )
    for command in waiting.order_by(urgency, "pk")[:50]:
        outgoing = _prepare(command, now)
        if outgoing is None:
            continue
        claimed = Command.objects.filter(pk=command.pk, state=Command.State.QUEUED).update(
            state=Command.State.SENT, sent_at=now, connection_id=link.connection_id
        )
        if claimed:
            return outgoing
    return None


def _prepare(command: Command, now: datetime) -> Outgoing | None:
    action, unique_id = CommandAction(command.action), str(uuid.uuid4())
    if not _still_wanted(command, now):
        _drop(command, "nobody waits for this start any more", now)
        return None
    try:
        name, payload = v16_commands.translate(action, command.arguments)
    except (KeyError, TypeError, ValueError) as error:
        logger.error("command %s cannot be said in OCPP 1.6: %r", command.pk, error)
        _drop(command, "cannot be said in OCPP 1.6", now)
        return None
    frame = frames.call(unique_id, name, payload)
    return Outgoing(command.pk, unique_id, action, command.arguments, frame, command.deadline_at)


def _still_wanted(command: Command, now: datetime) -> bool:
    """Whether a start may leave (I8): its driver may have gone while the station was away, the hold with them."""
    id_tag = command.arguments.get("id_tag")
    if command.action != CommandAction.START or not isinstance(id_tag, str):
        return True
    return current_desk().authorize(station_pk=command.station_id, id_tag=id_tag, at=now)


def _drop(command: Command, why: str, now: datetime) -> None:
    commands.settle(
        command_pk=command.pk,
        outcome=CommandOutcome.UNSENT,
        now=now,
        expected=(Command.State.QUEUED,),
        detail=why,
    )


def store_answer(link: Link, outgoing: Outgoing, frame: frames.CallResult | frames.CallError | None) -> None:
    """Store the outcome, tell the desk, and follow up, in one transaction. Raises Displaced."""
    station = fenced_station(link)
    now = timezone.now()
    if frame is None:
        answer = v16_commands.Answer(CommandOutcome.UNANSWERED, "no answer in time", {})
    else:
        answer = v16_commands.read_answer(outgoing.action, frame)
    settled = commands.settle(
        command_pk=outgoing.command_pk,
        outcome=answer.outcome,
        now=now,
        expected=(Command.State.SENT,),
        detail=answer.detail,
        response=answer.response,
    )
    if settled and outgoing.action is CommandAction.READ_CONFIGURATION and answer.configuration is not None:
        _take_configuration(station, answer.configuration, whole=not outgoing.arguments.get("keys"), now=now)
    elif settled and outgoing.action is CommandAction.WRITE_CONFIGURATION:
        _follow_write(station, outgoing, answer.outcome, now)


def _take_configuration(
    station: ChargingStation, reported: dict[str, str], *, whole: bool, now: datetime
) -> None:
    station.configuration = reported if whole else {**station.configuration, **reported}
    station.save(update_fields=["configuration"])
    if whole:
        for key, value in v16_configuration.differences(reported).items():
            _queue_write(station, key, value, now)


def _follow_write(
    station: ChargingStation, outgoing: Outgoing, outcome: CommandOutcome, now: datetime
) -> None:
    key, value = outgoing.arguments["key"], outgoing.arguments["value"]
    if outcome is CommandOutcome.ACCEPTED:
        station.configuration[key] = v16_commands.redacted(key, value)
        station.save(update_fields=["configuration"])
    elif outcome is CommandOutcome.REJECTED:
        less = v16_configuration.second_choice(key, value)
        if less is not None:
            _queue_write(station, key, less, now)


def _queue_write(station: ChargingStation, key: str, value: str, now: datetime) -> None:
    # Longer than a command of a driver: many keys go one after the other.
    deadline_at = now + timedelta(minutes=5)
    commands.write_configuration(
        station=station, key=key, value=value, actor="system", deadline_at=deadline_at
    )
