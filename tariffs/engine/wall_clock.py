"""The local clock of a site: in which stretches of a day which time, date and day restrictions match."""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from tariffs.engine.errors import UnknownTimeZone
from tariffs.engine.money import Exact
from tariffs.engine.terms import DayOfWeek, Restrictions
from tariffs.engine.usage import EPOCH, microseconds

DAY_US: Final = 86_400_000_000
_MIDNIGHT: Final = time(0)


@dataclass(frozen=True, slots=True)
class ClockRule:
    """The restrictions of one element that the local clock decides."""

    start_time: time | None
    end_time: time | None
    start_date: date | None
    end_date: date | None
    days: tuple[DayOfWeek, ...]

    @classmethod
    def of(cls, restrictions: Restrictions) -> ClockRule:
        """The clock's part of an element's restrictions."""
        return cls(
            restrictions.start_time,
            restrictions.end_time,
            restrictions.start_date,
            restrictions.end_date,
            restrictions.day_of_week,
        )

    def matches(self, local: datetime) -> bool:
        """Whether the element applies at that local time, as far as the clock decides."""
        day = local.date()
        return (
            (self.start_date is None or self.start_date <= day)
            and (self.end_date is None or day < self.end_date)
            and (not self.days or local.weekday() in self.days)
            and self._matches_time(local.time())
        )

    def _matches_time(self, now: time) -> bool:
        """An end at 00:00 is the end of the day; an end before the start wraps over midnight."""
        start, end = self.start_time or _MIDNIGHT, self.end_time or _MIDNIGHT
        if start < end:
            return start <= now < end
        return start <= now or now < end

    def turns_at(self) -> set[time]:
        """Times of day at which the answer may change; empty when the clock never decides."""
        turns = {at for at in (self.start_time, self.end_time) if at is not None}
        # A lone start lasts until midnight and a lone end begins there; dates and days turn there.
        return turns | {_MIDNIGHT} if turns or self.start_date or self.end_date or self.days else turns


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day: from `starts[i]` (µs) until the next start, element e matches if `matches[i][e]`."""

    starts: tuple[int, ...]
    matches: tuple[tuple[bool, ...], ...]


# Days kept per tariff and time zone: two years of a session's reach are more than anyone asks for.
_MAX_DAYS: Final = 750


class WallClock:
    """The clock rules of all elements of a tariff, at a site in one time zone; remembers its days."""

    def __init__(self, rules: tuple[ClockRule, ...], time_zone: str) -> None:
        """Raises `UnknownTimeZone`."""
        self.rules, self.time_zone = rules, time_zone
        self._zone = find_zone(time_zone)
        self._days: dict[int, Day] = {}
        self._always = (True,) * len(rules)
        self._turns = any(rule.turns_at() for rule in rules)

    def matches_at(self, at_us: Exact) -> tuple[bool, ...]:
        """Per element, whether the local clock lets it apply at that moment."""
        if not self._turns:
            return self._always
        day = self._day(at_us // DAY_US)
        return day.matches[bisect_right(day.starts, at_us) - 1]

    def turns_between(self, start_us: int, end_us: int) -> Iterator[int]:
        """Moments strictly inside the stretch at which an answer changes."""
        if not self._turns:
            return
        for number in range(start_us // DAY_US, -(-end_us // DAY_US)):
            for at_us in self._day(number).starts:
                if start_us < at_us < end_us:
                    yield at_us

    def _day(self, number: int) -> Day:
        day = self._days.get(number)
        if day is None:
            if len(self._days) >= _MAX_DAYS:
                self._days.clear()
            day = self._days[number] = _day(self.rules, self._zone, number)
        return day


@functools.lru_cache(maxsize=256)
def find_zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises `UnknownTimeZone`."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        # An unknown name is a LookupError; odd ones raise OSError or ValueError.
        raise UnknownTimeZone(name) from None


def _day(rules: tuple[ClockRule, ...], zone: ZoneInfo, number: int) -> Day:
    starts: list[int] = []
    matches: list[tuple[bool, ...]] = []
    for at_us in sorted({number * DAY_US, *_turns(rules, zone, number)}):
        local = _local(at_us, zone)
        found = tuple(rule.matches(local) for rule in rules)
        if not matches or matches[-1] != found:
            starts.append(at_us)
            matches.append(found)
    return Day(tuple(starts), tuple(matches))


def _turns(rules: tuple[ClockRule, ...], zone: ZoneInfo, number: int) -> Iterator[int]:
    """Moments of that UTC day at which a rule may turn, both readings of a repeated hour included."""
    times = set[time]().union(*(rule.turns_at() for rule in rules))
    if not times:
        return
    start_us, end_us = number * DAY_US, (number + 1) * DAY_US
    today = _local(start_us, UTC).date()
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        for at in times:
            for fold in (0, 1):
                at_us = microseconds(datetime.combine(day, at.replace(fold=fold), zone))
                if start_us < at_us < end_us:
                    yield at_us
    yield from _offset_changes(zone, start_us, end_us)


def _offset_changes(zone: ZoneInfo, start_us: int, end_us: int) -> Iterator[int]:
    """Moments at which the local clock jumps: a turn inside the skipped or repeated hour happens there."""
    hour_us = 3_600_000_000
    for low in range(start_us, end_us, hour_us):
        high = low + hour_us
        before = _local(low, zone).utcoffset()
        if before == _local(high, zone).utcoffset():
            continue
        # Offsets change on whole seconds; low keeps the old offset, high has the new one.
        while high - low > 1_000_000:
            middle = (low + high) // 2_000_000 * 1_000_000
            if _local(middle, zone).utcoffset() == before:
                low = middle
            else:
                high = middle
        if high < end_us:
            yield high


def _local(at_us: int, zone: tzinfo) -> datetime:
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(zone)
