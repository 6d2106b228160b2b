"""Terminals as their PTP tells us of them over OCPI (OCPI 2.3.0 mod_payments).

The PTP owns a terminal's facts, we own its assignment: `location_ids` and `evse_uids` that a PTP sends are
kept in the document for staff to see, and assign nothing. Where they differ from what we told it, it is told again.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from payments import outbox
from payments.models import Contract, OcpiConnection, OutboxMessage, Terminal
from payments.ocpi import connections
from payments.ocpi.connections import Party
from payments.ocpi.push import remembered
from payments.ocpi.push.locations import LANE
from payments.ocpi.push.remembered import Kind
from payments.ocpi.reading import exact, merged, plain
from payments.ocpi.terminals import TerminalEntry, parse_terminal, terminal_document
from payments.terminals import find_terminal

TOPIC: Final = "ocpi.terminal"  # our part of a terminal, by its primary key; push/terminals.py carries it
# A PTP that goes on telling another assignment than ours is told ours with every nightly pull, not more often.
TOLD_AGAIN: Final = timedelta(hours=20)
_LISTS: Final = ("location_ids", "evse_uids")
_NAMES: Final = ("customer_reference", "reference")  # kept beside the document; staff may name the contract


def invoice_base_url() -> str:
    """Return what a PTP puts before an authorization_reference to get the address of a receipt.

    OCPI 2.3.0 mod_payments, InvoiceCreator.
    """
    return f"{settings.PUBLIC_URL}/r/ref/"


def enrol(connection: OcpiConnection, told: object, *, now: datetime) -> tuple[Terminal, bool]:
    """Store a whole Terminal, as a POST, a PUT or a pull brings it; returns it, and whether it is new.

    The short form that a PTP may begin with, without `last_updated`, takes nothing away from a terminal that
    is known already. Raises InvalidInput.
    """
    entry = parse_terminal(told)
    said = merged({}, told) if isinstance(told, Mapping) else {}
    with transaction.atomic():
        terminal, is_new = _known_or_new(connection, entry.terminal_id, now)
        if not is_new and entry.updated_at is None:
            entry = parse_terminal(merged(exact(terminal.document), said))
        elif entry.updated_at is not None:
            # What a whole one leaves out, and had before, is gone: this is said as well.
            said = {name: None for name, value in terminal.document.items() if value} | said
        _store(terminal, entry, said, now)
        _answer(terminal, connection, said, now)
    return terminal, is_new


def amend(terminal: Terminal, patch: Mapping[str, Any], *, now: datetime) -> None:
    """Change what a PATCH names. Raises InvalidInput."""
    said = merged({}, patch)
    with transaction.atomic():
        terminal = _locked().select_related("ptp__ocpi_connection").get(pk=terminal.pk)
        named = {**exact(terminal.document), **said, "terminal_id": terminal.terminal_id}
        _store(terminal, parse_terminal(named), said, now)
        _answer(terminal, terminal.ptp.ocpi_connection, said, now)


def _known_or_new(connection: OcpiConnection, terminal_id: str, now: datetime) -> tuple[Terminal, bool]:
    known = find_terminal(connection.ptp, terminal_id, among=_locked())
    if known is None:
        # No key of the table holds two spellings of an id for one: new terminals of a platform come one by one.
        OcpiConnection.objects.select_for_update(no_key=True).only("pk").get(pk=connection.pk)
        known = find_terminal(connection.ptp, terminal_id, among=_locked())
    if known is not None:
        return known, False
    return Terminal.objects.create(ptp=connection.ptp, terminal_id=terminal_id, updated_at=now), True


def _locked() -> QuerySet[Terminal]:
    """Terminals that nobody else changes: of two messages at once the second reads what the first one wrote."""
    return Terminal.objects.select_for_update(of=("self",), no_key=True)


def _store(terminal: Terminal, entry: TerminalEntry, said: Mapping[str, Any], now: datetime) -> None:
    """Write what is news; a nightly pull that brings none leaves the row as it was.

    A name that is not said, or said as before, is no news: staff may have named another contract meanwhile,
    and our word of it may still be on its way to the PTP.
    """
    spelled = replace(entry, terminal_id=terminal.terminal_id)  # as in the addresses that we call
    news: dict[str, Any] = {"document": plain(terminal_document(spelled))}
    for name in _NAMES:
        if said.get(name) not in (None, terminal.document.get(name)):
            news[name] = getattr(entry, name)
    if all(getattr(terminal, name) == value for name, value in news.items()):
        return
    for name, value in {**news, "updated_at": now}.items():
        setattr(terminal, name, value)
    terminal.save(update_fields=[*news, "updated_at"])


# --- What it has us do ----------------------------------------------------------------------------


def names_of(terminal: Terminal) -> list[str]:
    """Return what staff may have called a terminal when they had its PTP activate it."""
    return [name for name in (terminal.reference, terminal.terminal_id) if name]


def await_switched_on(connection: OcpiConnection, name: str, *, now: datetime) -> None:
    """Note that we asked for a terminal to be activated: it is in use again once its PTP tells it."""
    remembered.note(connection, Kind.LOOK, _awaited(name), {}, now=now)


def await_no_more(connection: OcpiConnection, *names: str) -> None:
    """What the PTP tells of this terminal switches it on no more."""
    for name in names:
        remembered.forget(connection, Kind.LOOK, _awaited(name))


def _awaited(name: str) -> str:
    return f"activated:{name.lower()}"


def _answer(terminal: Terminal, connection: OcpiConnection, said: Collection[str], now: datetime) -> None:
    """Switch on what we asked for, and let the PTP have our part of it; `said` names the fields that it told."""
    awaited = [_awaited(name) for name in names_of(terminal)]
    if remembered.recall_all(connection, Kind.LOOK, awaited):
        await_no_more(connection, *names_of(terminal))
        if not terminal.active:
            terminal.active = True
            terminal.save(update_fields=["active"])
            # Our request named no assignment, which may have taken the old one away.
            _tell_again(terminal, connection, now)
        return
    turn = f"terminal:{terminal.pk}"
    if (
        terminal.active
        and _has_lost(terminal, connection, said)
        and remembered.take_turn(connection, turn, every=TOLD_AGAIN, now=now)
    ):
        _tell_again(terminal, connection, now)


def _has_lost(terminal: Terminal, connection: OcpiConnection, said: Collection[str]) -> bool:
    """Whether the PTP was told our part, and tells something else. What is on its way is not lost yet."""
    subject = str(terminal.pk)
    if remembered.recall(connection, Kind.TERMINAL, subject) is None:
        return False
    waiting = OutboxMessage.objects.filter(
        ptp=connection.ptp, topic=TOPIC, subject=subject, state=OutboxMessage.State.DUE
    )
    if waiting.exists():
        return False
    ours, theirs = entry_of(terminal), terminal.document
    if any(name in said for name in _LISTS) and any(
        _ids(getattr(ours, name)) != _ids(theirs.get(name, ())) for name in _LISTS
    ):
        return True
    we_invoice = connection.invoice_creator == OcpiConnection.InvoiceCreator.CPO
    address = theirs.get("invoice_base_url", "")
    return we_invoice and "invoice_base_url" in said and address != invoice_base_url()


def _ids(ids: Any) -> set[str]:
    return {str(each).lower() for each in ids}


def _tell_again(terminal: Terminal, connection: OcpiConnection, now: datetime) -> None:
    """Send our part whole, whatever was sent before."""
    remembered.note(connection, Kind.TERMINAL, str(terminal.pk), {}, now=now)
    terminal.updated_at = now
    terminal.save(update_fields=["updated_at"])
    outbox.tell(ptp=terminal.ptp, topic=TOPIC, subject=str(terminal.pk), lane=LANE, now=now)


def entry_of(terminal: Terminal) -> TerminalEntry:
    """Return a terminal as we know it: its PTP's facts, and our assignment."""
    known = {"terminal_id": terminal.terminal_id, **exact(terminal.document)}
    return replace(
        parse_terminal(known),
        customer_reference=terminal.customer_reference,
        reference=terminal.reference,
        location_ids=tuple(terminal.sites.order_by("pk").values_list("location_id", flat=True)),
        evse_uids=tuple(terminal.evses.order_by("pk").values_list("uid", flat=True)),
        updated_at=terminal.updated_at,
    )


def party_of(terminal: Terminal, connection: OcpiConnection) -> Party | None:
    """Return which of our parties a terminal sells for; None where it names a contract that we do not know.

    Staff see such a terminal marked, and cannot assign it until the contract is there. A platform without
    contracts sells for its one party, whatever its terminals are called.
    """
    contracts = {
        contract.customer_reference.lower(): (contract.country_code, contract.party_id)
        for contract in Contract.objects.filter(connection=connection)
    }
    if contracts and terminal.customer_reference:
        return contracts.get(terminal.customer_reference.lower())
    told = (terminal.document.get("country_code", ""), terminal.document.get("party_id", ""))
    named = (str(told[0]).upper(), str(told[1]).upper())
    if named in connections.parties_of(connection):
        return named
    return connection.our_country_code, connection.our_party_id
