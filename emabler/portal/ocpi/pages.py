"""What the list of connections and the page of one connection show, in a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.core.paginator import Page, Paginator
from django.db.models import Prefetch, Q

from chargers.models import EVSE, Site
from emabler.portal.ocpi import words
from emabler.portal.ocpi.checklist import Step, checklist
from emabler.portal.ocpi.facts import Facts, facts_of
from emabler.portal.words import Sign
from payments.models import OcpiConnection, Terminal
from payments.ocpi.connections import versions_url

ROWS_SHOWN: Final = 50
TERMINALS_SHOWN: Final = 50
PLACES_SHOWN: Final = 3
JOURNAL_SHOWN: Final = 20


@dataclass(frozen=True, kw_only=True)
class ConnectionRow:
    """A connection as the list shows it."""

    pk: int
    name: str
    party: str
    role: str
    version: str
    state: Sign
    circuit: Sign
    heard: str
    reached: str
    waiting: int
    given_up: int
    ptp_pk: int
    done: int
    steps: int
    missing: str


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One of the platform's module interfaces, and what we do with it."""

    module: str
    role: str
    url: str


@dataclass(frozen=True, kw_only=True)
class TerminalRow:
    """A terminal and what it may sell."""

    pk: int
    terminal_id: str
    reference: str
    customer_reference: str
    contract_known: bool
    active: bool
    places: list[str]
    more_places: bool
    seen: str  # "" for one that only its PTP hears


@dataclass(frozen=True, kw_only=True)
class ConnectionPage:
    """All that the page of a connection shows."""

    connection: OcpiConnection
    row: ConnectionRow
    facts: Facts
    state_means: str
    steps: list[Step]
    ours: str
    endpoints: list[Endpoint]
    identity: list[tuple[str, str]]
    terminals: list[TerminalRow]
    terminal_pages: Page[Any]
    journal: list[dict[str, str]]


def connection_list(page: str | None, now: datetime) -> tuple[Page[Any], list[ConnectionRow]]:
    """Return one page of the list and its rows."""
    connections = OcpiConnection.objects.select_related("ptp").order_by("ptp__name")
    shown = Paginator(connections, ROWS_SHOWN).get_page(page)
    facts = facts_of(list(shown))
    return shown, [_row(connection, facts[connection.pk], now) for connection in shown]


def connection_page(connection: OcpiConnection, page: str | None, now: datetime) -> ConnectionPage:
    """Read the page of a connection, which comes with its `ptp`."""
    facts = facts_of([connection])[connection.pk]
    terminals = _terminals(connection)
    shown = Paginator(terminals, TERMINALS_SHOWN).get_page(page)
    references = {contract.customer_reference.lower() for contract in facts.contracts}
    return ConnectionPage(
        connection=connection,
        row=_row(connection, facts, now),
        facts=facts,
        state_means=words.state(connection)[1],
        steps=checklist(connection, facts, now),
        ours=f"{connection.our_country_code}*{connection.our_party_id}",
        endpoints=endpoints_of(connection),
        identity=_identity(connection, now),
        terminals=[_terminal(terminal, references, now) for terminal in shown],
        terminal_pages=shown,
        journal=_journal(connection),
    )


def _row(connection: OcpiConnection, facts: Facts, now: datetime) -> ConnectionRow:
    steps = checklist(connection, facts, now)
    return ConnectionRow(
        pk=connection.pk,
        name=connection.ptp.name,
        party=words.party(connection.country_code, connection.party_id),
        role=connection.role,
        version=connection.version,
        state=words.state(connection)[0],
        circuit=words.circuit(connection, now),
        heard=words.ago(connection.last_heard_at, now),
        reached=words.ago(connection.last_reached_at, now),
        waiting=facts.waiting,
        given_up=facts.given_up,
        ptp_pk=connection.ptp_id,
        done=sum(step.done for step in steps),
        steps=len(steps),
        missing=next((step.title for step in steps if not step.done), ""),
    )


