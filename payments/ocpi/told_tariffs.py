"""Tariffs as one platform is told them, and what of them is news to it.

To a platform a tariff changed when it was first told it as it is: another hold, or a tariff that is offered
again, is news however old the terms are. That is also what `last_updated` says.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from payments.models import OcpiConnection
from payments.ocpi.connections import Party
from payments.ocpi.dialects import Version, published_hold
from payments.ocpi.published import PublishedTariff, published_tariffs
from payments.ocpi.seen import Shown, shown_tariffs
from payments.ocpi.tariffs import tariff_document
from tariffs.engine.money import from_minor, to_minor
from tariffs.price_text import LANGUAGES


@dataclass(frozen=True, slots=True)
class ToldTariff:
    """A published tariff for one platform.

    `shown` is what is noted once it was told (`seen.note_tariffs`), `before` what it was told last.
    """

    published: PublishedTariff
    shown: Shown
    before: Shown | None
    changed_at: datetime
    is_news: bool

    @property
    def tariff_pk(self) -> int:
        return self.published.version.tariff_id


def told_tariffs(
    connection: OcpiConnection,
    parties: frozenset[Party],
    *,
    version: Version,
    now: datetime,
    only: Collection[int] | None = None,
) -> list[ToldTariff]:
    """Return what a platform is told now, in the order of creation; `only` limits it to these primary keys."""
    known = shown_tariffs(connection, only)
    told = []
    for tariff_pk, published in published_tariffs(parties, now=now, only=only).items():
        shown, seen = _shown(published, version), known.get(tariff_pk)
        before = None if seen is None else Shown(seen.version_id, seen.hold_minor)
        if seen is not None and before == shown:
            told.append(ToldTariff(published, shown, before, seen.seen_at, is_news=False))
        else:
            told.append(ToldTariff(published, shown, before, now, is_news=True))
    return told


def _shown(published: PublishedTariff, version: Version) -> Shown:
    """The hold as the platform reads it: in 2.2.1 a lower price limit of the tariff stands in its place."""
    hold_minor = published.hold_minor
    if version is Version.V2_2_1 and published.terms.max_price is not None:
        amount = published_hold(_document(published, version))
        hold_minor = hold_minor if amount is None else to_minor(amount, published.terms.currency)
    return Shown(published.version.pk, hold_minor)


def document(told: ToldTariff, connection: OcpiConnection, version: Version) -> dict[str, Any]:
    """Write a tariff for its platform, with texts in the languages of its terminals."""
    return _document(
        told.published,
        version,
        languages=tuple(connection.languages or LANGUAGES),
        changed_at=told.changed_at,
    )


def _document(
    published: PublishedTariff,
    version: Version,
    *,
    languages: tuple[str, ...] = (),
    changed_at: datetime | None = None,
) -> dict[str, Any]:
    terms = replace(published.terms, last_updated_at=changed_at)
    hold_amount = from_minor(published.hold_minor, terms.currency)
    return tariff_document(terms, version, languages=languages, hold_amount=hold_amount)
