"""One terminal: what it sells, and what else of our parties' charging points it could sell."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.db.models import Q

from chargers.models import EVSE, Site
from emabler.portal.ocpi import words
from emabler.portal.ocpi.pages import JOURNAL_SHOWN, journal_rows
from payments.models import Contract, OcpiConnection, Terminal
from payments.ocpi.connections import Party, of_parties
from payments.ocpi.enrolment import party_of
from payments.ocpi.push.terminals import endpoint_of

ASSIGNED_SHOWN: Final = 200
FOUND_SHOWN: Final = 20  # of sites, and of EVSEs
_SITE_PLACES: Final = ("name", "location_id", "city", "address")
_EVSE_PLACES: Final = (
    "site__name",
    "site__location_id",
    "station__identity",
    "physical_reference",
    "evse_id",
)


@dataclass(frozen=True, slots=True)
class Pick:
    """A site or an EVSE to choose; `value` is what the form sends."""

    value: str
    name: str
    what: str


@dataclass(frozen=True, kw_only=True)
class TerminalPage:
    """All that the page of a terminal shows."""

    connection: OcpiConnection
    terminal: Terminal
    seen: str  # "" for one that only its PTP hears
    assigned: list[Pick]
    hidden: int
    contract_pk: int | None
    may_switch_off: bool
    party: str  # which of ours it sells for; "" where it names a contract that we do not know
    found: list[Pick]
    query: str
    journal: list[dict[str, str]]


def terminal_page(connection_pk: int, terminal_pk: int, query: str, now: datetime) -> TerminalPage:
    """Read one terminal of a connection; `query` looks for more to assign.

    Raises OcpiConnection.DoesNotExist, Terminal.DoesNotExist.
    """
    connection = OcpiConnection.objects.select_related("ptp").get(pk=connection_pk)
    terminal = Terminal.objects.get(pk=terminal_pk, ptp=connection.ptp_id)
    assigned, party = _assigned(terminal), party_of(terminal, connection)
    entries = LogEntry.objects.filter(
        content_type__app_label="payments", content_type__model="terminal", object_id=str(terminal_pk)
    )
    return TerminalPage(
        connection=connection,
        terminal=terminal,
        seen=words.ago(terminal.last_seen_at, now, never=""),
        assigned=assigned[:ASSIGNED_SHOWN],
        hidden=max(len(assigned) - ASSIGNED_SHOWN, 0),
        contract_pk=_contract_pk(terminal, connection),
        may_switch_off=terminal.active and connection.is_registered and bool(endpoint_of(connection)),
        party=words.party(*party) if party else "",
        found=_found(terminal, frozenset({party}), query) if party else [],
        query=query,
        journal=journal_rows(entries.select_related("user").order_by("-pk")[:JOURNAL_SHOWN]),
    )


def _contract_pk(terminal: Terminal, connection: OcpiConnection) -> int | None:
    theirs = Contract.objects.filter(
        connection=connection, customer_reference__iexact=terminal.customer_reference
    )
    return theirs.values_list("pk", flat=True).first() if terminal.customer_reference else None


def _assigned(terminal: Terminal) -> list[Pick]:
    evses = terminal.evses.select_related("site").order_by("site__name", "physical_reference")
    return [*map(_site, terminal.sites.order_by("name", "location_id")), *map(_evse, evses)]


def _found(terminal: Terminal, parties: frozenset[Party], query: str) -> list[Pick]:
    sites = Site.objects.filter(of_parties(parties), _matching(_SITE_PLACES, query))
    sites = sites.exclude(terminals=terminal).order_by("name", "location_id")
    found = [_site(site) for site in sites[:FOUND_SHOWN]]
    if not query:
        return found  # whole sites are the usual case; single EVSEs are looked for
    evses = EVSE.objects.filter(
        of_parties(parties, prefix="site__"), _matching(_EVSE_PLACES, query), removed=False
    )
    evses = evses.exclude(terminals=terminal).exclude(site__terminals=terminal)
    ordered = evses.select_related("site").order_by("site__name", "physical_reference", "uid")
    return found + [_evse(evse) for evse in ordered[:FOUND_SHOWN]]


def _matching(places: tuple[str, ...], query: str) -> Q:
    wanted = Q()
    for place in places:
        wanted |= Q(**{f"{place}__icontains": query})
    return wanted


def _site(site: Site) -> Pick:
    where = ", ".join(part for part in (site.address, site.city) if part)
    return Pick(f"site-{site.pk}", str(site), f"the whole site · {where}" if where else "the whole site")


def _evse(evse: Any) -> Pick:
    return Pick(f"evse-{evse.pk}", f"{evse.site} · {evse.label}", evse.evse_id or evse.uid)


def chosen(values: list[str]) -> tuple[list[int], list[int]]:
    """Return the keys of sites and of EVSEs that a form sent; what is neither is left out."""
    keys: dict[str, list[int]] = {"site": [], "evse": []}
    for value in values:
        kind, _, number = value.partition("-")
        if kind in keys and number.isascii() and number.isdigit() and len(number) < 19:
            keys[kind].append(int(number))
    return keys["site"], keys["evse"]