def endpoints_of(connection: OcpiConnection) -> list[Endpoint]:
    """Return the platform's endpoints by module and role."""
    found = []
    for key, url in sorted(connection.endpoints.items()):
        module, _, role = key.partition(":")
        found.append(Endpoint(module=module, role=role, url=str(url)))
    return found


def _identity(connection: OcpiConnection, now: datetime) -> list[tuple[str, str]]:
    facts = [
        ("Their role", connection.role),
        ("OCPI version", connection.version or "not agreed yet"),
        ("Their versions URL", connection.versions_url or "not known yet"),
        ("Our versions URL", versions_url()),
        ("Registered", words.when(connection.registered_at)),
        ("Token changed", words.ago(connection.token_changed_at, now)),
        ("They last called us", words.ago(connection.last_heard_at, now)),
        ("We last reached them", words.ago(connection.last_reached_at, now)),
        ("Terminals pulled", words.ago(connection.terminals_pulled_at, now)),
        ("Confirmations pulled", words.ago(connection.confirmations_pulled_at, now)),
    ]
    return facts + _other_roles(connection)


def _other_roles(connection: OcpiConnection) -> list[tuple[str, str]]:
    """What their credentials say of them, where they say it as OCPI does."""
    named = []
    for role in connection.roles if isinstance(connection.roles, list) else []:
        if isinstance(role, dict):
            party = "*".join(str(role.get(name, "")) for name in ("country_code", "party_id"))
            details = role.get("business_details")
            name = str(details.get("name", "")) if isinstance(details, dict) else ""
            named.append(" ".join(part for part in (str(role.get("role", "")), party, name) if part))
    return [("They say they are", "; ".join(named[:10]))] if named else []


def _terminals(connection: OcpiConnection) -> Any:
    sites = Site.objects.order_by("name", "location_id")[: PLACES_SHOWN + 1]
    evses = EVSE.objects.select_related("site").order_by("pk")[: PLACES_SHOWN + 1]
    return (
        Terminal.objects.filter(ptp=connection.ptp_id)
        .prefetch_related(
            Prefetch("sites", sites, to_attr="some_sites"), Prefetch("evses", evses, to_attr="some_evses")
        )
        .order_by("-active", "terminal_id")
    )


def _terminal(terminal: Any, references: set[str], now: datetime) -> TerminalRow:
    places = [str(site) for site in terminal.some_sites]
    places += [f"{evse.site} · {evse.label}" for evse in terminal.some_evses]
    return TerminalRow(
        pk=terminal.pk,
        terminal_id=terminal.terminal_id,
        reference=terminal.reference,
        customer_reference=terminal.customer_reference,
        # A platform without contracts sells for its one party, whatever its terminals are called.
        contract_known=not (references and terminal.customer_reference)
        or terminal.customer_reference.lower() in references,
        active=terminal.active,
        places=places[:PLACES_SHOWN],
        more_places=len(places) > PLACES_SHOWN,
        seen=words.ago(terminal.last_seen_at, now, never=""),
    )


def _journal(connection: OcpiConnection) -> list[dict[str, str]]:
    ours = Q(content_type__model="ocpiconnection", object_id=str(connection.pk))
    theirs = Q(content_type__model="ptp", object_id=str(connection.ptp_id))
    entries = LogEntry.objects.filter(ours | theirs, content_type__app_label="payments")
    return journal_rows(entries.select_related("user").order_by("-pk")[:JOURNAL_SHOWN])


def journal_rows(entries: Iterable[LogEntry]) -> list[dict[str, str]]:
    """Return who did what and when."""
    return [
        {
            "at": f"{words.when(entry.action_time)} UTC",
            "who": entry.user.get_username(),
            "what": entry.get_change_message() or str(entry.get_action_flag_display()),
        }
        for entry in entries
    ]
