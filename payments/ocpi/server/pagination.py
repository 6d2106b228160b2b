"""Lists in pages (OCPI 2.3.0 transport_and_format, pagination): `date_from` is inclusive, `date_to` exclusive.

Oldest first, in the order of creation: rows that change while a peer walks the pages move none of the others.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Model, QuerySet

from payments.ocpi.envelope import OcpiError, Reply, Status
from payments.ocpi.server.transport import Call

MAX_LIMIT: Final = 100
MAX_OFFSET: Final = 2**31
_WHOLE: Final = re.compile(r"[0-9]{1,12}")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z?")

M = TypeVar("M", bound=Model)


def moment(call: Call, name: str) -> datetime | None:
    """Return a DateTime of the query, None when it is absent. Raises OcpiError 2001."""
    text = call.request.GET.get(name, "")
    if not text:
        return None
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=UTC)
    except ValueError:
        pass  # it has the form, but is no date: 2026-02-31
    raise OcpiError(Status.INVALID, f"{name} is not a DateTime such as 2026-01-31T12:00:00Z.")


def page(
    call: Call,
    rows: QuerySet[M],
    *,
    changed_at: str,
    write: Callable[[list[M]], Iterable[Any]],
    order: tuple[str, ...] = ("pk",),
) -> Reply:
    """Answer one page of `rows`; `changed_at` names the column that the dates of the query are about.

    `write` gets the rows of the page, all at once, so that it can read what they need in one go.
    """
    rows = _between(call, rows, changed_at)
    offset, limit = _number(call, "offset", 0, MAX_OFFSET), _number(call, "limit", MAX_LIMIT, MAX_LIMIT)
    total = rows.count()
    found = list(rows.order_by(*order)[offset : offset + limit]) if limit else []
    headers = {"X-Total-Count": str(total), "X-Limit": str(MAX_LIMIT)}
    if limit and offset + limit < total:
        headers["Link"] = f'<{_next_url(call, offset + limit, limit)}>; rel="next"'
    return Reply(data=list(write(found)), headers=headers)


def _between(call: Call, rows: QuerySet[M], changed_at: str) -> QuerySet[M]:
    date_from, date_to = moment(call, "date_from"), moment(call, "date_to")
    if date_from and date_to and date_from > date_to:
        raise OcpiError(Status.INVALID, "date_from is after date_to.")
    if date_from:
        rows = rows.filter(**{f"{changed_at}__gte": date_from})
    return rows.filter(**{f"{changed_at}__lt": date_to}) if date_to else rows


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
