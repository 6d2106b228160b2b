"""Tariffs to their PTP: PUT when there is a new version, DELETE when none of our connectors sells by it any more.

OCPI mod_tariffs, Receiver. A session is priced by what its platform acknowledged last, so each delivery is noted.
"""

from typing import Any, Final

from django.utils import timezone

from payments import outbox
from payments.models import OcpiConnection, OutboxMessage
from payments.ocpi import connections, seen, told_tariffs
from payments.ocpi.push import remembered, sending
from payments.ocpi.push.client import Answer
from payments.ocpi.push.remembered import Kind
from payments.ocpi.told_tariffs import ToldTariff
from payments.outbox import Delivery
from tariffs.models import Tariff

TOPIC: Final = "ocpi.tariff"  # its subject is the tariff's primary key
MODULE: Final = "tariffs"
GONE: Final = frozenset({404, 410})


@sending.carrier
def carry(message: OutboxMessage, connection: OcpiConnection) -> Delivery:
    """Tell a tariff as it is now, or that it is gone."""
    tariff = Tariff.objects.filter(pk=message.subject).first()
    if tariff is None:
        return sending.impossible("the tariff is gone")
    if not connection.endpoint(MODULE):
        return outbox.nothing_to_tell("the platform has no tariffs; it polls")
    told = published(connection, tariff.pk)
    return _take_away(connection, tariff) if told is None else _put(connection, tariff, told)


def published(connection: OcpiConnection, tariff_pk: int) -> ToldTariff | None:
    """Return a tariff as this platform is told it, None for one that is not published to it."""
    return next(
        iter(
            told_tariffs.told_tariffs(
                connection,
                connections.parties_of(connection),
                version=sending.version_of(connection),
                now=timezone.now(),
                only=[tariff_pk],
            )
        ),
        None,
    )


def _put(connection: OcpiConnection, tariff: Tariff, told: ToldTariff) -> Delivery:
    document = told_tariffs.document(told, connection, sending.version_of(connection))
    answer = _send(connection, tariff, "PUT", document)
    if answer.ok:
        now = timezone.now()
        seen.note_acknowledged(connection, tariff.pk, told.shown, before=told.before, now=now)
        remembered.note(connection, Kind.TARIFF, str(tariff.pk), {"version": told.shown.version_pk}, now=now)
    return sending.outcome(answer)


def _take_away(connection: OcpiConnection, tariff: Tariff) -> Delivery:
    answer = _send(connection, tariff, "DELETE", None)
    if not (answer.ok or answer.http_status in GONE):
        return sending.outcome(answer)
    seen.forget_tariff(connection, tariff.pk)
    remembered.forget(connection, Kind.TARIFF, str(tariff.pk))
    return Delivery(delivered=True)


def _send(connection: OcpiConnection, tariff: Tariff, method: str, body: dict[str, Any] | None) -> Answer:
    party = (tariff.country_code, tariff.party_id)
    address = sending.under(connection.endpoint(MODULE), *party, tariff.tariff_id)
    return sending.call(connection, method, address, module=MODULE, body=body, from_party=party)


outbox.register(TOPIC, carry)
