"""Payments with their journal, and what PTPs confirmed of them."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from payments.models.parties import Ptp, Terminal
from payments.states import WAITING, Account, CaptureStatus, PaymentState, Review

_WAITING = sorted(WAITING)


class Payment(models.Model):
    """One hold and what became of it; amounts in minor units."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ptp = models.ForeignKey(Ptp, on_delete=models.PROTECT, related_name="payments")
    terminal = models.ForeignKey(
        Terminal,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        help_text="empty where the PTP did not say (OCPI START_SESSION names none)",
    )
    connection = models.ForeignKey(
        "payments.OcpiConnection",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="payments",
        help_text="the OCPI connection it came by; empty: the native API. It is settled by the same door",
    )
    token = models.JSONField(default=dict, blank=True, help_text="OCPI CdrToken, told back as it came")
    session = models.OneToOneField(
        "sessions_app.Session", on_delete=models.PROTECT, null=True, blank=True, related_name="payment"
    )
    authorization_reference = models.CharField(max_length=36, help_text="the PTP's name for the hold")
    currency = models.CharField(max_length=3)
    authorized_minor = models.BigIntegerField()
    card_scheme = models.CharField(max_length=32, blank=True)
    card_last4 = models.CharField(max_length=4, blank=True)
    language = models.CharField(max_length=5, default="en")
    # --- life (moved only by settlement.py over the pure table in states.py)
    state = models.CharField(
        max_length=20, choices=[(s, s) for s in PaymentState], default=PaymentState.AUTHORIZED
    )
    deadline_at = models.DateTimeField(null=True, blank=True)
    due_minor = models.BigIntegerField(
        default=0, help_text="what the PTP is told to capture: the CDR's total"
    )
    captured_minor = models.BigIntegerField(default=0)
    written_off_minor = models.BigIntegerField(default=0, help_text="of what is open: given up by staff")
    refunding_minor = models.BigIntegerField(default=0, help_text="to be given back, not acknowledged yet")
    refunded_minor = models.BigIntegerField(default=0)
    excess_minor = models.BigIntegerField(
        default=0, help_text="taken beyond what we may keep, as staff accepted; no part of what was captured"
    )
    excess_returned_minor = models.BigIntegerField(
        default=0, help_text="of the excess: given back by the PTP"
    )
    accepted = models.BooleanField(
        default=False, help_text="staff said what was captured, by the PTP's word, its file or their own"
    )
    review = models.CharField(max_length=30, blank=True, choices=[(r, r) for r in Review])
    reviews_after = models.CharField(
        max_length=100, blank=True, help_text="what staff are asked next, with commas between"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text="when it became due for capture or release"
    )
    event_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            # I2: one payment per hold.
            models.UniqueConstraint(fields=["ptp", "authorization_reference"], name="payment_one_per_hold"),
            models.CheckConstraint(condition=Q(authorized_minor__gt=0), name="payment_holds_something"),
            # S2: never beyond the hold.
            models.CheckConstraint(
                condition=Q(due_minor__lte=F("authorized_minor")), name="payment_due_within_hold"
            ),
            models.CheckConstraint(
                condition=Q(captured_minor__lte=F("due_minor")), name="payment_captured_within_due"
            ),
            # I7: what is due is captured, open or written off; what goes back was captured.
            models.CheckConstraint(
                condition=Q(
                    written_off_minor__gte=0,
                    written_off_minor__lte=F("due_minor") - F("captured_minor"),
                ),
                name="payment_written_off_was_open",
            ),
            models.CheckConstraint(
                condition=Q(
                    refunding_minor__gte=0,
                    refunded_minor__gte=0,
                    captured_minor__gte=F("refunded_minor") + F("refunding_minor"),
                ),
                name="payment_refund_was_captured",
            ),
            # What was taken too much stays apart from the charge, and goes back at most once.
            models.CheckConstraint(
                condition=Q(excess_returned_minor__gte=0, excess_minor__gte=F("excess_returned_minor")),
                name="payment_excess_returned_was_taken",
            ),
            models.CheckConstraint(
                condition=Q(due_minor__gte=0, captured_minor__gte=0), name="payment_not_negative"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=_WAITING) | Q(deadline_at__isnull=False),
                name="payment_waiting_has_deadline",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[str(s) for s in PaymentState]), name="payment_state_is_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["deadline_at"], condition=Q(state__in=_WAITING), name="payment_deadline"),
            models.Index(fields=["terminal", "settled_at"], name="payment_by_terminal"),
            # To OCPI `ABC` and `abc` are one hold.
            models.Index(
                F("connection"),
                Lower("authorization_reference"),
                condition=Q(connection__isnull=False),
                name="payment_by_ocpi_reference",
            ),
            models.Index(
                fields=["settled_at"], condition=Q(settled_at__isnull=False), name="payment_by_settled_at"
            ),
            models.Index(fields=["opened_at"], condition=~Q(review=""), name="payment_flagged"),
            models.Index(
                fields=["connection"],
                condition=Q(state=str(PaymentState.RELEASING), connection__isnull=False),
                name="payment_releasing",
            ),
        ]
        permissions: ClassVar = [
            ("decide_money", "Can decide about money: refunds, write-offs, reviews, settlement files")
        ]
        ordering: ClassVar = ["-opened_at"]

    def __str__(self) -> str:
        return f"{self.authorization_reference} {self.state}"

    @property
    def account(self) -> Account:
        """The pure value that states.apply() moves."""
        return Account(
            state=PaymentState(self.state),
            authorized_minor=self.authorized_minor,
            deadline_at=self.deadline_at,
            due_minor=self.due_minor,
            captured_minor=self.captured_minor,
            written_off_minor=self.written_off_minor,
            refunding_minor=self.refunding_minor,
            refunded_minor=self.refunded_minor,
            excess_minor=self.excess_minor,
            excess_returned_minor=self.excess_returned_minor,
            accepted=self.accepted,
            review=Review(self.review) if self.review else None,
            reviews_after=tuple(Review(name) for name in self.reviews_after.split(",") if name),
        )

    @account.setter
    def account(self, account: Account) -> None:
        self.state = account.state
        self.deadline_at = account.deadline_at
        self.due_minor = account.due_minor
        self.captured_minor = account.captured_minor
        self.written_off_minor = account.written_off_minor
        self.refunding_minor = account.refunding_minor
        self.refunded_minor = account.refunded_minor
        self.excess_minor = account.excess_minor
        self.excess_returned_minor = account.excess_returned_minor
        self.accepted = account.accepted
        self.review = account.review or ""
        self.reviews_after = ",".join(account.reviews_after)

    @property
    def open_minor(self) -> int:
        """What is due, not captured and not given up (I7)."""
        return self.account.open_minor


