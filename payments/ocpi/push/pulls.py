"""What we fetch from a platform because something may have been lost on the way here: terminals, confirmations.

OCPI 2.3.0 mod_payments, Sender interface. What comes is taken as the receiver takes it, so whatever is known
already changes nothing (MONEY.md B28).
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q

from payments import circuit
from payments.models import OcpiConnection, Payment
from payments.ocpi import booking, enrolment
from payments.ocpi.push import client, remembered
from payments.ocpi.push.client import CallFailed, Unfinished
from payments.ocpi.push.remembered import Kind
from payments.ocpi.push.terminals import endpoint_of as terminals_endpoint
from payments.ocpi.push.terminals import module_endpoint
from payments.ocpi.tariffs import utc_text
from payments.states import PaymentState, Review
from tariffs.engine.errors import InvalidInput

logger = logging.getLogger(__name__)

OVERLAP: Final = timedelta(days=1)  # clocks differ, and a row may be stamped long before it is committed
NIGHTLY: Final = timedelta(hours=23)
WHEN_MISSED: Final = timedelta(minutes=15)  # between pulls while a confirmation is overdue
# A platform whose list has no end, or whose answers drip, must not take a worker for hours; with one slow
# answer at the end it is still below CELERY_TASK_TIME_LIMIT.
PULL_FOR_SECONDS: Final = 20.0
NEVER_GIVEN: Final = timedelta(hours=1)  # a platform that may not have the list at all


MOST_FAULTS: Final = 20  # told one by one: a page has room for a million objects that are none


@dataclass(slots=True)
class Pulled:
    """How many objects were taken, how many could not be, and what was wrong with the first of those."""

    taken: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)


def pull_terminals(connection: OcpiConnection, *, now: datetime, until: float | None = None) -> Pulled:
    """Fetch all terminals of a platform. Raises CallFailed."""
    address = terminals_endpoint(connection)
    pulled = _pull(connection, address, enrolment.enrol, since=None, until=_until(until), now=now)
    OcpiConnection.objects.filter(pk=connection.pk).update(terminals_pulled_at=now)
    return pulled


def pull_confirmations(connection: OcpiConnection, *, now: datetime, until: float | None = None) -> Pulled:
    """Fetch the confirmations since the last pull, with a day of overlap, and book them. Raises CallFailed."""
    address = confirmations_endpoint(connection)
    last = connection.confirmations_pulled_at
    since = None if last is None else last - OVERLAP
    pulled = _pull(connection, address, booking.book, since=since, until=_until(until), now=now)
    OcpiConnection.objects.filter(pk=connection.pk).update(confirmations_pulled_at=now)
    return pulled


def confirmations_endpoint(connection: OcpiConnection) -> str:
    """Return the platform's address of confirmations, "" where it has none."""
    return connection.confirmations_url or module_endpoint(connection, "financial-advice-confirmations")


def _pull(
    connection: OcpiConnection,
    address: str,
    take: Callable[..., object],
    *,
    since: datetime | None,
    until: float,
    now: datetime,
) -> Pulled:
    """Take object after object; one that cannot be read keeps none of the others back."""
    if not address:
        raise client.Refused("the platform has no such list")
    query = {} if since is None else {"date_from": str(utc_text(since))}
    pulled = Pulled()
    try:
        for each in _objects(connection, address, query, until=until, now=now):
            try:
                take(connection, each, now=now)
                pulled.taken += 1
            except InvalidInput as error:
                _note(pulled, error, connection)
    finally:
        if (more := pulled.refused - MOST_FAULTS) > 0:
            logger.warning("%d more objects pulled from %s cannot be taken", more, connection.ptp.name)
    return pulled


def _note(pulled: Pulled, error: InvalidInput, connection: OcpiConnection) -> None:
    pulled.refused += 1
    if pulled.refused <= MOST_FAULTS:
        pulled.faults.append(str(error)[:300])
        logger.warning("an object pulled from %s cannot be taken: %s", connection.ptp.name, pulled.faults[-1])


def _objects(
    connection: OcpiConnection, address: str, query: dict[str, str], *, until: float, now: datetime
) -> Iterator[Any]:
    """The objects of a list; one that was too long for the last pull goes on where that stopped.

    We ask as our main party, once: a platform gives one list for all its contracts, and one that gives each party
    its own would have to be asked for each, with its own place where a list that was too long goes on.
    """
    subject = f"rest:{remembered.digest(address)}"
    rest = remembered.recall(connection, Kind.LOOK, subject)
    remembered.forget(connection, Kind.LOOK, subject)
    place = {"url": rest["next"], "done": rest.get("done", 0)} if rest else {"url": address, "query": query}
    try:
        yield from client.objects(connection, **place, module="payments", until=until)
    except Unfinished as stopped:
        rest = {"next": stopped.next_url, "done": stopped.done}
        remembered.note(connection, Kind.LOOK, subject, rest, now=now)
        raise


def _until(until: float | None) -> float:
    return time.monotonic() + PULL_FOR_SECONDS if until is None else until


def pull_due(now: datetime) -> int:
    """Pull from the platforms whose turn it is, all once a night; returns how many of them gave something.

    A confirmation that is overdue is asked for sooner.
    """
    overdue = Payment.objects.filter(state=PaymentState.CAPTURING, review=Review.UNCONFIRMED)
    old = Q(confirmations_pulled_at__isnull=True) | Q(confirmations_pulled_at__lt=now - NIGHTLY)
    missed = Q(pk__in=overdue.values("connection"), confirmations_pulled_at__lt=now - WHEN_MISSED)
    due = OcpiConnection.objects.select_related("ptp").filter(
        old | missed, state=OcpiConnection.State.REGISTERED
    )
    until, pulled = _until(None), 0
    for connection in due.order_by(F("confirmations_pulled_at").asc(nulls_first=True)):
        if time.monotonic() > until:
            break  # the others have their turn still, at the next look
        if not circuit.is_open(connection.ptp):
            pulled += _pull_one(connection, until=until, now=now)
    return pulled


def _pull_one(connection: OcpiConnection, *, until: float, now: datetime) -> bool:
    """Pull what it has, one list whatever came of the other: terminals each night, confirmations when some lack."""
    lists: list[Callable[..., Pulled]] = []
    if confirmations_endpoint(connection):
        lists.append(pull_confirmations)
    pulled_at = connection.terminals_pulled_at
    if terminals_endpoint(connection) and (pulled_at is None or pulled_at < now - NIGHTLY):
        lists.append(pull_terminals)
    pause = NEVER_GIVEN if connection.confirmations_pulled_at is None else WHEN_MISSED
    if not lists or not remembered.take_turn(connection, "pull", every=pause, now=now):
        return False
    gave = [_gave(pull, connection, until=until, now=now) for pull in lists]
    return any(gave)


def _gave(pull: Callable[..., Pulled], connection: OcpiConnection, *, until: float, now: datetime) -> bool:
    try:
        pull(connection, now=now, until=until)
    except CallFailed as error:
        logger.warning("nothing could be pulled from %s: %s", connection.ptp.name, error)
        return False
    return True
