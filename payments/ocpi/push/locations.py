"""Locations to their PTP: PUT whole when they changed, PATCHed where it is the state of one EVSE alone.

OCPI mod_locations, Receiver. What leaves is the newest state, however many changes came before it. Removing an
EVSE is its state REMOVED.
"""

from typing import Any, Final

from django.utils import timezone

from payments import outbox
from payments.models import OcpiConnection, OutboxMessage
from payments.ocpi import connections, seen
from payments.ocpi.locations import location_document
from payments.ocpi.push import remembered, sending
from payments.ocpi.push import tariffs as tariff_pushes
from payments.ocpi.push.client import Answer
from payments.ocpi.push.remembered import Kind, digest
from payments.ocpi.rows import PublishedSite, published_sites
from payments.outbox import Delivery

TOPIC: Final = "ocpi.location"  # its subject is the site's primary key
LANE: Final = "mirror"  # a Location names tariffs, which the platform should have by then
MODULE: Final = "locations"

Document = dict[str, Any]


@sending.carrier
def carry(message: OutboxMessage, connection: OcpiConnection) -> Delivery:
    """Send what the platform lacks of a site."""
    parties = connections.parties_of(connection)
    rows = connections.sites_of(parties).filter(pk=message.subject)
    if not connection.endpoint(MODULE):
        return outbox.nothing_to_tell("the platform has no locations; it polls")
    found = published_sites(list(rows), parties=parties, now=timezone.now())
    if not found:
        return sending.impossible("the site is none of a party that this platform may see")
    document = location_document(found[0].entry, sending.version_of(connection))
    has = {} if message.repeated else remembered.recall(connection, Kind.SITE, message.subject) or {}
    state = state_of(document)
    if all(has.get(name) == state[name] for name in state):
        return outbox.nothing_to_tell("the platform has it")
    changed = [uid for uid, word in state["evses"].items() if has.get("evses", {}).get(uid) != word]
    # Several states are one PUT: an attempt is two calls at most, as long as the outbox lets a worker have it.
    if has.get("shape") != state["shape"] or has.get("whole") or len(changed) != 1:
        return _put(connection, found[0], document, {**has, **state})
    return _patch(connection, found[0], document, changed[0], has)


def state_of(document: Document) -> dict[str, Any]:
    """What tells whether a Location is to be sent: its shape, and the state of each EVSE."""
    evses = document.get("evses", [])
    shape = {**_timeless(document), "evses": [_shape_of_evse(evse) for evse in evses]}
    return {"shape": digest(shape), "evses": {evse["uid"]: evse["status"] for evse in evses}}


def _shape_of_evse(evse: Document) -> Document:
    connectors = [_timeless(connector) for connector in evse.get("connectors", [])]
    return {**_timeless(evse), "status": "", "connectors": connectors}


def _timeless(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "last_updated"}


def _put(connection: OcpiConnection, site: PublishedSite, document: Document, state: Document) -> Delivery:
    answer = _send(connection, site, "PUT", document)
    if answer.ok:
        remembered.note(connection, Kind.SITE, str(site.site_pk), state, now=timezone.now())
        seen.note_sites(connection, {site.site_pk: site.tariffs_changed_at})
    return sending.outcome(answer)


def _patch(
    connection: OcpiConnection, site: PublishedSite, document: Document, uid: str, has: Document
) -> Delivery:
    """Tell the state of the one EVSE that changed."""
    evse = next(each for each in document["evses"] if each["uid"] == uid)
    body = {"status": evse["status"], "last_updated": evse["last_updated"]}
    answer = _send(connection, site, "PATCH", body, uid)
    if sending.wants_whole(answer):
        # Not known there, or no PATCH there: it gets this site whole from now on.
        return _put(connection, site, document, {**state_of(document), "whole": True})
    if answer.ok:
        told = {**has, "evses": {**has["evses"], uid: evse["status"]}}
        remembered.note(connection, Kind.SITE, str(site.site_pk), told, now=timezone.now())
    return sending.outcome(answer)


def _send(
    connection: OcpiConnection, site: PublishedSite, method: str, body: Document, *below: str
) -> Answer:
    party = (site.entry.country_code, site.entry.party_id)
    address = sending.under(connection.endpoint(MODULE), *party, site.entry.location_id, *below)
    return sending.call(connection, method, address, module=MODULE, body=body, from_party=party)


outbox.register(TOPIC, carry, after=(tariff_pushes.TOPIC,))