class PaymentEvent(models.Model):
    """The journal: one row per change, numbered, append-only."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="events")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    state_before = models.CharField(max_length=20)
    state_after = models.CharField(max_length=20)
    actor = models.CharField(max_length=150, blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["payment", "number"], name="payment_event_numbered_once")
        ]
        ordering: ClassVar = ["payment", "number"]

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"


class Confirmation(models.Model):
    """What a PTP told us of a capture, kept as it came (OCPI 2.3.0: FinancialAdviceConfirmation)."""

    ptp = models.ForeignKey(Ptp, on_delete=models.PROTECT, related_name="confirmations")
    payment = models.ForeignKey(
        Payment,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="confirmations",
        help_text="empty: an orphan, for a hold that we do not know (B29)",
    )
    authorization_reference = models.CharField(max_length=36, blank=True, help_text="of an orphan")
    confirmation_id = models.CharField(max_length=36)
    status = models.CharField(max_length=16, choices=[(s, s) for s in CaptureStatus])
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    eft_data = models.JSONField(
        default=list, blank=True, help_text="lines for the receipt, as the PTP gave them"
    )
    request_hash = models.CharField(max_length=64)
    message = models.CharField(max_length=255, blank=True, help_text="the PTP's words on the status")
    document = models.JSONField(default=dict, blank=True, help_text="the OCPI object as it came")
    received_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(
        null=True, blank=True, help_text="when staff said that it is of no payment of ours (an orphan)"
    )

    class Meta:
        constraints: ClassVar = [
            # The same id may come again with news (OCPI: SUCCESS after FAILED); the same content counts once.
            models.UniqueConstraint(
                fields=["ptp", "confirmation_id", "request_hash"], name="confirmation_told_once"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["ptp", "-received_at"], name="confirmation_newest"),
            models.Index(
                fields=["received_at"],
                condition=Q(payment__isnull=True, closed_at__isnull=True),
                name="confirmation_orphan",
            ),
        ]
        ordering: ClassVar = ["received_at", "pk"]

    def __str__(self) -> str:
        return f"{self.confirmation_id} {self.status}"
