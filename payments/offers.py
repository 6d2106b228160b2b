"""What a connector sells to a driver with a card: the tariff version in force, for many at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import F, Max

from chargers.models import Connector
from tariffs.engine.limit import preauthorize_minor
from tariffs.engine.money import to_minor
from tariffs.engine.terms import Tariff as Terms
from tariffs.models import Tariff, TariffVersion

# In order of preference: made for it, made for everyone, made for those without a contract's preference
# (OCPI 2.3.0 mod_tariffs, TariffType).
RANK = {"AD_HOC_PAYMENT": 0, "": 1, "REGULAR": 2}


def versions_on_offer(connectors: Sequence[Connector], at: datetime) -> dict[int, TariffVersion]:
    """Return per connector (by primary key) the tariff version that a card payment is charged by.

    A connector that sells nothing is absent. Two queries, however many connectors; versions carry their
    tariff.
    """
    pairs = list(
        Connector.tariffs.through.objects.filter(
            connector__in=[c.pk for c in connectors],
            tariff__active=True,
            tariff__type__in=RANK,
        ).values_list("connector_id", "tariff_id")
    )
    newest = _newest_versions({tariff_pk for _, tariff_pk in pairs}, at)
    offers: dict[int, TariffVersion] = {}
    for connector_pk, tariff_pk in pairs:
        if version := newest.get(tariff_pk):
            known = offers.get(connector_pk, version)
            offers[connector_pk] = min(known, version, key=_rank)
    return {c.pk: offers[c.pk] for c in connectors if c.pk in offers and _has_hold(c, offers[c.pk])}


def _has_hold(connector: Connector, version: TariffVersion) -> bool:
    return hold_minor_for(connector, version.terms()) is not None


def hold_minor_for(connector: Connector, terms: Terms) -> int | None:
    """Return how much to hold: the tariff's amount, else the site's for AC or DC, else the CPO's.

    None where nobody named an amount in the tariff's currency: 60 is little in EUR and nothing in JPY. Read
    the connector with its EVSE's site.
    """
    site = connector.evse.site
    named = site.preauthorize_dc if connector.is_dc else site.preauthorize_ac
    return hold_minor(terms, is_dc=connector.is_dc, named=named)


def hold_minor(terms: Terms, *, is_dc: bool, named: Decimal | None) -> int | None:
    """Return how much to hold where the site named this amount for AC or DC, or none."""
    if named is None and terms.currency == settings.CPO_CURRENCY:
        named = settings.DEFAULT_PREAUTHORIZE_DC if is_dc else settings.DEFAULT_PREAUTHORIZE_AC
    if named is None and terms.preauthorize_amount is None:
        return None
    return preauthorize_minor(terms, to_minor(named or Decimal(0), terms.currency))


def version_on_offer(connector: Connector, at: datetime) -> TariffVersion | None:
    """Return the tariff version that a card payment at this connector is charged by, None where nothing is sold."""
    return versions_on_offer([connector], at).get(connector.pk)


def _newest_versions(tariff_pks: Iterable[int], at: datetime) -> dict[int, TariffVersion]:
    """The newest version of each tariff; a tariff outside its dates does not count."""
    versions = (
        TariffVersion.objects.filter(tariff__in=tariff_pks)
        .alias(newest=Max("tariff__versions__number"))
        .filter(number=F("newest"))
        .select_related("tariff")
    )
    return {version.tariff_id: version for version in versions if version.terms().is_valid_at(at)}


def _rank(version: TariffVersion) -> tuple[int, int]:
    tariff: Tariff = version.tariff
    return RANK[tariff.type], tariff.pk
