"""Tariffs as one platform is told them, and what of them is news to it.

To a platform a tariff changed when it became news: another hold, or a tariff that is offered again, is news
however old the terms are. That is also what `last_updated` says. The moment is stamped and kept when somebody
first looks, before the platform is told: were it the time of each look, a platform that asks for one window
after the other, each up to the present, would never find it in any.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from payments.models import OcpiConnection, SeenTariff, TariffNews
from payments.ocpi.connections import Party
from payments.ocpi.dialects import Version, published_hold
from payments.ocpi.published import PublishedTariff, published_tariffs
from payments.ocpi.seen import Shown, is_known, shown_tariffs
from payments.ocpi.tariffs import tariff_document
from tariffs.engine.money import from_minor, to_minor
from tariffs.price_text import LANGUAGES

_CLOCK_AHEAD: Final = timedelta(minutes=5)  # of a platform; who asks beyond it asks for nothing
_INSTANT: Final = timedelta(microseconds=1)


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
    since: datetime | None = None,
) -> list[ToldTariff]:
    """Return what a platform is told now, in the order of creation; `only` limits it to these primary keys.

    `since` is the `date_from` of a platform that asks for what changed; it is no filter (see `_Stamps`).
    """
    known = shown_tariffs(connection, only)
    published = published_tariffs(parties, now=now, only=only)
    shown = {tariff_pk: _shown(each, version) for tariff_pk, each in published.items()}
    if since is not None and since > now + _CLOCK_AHEAD:
        since = None
    changed_at = _Stamps(connection, version, known, since).of(shown)
    told = []
    for tariff_pk, each in published.items():
        seen = known.get(tariff_pk)
        before = None if seen is None else Shown(seen.version_id, seen.hold_minor)
        news = before != shown[tariff_pk]
        told.append(ToldTariff(each, shown[tariff_pk], before, changed_at[tariff_pk], is_news=news))
    return told


@dataclass(frozen=True, slots=True)
class _Stamps:
    """Since when the tariffs of a platform are as they are."""

    connection: OcpiConnection
    version: Version
    known: Mapping[int, SeenTariff]
    since: datetime | None

    def of(self, shown: Mapping[int, Shown]) -> dict[int, datetime]:
        """Return the stamp of each, by primary key; writes only where one is missing.

        Call it with what was read before: then no window that was answered without it reaches up to the stamp.
        """
        stamps = self._standing(shown, self._noted(shown))
        missing = {tariff_pk: each for tariff_pk, each in shown.items() if tariff_pk not in stamps}
        return stamps | self._given(missing) if missing else stamps

    def _standing(self, shown: Mapping[int, Shown], noted: Mapping[int, TariffNews]) -> dict[int, datetime]:
        """The stamps that hold, by primary key."""
        found = {pk: self._stamp(shown[pk], noted.get(pk), self.known.get(pk)) for pk in shown}
        return {pk: at for pk, at in found.items() if at is not None}

    def _stamp(self, shown: Shown, news: TariffNews | None, seen: SeenTariff | None) -> datetime | None:
        """A stamp that was given to other terms holds no more, nor does one of news that was never told and that
        the platform, asking for what is later, will not ask for any more: the tariff was not offered to it for
        a while, or its clock is ahead.
        """
        was_told = is_known(seen, shown)
        if news is None:
            return seen.seen_at if seen is not None and was_told else None  # told before there were stamps
        is_same = (news.version_id, news.hold_minor) == (shown.version_pk, shown.hold_minor)
        is_missed = not was_told and self.since is not None and news.news_at < self.since
        return news.news_at if is_same and not is_missed else None

    @transaction.atomic
    def _given(self, shown: Mapping[int, Shown]) -> dict[int, datetime]:
        """Stamp what has no stamp that holds; of several looks at once one does, and all tell the same."""
        OcpiConnection.objects.select_for_update().only("pk").get(pk=self.connection.pk)
        noted = self._noted(shown)
        stamps = self._standing(shown, noted)
        now = max(timezone.now(), self.since) if self.since else timezone.now()
        news = []
        for tariff_pk in shown.keys() - stamps.keys():
            # Never back in time, whatever the clock of the server that stamped it last.
            told_at = [noted[tariff_pk].news_at] if tariff_pk in noted else []
            told_at += [self.known[tariff_pk].seen_at] if tariff_pk in self.known else []
            at = max([now, *(each + _INSTANT for each in told_at)])
            news.append(self._row(tariff_pk, shown[tariff_pk], at))
        TariffNews.objects.bulk_create(
            news,
            update_conflicts=True,
            unique_fields=["connection", "tariff", "ocpi_version"],
            update_fields=["version", "hold_minor", "news_at"],
        )
        return stamps | {each.tariff_id: each.news_at for each in news}

    def _noted(self, tariff_pks: Collection[int]) -> dict[int, TariffNews]:
        rows = TariffNews.objects.filter(connection=self.connection, ocpi_version=self.version)
        return {news.tariff_id: news for news in rows.filter(tariff__in=tariff_pks)}

    def _row(self, tariff_pk: int, shown: Shown, at: datetime) -> TariffNews:
        return TariffNews(
            connection=self.connection,
            tariff_id=tariff_pk,
            ocpi_version=self.version,
            version_id=shown.version_pk,
            hold_minor=shown.hold_minor,
            news_at=at,
        )


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
