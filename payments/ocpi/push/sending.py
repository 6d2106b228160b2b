"""What all carriers share: whether a platform can be told at all, and what its answer means for the outbox.

A platform without the receiver of a module is not told: it polls.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import wraps
from typing import Any, Final
from urllib.parse import quote

from django.utils import timezone

from payments.models import OcpiConnection, OutboxMessage
from payments.ocpi.connections import Party
from payments.ocpi.dialects import Version
from payments.ocpi.push import client, remembered
from payments.ocpi.push.client import Answer, BadAnswer, Refused, Unreachable
from payments.ocpi.push.remembered import Kind
from payments.outbox import TOO_MANY, Carrier, Delivery, not_taken

Act = Callable[[OutboxMessage, OcpiConnection], Delivery]

REFUSALS: Final = 5  # a platform that learns of the Location or the Session a moment later may think again
# Besides 2xx, the HTTP statuses of a no to the message itself. All others are about the moment: who does not know
# our token (401, 403), has no time (408, 425, 429) or failed (5xx) may take the same message later.
_TO_THE_MESSAGE: Final = frozenset({400, 404, 405, 409, 422})
_TO_OUR_TOKEN: Final = frozenset({401, 403})


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
            delivery = act(message, connection)
        except Failed as failure:
            return failure.delivery
        if delivery.delivered and message.repeated:
            remembered.forget(connection, Kind.LOOK, _count_of(message))
        return delivery

    return carry


def call(
    connection: OcpiConnection,
    method: str,
    url: str,
    *,
    module: str,
    body: Any = None,
    to_party: Party | None = None,
    from_party: Party | None = None,
    correlation_id: str = "",
) -> Answer:
    """Call a platform once; any answer in OCPI's envelope comes back. Raises Failed for everything else.

    What is about a thing goes from the party of ours whose thing it is, and what is about a payment to the
    party of theirs whose token paid (OCPI 2.3.0 transport_and_format, routing headers).
    """
    try:
        return client.call(
            connection,
            method,
            url,
            body=body,
            module=module,
            to_party=to_party,
            from_party=from_party,
            correlation_id=correlation_id,
        )
    except Unreachable as error:
        raise Failed(Delivery(delivered=False, error=str(error), unreachable=True)) from error
    except Refused as error:
        raise Failed(Delivery(delivered=False, error=str(error), called=False)) from error
    except BadAnswer as error:
        delivery = not_taken(str(error), error.http_status, faulty=error.http_status != TOO_MANY)
        raise Failed(delivery, http_status=error.http_status) from error


def outcome(answer: Answer) -> Delivery:
    """What an answer means where nothing else is to be done about it: a no is asked again later."""
    if answer.ok:
        return Delivery(delivered=True)
    # Where our token is no good nothing gets through, so it is probed; one that is busy is not.
    faulty = answer.ocpi_status // 1000 == 3 or answer.http_status in _TO_OUR_TOKEN
    peace = retry_after_seconds(answer.headers.get("Retry-After", ""), now=timezone.now())
    return not_taken(str(answer), answer.http_status, faulty=faulty, retry_after_seconds=peace)


def outcome_within(
    refusals: int, message: OutboxMessage, connection: OcpiConnection, answer: Answer
) -> Delivery:
    """What an answer means where so many refusals are the end of it.

    Refusals alone are counted: a message that waited for days for its platform has not been looked at yet.
    """
    if not refused(answer):
        return outcome(answer)
    noted = remembered.recall(connection, Kind.LOOK, _count_of(message)) or {}
    # News, and a message that a person sends again, begin anew, and are dated anew.
    dated = message.created_at.isoformat()
    count = noted.get("count", 0) + 1 if noted.get("of") == dated else 1
    news = {"count": count, "of": dated}
    remembered.note(connection, Kind.LOOK, _count_of(message), news, now=timezone.now())
    return replace(outcome(answer), permanent=count >= refusals)


def _count_of(message: OutboxMessage) -> str:
    """Under what the refusals of a message are counted."""
    return f"refused:{message.pk}"


def retry_after_seconds(said: str, *, now: datetime) -> float:
    """How long the platform asks us to wait, 0 where it does not (RFC 9110, Retry-After: seconds, or a date)."""
    said = said.strip()
    if said.isascii() and said.isdigit() and len(said) < 10:
        return float(said)
    try:
        until = parsedate_to_datetime(said)
        return max((until - now).total_seconds(), 0.0) if until.tzinfo else 0.0
    except (ValueError, OverflowError):
        return 0.0


def refused(answer: Answer) -> bool:
    """Whether the platform understood and does not want it (OCPI 2xxx), which a repetition will hardly change."""
    http = answer.http_status
    return answer.ocpi_status // 1000 == 2 and (http // 100 == 2 or http in _TO_THE_MESSAGE)


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
