"""Which tariffs a platform is shown, with which hold, and which of them a connector refers to.

A tariff is published while it can be sold to a driver with a card: active, of a type for everybody, not over,
and with an amount to preauthorise. OCPI names one amount per tariff, so where the tariff has none of its own
it is the highest of the connectors that sell by it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Exists, OuterRef

from chargers.models import Connector
from payments.ocpi.connections import Party, of_parties
from payments.offers import RANK, hold_minor
from sessions_app.live_cost import terms_of
from tariffs.engine.terms import Tariff as Terms
from tariffs.models import TariffVersion

_INSTANT = timedelta(microseconds=1)  # the end of a tariff still belongs to it


@dataclass(frozen=True, slots=True)
class PublishedTariff:
    """The newest version of a tariff as it is shown; `hold_minor` is what its platform is to preauthorise."""

    version: TariffVersion  # with its tariff
    terms: Terms
    hold_minor: int

    def is_sold_at(self, *, is_dc: bool, named: Decimal | None) -> bool:
        """Whether a connector sells by it, whose site named this amount to preauthorise, or none."""
        return (
            self.terms.preauthorize_amount is not None
            or hold_minor(self.terms, is_dc=is_dc, named=named) is not None
        )

    @property
    def rank(self) -> tuple[int, int]:
        """What is sold before others, the least first (as `payments.offers` has it)."""
        return RANK[self.version.tariff.type], self.version.tariff_id


def published_tariffs(
    parties: frozenset[Party], *, now: datetime, only: Collection[int] | None = None
) -> dict[int, PublishedTariff]:
    """Return what is published of our parties, by the tariff's primary key, in the order of creation.

    `only` limits it to these tariffs. One query, and one more where a tariff names no amount itself.
    """
    newer = TariffVersion.objects.filter(tariff=OuterRef("tariff"), number__gt=OuterRef("number"))
    versions = TariffVersion.objects.filter(
        of_parties(parties, prefix="tariff__"), tariff__active=True, tariff__type__in=RANK
    ).filter(~Exists(newer))
    if only is not None:
        versions = versions.filter(tariff__in=only)
    found = [
        (version, terms)
        for version in versions.select_related("tariff").order_by("tariff__pk")
        if not _is_over(terms := terms_of(version.document), now)
    ]
    holds = _highest_holds({v.tariff_id: t for v, t in found if t.preauthorize_amount is None})
    published = {}
    for version, terms in found:
        hold = holds.get(version.tariff_id) or _own_hold(terms)
        if hold:
            published[version.tariff_id] = PublishedTariff(version, terms, hold)
    return published


def _own_hold(terms: Terms) -> int | None:
    return None if terms.preauthorize_amount is None else hold_minor(terms, is_dc=True, named=None)


def _is_over(terms: Terms, now: datetime) -> bool:
    return terms.end_at is not None and terms.end_at < now


def _highest_holds(tariffs: Mapping[int, Terms]) -> dict[int, int]:
    """The highest amount that a connector asks for, per tariff; a tariff that no connector sells has none."""
    if not tariffs:
        return {}
    rows = Connector.tariffs.through.objects.filter(
        tariff__in=tariffs, connector__evse__removed=False
    ).values_list(
        "tariff_id",
        "connector__power_type",
        "connector__evse__site__preauthorize_ac",
        "connector__evse__site__preauthorize_dc",
    )
    highest: dict[int, int] = {}
    for tariff_pk, power_type, at_ac, at_dc in rows.distinct():
        is_dc = power_type == "DC"
        hold = hold_minor(tariffs[tariff_pk], is_dc=is_dc, named=at_dc if is_dc else at_ac)
        highest[tariff_pk] = max(highest.get(tariff_pk, 0), hold or 0)
    return highest


def tariff_ids_of(
    attached: Iterable[PublishedTariff], *, is_dc: bool, named: Decimal | None, now: datetime
) -> tuple[str, ...]:
    """Return the tariffs that a connector refers to: what it sells by now, then what it will sell by later.

    Attached tariffs that never come into their own beside a better one are left out: a terminal that shows
    another price than the one that is charged is the worst of all faults.
    """
    sold = [each for each in attached if each.is_sold_at(is_dc=is_dc, named=named)]
    if len(sold) == 1:
        return (sold[0].terms.id,)
    sold.sort(key=_rank)
    turns = {each.terms.start_at for each in sold} | {
        each.terms.end_at and each.terms.end_at + _INSTANT for each in sold
    }
    moments = [now, *sorted(turn for turn in turns if turn is not None and turn > now)]
    chosen = (next((e for e in sold if e.terms.is_valid_at(at)), None) for at in moments)
    return tuple(dict.fromkeys(each.terms.id for each in chosen if each is not None))


def _rank(published: PublishedTariff) -> tuple[int, int]:
    return published.rank
