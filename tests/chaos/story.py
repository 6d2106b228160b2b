"""The whole story of one payment, from everybody who saw a part of it, in the order of the campaign's clock."""

from collections.abc import Iterator

from chargers.models import Command
from payments.models import OcpiMessage, OutboxMessage, Payment
from tests.chaos.lives import Life

LONGEST = 200
Line = tuple[str, str]


def tell(life: Life, effects: list[str], harm: list[str]) -> list[str]:
    """Return the lines of it; `harm` is what went wrong meanwhile, each line beginning with its time."""
    head = [
        f"{life.kind} by {life.door} at {life.charger.identity}, hold {life.reference}, card: {effects}",
        f"  driver: {'; '.join(life.story)}",
    ]
    lines = [*_rows(life), *_charger(life)]
    if lines:
        first, last = min(lines)[0], max(lines)[0]
        lines += [(at[:12], f"* {at[13:]}") for at in harm if first <= at[:12] <= last]
    return [*head, *(f"  {at} {what[:LONGEST]}" for at, what in sorted(lines))]


def _rows(life: Life) -> Iterator[Line]:
    payment = Payment.objects.filter(authorization_reference=life.reference).select_related("session").first()
    if payment is None or payment.session is None:
        return
    session = payment.session
    for name, row in (("session", session), ("payment", payment)):
        for each in row.events.order_by("number"):
            said = (
                f"{each.number} {each.kind} {each.state_before}>{each.state_after} {each.actor} {each.data}"
            )
            yield f"{each.at:%H:%M:%S.%f}"[:12], f"{name} {said}"
    for command in Command.objects.filter(reference=str(session.pk)):
        said = f"{command.action} {command.state} sent {command.sent_at} settled {command.settled_at}"
        yield f"{command.created_at:%H:%M:%S.%f}"[:12], f"command {said}"
    subjects = [str(payment.pk), *(str(cdr.pk) for cdr in session.cdrs.all())]
    for message in OutboxMessage.objects.filter(subject__in=subjects):
        said = f"{message.topic} {message.state} attempts {message.attempts} next {message.next_attempt_at}"
        said += f" claimed {message.claimed_until} delivered {message.delivered_at} {message.last_error}"
        yield f"{message.created_at:%H:%M:%S.%f}"[:12], f"message {said}"
    seen = OcpiMessage.objects.filter(request_body__contains=life.reference)
    for call in seen.order_by("at")[:30]:
        said = f"{call.direction} {call.method} {call.url[-70:]} {call.http_status} {call.ocpi_status} {call.error}"
        yield f"{call.at:%H:%M:%S.%f}"[:12], f"ocpi {said}"


def _charger(life: Life) -> Iterator[Line]:
    for event in life.charger.log.events:
        at, _, what = event.partition(" ")
        yield at[11:23], f"charger {what}"
