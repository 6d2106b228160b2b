"""Lists in pages (OCPI 2.3.0 transport_and_format, pagination): `date_from` is inclusive, `date_to` exclusive.

Oldest first, in the order of creation: rows that change while a peer walks the pages move none of the others.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Model, Q, QuerySet

from payments.ocpi.envelope import OcpiError, Reply, Status
from payments.ocpi.server.transport import Call

MAX_LIMIT: Final = 100
MAX_OFFSET: Final = 2**31
# The ends of the calendar, which some platforms write for "all there is", leave no room to reckon with.
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)
_WHOLE: Final = re.compile(r"[0-9]{1,12}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z?")

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def moment(call: Call, name: str) -> datetime | None:
    """Return a DateTime of the query, None when it is absent. Raises OcpiError 2001."""
    text = call.request.GET.get(name, "")
    if not text:
        return None
    try:
        if _MOMENT.fullmatch(text):
            at = datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=UTC)
            return min(max(at, _FIRST), _LAST)
    except ValueError:
        pass  # it has the form, but is no date: 2026-02-31
    raise OcpiError(Status.INVALID, f"{name} is not a DateTime such as 2026-01-31T12:00:00Z.")


def page(
    call: Call,
    rows: QuerySet[M],
    *,
    changed_at: str | Callable[[datetime], Q],
    write: Callable[[list[M]], Iterable[Any]],
    order: tuple[str, ...] = ("pk",),
) -> Reply:
    """Answer one page of `rows`.

    `changed_at` names the column that the dates of the query are about, or gives the condition that a row
    changed at a moment or later. `write` gets the rows of the page, all at once, so that it can read what
    they need in one go.
    """
    since = _since_column(changed_at) if isinstance(changed_at, str) else changed_at
    date_from, date_to = dates(call)
    if date_from:
        rows = rows.filter(since(date_from))
    if date_to:
        rows = rows.exclude(since(date_to))
    ordered = rows.order_by(*order)
    return _page(call, rows.count(), lambda start, end: write(list(ordered[start:end])))


def page_of(call: Call, items: Sequence[T], *, write: Callable[[Sequence[T]], Iterable[Any]]) -> Reply:
    """Answer one page of what was read and picked by `dates` already."""
    return _page(call, len(items), lambda start, end: write(items[start:end]))


def dates(call: Call) -> tuple[datetime | None, datetime | None]:
    """Return `date_from` and `date_to` of the query. Raises OcpiError 2001."""
    date_from, date_to = moment(call, "date_from"), moment(call, "date_to")
    if date_from and date_to and date_from > date_to:
        raise OcpiError(Status.INVALID, "date_from is after date_to.")
    return date_from, date_to


def _since_column(name: str) -> Callable[[datetime], Q]:
    return lambda at: Q(**{f"{name}__gte": at})


def _page(call: Call, total: int, written: Callable[[int, int], Iterable[Any]]) -> Reply:
    offset, limit = _number(call, "offset", 0, MAX_OFFSET), _number(call, "limit", MAX_LIMIT, MAX_LIMIT)
    headers = {"X-Total-Count": str(total), "X-Limit": str(MAX_LIMIT)}
    if limit and offset + limit < total:
        headers["Link"] = f'<{_next_url(call, offset + limit, limit)}>; rel="next"'
    data = list(written(offset, offset + limit)) if limit and offset < total else []
    return Reply(data=data, headers=headers)


def _number(call: Call, name: str, default: int, most: int) -> int:
    text = call.request.GET.get(name, "")
    if not text:
        return default
    if not _WHOLE.fullmatch(text):
        raise OcpiError(Status.INVALID, f"{name} is not a whole number.")
    return min(int(text), most)


def _next_url(call: Call, offset: int, limit: int) -> str:
    query = {name: value for name, value in call.request.GET.items() if name not in ("offset", "limit")}
    query |= {"offset": str(offset), "limit": str(limit)}
    return f"{settings.PUBLIC_URL}{call.request.path}?{urlencode(query)}"
