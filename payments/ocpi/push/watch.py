"""Looking for what platforms do not know yet of our tariffs, sites, EVSE states and terminals.

Rows are compared with what each platform was last given, so no change is lost with a wake-up, and a thousand
changes of one EVSE are one message. Only so many messages wait for a platform at a time: one that takes a
second for each is not sent a thousand.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Final

from django.core.cache import cache
from django.db.models import Q, QuerySet

from chargers.models import EVSE, Site
from payments import circuit, outbox
from payments.lanes import PATIENCE
from payments.models import OcpiConnection, OcpiPush, OutboxMessage, SeenTariff
from payments.ocpi import connections
from payments.ocpi.connections import Party
from payments.ocpi.locations import location_document
from payments.ocpi.push import locations, remembered, sending, tariffs, terminals
from payments.ocpi.push.remembered import Kind
from payments.ocpi.rows import published_sites, sites_changed_since
from payments.ocpi.told_tariffs import told_tariffs
from sessions_app.models import Session
from sessions_app.wakeups import wake

logger = logging.getLogger(__name__)

TASK: Final = "payments.ocpi.push.tasks.watch_platforms"

Item = tuple[str, str]  # a topic of the outbox and its subject

MOST_WAITING: Final = 20  # messages of this room per platform
PAUSE: Final = timedelta(seconds=0.5)  # at least, between looks at the changes of one platform
# Of a look that a change asks for: one for all changes until then. At least a second, which is what Redis counts in.
BOOKED_AHEAD: Final = timedelta(seconds=1)
MARGIN: Final = timedelta(seconds=0.25)  # for a worker whose clock is ahead of ours
LOOK_BACK: Final = timedelta(minutes=2)  # longer than any transaction, and than a few lost sweeps
# How often everything is compared: a tariff that begins or ends changes Locations without touching a row.
LOOK_AT_ALL: Final = timedelta(minutes=10)

_BOOKED: Final = "payments.ocpi.push.watch.booked"


def look_soon() -> None:
    """Something changed, and platforms may have to hear: book a look for all that changes within BOOKED_AHEAD.

    A thousand chargers that come back at once ask for one look, not for a thousand.
    """
    if cache.add(_BOOKED, True, timeout=BOOKED_AHEAD.total_seconds()):
        wake(TASK, in_seconds=(BOOKED_AHEAD + MARGIN).total_seconds())


def look(now: datetime) -> int:
    """Look at every platform that can be told; returns how many messages were stored."""
    told, refused = 0, False
    registered = OcpiConnection.objects.select_related("ptp").filter(state=OcpiConnection.State.REGISTERED)
    for connection in registered.exclude(version=""):
        if circuit.is_open(connection.ptp):
            continue
        looked_at = remembered.turn_taken_at(connection, "look")
        if not remembered.take_turn(connection, "look", every=PAUSE, now=now):
            refused = True
            continue
        try:
            if looked_at is not None and now - looked_at > LOOK_BACK - PAUSE:
                # It was down, or all workers were: what changed lately is not all that changed.
                remembered.give_turn_back(connection, "all")
            _welcome(connection, now=now)
            told += look_for(connection, now=now)
        except Exception:
            # One broken row must not keep the other platforms waiting.
            logger.exception("what %s does not know cannot be found out", connection.ptp.name)
    if refused:
        look_soon()  # at what changed just after the other look
    return told


def _welcome(connection: OcpiConnection, *, now: datetime) -> None:
    """What waited for good credentials is due once a handshake has settled them, the first and each that follows.

    The note of the welcome is as old as the registration, or as the wish to tell everything again.
    """
    settled = {"at": str(connection.token_changed_at)}
    noted = remembered.recall_all(connection, Kind.LOOK, [terminals.WELCOME, "token"])
    if noted.get("token") != settled:
        outbox.hurry(connection.ptp_id, now=now)
        remembered.note(connection, Kind.LOOK, "token", settled, now=now)
    if terminals.WELCOME not in noted:
        remembered.note(connection, Kind.LOOK, terminals.WELCOME, {}, now=now)


def look_for(connection: OcpiConnection, *, now: datetime) -> int:
    """Store a message for each thing that this platform lacks, as many as may wait for it."""
    parties = connections.parties_of(connection)
    waiting = _waiting(connection, now=now)
    room = max(MOST_WAITING - waiting.number, 0)
    new, changed = _sites(connection, parties, now=now) if room else ([], [])
    # In turn, so that neither many new sites nor many changes keep the others waiting.
    sites = [item for both in zip_longest(changed, new) for item in both if item is not None]
    untold = [(terminals.TOPIC, str(terminal.pk)) for terminal in terminals.untold(connection)]
    fresh = waiting.without(_tariffs(connection, parties, now=now), sites, untold)
    if not fresh and not waiting.on_its_way:
        # What the platform still refers to is taken away last.
        fresh = waiting.without(_gone(connection, parties, now=now))
    told = waiting.chosen(fresh, room)
    for topic, subject in told:
        outbox.tell(ptp=connection.ptp, topic=topic, subject=subject, lane=locations.LANE, now=now)
    if waiting.on_the_wire.intersection(changed):
        look_soon()  # at what changed since it was rendered
    if not set(changed) - waiting.held - waiting.refused <= set(told):
        remembered.give_turn_back(connection, "all")
    return len(told)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What the outbox has of this room for one platform.

    Messages that the platform refuses for long come up once an hour, perhaps for ever, and many of them must keep
    nothing waiting that is well: neither `number`, which is how much of MOST_WAITING is taken, nor `on_its_way`
    counts them. `held` is not told again now: that would only undo how long it has waited; of that, a worker has
    what is `on_the_wire`. `refused` was given up at least once.
    """

    number: int
    on_its_way: bool
    held: frozenset[Item]
    refused: frozenset[Item]
    on_the_wire: frozenset[Item]

    def without(self, *found: Iterable[Item]) -> list[Item]:
        """Return what may be told now, in the order found, and last what was given up before."""
        items = [item for item in chain.from_iterable(found) if item not in self.held]
        return sorted(items, key=lambda item: item in self.refused)

    def chosen(self, fresh: Sequence[Item], room: int) -> list[Item]:
        """Return as many as there is room for; what was given up before gets no more than half of all."""
        for_refused = room - MOST_WAITING // 2
        return [
            item for place, item in enumerate(fresh[:room]) if place < for_refused or item not in self.refused
        ]


