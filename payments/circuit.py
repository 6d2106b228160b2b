"""The circuit of each PTP: one that answers nobody is asked by one message at a time, every few seconds (S17).

Two fields of the PTP's row are all of it: calls in a row that reached nobody, and when the next may go out.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q, QuerySet

from payments.models import Ptp

OPEN_AFTER = 5  # one lost packet or one restart of the peer must not slow down what follows

# Of messages: their PTP is being called as usual.
CLOSED = Q(ptp__failures_in_row__lt=OPEN_AFTER)


def is_open(ptp: Ptp) -> bool:
    """Whether the PTP is taken for down."""
    return ptp.failures_in_row >= OPEN_AFTER


def due_for_probe(now: datetime) -> list[int]:
    """Return the PTPs that are down and may be asked again, the longest silent first."""
    return list(_probeable(now).order_by("probe_at").values_list("pk", flat=True))


def may_probe(ptp_id: int, *, now: datetime) -> bool:
    """Whether the PTP is down and the next call to it may go out."""
    return _probeable(now).filter(pk=ptp_id).exists()


def take_probe(ptp_id: int, *, now: datetime) -> bool:
    """Take the one call that may go out to a PTP that is down; one worker wins, on every database."""
    return bool(_probeable(now).filter(pk=ptp_id).update(probe_at=_next_probe(now)))


def give_probe_back(ptp_id: int, *, now: datetime) -> None:
    """A probe was taken and no call was made: another message may go at once."""
    Ptp.objects.filter(pk=ptp_id, failures_in_row__gte=OPEN_AFTER).update(probe_at=now)


def note_unreachable(ptp_id: int, *, now: datetime) -> None:
    """Count a call that reached nobody; the fifth in a row opens the circuit."""
    Ptp.objects.filter(pk=ptp_id).update(failures_in_row=F("failures_in_row") + 1)
    Ptp.objects.filter(pk=ptp_id, failures_in_row__gte=OPEN_AFTER, probe_at__isnull=True).update(
        probe_at=_next_probe(now)
    )


def note_reached(ptp_id: int) -> bool:
    """Note that the PTP answered, whatever it said; returns whether that closed its circuit."""
    closed = Ptp.objects.filter(pk=ptp_id, failures_in_row__gte=OPEN_AFTER).update(
        failures_in_row=0, probe_at=None
    )
    if not closed:
        Ptp.objects.filter(pk=ptp_id, failures_in_row__gt=0).update(failures_in_row=0, probe_at=None)
    return bool(closed)


def _probeable(now: datetime) -> QuerySet[Ptp]:
    return Ptp.objects.filter(
        Q(probe_at__isnull=True) | Q(probe_at__lte=now), failures_in_row__gte=OPEN_AFTER
    )


def _next_probe(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.PEER_PROBE_SECONDS)
