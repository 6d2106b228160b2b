"""What the list of tariffs and the page of one tariff show, in a fixed number of queries."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Max, Q

from chargers.models import Connector
from emabler.portal.overview import LANGUAGE
from emabler.portal.tariffs.example import Text, texts
from emabler.portal.tariffs.forms import TYPES
from payments.receipts import formats
from payments.receipts.paper import connector_name
from tariffs.afir import Finding, Severity, lint
from tariffs.engine.terms import Tariff as Terms
from tariffs.models import Tariff, TariffVersion
from tariffs.price_text import price_lines, terms_text

ROWS_SHOWN = 50
VERSIONS_SHOWN = 50
CONNECTORS_SHOWN = 200
FOUND_SHOWN = 40
JOURNAL_SHOWN = 20
TYPE_NAMES = dict(TYPES)
TONES = {Severity.ERROR: "bad", Severity.WARNING: "wait", Severity.INFO: "calm"}


@dataclass(frozen=True, kw_only=True)
class TariffRow:
    """A tariff as the list shows it."""

    pk: int
    name: str
    type: str
    currency: str
    lines: list[str]
    version: int
    active: bool
    connectors: int
    sites: int
    errors: int
    warnings: int


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """A version and what it told drivers."""

    number: int
    saved: str
    lines: list[str]
    terms: str


@dataclass(frozen=True, kw_only=True)
class ConnectorRow:
    """A connector that sells, or could sell, by a tariff."""

    pk: int
    site: str
    label: str
    what: str


@dataclass(frozen=True, kw_only=True)
class FoundRow:
    """A finding with the tone of its pill and how many sites it concerns."""

    finding: Finding
    tone: str
    where: str


@dataclass(frozen=True, kw_only=True)
class TariffPage:
    """All that the page of a tariff shows."""

    tariff: Tariff
    type: str
    version: int
    texts: list[Text]
    versions: list[VersionRow]
    versions_hidden: int
    connectors: list[ConnectorRow]
    connectors_hidden: int
    sites: int
    findings: list[FoundRow]
    found: list[ConnectorRow]
    query: str
    journal: list[dict[str, str]]


def tariff_list(page: str | None) -> tuple[Page[Any], list[TariffRow]]:
    """Return one page of the list and its rows."""
    in_use = Q(connectors__evse__removed=False)
    tariffs = Tariff.objects.annotate(
        connector_count=Count("connectors", filter=in_use, distinct=True),
        site_count=Count("connectors__evse__site", filter=in_use, distinct=True),
    )
    ordered = tariffs.order_by("country_code", "party_id", "tariff_id")  # aggregates lose the default order
    shown = Paginator(ordered, ROWS_SHOWN).get_page(page)
    newest, places = _newest([t.pk for t in shown]), _places([t.pk for t in shown])
    return shown, [_row(tariff, newest.get(tariff.pk), places[tariff.pk]) for tariff in shown]


def _newest(tariff_pks: Iterable[int]) -> dict[int, TariffVersion]:
    versions = TariffVersion.objects.filter(tariff__in=list(tariff_pks))
    newest = versions.alias(last=Max("tariff__versions__number")).filter(number=F("last"))
    return {version.tariff_id: version for version in newest}


Place = dict[str, Any]


def _places(tariff_pks: Iterable[int]) -> dict[int, list[Place]]:
    """Per tariff, the kinds of places where it is sold, as far as AFIR cares: country, date, greatest power."""
    sold = Connector.tariffs.through.objects.filter(
        tariff_id__in=list(tariff_pks), connector__evse__removed=False
    )
    grouped = sold.order_by().values(
        "tariff_id",
        country=F("connector__evse__site__country"),
        commissioned_on=F("connector__evse__site__commissioned_on"),
    )
    places: dict[int, list[Place]] = defaultdict(list)
    for group in grouped.annotate(
        max_power_w=Max("connector__evse__connectors__max_power_w"),
        sites=Count("connector__evse__site", distinct=True),
    ):
        places[group["tariff_id"]].append(dict(group))
    return places


def _findings(terms: Terms, places: Iterable[Place]) -> dict[Finding, list[Place]]:
    """What AFIR has against the tariff where it is sold, the gravest first."""
    found: dict[Finding, list[Place]] = defaultdict(list)
    for place in places:
        facts = {name: place[name] for name in ("max_power_w", "country", "commissioned_on")}
        for finding in lint(terms, **facts):
            found[finding].append(place)
    order = list(Severity)
    return dict(sorted(found.items(), key=lambda item: order.index(item[0].severity)))


def _row(tariff: Any, version: TariffVersion | None, places: list[Place]) -> TariffRow:
    terms = version.terms() if version else None
    weights = [finding.severity for finding in _findings(terms, places)] if terms else []
    return TariffRow(
        pk=tariff.pk,
        name=tariff.tariff_id,
        type=TYPE_NAMES.get(tariff.type, tariff.type),
        currency=tariff.currency,
        lines=_said(terms) if terms else [],
        version=version.number if version else 0,
        active=tariff.active,
        connectors=tariff.connector_count,
        sites=tariff.site_count,
        errors=weights.count(Severity.ERROR),
        warnings=weights.count(Severity.WARNING),
    )


def _said(terms: Terms) -> list[str]:
    return [line.text for line in price_lines(terms, LANGUAGE)] or [terms_text(terms, LANGUAGE)]


def tariff_page(tariff_pk: int, query: str) -> TariffPage:
    """Read one tariff; `query` looks for connectors to attach. Raises Tariff.DoesNotExist."""
    tariff = Tariff.objects.get(pk=tariff_pk)
    versions = list(tariff.versions.order_by("-number")[: VERSIONS_SHOWN + 1])
    terms = versions[0].terms() if versions else None
    places = _places([tariff_pk])[tariff_pk]
    country = places[0]["country"] if places else ""
    sold = Connector.objects.filter(tariffs=tariff, evse__removed=False)
    amount = sold.aggregate(connectors=Count("pk"), sites=Count("evse__site", distinct=True))
    return TariffPage(
        tariff=tariff,
        type=TYPE_NAMES.get(tariff.type, tariff.type),
        version=versions[0].number if versions else 0,
        texts=list(texts(terms, country)) if terms else [],
        versions=[_version(version) for version in versions[:VERSIONS_SHOWN]],
        versions_hidden=max(versions[0].number - VERSIONS_SHOWN, 0) if versions else 0,
        connectors=_connectors(sold, CONNECTORS_SHOWN),
        connectors_hidden=max(amount["connectors"] - CONNECTORS_SHOWN, 0),
        sites=amount["sites"],
        findings=_found_rows(terms, places) if terms else [],
        found=_connectors(_search(tariff, query), FOUND_SHOWN),
        query=query,
        journal=_journal(tariff_pk),
    )


def findings_in_use(tariff_pk: int, terms: Terms) -> list[FoundRow]:
    """Return what AFIR would have against these terms where the tariff is sold now. One query."""
    return _found_rows(terms, _places([tariff_pk])[tariff_pk])


def _found_rows(terms: Terms, places: list[Place]) -> list[FoundRow]:
    return [_found(*item) for item in _findings(terms, places).items()]


def _search(tariff: Tariff, query: str) -> Any:
    places = ("evse__site__name", "evse__station__identity", "evse__physical_reference", "evse__evse_id")
    wanted = Q()
    for place in places:
        wanted |= Q(**{f"{place}__icontains": query})
    return Connector.objects.filter(wanted, evse__removed=False).exclude(tariffs=tariff)


def _connectors(connectors: Any, most: int) -> list[ConnectorRow]:
    rows = connectors.select_related("evse__site", "evse__station")
    ordered = rows.order_by("evse__site__name", "evse__physical_reference", "evse__uid", "connector_id")
    return [
        ConnectorRow(
            pk=each.pk,
            site=str(each.evse.site),
            label=each.evse.label,
            what=f"{connector_name(each.standard)}, {formats.power(each.max_power_w, LANGUAGE)}",
        )
        for each in ordered[:most]
    ]


def _version(version: TariffVersion) -> VersionRow:
    terms = version.terms()
    return VersionRow(
        number=version.number,
        saved=f"{formats.moment(version.created_at, 'UTC', LANGUAGE)} UTC",
        lines=[line.text for line in price_lines(terms, LANGUAGE)],
        terms=terms_text(terms, LANGUAGE),
    )


def _found(finding: Finding, places: list[Place]) -> FoundRow:
    sites = sum(place["sites"] for place in places)
    countries = ", ".join(sorted({place["country"] for place in places}))
    where = f"{sites} site{'' if sites == 1 else 's'} in {countries}"
    return FoundRow(finding=finding, tone=TONES[finding.severity], where=where)


def _journal(tariff_pk: int) -> list[dict[str, str]]:
    entries = LogEntry.objects.filter(
        content_type__app_label="tariffs", content_type__model="tariff", object_id=str(tariff_pk)
    )
    return [
        {
            "at": f"{formats.moment(entry.action_time, 'UTC', LANGUAGE)} UTC",
            "who": entry.user.get_username(),
            "what": entry.get_change_message() or str(entry.get_action_flag_display()),
        }
        for entry in entries.select_related("user").order_by("-pk")[:JOURNAL_SHOWN]
    ]
