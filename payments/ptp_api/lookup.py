"""Finding what a request names: a PTP sees its own things only, everything else is not there."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from chargers.models import Connector
from payments.models import Payment, Terminal
from payments.ptp_api.authentication import Caller
from payments.ptp_api.bodies import LANGUAGE
from payments.ptp_api.problems import Problem, invalid
from payments.statements import payments_of
from payments.terminals import connectors_of, connectors_of_ptp, find_terminal

PAGE_SIZE = 200
LONGEST_PARAMETER = 64
_VISIBLE = re.compile(r"[\x20-\x7e]*")

M = TypeVar("M", bound=Model)


def terminal_of(caller: Caller, terminal_id: str | None, *, told_in: str = "query") -> Terminal:
    """Return the terminal that a request speaks for. Raises Problem not_found, invalid_query, invalid_body.

    A key that is limited to one terminal may leave `terminal_id` out, and may name no other.
    """
    if caller.terminal is not None:
        if terminal_id not in (None, "", caller.terminal.terminal_id):
            raise Problem("not_found", "This key is limited to another terminal.")
        return caller.terminal
    if not terminal_id:
        message = "This key speaks for all terminals of its PTP: name one."
        raise invalid(f"invalid_{told_in}", "terminal_id", "required", message)
    terminal = find_terminal(caller.ptp, terminal_id)
    if terminal is None:
        raise Problem("not_found", "There is no such terminal.")
    return terminal


def connector_of(caller: Caller, connector_id: uuid.UUID, terminal: Terminal | None = None) -> Connector:
    """Return a connector that the terminal (or any of the caller's) sells. Raises Problem not_found."""
    only = terminal or caller.terminal
    sold = connectors_of_ptp(caller.ptp) if only is None else connectors_of(only)
    connector = sold.filter(public_id=connector_id).first()
    if connector is None:
        raise Problem("not_found", "There is no such connector at this terminal.")
    return connector


def payment_of(caller: Caller, session_id: uuid.UUID) -> Payment:
    """Return the caller's payment behind a session. Raises Problem not_found."""
    payment = payments_of(caller.ptp).filter(session=session_id).first()
    if payment is None:
        raise Problem("not_found", "There is no such session.")
    return payment


# --- Query parameters -----------------------------------------------------------------------------


def parameter(request: HttpRequest, name: str) -> str:
    """Return a query parameter, "" when it is absent. Raises Problem invalid_query."""
    value = request.GET.get(name, "")
    if len(value) > LONGEST_PARAMETER or not _VISIBLE.fullmatch(value):
        raise invalid("invalid_query", name, "invalid", "Printable ASCII of at most 64 characters.")
    return value


def language_parameter(request: HttpRequest) -> str:
    """Return `lang`, "" when it is absent. Raises Problem invalid_query."""
    language = parameter(request, "lang")
    if language and not LANGUAGE.fullmatch(language):
        raise invalid("invalid_query", "lang", "invalid", "A language is two letters (ISO 639-1).")
    return language


def moment_parameter(request: HttpRequest, name: str) -> datetime | None:
    """Return an RFC 3339 time, None when it is absent. Raises Problem invalid_query."""
    # An unescaped plus sign of an offset arrives as a blank.
    text = parameter(request, name).replace(" ", "+")
    if not text:
        return None
    try:
        at = parse_datetime(text)
        at = at.astimezone(UTC) if at is not None and at.tzinfo is not None else None
    except (ValueError, OverflowError):  # an offset can carry the last year's end into the year 10000
        at = None
    if at is None:
        raise invalid("invalid_query", name, "invalid", "A time with its offset, as in 2026-01-31T12:00:00Z.")
    return at


# --- Lists ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Order:
    """How a list is walked: by `key`, then primary key; `name` is the public id that a cursor carries."""

    key: str
    name: str
    newest_first: bool = False


def page_of(
    request: HttpRequest, rows: QuerySet[M], order: Order, *, among: QuerySet[M]
) -> tuple[list[M], str | None]:
    """Return at most 200 rows and the URL of the next page, None at the end. Raises Problem invalid_query.

    Pages continue after the last row of the one before, so rows that come or go in between shift nothing.
    `among`: all that this caller may know of, listed or not any more; a cursor names one of it.
    """
    sign = "-" if order.newest_first else ""
    rows = rows.order_by(f"{sign}{order.key}", f"{sign}pk")
    if cursor := parameter(request, "cursor"):
        rows = rows.filter(_after(among, cursor, order))
    found = list(rows[: PAGE_SIZE + 1])
    if len(found) <= PAGE_SIZE:
        return found, None
    query = request.GET.copy()
    query["cursor"] = str(getattr(found[PAGE_SIZE - 1], order.name))
    return found[:PAGE_SIZE], request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _after(among: QuerySet[Any], cursor: str, order: Order) -> Q:
    try:
        name = uuid.UUID(cursor)
    except ValueError:
        raise _bad_cursor() from None
    last = among.filter(**{order.name: name}).values_list(order.key, "pk").first()
    if last is None or last[0] is None:  # it never had a place in this order
        raise _bad_cursor()
    beyond = "lt" if order.newest_first else "gt"
    return Q(**{f"{order.key}__{beyond}": last[0]}) | Q(**{order.key: last[0], f"pk__{beyond}": last[1]})


def _bad_cursor() -> Problem:
    return invalid("invalid_query", "cursor", "invalid", "This is not a cursor of ours.")


def listing(items: list[dict[str, Any]], following: str | None) -> dict[str, Any]:
    """Return the form of every list."""
    return {"items": items, "next": following}
