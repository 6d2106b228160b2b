"""Looking for what platforms do not know yet of our tariffs, sites, EVSE states and terminals.

Rows are compared with what each platform was last given, so no change is lost with a wake-up, and a thousand
changes of one EVSE are one message. Only so many messages wait for a platform at a time: one that takes a
second for each is not sent a thousand.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q, QuerySet

from chargers.models import EVSE, Site
from payments import circuit, outbox
from payments.models import OcpiConnection, OcpiPush, OutboxMessage, SeenTariff
from payments.ocpi import connections
from payments.ocpi.connections import Party
from payments.ocpi.locations import location_document
from payments.ocpi.push import locations, remembered, sending, tariffs, terminals
from payments.ocpi.push.remembered import Kind
from payments.ocpi.rows import published_sites, sites_changed_since
from payments.ocpi.told_tariffs import told_tariffs
from sessions_app.models import Session

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 20  # messages of this room per platform
PAUSE: Final = timedelta(seconds=1)  # between looks; wake-ups come with every change of a session
LOOK_BACK: Final = timedelta(minutes=2)  # longer than any transaction, and than a few lost sweeps
# How often everything is compared: a tariff that begins or ends changes Locations without touching a row.
LOOK_AT_ALL: Final = timedelta(minutes=10)


def look(now: datetime) -> int:
    """Look at every platform that can be told; returns how many messages were stored."""
    told = 0
    registered = OcpiConnection.objects.select_related("ptp").filter(state=OcpiConnection.State.REGISTERED)
    for connection in registered.exclude(version=""):
        if circuit.is_open(connection.ptp) or not remembered.take_turn(
            connection, "look", every=PAUSE, now=now
        ):
            continue
        try:
            _welcome(connection, now=now)
            told += look_for(connection, now=now)
        except Exception:
            # One broken row must not keep the other platforms waiting.
            logger.exception("what %s does not know cannot be found out", connection.ptp.name)
    return told


def _welcome(connection: OcpiConnection, *, now: datetime) -> None:
    """What waited for a platform to register is due once it has; older notes of it count no more."""
    if not remembered.recall_all(connection, Kind.LOOK, ["welcome"]):
        outbox.hurry(connection.ptp_id, now=now)
        remembered.note(connection, Kind.LOOK, "welcome", {}, now=now)


def look_for(connection: OcpiConnection, *, now: datetime) -> int:
    """Store a message for each thing that this platform lacks, as many as may wait for it."""
    parties = connections.parties_of(connection)
    waiting = _waiting(connection)
    room = MOST_WAITING - len(waiting)
    news = [
        *_tariffs(connection, parties, now=now),
        *_sites(connection, parties, room=room, now=now),
        *((terminals.TOPIC, str(terminal.pk)) for terminal in terminals.untold(connection)),
    ]
    # What the platform still refers to is taken away last.
    gone = [] if news or waiting else _gone(connection, parties, now=now)
    fresh = [item for item in [*news, *gone] if item not in waiting]
    for topic, subject in fresh[: max(room, 0)]:
        outbox.tell(ptp=connection.ptp, topic=topic, subject=subject, lane=locations.LANE, now=now)
    if len(fresh) > room:
        remembered.give_turn_back(connection, "all")
    return min(len(fresh), max(room, 0))


def _waiting(connection: OcpiConnection) -> set[tuple[str, str]]:
    """What is on its way; telling it again would only undo how long it has waited."""
    due = OutboxMessage.objects.filter(
        ptp=connection.ptp, state=OutboxMessage.State.DUE, topic__in=(tariffs.TOPIC, locations.TOPIC)
    )
    return set(due.values_list("topic", "subject"))


def _tariffs(
    connection: OcpiConnection, parties: frozenset[Party], *, now: datetime
) -> Iterable[tuple[str, str]]:
    if not connection.endpoint(tariffs.MODULE):
        return
    given = remembered.recall_all(connection, Kind.TARIFF)
    for told in told_tariffs(connection, parties, version=sending.version_of(connection), now=now):
        if given.get(str(told.tariff_pk), {}).get("version") != told.shown.version_pk or told.is_news:
            yield tariffs.TOPIC, str(told.tariff_pk)


def _gone(connection: OcpiConnection, parties: frozenset[Party], *, now: datetime) -> list[tuple[str, str]]:
    """Tariffs that the platform was told and that are published no more."""
    if not connection.endpoint(tariffs.MODULE):
        return []
    published = told_tariffs(connection, parties, version=sending.version_of(connection), now=now)
    known = SeenTariff.objects.filter(connection=connection).values_list("tariff_id", flat=True)
    return [(tariffs.TOPIC, str(pk)) for pk in set(known) - {told.tariff_pk for told in published}]


def _sites(
    connection: OcpiConnection, parties: frozenset[Party], *, room: int, now: datetime
) -> Iterable[tuple[str, str]]:
    """Sites that the platform never got, and those that are another now than it was told."""
    if not connection.endpoint(locations.MODULE) or room <= 0:
        return
    given = remembered.recall_all(connection, Kind.SITE)
    ours = connections.sites_of(parties)
    new = [pk for pk in ours.order_by("pk").values_list("pk", flat=True) if str(pk) not in given]
    yield from ((locations.TOPIC, str(pk)) for pk in new)
    if len(new) >= room:
        return
    everything = remembered.take_turn(connection, "all", every=LOOK_AT_ALL, now=now)
    candidates = ours.exclude(pk__in=new) if everything else _changed(ours.exclude(pk__in=new), now)
    for site in published_sites(list(candidates), parties=parties, now=now):
        state = locations.state_of(location_document(site.entry, sending.version_of(connection)))
        if any(given[str(site.site_pk)].get(name) != state[name] for name in state):
            yield locations.TOPIC, str(site.site_pk)


def _changed(sites: QuerySet[Site], now: datetime) -> QuerySet[Site]:
    """Sites where anything moved lately; whether it is news is seen when they are compared."""
    at = now - LOOK_BACK
    states = EVSE.objects.filter(status_at__gte=at).order_by().values("site")
    sessions = Session.objects.filter(changed_at__gte=at).order_by().values("evse__site")
    return sites.filter(sites_changed_since(at, now=now) | Q(pk__in=states) | Q(pk__in=sessions))


def forget(connection: OcpiConnection) -> None:
    """Take nothing for known: the platform is told everything anew."""
    OcpiPush.objects.filter(connection=connection).delete()
