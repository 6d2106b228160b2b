"""What we fetch from a platform because something may have been lost on the way here: terminals, confirmations.

OCPI 2.3.0 mod_payments, Sender interface. What comes is taken as the receiver takes it, so whatever is known
already changes nothing (MONEY.md B28).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Q

from payments import circuit
from payments.models import OcpiConnection, Payment
from payments.ocpi import booking, enrolment
from payments.ocpi.push import client, remembered
from payments.ocpi.push.client import CallFailed
from payments.ocpi.push.terminals import endpoint_of as terminals_endpoint
from payments.ocpi.push.terminals import module_endpoint
from payments.ocpi.tariffs import utc_text
from payments.states import PaymentState, Review
from tariffs.engine.errors import InvalidInput

logger = logging.getLogger(__name__)

OVERLAP: Final = timedelta(days=1)  # clocks differ, and a row may be stamped long before it is committed
NIGHTLY: Final = timedelta(hours=23)
WHEN_MISSED: Final = timedelta(minutes=15)  # between pulls while a confirmation is overdue
NEVER_GIVEN: Final = timedelta(hours=1)  # a platform that may not have the list at all


@dataclass(frozen=True, slots=True)
class Pulled:
    """How many objects came, and what was wrong with those that could not be taken."""

    taken: int = 0
    faults: tuple[str, ...] = ()


def pull_terminals(connection: OcpiConnection, *, now: datetime) -> Pulled:
    """Fetch all terminals of a platform. Raises CallFailed."""
    pulled = _pull(connection, terminals_endpoint(connection), enrolment.enrol, since=None, now=now)
    OcpiConnection.objects.filter(pk=connection.pk).update(terminals_pulled_at=now)
    return pulled


def pull_confirmations(connection: OcpiConnection, *, now: datetime) -> Pulled:
    """Fetch the confirmations since the last pull, with a day of overlap, and book them. Raises CallFailed."""
    address = connection.confirmations_url or module_endpoint(connection, "financial-advice-confirmations")
    last = connection.confirmations_pulled_at
    since = None if last is None else last - OVERLAP
    pulled = _pull(connection, address, booking.book, since=since, now=now)
    OcpiConnection.objects.filter(pk=connection.pk).update(confirmations_pulled_at=now)
    return pulled


def _pull(
    connection: OcpiConnection,
    address: str,
    take: Callable[..., object],
    *,
    since: datetime | None,
    now: datetime,
) -> Pulled:
    """Take page after page; an object that cannot be read keeps none of the others back."""
    if not address:
        raise client.Refused("the platform has no such list")
    query = {} if since is None else {"date_from": str(utc_text(since))}
    taken, faults = 0, []
    for page in client.pages(connection, address, query=query, module="payments"):
        for item in page:
            try:
                take(connection, item, now=now)
                taken += 1
            except InvalidInput as error:
                faults.append(str(error)[:300])
                logger.warning("an object pulled from %s cannot be taken: %s", connection.ptp.name, error)
    return Pulled(taken, tuple(faults))


def pull_due(now: datetime) -> int:
    """Pull from the platforms whose turn it is, all once a night; returns how many pulls went well.

    A confirmation that is overdue is asked for sooner.
    """
    overdue = Payment.objects.filter(state=PaymentState.CAPTURING, review=Review.UNCONFIRMED)
    old = Q(confirmations_pulled_at__isnull=True) | Q(confirmations_pulled_at__lt=now - NIGHTLY)
    missed = Q(pk__in=overdue.values("connection"), confirmations_pulled_at__lt=now - WHEN_MISSED)
    due = OcpiConnection.objects.select_related("ptp").filter(
        old | missed, state=OcpiConnection.State.REGISTERED
    )
    return sum(
        _pull_one(connection, now=now)
        for connection in due.order_by(F("confirmations_pulled_at").asc(nulls_first=True))
        if not circuit.is_open(connection.ptp)
    )


def _pull_one(connection: OcpiConnection, *, now: datetime) -> bool:
    """Pull both lists; a platform that never gave them is asked again in an hour."""
    pause = NEVER_GIVEN if connection.confirmations_pulled_at is None else WHEN_MISSED
    if not terminals_endpoint(connection) or not remembered.take_turn(
        connection, "pull", every=pause, now=now
    ):
        return False
    try:
        pull_confirmations(connection, now=now)
        pull_terminals(connection, now=now)
    except CallFailed as error:
        logger.warning("nothing could be pulled from %s: %s", connection.ptp.name, error)
        return False
    return True