def _waiting(connection: OcpiConnection, *, now: datetime) -> _Waiting:
    """Read what is due, and what was given up: that rests for as long as it would have had to wait anyway."""
    rows = OutboxMessage.objects.filter(
        ptp=connection.ptp,
        state__in=(OutboxMessage.State.DUE, OutboxMessage.State.GIVEN_UP),
        topic__in=(tariffs.TOPIC, locations.TOPIC),
    )
    number, on_its_way, held, refused, on_the_wire = 0, False, set(), set(), set()
    for topic, subject, state, attempts, next_attempt_at, created_at, claimed_until in rows.values_list(
        "topic", "subject", "state", "attempts", "next_attempt_at", "created_at", "claimed_until"
    ):
        if state == OutboxMessage.State.DUE:
            # `outbox.hurry` gives what was refused for long one more attempt before those behind it.
            number += attempts < PATIENCE - 1
            on_its_way = on_its_way or attempts < PATIENCE
            held.add((topic, subject))
            if claimed_until is not None and claimed_until > now:
                on_the_wire.add((topic, subject))
            continue
        refused.add((topic, subject))
        # A platform that registered since has said nothing to it.
        if next_attempt_at > now and created_at >= (connection.registered_at or created_at):
            held.add((topic, subject))
    return _Waiting(number, on_its_way, frozenset(held), frozenset(refused), frozenset(on_the_wire))


def _tariffs(connection: OcpiConnection, parties: frozenset[Party], *, now: datetime) -> Iterable[Item]:
    if not connection.endpoint(tariffs.MODULE):
        return
    given = remembered.recall_all(connection, Kind.TARIFF)
    for told in told_tariffs(connection, parties, version=sending.version_of(connection), now=now):
        if given.get(str(told.tariff_pk), {}).get("version") != told.shown.version_pk or told.is_news:
            yield tariffs.TOPIC, str(told.tariff_pk)


def _gone(connection: OcpiConnection, parties: frozenset[Party], *, now: datetime) -> list[Item]:
    """Tariffs that the platform was told and that are published no more."""
    if not connection.endpoint(tariffs.MODULE):
        return []
    published = told_tariffs(connection, parties, version=sending.version_of(connection), now=now)
    known = SeenTariff.objects.filter(connection=connection).values_list("tariff_id", flat=True)
    return [(tariffs.TOPIC, str(pk)) for pk in set(known) - {told.tariff_pk for told in published}]


def _sites(
    connection: OcpiConnection, parties: frozenset[Party], *, now: datetime
) -> tuple[list[Item], list[Item]]:
    """Return the sites that the platform never got, and those that are another now than it was told."""
    if not connection.endpoint(locations.MODULE):
        return [], []
    given = remembered.recall_all(connection, Kind.SITE)
    ours = connections.sites_of(parties)
    new = [pk for pk in ours.order_by("pk").values_list("pk", flat=True) if str(pk) not in given]
    known = ours.exclude(pk__in=new)
    everything = remembered.take_turn(connection, "all", every=LOOK_AT_ALL, now=now)
    candidates = list(known if everything else _changed(known, now))
    changed = []
    for site in published_sites(candidates, parties=parties, now=now) if candidates else ():
        state = locations.state_of(location_document(site.entry, sending.version_of(connection)))
        if any(given[str(site.site_pk)].get(name) != state[name] for name in state):
            changed.append((locations.TOPIC, str(site.site_pk)))
    return [(locations.TOPIC, str(pk)) for pk in new], changed


def _changed(sites: QuerySet[Site], now: datetime) -> QuerySet[Site]:
    """Sites where anything moved lately; whether it is news is seen when they are compared."""
    at = now - LOOK_BACK
    states = EVSE.objects.filter(status_at__gte=at).order_by().values("site")
    sessions = Session.objects.filter(changed_at__gte=at).order_by().values("evse__site")
    return sites.filter(sites_changed_since(at, now=now) | Q(pk__in=states) | Q(pk__in=sessions))


def forget(connection: OcpiConnection) -> None:
    """Take nothing for known: the platform is told everything anew."""
    OcpiPush.objects.filter(connection=connection).delete()
