"""What was answered to a key, and what a PTP must still be told."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from payments.models.parties import Ptp


class IdempotentAnswer(models.Model):
    """What was answered to a key; the same key with the same body gets the same answer, for ever."""

    ptp = models.ForeignKey(Ptp, on_delete=models.CASCADE)
    key = models.CharField(
        max_length=200, help_text="`key:<Idempotency-Key>` or `reference:<authorization_reference>`"
    )
    request_hash = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ptp", "key"], name="idempotent_answer_once")
        ]

    def __str__(self) -> str:
        return self.key


class OutboxMessage(models.Model):
    """Something a PTP must be told, at least once; the row is the truth, a task only carries it.

    `topic` chooses who renders and sends it; the content is read from the rows when it leaves, so a late
    message tells the newest state. `version` grows when there is news while one is on its way.
    """

    class State(models.TextChoices):
        DUE = "DUE", "to be sent at `next_attempt_at`"
        DELIVERED = "DELIVERED", "the peer said yes"
        GIVEN_UP = "GIVEN_UP", "the peer refused it for good, or for too long"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ptp = models.ForeignKey(Ptp, on_delete=models.CASCADE, related_name="outbox")
    topic = models.CharField(max_length=40)
    subject = models.CharField(max_length=64, help_text="id of the row it tells about")
    lane = models.CharField(
        max_length=64, blank=True, help_text="within it topics leave in the order of their registration"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    version = models.PositiveIntegerField(default=1)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="a worker has it; a dead one's claim ends"
    )
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    # Not stored: told to its carrier when an earlier attempt failed or died, and may have arrived all the same.
    repeated = False
    # Not stored: this attempt asks whether its PTP is well again.
    probes = False

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ptp", "topic", "subject"], name="outbox_one_per_subject")
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="DUE"), name="outbox_due"),
            models.Index(
                fields=["ptp", "next_attempt_at", "created_at"], condition=Q(state="DUE"), name="outbox_next"
            ),
            models.Index(
                fields=["ptp", "state"], condition=Q(state__in=["DUE", "GIVEN_UP"]), name="outbox_open"
            ),
            models.Index(fields=["lane"], condition=Q(state="DUE") & ~Q(lane=""), name="outbox_lane"),
        ]
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return f"{self.topic} {self.subject}"
