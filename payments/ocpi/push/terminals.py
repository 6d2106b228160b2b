"""Terminals at their PTP: what they sell, where their receipts are, and switching them on and off.

OCPI 2.3.0 mod_payments. The PTP owns its terminals; we assign them (PATCH), name the contract and the address
of receipts (PUT), and ask for one to be activated or deactivated.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, Subquery
from django.utils import timezone

from chargers.models import EVSE, Site
from payments import outbox
from payments.models import OcpiConnection, OcpiPush, OutboxMessage, Terminal
from payments.ocpi import enrolment
from payments.ocpi.enrolment import invoice_base_url
from payments.ocpi.push import client, locations, remembered, sending, tariffs
from payments.ocpi.push.client import Answer, BadAnswer, Refused
from payments.ocpi.push.remembered import Kind
from payments.ocpi.terminals import (
    InvoiceCreator,
    TerminalEntry,
    activation_document,
    assignment_document,
    terminal_document,
)
from payments.outbox import Delivery

TOPIC: Final = enrolment.TOPIC
MODULE: Final = "payments"
# More than of a CDR, a quarter of an hour of them: the assignment names Locations, and a platform that has just
# registered is told a thousand of these one after the other.
REFUSALS: Final = 10
WELCOME: Final = "welcome"  # the note of when a platform registered, or was to be told everything again


def endpoint_of(connection: OcpiConnection) -> str:
    """Return the platform's address of terminals, "" where it has none."""
    return connection.terminals_url or module_endpoint(connection, "terminals")


def module_endpoint(connection: OcpiConnection, family: str) -> str:
    """One module id covers two families of objects; the text does not say how. Below it is where they are."""
    base = connection.endpoint(MODULE, "SENDER") or connection.endpoint(MODULE)
    return sending.under(base, family) if base else ""


def tell_assigned(terminal_pks: Collection[int]) -> None:
    """Let the PTPs know of new assignments, inside the caller's transaction."""
    if not terminal_pks:
        return
    now = timezone.now()
    with transaction.atomic():
        assigned = Terminal.objects.filter(pk__in=terminal_pks, ptp__ocpi_connection__isnull=False)
        assigned.update(updated_at=now)
        for terminal in assigned.select_related("ptp"):
            outbox.tell(ptp=terminal.ptp, topic=TOPIC, subject=str(terminal.pk), lane=locations.LANE, now=now)


@sending.carrier
def carry(message: OutboxMessage, connection: OcpiConnection) -> Delivery:
    """Send what the PTP does not have yet of a terminal: its assignment first, then our own fields."""
    terminal = Terminal.objects.filter(pk=message.subject, ptp=connection.ptp).first()
    if terminal is None:
        return sending.impossible("the terminal is gone")
    if not endpoint_of(connection):
        return outbox.nothing_to_tell("the platform has no terminals")
    address = sending.under(endpoint_of(connection), terminal.terminal_id)
    has = _known_to(connection, message)
    steps = _steps(terminal, connection, has)
    party = enrolment.party_of(terminal, connection) if steps else None
    for step in steps:
        answer = sending.call(
            connection, step.method, address, module=MODULE, body=step.body, from_party=party
        )
        if not answer.ok:
            return sending.outcome_within(REFUSALS, message, connection, answer)
        has = {**has, step.name: step.news}
        remembered.note(connection, Kind.TERMINAL, message.subject, has, now=timezone.now())
    return Delivery(delivered=True) if steps else outbox.nothing_to_tell("the PTP has it")


def _known_to(connection: OcpiConnection, message: OutboxMessage) -> dict[str, Any]:
    """What the PTP has of ours: nothing of a terminal that it was never told of, who knows what after a failure."""
    if message.repeated:
        return {}
    noted = remembered.recall(connection, Kind.TERMINAL, message.subject)
    return {"assignment": _NOTHING_ASSIGNED} if noted is None else noted


@dataclass(frozen=True, slots=True)
class _Step:
    """One call that is needed; `news` is what the platform has after it."""

    name: str
    method: str
    body: dict[str, Any]
    news: str


