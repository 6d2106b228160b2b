"""What the editor changes: a new version, the connectors that sell it, whether it is offered.

Each change takes the tariff's row lock first, so that a tariff cannot change what it says while it is being
attached where that would be refused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Max

from chargers.afir import refusals_at, refusals_in_use
from chargers.models import EVSE, Connector, Site
from emabler.portal.tariffs.shape import same_meaning
from tariffs.afir import Finding
from tariffs.engine.errors import TariffError
from tariffs.engine.terms import Tariff as Terms
from tariffs.models import Tariff, TariffVersion
from tariffs.versions import save_tariff


class Outdated(TariffError):
    """Somebody else saved a newer version meanwhile."""


class IdTaken(TariffError):
    """A tariff with this id exists already."""


class Refused(TariffError):
    """AFIR does not allow this tariff where it is sold; `reasons` has a place and a finding each."""

    def __init__(self, reasons: Sequence[tuple[str, Finding]]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("; ".join(f"{place}: {finding.rule}" for place, finding in reasons))


@dataclass(frozen=True)
class Attached:
    """How many connectors sell a tariff now that did not before, and which must not."""

    added: int
    refused: list[tuple[str, Finding]]


@transaction.atomic
def create(terms: Terms, *, user: Any, now: datetime) -> TariffVersion:
    """Store a new tariff. Raises IdTaken; ids differ by more than upper and lower case (OCPI CiString)."""
    same_id = {
        "country_code": terms.country_code,
        "party_id": terms.party_id,
        "tariff_id__iexact": terms.id,
    }
    if Tariff.objects.filter(**same_id).exists():
        raise IdTaken(IdTaken.__doc__)
    version = save_tariff(replace(terms, last_updated_at=now.replace(microsecond=0)))
    journal(version.tariff, user, "Created in the portal, version 1.")
    return version


@transaction.atomic
def change(tariff_pk: int, terms: Terms, *, based_on: int, user: Any, now: datetime) -> TariffVersion:
    """Store what the tariff says from now on; what it says already makes no version.

    Raises Outdated when version `based_on` is no longer the newest, and Refused.
    """
    tariff = Tariff.objects.select_for_update().get(pk=tariff_pk)
    newest = tariff.current_version
    if newest is not None and same_meaning(newest.terms(), terms):
        return newest
    if newest is not None and newest.number != based_on:
        raise Outdated(Outdated.__doc__)
    reasons = [(f"{evse.site} · {evse.label}", finding) for evse, finding in refusals_in_use(tariff, terms)]
    if reasons:
        raise Refused(reasons)
    version = save_tariff(replace(terms, last_updated_at=now.replace(microsecond=0)))
    journal(tariff, user, f"Changed in the portal, version {version.number}.")
    return version


@transaction.atomic
def attach(tariff_pk: int, connector_pks: Iterable[int], *, user: Any, now: datetime) -> Attached:
    """Let connectors sell by the tariff, but for those where AFIR forbids it."""
    tariff = Tariff.objects.select_for_update().get(pk=tariff_pk)
    chosen = (
        Connector.objects.filter(pk__in=list(connector_pks), evse__removed=False)
        .exclude(tariffs=tariff)
        .select_related("evse__site")
    )
    powers = _evse_powers(chosen)
    good, refused = [], []
    for connector in chosen:
        findings = list(refusals_at(connector.evse.site, powers[connector.evse_id], [tariff]))
        refused += [(place_of(connector), finding) for _, finding in findings]
        good += [] if findings else [connector]
    tariff.connectors.add(*good)
    _touch(good, now)
    if good:
        journal(tariff, user, f"Attached to {_listed(good)}.")
    return Attached(len(good), refused)


@transaction.atomic
def detach(tariff_pk: int, connector_pks: Iterable[int], *, user: Any, now: datetime) -> int:
    """Stop connectors from selling by the tariff; running sessions keep their price. Returns how many."""
    tariff = Tariff.objects.select_for_update().get(pk=tariff_pk)
    chosen = list(tariff.connectors.filter(pk__in=list(connector_pks)).select_related("evse__site"))
    tariff.connectors.remove(*chosen)
    _touch(chosen, now)
    if chosen:
        journal(tariff, user, f"Detached from {_listed(chosen)}.")
    return len(chosen)


@transaction.atomic
def offer(tariff_pk: int, *, active: bool, user: Any) -> None:
    """Offer the tariff to drivers, or stop offering it."""
    tariff = Tariff.objects.select_for_update().get(pk=tariff_pk)
    if tariff.active != active:
        tariff.active = active
        tariff.save(
            update_fields=["active"]
        )  # its connectors sell by another choice now: chargers.last_updated
        journal(tariff, user, "Offered to drivers." if active else "No longer offered to drivers.")


def place_of(connector: Connector) -> str:
    """Return where a connector is; read `evse__site` with select_related."""
    return f"{connector.evse.site} · {connector.evse.label}"


def journal(tariff: Tariff, user: Any, what: str) -> None:
    """Keep who did it, where the records show a tariff's history."""
    LogEntry.objects.create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(Tariff),
        object_id=str(tariff.pk),
        object_repr=str(tariff)[:200],
        action_flag=CHANGE,
        change_message=what,
    )


def _evse_powers(connectors: Iterable[Connector]) -> dict[int, int]:
    """An EVSE is as strong as the strongest of its connectors."""
    evses = {connector.evse_id for connector in connectors}
    rows = Connector.objects.filter(evse__in=evses).order_by().values_list("evse_id")
    return dict(rows.annotate(power_w=Max("max_power_w")))


def _touch(connectors: Iterable[Connector], now: datetime) -> None:
    """What a connector sells is part of its site's Location: a change below counts above (OCPI mod_locations)."""
    connectors = list(connectors)
    Connector.objects.filter(pk__in=[c.pk for c in connectors]).update(updated_at=now)
    EVSE.objects.filter(pk__in={c.evse_id for c in connectors}).update(updated_at=now)
    Site.objects.filter(pk__in={c.evse.site_id for c in connectors}).update(updated_at=now)


def _listed(connectors: Sequence[Connector]) -> str:
    names = ", ".join(place_of(connector) for connector in connectors[:10])
    return names if len(connectors) <= 10 else f"{names} and {len(connectors) - 10} more"
