"""Terminals: which of a PTP's they are, what they sell, and when they were last heard of."""

from datetime import datetime

from django.db.models import Q, QuerySet

from chargers.models import EVSE, Connector, Site
from payments.models import Ptp, Terminal


def find_terminal(ptp: Ptp, terminal_id: str, *, among: QuerySet[Terminal] | None = None) -> Terminal | None:
    """Return the PTP's terminal of this id, or None; another PTP's may bear the same id.

    `ABC` and `abc` are one id (OCPI 2.3.0 types, CiString); where there are both, the spelling goes first.
    """
    theirs = (Terminal.objects.all() if among is None else among).filter(ptp=ptp)
    exact = theirs.filter(terminal_id=terminal_id).first()
    return exact or theirs.filter(terminal_id__iexact=terminal_id).first()


def connectors_of(terminal: Terminal) -> QuerySet[Connector]:
    """Return what a terminal sells: the connectors of its sites and of its own EVSEs, in stable order."""
    return _sold(Site.objects.filter(terminals=terminal), EVSE.objects.filter(terminals=terminal))


def connectors_of_ptp(ptp: Ptp) -> QuerySet[Connector]:
    """Return what any of a PTP's terminals sells."""
    return _sold(Site.objects.filter(terminals__ptp=ptp), EVSE.objects.filter(terminals__ptp=ptp))


def _sold(sites: QuerySet[Site], evses: QuerySet[EVSE]) -> QuerySet[Connector]:
    return (
        Connector.objects.filter(Q(evse__site__in=sites) | Q(evse__in=evses), evse__removed=False)
        .select_related("evse__station__process", "evse__site")
        .order_by("pk")
    )


def language_for(terminal: Terminal | None, wanted: str = "") -> str:
    """Return the language to speak: the one asked for, else the terminal's first, else English."""
    if wanted:
        return wanted.lower()
    return terminal.languages[0] if terminal is not None and terminal.languages else "en"


def note_seen(terminal: Terminal, *, now: datetime) -> None:
    """Note that a terminal is alive."""
    Terminal.objects.filter(pk=terminal.pk).update(last_seen_at=now)
