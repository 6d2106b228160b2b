"""AFIR's price rules at real connectors: which tariffs cannot be sold where (see `tariffs.afir`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import Max

from chargers.models import EVSE, Connector, Site
from tariffs.afir import Finding, refusals
from tariffs.engine.terms import Tariff as Terms
from tariffs.models import Tariff


def refusals_at(site: Site, max_power_w: int, tariffs: Iterable[Tariff]) -> Iterator[tuple[Tariff, Finding]]:
    """Why tariffs cannot be attached to connectors of an EVSE of that power; a tariff without terms can."""
    for tariff in tariffs:
        version = tariff.current_version
        if version is not None:
            for finding in _refusals(version.terms(), site, max_power_w):
                yield tariff, finding


def refusals_in_use(tariff: Tariff, terms: Terms) -> Iterator[tuple[EVSE, Finding]]:
    """Why a tariff cannot say this from now on: each EVSE that sells by it and each error there."""
    sellers = Connector.objects.filter(tariffs=tariff, evse__removed=False).values("evse")
    evses = EVSE.objects.filter(pk__in=sellers).select_related("site")
    for evse in evses.annotate(max_power_w=Max("connectors__max_power_w")):
        for finding in _refusals(terms, evse.site, evse.max_power_w):
            yield evse, finding


def _refusals(terms: Terms, site: Site, max_power_w: int) -> tuple[Finding, ...]:
    return refusals(
        terms, max_power_w=max_power_w, country=site.country, commissioned_on=site.commissioned_on
    )
