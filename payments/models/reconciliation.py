"""Settlement files of PTPs, refunds that two people decide, and what staff did that no payment's journal tells."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from payments.models.parties import Ptp
from payments.models.payments import Payment


class SettlementFormat(models.Model):
    """How a PTP names the columns of its settlement file; what is not named has its default header."""

    ptp = models.OneToOneField(Ptp, on_delete=models.CASCADE, related_name="settlement_format")
    columns = models.JSONField(default=dict, help_text="our name of a column → the PTP's header")

    def __str__(self) -> str:
        return f"settlement file of {self.ptp}"


class SettlementFile(models.Model):
    """A settlement file as it was imported: all of its lines or none."""

    ptp = models.ForeignKey(Ptp, on_delete=models.PROTECT, related_name="settlement_files")
    name = models.CharField(max_length=200, help_text="as it was called where it came from")
    sha256 = models.CharField(max_length=64)
    line_count = models.PositiveIntegerField()
    imported_at = models.DateTimeField(default=timezone.now)
    imported_by = models.CharField(max_length=150)
    # A file that should not have been imported counts no more; it stays as evidence.
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.CharField(max_length=150, blank=True)
    withdrawn_because = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ptp", "sha256"],
                condition=Q(withdrawn_at__isnull=True),
                name="settlement_file_once",
            )
        ]
        ordering: ClassVar = ["-imported_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class SettlementLine(models.Model):
    """One line of a settlement file; amounts in minor units, a refund is below zero."""

    file = models.ForeignKey(SettlementFile, on_delete=models.PROTECT, related_name="lines")
    number = models.PositiveIntegerField(help_text="of the line in the file; the header is line 1")
    payment = models.ForeignKey(
        Payment,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="settlement_lines",
        help_text="empty: an orphan, for a payment that we do not know",
    )
    reference = models.CharField(max_length=64)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    fee_minor = models.BigIntegerField(null=True, blank=True)
    captured_at = models.DateTimeField(null=True, blank=True)
    payout_id = models.CharField(max_length=64, blank=True)
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="when staff said that it is of no payment of ours (an orphan)"
    )

    compared_at = models.DateTimeField(
        null=True, blank=True, help_text="when its payment was compared with all lines that name it"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["file", "number"], name="settlement_line_once")
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["payment"],
                condition=Q(payment__isnull=False, compared_at__isnull=True),
                name="settlement_line_uncompared",
            ),
            models.Index(
                fields=["file"],
                condition=Q(payment__isnull=True, closed_at__isnull=True),
                name="settlement_line_orphan",
            ),
        ]
        ordering: ClassVar = ["file", "number"]

    def __str__(self) -> str:
        return f"{self.reference} {self.amount_minor} {self.currency}"


class RefundRequest(models.Model):
    """A refund that one person asked for and another one decides; the amount in minor units."""

    class State(models.TextChoices):
        ASKED = "ASKED", "waits for a second person"
        APPROVED = "APPROVED", "the money goes back"
        DECLINED = "DECLINED", "a second person said no"
        WITHDRAWN = "WITHDRAWN", "whoever asked took it back"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refund_requests")
    amount_minor = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="refunds_asked"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refunds_decided",
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_because = models.CharField(max_length=200, blank=True)
    credit = models.OneToOneField(
        "sessions_app.CDR", on_delete=models.PROTECT, null=True, blank=True, related_name="refund_request"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment"], condition=Q(state="ASKED"), name="refund_asked_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_asked_is_something"),
            # Nobody approves what they asked for themselves; nothing is approved without its credit.
            models.CheckConstraint(
                condition=~Q(state="APPROVED")
                | (Q(decided_by__isnull=False, credit__isnull=False) & ~Q(decided_by=F("asked_by"))),
                name="refund_approved_by_a_second_person",
            ),
        ]
        ordering: ClassVar = ["-asked_at"]

    def __str__(self) -> str:
        return f"refund of {self.amount_minor} {self.state}"


class Decision(models.Model):
    """What staff did about money that moves no payment: the rest of the journal, append-only."""

    class Act(models.TextChoices):
        SENT_AGAIN = "SENT_AGAIN", "the PTP is told again"
        ACCEPT_ASKED = "ACCEPT_ASKED", "what was captured waits for a second person"
        MATCHED = "MATCHED", "an orphan was given to a payment by hand"
        CLOSED = "CLOSED", "an orphan belongs to no payment of ours"
        REFUND_ASKED = "REFUND_ASKED", "a refund waits for a second person"
        REFUND_DECLINED = "REFUND_DECLINED", "a second person said no to a refund"
        REFUND_WITHDRAWN = "REFUND_WITHDRAWN", "whoever asked for a refund took it back"
        FILE_IMPORTED = "FILE_IMPORTED", "a settlement file was imported"
        FILE_WITHDRAWN = "FILE_WITHDRAWN", "a settlement file counts no more"
        FORMAT_CHANGED = "FORMAT_CHANGED", "a PTP's settlement files are read in another way"

    at = models.DateTimeField()
    act = models.CharField(max_length=20, choices=Act.choices)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=80, help_text="kind and key of what it is about")
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="decisions"
    )
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["subject"], name="decision_by_subject")]
        ordering: ClassVar = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.act} {self.subject}"
