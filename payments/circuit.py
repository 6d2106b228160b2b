"""The circuit of each PTP: one that answers nobody is asked by one message at a time, every few seconds (S17).

One that answers with faults of its own (HTTP 500, OCPI 3000) is there, and goes on being called: a message that
it chokes on must not keep the others back. But what failed waits for up to an hour. Where it fails over several
messages it is therefore probed by one of them every few seconds, until one gets through that had failed before:
others that do meanwhile tell nothing of it, for it may be a part of the platform alone that fails.

Four fields of the PTP's row are all of it: calls in a row that reached nobody; messages in turn that met a fault,
and the last of them; and when the next probe may go out.
"""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet

from payments.models import Ptp

OPEN_AFTER = 5  # one lost packet or one restart of the peer must not slow down what follows

# Of messages: their PTP is being called as usual.
CLOSED = Q(ptp__failures_in_row__lt=OPEN_AFTER)
_TROUBLED = Q(failures_in_row__gte=OPEN_AFTER) | Q(errors_in_row__gte=OPEN_AFTER)


def is_open(ptp: Ptp) -> bool:
    """Whether the PTP is taken for down."""
    return ptp.failures_in_row >= OPEN_AFTER


def due_for_probe(now: datetime) -> list[int]:
    """Return the PTPs that nothing gets through to and may be asked again, the longest silent first."""
    return list(_probeable(now).order_by("probe_at").values_list("pk", flat=True))


def may_probe(ptp_id: int, *, now: datetime) -> bool:
    """Whether nothing gets through to the PTP and the next probe of it may go out."""
    return _probeable(now).filter(pk=ptp_id).exists()


def take_probe(ptp_id: int, *, now: datetime) -> bool:
    """Take the one call that may go out as a probe; one worker wins, on every database."""
    return bool(_probeable(now).filter(pk=ptp_id).update(probe_at=_next_probe(now)))


def give_probe_back(ptp_id: int, *, now: datetime) -> None:
    """A probe was taken and no call was made: another message may go at once."""
    Ptp.objects.filter(_TROUBLED, pk=ptp_id).update(probe_at=now)


def note_unreachable(ptp_id: int, *, now: datetime) -> None:
    """Count a call that reached nobody; the fifth in a row opens the circuit."""
    Ptp.objects.filter(pk=ptp_id).update(failures_in_row=F("failures_in_row") + 1)
    _plan_probe(ptp_id, now)


def note_answer(ptp_id: int) -> bool:
    """Note that the PTP answered, whatever it said; returns whether that closed its circuit."""
    closed = Ptp.objects.filter(pk=ptp_id, failures_in_row__gte=OPEN_AFTER).update(
        failures_in_row=0, probe_at=None
    )
    if not closed:
        Ptp.objects.filter(pk=ptp_id, failures_in_row__gt=0).update(failures_in_row=0)
    return bool(closed)


def note_fault(ptp_id: int, message_id: uuid.UUID, *, now: datetime) -> None:
    """Count a message that the PTP answered with a fault of its own; the same one again proves nothing new."""
    others = Ptp.objects.filter(Q(fault_of__isnull=True) | ~Q(fault_of=message_id), pk=ptp_id)
    if others.update(errors_in_row=F("errors_in_row") + 1, fault_of=message_id):
        _plan_probe(ptp_id, now)


def forget_faults(ptp_id: int) -> None:
    """What failed gets through again."""
    Ptp.objects.filter(pk=ptp_id, errors_in_row__gt=0).update(errors_in_row=0, fault_of=None)
    Ptp.objects.filter(~_TROUBLED, pk=ptp_id).update(probe_at=None)


def _plan_probe(ptp_id: int, now: datetime) -> None:
    Ptp.objects.filter(_TROUBLED, pk=ptp_id, probe_at__isnull=True).update(probe_at=_next_probe(now))


def _probeable(now: datetime) -> QuerySet[Ptp]:
    return Ptp.objects.filter(_TROUBLED, Q(probe_at__isnull=True) | Q(probe_at__lte=now))


def _next_probe(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.PEER_PROBE_SECONDS)
