"""Whether connectors can be offered to drivers now: what chargers report, and the sessions that are live.

A session that waits for its driver to plug in is not known to the charger yet; only this room knows it.
"""

from collections.abc import Sequence

from chargers.availability import UnavailableReason, problem_of
from chargers.facts import EvseStatus
from chargers.models import EVSE, Transaction
from sessions_app.models import Session
from sessions_app.states import LIVE

_FREE = frozenset({EvseStatus.AVAILABLE, EvseStatus.PREPARING})


def reasons_against(evses: Sequence[EVSE]) -> dict[int, UnavailableReason | None]:
    """Return per EVSE (by primary key) why it cannot be offered now, None when it can.

    Read the EVSEs with `select_related("station__process")`. Two queries for the common case, however many
    EVSEs; one more for each that has a transaction open which is not ours.
    """
    pks = [evse.pk for evse in evses]
    taken = set(Session.objects.filter(evse__in=pks, state__in=sorted(LIVE)).values_list("evse", flat=True))
    in_use = set(Transaction.objects.filter(evse__in=pks, stopped_at=None).values_list("evse", flat=True))
    return {evse.pk: _reason(evse, taken=evse.pk in taken, in_use=evse.pk in in_use) for evse in evses}


def reason_against(evse: EVSE) -> UnavailableReason | None:
    """Return why this EVSE cannot be offered now, None when it can."""
    return reasons_against([evse])[evse.pk]


def _reason(evse: EVSE, *, taken: bool, in_use: bool) -> UnavailableReason | None:
    if not in_use and _plainly_free(evse):
        problem = None  # what problem_of() would say, without its query for open transactions
    else:
        problem = problem_of(evse)
    return problem or (UnavailableReason.OCCUPIED if taken else None)


def _plainly_free(evse: EVSE) -> bool:
    station = evse.station
    return not evse.removed and station is not None and station.online and evse.status in _FREE
