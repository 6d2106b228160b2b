"""What the outbox carried, and helpers to fill it, for its tests."""

from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from payments import circuit, outbox
from payments.models import OutboxMessage, Ptp
from payments.outbox import Delivery

NOW = timezone.now()
DOWN = Delivery(delivered=False, error="no answer", unreachable=True)
REFUSED = Delivery(delivered=False, error="OCPI 2001")
FAULTY = outbox.not_taken("HTTP 500", 500)
YES = Delivery(delivered=True)


@dataclass
class Carried:
    """What was carried, as `topic subject`; `answers` are used up one by one, then every answer is yes."""

    sent: list[str] = field(default_factory=list)
    answers: list[Delivery] = field(default_factory=list)

    def __call__(self, message: OutboxMessage) -> Delivery:
        self.sent.append(f"{message.topic} {message.subject}")
        return self.answers.pop(0) if self.answers else YES


def tell(ptp: Ptp, topic: str, subject: str = "x", *, lane: str = "", at: datetime = NOW) -> OutboxMessage:
    """Tell news at a fixed time."""
    return outbox.tell(ptp=ptp, topic=topic, subject=subject, lane=lane, now=at)


def due(message: OutboxMessage, state: str = "DUE") -> bool:
    """Whether the message is in this state, as the database has it."""
    message.refresh_from_db()
    return message.state == state


def fail_until_open(ptp: Ptp, carried: Carried, answer: Delivery = DOWN) -> list[OutboxMessage]:
    """Let as many messages fail as it takes to open the circuit, where they reach nobody."""
    messages = [tell(ptp, "first", f"down-{n}") for n in range(circuit.OPEN_AFTER)]
    for message in messages:
        carried.answers = [answer]
        outbox.deliver(message.pk, now=NOW)
    carried.sent.clear()
    return messages
