"""What a platform was last given of one thing, so that the next push can be the least that is needed."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from payments import exact_json
from payments.models import OcpiConnection, OcpiPush

Kind = OcpiPush.Kind


def recall(connection: OcpiConnection, kind: Kind, subject: str) -> dict[str, Any] | None:
    """Return what was noted, None where nothing was."""
    return recall_all(connection, kind, [subject]).get(subject)


def recall_all(
    connection: OcpiConnection, kind: Kind, subjects: Collection[str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what was noted by subject; `subjects` limits it.

    What a platform was given before it registered anew counts no more: it may have begun from nothing.
    """
    noted = OcpiPush.objects.filter(connection=connection, kind=kind)
    if connection.registered_at is not None:
        noted = noted.filter(pushed_at__gte=connection.registered_at)
    if subjects is not None:
        noted = noted.filter(subject__in=subjects)
    return {push.subject: push.state for push in noted}


def note(
    connection: OcpiConnection, kind: Kind, subject: str, state: dict[str, Any], *, now: datetime
) -> None:
    """Note what the platform has now; one message at a time tells of one subject."""
    OcpiPush.objects.bulk_create(
        [OcpiPush(connection=connection, kind=kind, subject=subject, state=state, pushed_at=now)],
        update_conflicts=True,
        unique_fields=["connection", "kind", "subject"],
        update_fields=["state", "pushed_at"],
    )


def forget(connection: OcpiConnection, kind: Kind, subject: str) -> None:
    """What the platform has is not known: the next push is whole."""
    OcpiPush.objects.filter(connection=connection, kind=kind, subject=subject).delete()


def take_turn(connection: OcpiConnection, act: str, *, every: timedelta, now: datetime) -> bool:
    """Whether this act at this platform may be done now; of several workers one does it, once in `every`."""
    turn, first = OcpiPush.objects.get_or_create(
        connection=connection, kind=Kind.LOOK, subject=act, defaults={"pushed_at": now}
    )
    waited = OcpiPush.objects.filter(pk=turn.pk, pushed_at__lte=now - every)
    return first or bool(waited.update(pushed_at=now))


def turn_taken_at(connection: OcpiConnection, act: str) -> datetime | None:
    """When this act was last begun, None where it never was."""
    turns = OcpiPush.objects.filter(connection=connection, kind=Kind.LOOK, subject=act)
    return turns.values_list("pushed_at", flat=True).first()


def give_turn_back(connection: OcpiConnection, act: str) -> None:
    """The act was begun and is not over: it may be done again at once."""
    OcpiPush.objects.filter(connection=connection, kind=Kind.LOOK, subject=act).delete()


def digest(document: Any) -> str:
    """Return what tells two documents apart."""
    return hashlib.sha256(exact_json.dumps(document).encode()).hexdigest()[:32]
