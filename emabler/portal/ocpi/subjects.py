"""What a message of the outbox tells about, and the page where that is shown."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

from chargers.models import Site
from payments.models import OcpiCommand, OutboxMessage, Payment, Terminal
from sessions_app.models import CDR
from tariffs.models import Tariff


@dataclass(frozen=True, slots=True)
class Subject:
    """What a message tells about, in words; `href` is empty where nothing shows it."""

    text: str
    href: str = ""


Found = dict[str, Subject]
Finder = Callable[[list[str]], Found]


def subjects_of(messages: Iterable[OutboxMessage]) -> dict[uuid.UUID, Subject]:
    """Return the subject of each message by the message's key. One query per kind of subject."""
    messages = list(messages)
    wanted: dict[Finder, set[str]] = defaultdict(set)
    for message in messages:
        if message.topic in _FINDERS:
            wanted[_FINDERS[message.topic]].add(message.subject)
    found = {finder: finder(sorted(names)) for finder, names in wanted.items()}
    return {message.pk: _subject(message, found) for message in messages}


def _subject(message: OutboxMessage, found: dict[Finder, Found]) -> Subject:
    finder = _FINDERS.get(message.topic)
    known = found[finder] if finder else {}
    return known.get(message.subject, Subject(message.subject))


def _payments(names: list[str]) -> Found:
    rows = Payment.objects.filter(pk__in=_uuids(names)).only("pk", "authorization_reference", "session_id")
    return {str(payment.pk): payment_subject(payment) for payment in rows}


def payment_subject(payment: Payment) -> Subject:
    """Return a payment's name, with the page of its session or, where it has none, its record."""
    if payment.session_id is not None:
        href = reverse("portal:session", args=[payment.session_id])
    else:
        href = reverse("admin:payments_payment_change", args=[payment.pk])
    return Subject(payment.authorization_reference, href)


def _commands(names: list[str]) -> Found:
    rows = OcpiCommand.objects.filter(pk__in=_uuids(names)).select_related("payment")
    return {str(command.pk): payment_subject(command.payment) for command in rows}


def _credits(names: list[str]) -> Found:
    rows = CDR.objects.filter(pk__in=_uuids(names)).select_related("session__payment")
    return {str(credit.pk): payment_subject(credit.session.payment) for credit in rows}


def _sites(names: list[str]) -> Found:
    return _numbered(Site, names, "admin:chargers_site_change")


def _tariffs(names: list[str]) -> Found:
    return _numbered(Tariff, names, "portal:tariff")


def _terminals(names: list[str]) -> Found:
    return _numbered(Terminal, names, "admin:payments_terminal_change")


def _numbered(model: Any, names: list[str], view: str) -> Found:
    numbers = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19]
    rows = model.objects.filter(pk__in=numbers)
    return {str(row.pk): Subject(str(row), reverse(view, args=[row.pk])) for row in rows}


def _uuids(names: list[str]) -> list[uuid.UUID]:
    found = []
    for name in names:
        try:
            found.append(uuid.UUID(name))
        except ValueError:
            continue
    return found


_FINDERS: Final[dict[str, Finder]] = {
    "settlement.due": _payments,
    "session.updated": _payments,
    "ocpi.session": _payments,
    "ocpi.cdr": _payments,
    "refund.due": _credits,
    "ocpi.credit": _credits,
    "ocpi.location": _sites,
    "ocpi.tariff": _tariffs,
    "ocpi.command_result": _commands,
    "ocpi.terminal": _terminals,
}
