"""Transactions that no session pays for: they are told to stop, and told again (SAFETY S5; MONEY.md B5, B10, B17).

Two kinds: one that was not accepted, for its tag is unknown, its session over, or it began elsewhere than where it
was paid for; and one that was closed in our books, for the charger seemed to have forgotten it, and that goes on.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from chargers import commands
from chargers.facts import CommandAction, TransactionStarted
from chargers.models import Command, Transaction
from sessions_app import lifecycle
from sessions_app.models import Session

CHASED_FOR = timedelta(days=1)  # a stray transaction of yesterday is the operator's business
BATCH = 500
LATE_START = "the charger started after the session was over"

_UNACCEPTED = Q(accepted=False, stopped_at__isnull=True)
_GIVEN_UP = Q(
    inferred=True, late_stop_at__isnull=True
)  # it may be over all the same: the charger never said so
_STRAYS = Transaction.objects.select_related("station__process")


def refuse(session: Session | None, fact: TransactionStarted) -> None:
    """Stop a transaction that came for no session, too late, twice, or elsewhere: the hold may be gone."""
    _stop(_STRAYS.get(pk=fact.transaction_pk), fact.received_at)
    if session is not None:
        lifecycle.record(
            session,
            "StrayTransaction",
            now=fact.received_at,
            data={"transaction": fact.transaction_pk},
            review=LATE_START if session.is_over else "",
        )


def metered(transaction_pk: int, *, now: datetime) -> None:
    """A transaction behind which no session runs sends meter values: it goes on."""
    for stray in _STRAYS.filter(_UNACCEPTED | _GIVEN_UP, pk=transaction_pk):
        _stop(stray, now)


def charging_at(evse_pk: int, *, now: datetime) -> None:
    """An EVSE where no session runs says that it charges: the last transaction there, if nobody told its end."""
    last = _STRAYS.filter(evse=evse_pk).order_by("-start_received_at", "-pk")[:1].values("pk")
    for stray in _STRAYS.filter(_UNACCEPTED | _GIVEN_UP, pk__in=list(last.values_list("pk", flat=True))):
        _stop(stray, now)


def chase(now: datetime) -> int:
    """Stop again what was not accepted and did not obey; returns how many were asked.

    Only where somebody listens: a charger that is away is asked when it is back.
    """
    strays = _STRAYS.filter(_UNACCEPTED, start_received_at__gte=now - CHASED_FOR)
    chased = 0
    for stray in strays[:BATCH]:
        if stray.station.online:
            with transaction.atomic():
                chased += _stop(stray, now)
    return chased


def _stop(stray: Transaction, now: datetime) -> bool:
    """Queue a stop, unless the last one may still be obeyed."""
    patience = timedelta(seconds=settings.STOP_TIMEOUT_SECONDS)
    asked = Command.objects.filter(
        station=stray.station_id, action=CommandAction.STOP, arguments__transaction_pk=stray.pk
    )
    if asked.filter(created_at__gt=now - patience).exists():
        return False
    commands.stop(transaction=stray, reference="", actor="system", deadline_at=now + patience)
    return True