def _steps(terminal: Terminal, connection: OcpiConnection, has: dict[str, Any]) -> list[_Step]:
    """Return the calls that are needed; one that refuses our fields has got the assignment at least."""
    wanted = _wanted(terminal, connection)
    lists = assignment_document(wanted.location_ids, wanted.evse_uids, changed_at=wanted.updated_at)
    assigned = remembered.digest([lists["location_ids"], lists["evse_uids"]])
    told = terminal.document
    ours = [wanted.customer_reference, wanted.invoice_base_url]
    theirs = [told.get("customer_reference", ""), told.get("invoice_base_url", "")]
    steps = []
    if has.get("assignment") != assigned:
        steps.append(_Step("assignment", "PATCH", lists, assigned))
    if ours != theirs and has.get("ours") != remembered.digest(ours):
        steps.append(_Step("ours", "PUT", terminal_document(wanted), remembered.digest(ours)))
    return steps


_NOTHING_ASSIGNED: Final = remembered.digest([[], []])


def _wanted(terminal: Terminal, connection: OcpiConnection) -> TerminalEntry:
    """The terminal as its PTP told it, with what is ours to say."""
    entry = enrolment.entry_of(terminal)
    if connection.invoice_creator != OcpiConnection.InvoiceCreator.CPO:
        return entry
    return replace(entry, invoice_base_url=invoice_base_url(), invoice_creator=InvoiceCreator.CPO)


def untold(connection: OcpiConnection) -> list[Terminal]:
    """Return the terminals that were assigned before their platform could be told.

    What was given up before it registered, or before it was to be told everything again, is told once more.
    """
    if not endpoint_of(connection):
        return []
    told = remembered.recall_all(connection, Kind.TERMINAL)
    welcome = OcpiPush.objects.filter(connection=connection, kind=Kind.LOOK, subject=WELCOME)
    waiting = Q(state=OutboxMessage.State.DUE)
    in_vain = Q(state=OutboxMessage.State.GIVEN_UP, created_at__gte=Subquery(welcome.values("pushed_at")[:1]))
    messages = OutboxMessage.objects.filter(waiting | in_vain, ptp=connection.ptp, topic=TOPIC)
    known = {*told, *messages.values_list("subject", flat=True)}
    assigned = Terminal.objects.filter(
        Q(sites__isnull=False) | Q(evses__isnull=False), ptp=connection.ptp, active=True
    )
    return [terminal for terminal in assigned.distinct() if str(terminal.pk) not in known]


# --- Asked for by a person, who waits for the answer ------------------------------------------------


def activate(
    connection: OcpiConnection,
    *,
    reference: str,
    sites: Iterable[Site] = (),
    evses: Iterable[EVSE] = (),
    customer_reference: str = "",
    now: datetime,
) -> Answer:
    """Ask the PTP to activate a terminal that it knows by `reference`; it then POSTs the terminal to us.

    It may do so before it answers. Raises CallFailed, also for an answer that is a no.
    """
    body = activation_document(
        reference=reference,
        location_ids=[site.location_id for site in sites],
        evse_uids=[evse.uid for evse in evses],
        customer_reference=customer_reference,
        changed_at=now,
    )
    named = Terminal(customer_reference=customer_reference)
    enrolment.await_switched_on(connection, reference, now=now)
    try:
        return _asked(connection, named, "activate", body=body)
    except (BadAnswer, Refused):  # an answer that was lost may have been a yes
        enrolment.await_no_more(connection, reference)
        raise


def deactivate(terminal: Terminal, *, now: datetime) -> Answer:
    """Ask the PTP to switch a terminal off; sessions that run go on (MONEY.md B35).

    Raises CallFailed, also for an answer that is a no.
    """
    connection = OcpiConnection.objects.select_related("ptp").get(ptp=terminal.ptp_id)
    answer = _asked(connection, terminal, terminal.terminal_id, "deactivate")
    enrolment.await_no_more(connection, *enrolment.names_of(terminal))
    Terminal.objects.filter(pk=terminal.pk).update(active=False, updated_at=now)
    return answer


def _asked(connection: OcpiConnection, terminal: Terminal, *path: str, body: Any = None) -> Answer:
    """Ask as the party of ours that the terminal sells for."""
    if not endpoint_of(connection):
        raise Refused("the platform has no terminals")
    address = sending.under(endpoint_of(connection), *path)
    party = enrolment.party_of(terminal, connection)
    answer = client.call(connection, "POST", address, body=body, module=MODULE, from_party=party)
    if not answer.ok:
        raise BadAnswer(str(answer), http_status=answer.http_status, ocpi_status=answer.ocpi_status)
    return answer


# A strict platform refuses an assignment to Locations that it does not have yet.
outbox.register(TOPIC, carry, after=(tariffs.TOPIC, locations.TOPIC))
