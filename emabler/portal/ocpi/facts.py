"""What is known of connections, read for many of them in a fixed number of queries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Lower

from chargers.models import Connector, Site
from payments.models import (
    Confirmation,
    Contract,
    OcpiConnection,
    OutboxMessage,
    SeenSite,
    SeenTariff,
    Terminal,
)
from payments.ocpi.connections import Party
from payments.offers import RANK
from tariffs.models import Tariff, TariffVersion


@dataclass(kw_only=True)
class Facts:
    """How far a connection is; counts of its active terminals, and of what our parties sell through it."""

    parties: frozenset[Party] = frozenset()
    terminals: int = 0
    unassigned: int = 0  # terminals that sell nothing
    strange: int = 0  # terminals that name a contract nobody entered
    sites: int = 0
    sites_seen: int = 0  # of these, known to the platform as they are now
    tariffs: int = 0
    tariffs_seen: int = 0  # of these, acknowledged in their newest version
    waiting: int = 0
    given_up: int = 0
    confirmed_at: datetime | None = None
    contracts: list[Contract] = field(default_factory=list)


def facts_of(connections: Sequence[OcpiConnection]) -> dict[int, Facts]:
    """Return the facts by the connection's key. Eight queries, however many connections there are."""
    found = {connection.pk: Facts() for connection in connections}
    by_ptp = {connection.ptp_id: found[connection.pk] for connection in connections}
    _contracts(connections, found)
    _sold(found.values())
    _seen(found)
    _terminals(by_ptp)
    _outbox(by_ptp)
    _confirmed(found)
    return found


def _confirmed(found: dict[int, Facts]) -> None:
    last = Confirmation.objects.filter(ptp=OuterRef("ptp")).order_by("-received_at").values("received_at")[:1]
    rows = OcpiConnection.objects.filter(pk__in=found).annotate(last=Subquery(last))
    for pk, at in rows.values_list("pk", "last"):
        found[pk].confirmed_at = at


def _contracts(connections: Sequence[OcpiConnection], found: dict[int, Facts]) -> None:
    for contract in Contract.objects.filter(connection__in=found).order_by("customer_reference"):
        found[contract.connection_id].contracts.append(contract)
    for connection in connections:
        facts = found[connection.pk]
        ours = (connection.our_country_code, connection.our_party_id)
        facts.parties = frozenset({ours, *((c.country_code, c.party_id) for c in facts.contracts)})


def _sold(all_facts: Iterable[Facts]) -> None:
    """Count sites and tariffs of each of our parties, and add them up per connection."""
    here = Exists(Connector.objects.filter(evse__site=OuterRef("pk"), evse__removed=False))
    sites = _by_party(Site.objects.filter(here))
    sold = Exists(
        Connector.tariffs.through.objects.filter(tariff=OuterRef("pk"), connector__evse__removed=False)
    )
    tariffs = _by_party(Tariff.objects.filter(sold, active=True, type__in=RANK))
    for facts in all_facts:
        facts.sites = sum(sites[party] for party in facts.parties)
        facts.tariffs = sum(tariffs[party] for party in facts.parties)


def _by_party(rows: object) -> Counter[Party]:
    grouped = rows.order_by().values("country_code", "party_id").annotate(number=Count("pk"))  # type: ignore[attr-defined]
    return Counter({(row["country_code"], row["party_id"]): row["number"] for row in grouped})


def _seen(found: dict[int, Facts]) -> None:
    newest = TariffVersion.objects.filter(tariff=OuterRef("tariff")).order_by("-number").values("number")[:1]
    tariffs = SeenTariff.objects.filter(connection__in=found, tariff__active=True, tariff__type__in=RANK)
    current = tariffs.alias(newest=Subquery(newest)).filter(version__number=F("newest"))
    per_party: dict[int, Counter[Party]] = defaultdict(Counter)
    for pk, country, party, number in (
        current.order_by()
        .values_list("connection", "tariff__country_code", "tariff__party_id")
        .annotate(number=Count("pk"))
    ):
        per_party[pk][country, party] = number
    for pk, facts in found.items():
        facts.tariffs_seen = min(sum(per_party[pk][party] for party in facts.parties), facts.tariffs)
    # Told of a site, and no connector there has another choice of tariffs since (payments.ocpi.seen).
    newer = Connector.objects.filter(
        evse__site=OuterRef("site"), evse__removed=False, tariffs_changed_at__gt=OuterRef("seen_at")
    )
    sites = SeenSite.objects.filter(~Exists(newer), connection__in=found)
    per_party.clear()
    for pk, country, party, number in (
        sites.order_by()
        .values_list("connection", "site__country_code", "site__party_id")
        .annotate(number=Count("pk"))
    ):
        per_party[pk][country, party] = number
    for pk, facts in found.items():
        facts.sites_seen = min(sum(per_party[pk][party] for party in facts.parties), facts.sites)


def _terminals(by_ptp: dict[int, Facts]) -> None:
    sells = Exists(Terminal.sites.through.objects.filter(terminal=OuterRef("pk"))) | Exists(
        Terminal.evses.through.objects.filter(terminal=OuterRef("pk"))
    )
    # A platform without contracts sells for its one party (payments.ocpi.enrolment).
    theirs = Contract.objects.filter(connection__ptp=OuterRef("ptp"))
    named = theirs.annotate(lower=Lower("customer_reference")).filter(
        lower=Lower(OuterRef("customer_reference"))
    )
    known = Exists(named) | ~Exists(theirs)
    rows = Terminal.objects.filter(ptp__in=by_ptp, active=True).alias(sells=sells, known=known)
    for row in (
        rows.order_by()
        .values("ptp")
        .annotate(
            number=Count("pk"),
            idle=Count("pk", filter=Q(sells=False)),
            strange=Count("pk", filter=Q(known=False) & ~Q(customer_reference="")),
        )
    ):
        facts = by_ptp[row["ptp"]]
        facts.terminals, facts.unassigned, facts.strange = row["number"], row["idle"], row["strange"]


def _outbox(by_ptp: dict[int, Facts]) -> None:
    waiting, given_up = OutboxMessage.State.DUE, OutboxMessage.State.GIVEN_UP
    rows = OutboxMessage.objects.filter(ptp__in=by_ptp, state__in=[waiting, given_up]).order_by()
    for ptp_id, state, number in rows.values_list("ptp", "state").annotate(number=Count("pk")):
        setattr(by_ptp[ptp_id], "waiting" if state == waiting else "given_up", number)
