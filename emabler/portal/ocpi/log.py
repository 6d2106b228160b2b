"""The log of OCPI traffic as staff read it: filtered, searched, page by page, and one conversation in order.

Pages are cut by the last row seen (keyset), so that the thousandth page costs what the first does and new
traffic shifts nothing.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet

from emabler.portal.ocpi import words
from emabler.portal.ocpi.reindent import reindented
from emabler.portal.words import Sign
from payments.models import OcpiMessage

ROWS_SHOWN: Final = 50
CONVERSATION_SHOWN: Final = 100
# A search reads rows, not an index: so many of the newest, so that it ends.
SEARCHED: Final = 20_000
URL_SHOWN: Final = 120
UNKNOWN_CALLER: Final = "unknown"
_SEARCHED_FIELDS: Final = (
    "url",
    "request_id",
    "correlation_id",
    "request_body",
    "response_body",
    "error",
)
_POSITION: Final = re.compile(r"(\d{1,17})-(\d{1,18})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)

_FINE: Final = Q(http_status__range=(200, 299)) & (Q(ocpi_status=None) | Q(ocpi_status__lt=2000))
OUTCOMES: Final[dict[str, tuple[str, Q]]] = {
    "trouble": ("Anything but success", ~_FINE | Q(http_status=None)),
    "fine": ("Success", _FINE),
    "ocpi": ("Refused in OCPI (2xxx, 3xxx)", Q(ocpi_status__gte=2000)),
    "4xx": ("HTTP 4xx", Q(http_status__range=(400, 499))),
    "5xx": ("HTTP 5xx", Q(http_status__gte=500)),
    "none": ("No answer", Q(http_status=None)),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A message as the list shows it."""

    pk: int
    at: str
    connection_pk: int | None
    connection: str
    direction: str
    method: str
    module: str
    url: str
    sign: Sign
    error: str
    duration: str
    request_id: str
    correlation_id: str


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A message with what was said, laid out for reading."""

    line: Line
    url: str
    request: str
    response: str


@dataclass(frozen=True, kw_only=True)
class LogPage:
    """One page of the log; the positions are empty where there is nothing further."""

    lines: list[Line]
    older: str
    newer: str
    searched: int  # 0: nothing was searched


def log_page(filters: dict[str, Any], *, before: str = "", after: str = "") -> LogPage:
    """Read one page, newest first; `before` and `after` are positions of the page left behind."""
    rows = _chosen(filters)
    searched = SEARCHED if filters.get("q") else 0
    if _position(after):
        found = list(_cut(rows, after, forward=True).order_by("at", "pk")[: ROWS_SHOWN + 1])
        more, found = len(found) > ROWS_SHOWN, found[:ROWS_SHOWN][::-1]
        older, newer = bool(found), more
    else:
        cut = _cut(rows, before, forward=False) if _position(before) else rows
        found = list(cut.order_by("-at", "-pk")[: ROWS_SHOWN + 1])
        older, newer = len(found) > ROWS_SHOWN, bool(_position(before))
        found = found[:ROWS_SHOWN]
    return LogPage(
        lines=[_line(message) for message in found],
        older=position_of(found[-1]) if older and found else "",
        newer=position_of(found[0]) if newer and found else "",
        searched=searched,
    )


def exchange(message_pk: int) -> Exchange:
    """Read one message. Raises OcpiMessage.DoesNotExist."""
    return _exchange(OcpiMessage.objects.select_related("connection__ptp").get(pk=message_pk))


def conversation(correlation_id: str) -> list[Exchange]:
    """Read the messages that bear one correlation id, in order."""
    rows = OcpiMessage.objects.filter(correlation_id=correlation_id).select_related("connection__ptp")
    return [_exchange(message) for message in rows.order_by("at", "pk")[:CONVERSATION_SHOWN]]


def _chosen(filters: dict[str, Any]) -> QuerySet[OcpiMessage]:
    rows = OcpiMessage.objects.select_related("connection__ptp").defer("request_body", "response_body")
    connection = filters.get("connection")
    if connection == UNKNOWN_CALLER:
        rows = rows.filter(connection=None)
    elif connection:
        rows = rows.filter(connection=connection)
    for name in ("direction", "module"):
        if filters.get(name):
            rows = rows.filter(**{name: filters[name]})
    if filters.get("outcome"):
        rows = rows.filter(OUTCOMES[filters["outcome"]][1])
    if filters.get("until"):
        until = min(filters["until"], _LAST)
        rows = rows.filter(at__lt=until + timedelta(minutes=1))
    return _searched(rows, filters["q"]) if filters.get("q") else rows


def _searched(rows: QuerySet[OcpiMessage], text: str) -> QuerySet[OcpiMessage]:
    wanted = Q()
    for name in _SEARCHED_FIELDS:
        wanted |= Q(**{f"{name}__icontains": text})
    newest = rows.order_by("-at", "-pk").values("pk")[:SEARCHED]
    return rows.filter(wanted, pk__in=newest)


def position_of(message: OcpiMessage) -> str:
    """Return a row's place in the order of the log."""
    return f"{(message.at - _EPOCH) // timedelta(microseconds=1)}-{message.pk}"


def _position(text: str) -> tuple[datetime, int] | None:
    found = _POSITION.fullmatch(text)
    if found is None:
        return None
    return _EPOCH + timedelta(microseconds=int(found[1])), int(found[2])


def _cut(rows: QuerySet[OcpiMessage], text: str, *, forward: bool) -> QuerySet[OcpiMessage]:
    place = _position(text)
    assert place is not None, "the caller has looked"
    at, pk = place
    side = "gt" if forward else "lt"
    # The first condition says what the second does already, in the form that an index can use.
    return rows.filter(**{f"at__{side}e": at}).filter(
        Q(**{f"at__{side}": at}) | Q(**{"at": at, f"pk__{side}": pk})
    )


def _line(message: OcpiMessage) -> Line:
    connection = message.connection
    return Line(
        pk=message.pk,
        at=words.when(message.at),
        connection_pk=message.connection_id,
        connection=connection.ptp.name if connection else "unknown caller",
        direction=words.DIRECTION[message.direction],
        method=message.method,
        module=message.module,
        url=message.url if len(message.url) <= URL_SHOWN else f"{message.url[:URL_SHOWN]}…",
        sign=words.answer(message),
        error=message.error,
        duration=f"{message.duration_ms} ms",
        request_id=message.request_id,
        correlation_id=message.correlation_id,
    )


def _exchange(message: OcpiMessage) -> Exchange:
    return Exchange(
        line=_line(message),
        url=message.url,
        request=reindented(message.request_body),
        response=reindented(message.response_body),
    )
