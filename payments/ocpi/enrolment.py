"""Terminals as their PTP tells us of them over OCPI (OCPI 2.3.0 mod_payments).

The PTP owns a terminal's facts, we own its assignment: `location_ids` and `evse_uids` that a PTP sends are
kept in the document for staff to see, and assign nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from payments.models import Contract, OcpiConnection, Terminal
from payments.ocpi import connections
from payments.ocpi.connections import Party
from payments.ocpi.reading import exact, merged, plain
from payments.ocpi.terminals import TerminalEntry, parse_terminal, terminal_document


def enrol(connection: OcpiConnection, told: object, *, now: datetime) -> tuple[Terminal, bool]:
    """Store a whole Terminal, as a POST, a PUT or a pull brings it; returns it, and whether it is new.

    The short form that a PTP may begin with, without `last_updated`, takes nothing away from a terminal that
    is known already. Raises InvalidInput.
    """
    entry = parse_terminal(told)
    with transaction.atomic():
        terminal, is_new = Terminal.objects.get_or_create(
            ptp=connection.ptp, terminal_id=entry.terminal_id, defaults={"updated_at": now}
        )
        if not is_new and entry.updated_at is None and isinstance(told, Mapping):
            entry = parse_terminal(merged(exact(terminal.document), told))
        _store(terminal, entry, now)
    return terminal, is_new


def amend(terminal: Terminal, patch: Mapping[str, Any], *, now: datetime) -> None:
    """Change what a PATCH names. Raises InvalidInput."""
    known = {"terminal_id": terminal.terminal_id, **exact(terminal.document)}
    named = {**patch, "terminal_id": terminal.terminal_id}
    _store(terminal, parse_terminal(merged(known, named)), now)


def _store(terminal: Terminal, entry: TerminalEntry, now: datetime) -> None:
    """Write what is news; a nightly pull that brings none leaves the row as it was."""
    news = {
        "document": plain(terminal_document(entry)),
        "customer_reference": entry.customer_reference,
        "reference": entry.reference,
    }
    if all(getattr(terminal, name) == value for name, value in news.items()):
        return
    for name, value in {**news, "updated_at": now}.items():
        setattr(terminal, name, value)
    terminal.save(update_fields=[*news, "updated_at"])


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
