"""The circuit of each PTP: one that answers nobody is asked by one message at a time, every few seconds (S17).

One that answers with faults of its own (HTTP 500, OCPI 3000) is there, and goes on being called: a message that
it chokes on must not keep the others back. But where nothing gets through, what failed waits for up to an hour;
so it is probed as often as one that is silent, and the first success makes all that waits due.

Three fields of the PTP's row are all of it: calls in a row that reached nobody, calls in a row that met a fault,
and when the next probe may go out.
"""

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


def has_failed(ptp: Ptp) -> bool:
    """Whether the last call to the PTP, as far as this row knows, did not get through."""
    return bool(ptp.failures_in_row or ptp.errors_in_row)


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
    _count(ptp_id, "failures_in_row", now)


def note_fault(ptp_id: int, *, now: datetime) -> bool:
    """Count a call that the PTP answered with a fault of its own; returns whether that closed its circuit."""
    closed = Ptp.objects.filter(pk=ptp_id, failures_in_row__gte=OPEN_AFTER)
    was_open = bool(closed.update(failures_in_row=0, probe_at=None))
    _count(ptp_id, "errors_in_row", now)
    return was_open


def note_reached(ptp_id: int) -> bool:
    """Note that a call got through; returns whether nothing had before."""
    ended = Ptp.objects.filter(_TROUBLED, pk=ptp_id).update(failures_in_row=0, errors_in_row=0, probe_at=None)
    if not ended:
        started = Q(failures_in_row__gt=0) | Q(errors_in_row__gt=0)
        Ptp.objects.filter(started, pk=ptp_id).update(failures_in_row=0, errors_in_row=0, probe_at=None)
    return bool(ended)


def _count(ptp_id: int, field: str, now: datetime) -> None:
    Ptp.objects.filter(pk=ptp_id).update(**{field: F(field) + 1})
    Ptp.objects.filter(_TROUBLED, pk=ptp_id, probe_at__isnull=True).update(probe_at=_next_probe(now))


def _probeable(now: datetime) -> QuerySet[Ptp]:
    return Ptp.objects.filter(_TROUBLED, Q(probe_at__isnull=True) | Q(probe_at__lte=now))


def _next_probe(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.PEER_PROBE_SECONDS)
