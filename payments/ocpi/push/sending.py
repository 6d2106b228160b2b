"""What all carriers share: whether a platform can be told at all, and what its answer means for the outbox.

A platform without the receiver of a module is not told: it polls.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from payments.models import OcpiConnection, OutboxMessage
from payments.ocpi.connections import Party
from payments.ocpi.dialects import Version
from payments.ocpi.push import client
from payments.ocpi.push.client import Answer, BadAnswer, Refused, Unreachable
from payments.outbox import Carrier, Delivery, not_taken

Act = Callable[[OutboxMessage, OcpiConnection], Delivery]


class Failed(Exception):
    """A message that does not arrive this time; `delivery` says how, `http_status` is 0 where nobody answered."""

    def __init__(self, delivery: Delivery, *, http_status: int = 0) -> None:
        super().__init__(delivery.error)
        self.delivery, self.http_status = delivery, http_status


def carrier(act: Act) -> Carrier:
    """Make a carrier of an act that is told the connection, and that may raise Failed."""

    @wraps(act)
    def carry(message: OutboxMessage) -> Delivery:
        connection = OcpiConnection.objects.select_related("ptp").filter(ptp=message.ptp_id).first()
        if connection is None or not connection.is_registered:
            return Delivery(delivered=False, error="the platform is not registered", called=False)
        try:
            return act(message, connection)
        except Failed as failure:
            return failure.delivery

    return carry


def call(
    connection: OcpiConnection,
    method: str,
    url: str,
    *,
    module: str,
    body: Any = None,
    from_party: Party | None = None,
    correlation_id: str = "",
) -> Answer:
    """Call a platform once; any answer in OCPI's envelope comes back. Raises Failed for everything else."""
    try:
        return client.call(
            connection,
            method,
            url,
            body=body,
            module=module,
            from_party=from_party,
            correlation_id=correlation_id,
        )
    except Unreachable as error:
        raise Failed(Delivery(delivered=False, error=str(error), unreachable=True)) from error
    except Refused as error:
        raise Failed(Delivery(delivered=False, error=str(error), called=False)) from error
    except BadAnswer as error:
        delivery = not_taken(str(error), error.http_status, faulty=True)
        raise Failed(delivery, http_status=error.http_status) from error


def outcome(answer: Answer) -> Delivery:
    """What an answer means where nothing else is to be done about it: a no is asked again later."""
    if answer.ok:
        return Delivery(delivered=True)
    return not_taken(str(answer), answer.http_status, faulty=answer.ocpi_status // 1000 == 3)


def refused(answer: Answer) -> bool:
    """Whether the platform understood and does not want it (OCPI 2xxx), which a repetition will not change."""
    return answer.ocpi_status // 1000 == 2


def wants_whole(answer: Answer) -> bool:
    """Whether a PATCH failed because the platform does not know the object, or knows no PATCH."""
    return not answer.ok and (refused(answer) or answer.http_status in (404, 405, 501))


def impossible(why: str) -> Delivery:
    """The message can never be sent."""
    return Delivery(delivered=False, error=why, permanent=True, called=False)


def under(url: str, *segments: str) -> str:
    """Return the address below an endpoint; ids are escaped, and a slash at the endpoint's end is none more."""
    return "/".join((url.rstrip("/"), *(quote(segment, safe="") for segment in segments)))


def version_of(connection: OcpiConnection) -> Version:
    """Return the version that the handshake settled."""
    return Version(connection.version)
