"""PTPs and their terminals, quotes, payments with their journal, confirmations, receipts and the outbox."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from payments.states import WAITING, Account, CaptureStatus, PaymentState, Review

_WAITING = sorted(WAITING)


class Ptp(models.Model):
    """A payment terminal provider: runs terminals, preauthorises and captures at its PSP."""

    name = models.CharField(max_length=100, unique=True)
    webhook_url = models.URLField(max_length=500, blank=True)
    webhook_secret_sealed = models.TextField(blank=True, help_text="sealed; signs what we send")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "PTP"
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Terminal(models.Model):
    """A payment terminal and what it may sell: the EVSEs of its sites, and its own."""

    ptp = models.ForeignKey(Ptp, on_delete=models.PROTECT, related_name="terminals")
    terminal_id = models.CharField(max_length=36)
    sites = models.ManyToManyField("chargers.Site", blank=True, related_name="terminals")
    evses = models.ManyToManyField("chargers.EVSE", blank=True, related_name="terminals")
    languages = models.JSONField(
        default=list, blank=True, help_text="ISO 639-1 codes, the first is its default"
    )
    last_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ptp", "terminal_id"], name="terminal_unique_per_ptp")
        ]
        ordering: ClassVar = ["terminal_id"]

    def __str__(self) -> str:
        return self.terminal_id


class ApiKey(models.Model):
    """A key to the native API; only its SHA-256 is kept. It may be limited to one terminal."""

    ptp = models.ForeignKey(Ptp, on_delete=models.CASCADE, related_name="api_keys")
    terminal = models.ForeignKey(
        Terminal, on_delete=models.CASCADE, null=True, blank=True, related_name="api_keys"
    )
    prefix = models.CharField(max_length=12, help_text="its first characters, to tell keys apart")
    key_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.prefix}…"


class Quote(models.Model):
    """The price as it was shown before the tap; a session that names it is charged by it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ptp = models.ForeignKey(Ptp, on_delete=models.CASCADE)
    connector = models.ForeignKey("chargers.Connector", on_delete=models.PROTECT)
    tariff_version = models.ForeignKey("tariffs.TariffVersion", on_delete=models.PROTECT)
    currency = models.CharField(max_length=3)
    preauthorize_minor = models.BigIntegerField()
    minimum_minor = models.BigIntegerField()
    language = models.CharField(max_length=5)
    created_at = models.DateTimeField(default=timezone.now)
    valid_until = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class Payment(models.Model):
    """One hold and what became of it; amounts in minor units."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ptp = models.ForeignKey(Ptp, on_delete=models.PROTECT, related_name="payments")
    terminal = models.ForeignKey(Terminal, on_delete=models.PROTECT, related_name="payments")
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
    review = models.CharField(max_length=30, blank=True, choices=[(r, r) for r in Review])
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
            review=Review(self.review) if self.review else None,
        )

    @account.setter
    def account(self, account: Account) -> None:
        self.state = account.state
        self.deadline_at = account.deadline_at
        self.due_minor = account.due_minor
        self.captured_minor = account.captured_minor
        self.review = account.review or ""

    @property
    def open_minor(self) -> int:
        """What is due and not captured (I7)."""
        return self.due_minor - self.captured_minor


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
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="confirmations")
    confirmation_id = models.CharField(max_length=36)
    status = models.CharField(max_length=16, choices=[(s, s) for s in CaptureStatus])
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    eft_data = models.JSONField(
        default=list, blank=True, help_text="lines for the receipt, as the PTP gave them"
    )
    request_hash = models.CharField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ptp", "confirmation_id"], name="confirmation_told_once")
        ]
        ordering: ClassVar = ["received_at"]

    def __str__(self) -> str:
        return f"{self.confirmation_id} {self.status}"


class ReceiptCounter(models.Model):
    """The last receipt number of a seller in a year; its row lock makes numbers gapless."""

    seller = models.CharField(max_length=64)
    year = models.PositiveIntegerField()
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seller", "year"], name="receipt_counter_once")
        ]

    def __str__(self) -> str:
        return f"{self.seller} {self.year}: {self.last_number}"


class Receipt(models.Model):
    """The numbered, frozen document of a settled payment; its total is the CDR's."""

    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="receipt")
    seller = models.CharField(max_length=64)
    year = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    issued_at = models.DateTimeField()
    document = models.JSONField(help_text="seller, lines, VAT, totals as printed; never changed")
    pdf = models.BinaryField(null=True, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["seller", "year", "number"], name="receipt_numbered_once")
        ]
        ordering: ClassVar = ["-year", "-number"]

    def __str__(self) -> str:
        return self.full_number

    @property
    def full_number(self) -> str:
        """The number as printed, `2026-000042`."""
        return f"{self.year}-{self.number:06d}"


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

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ptp", "topic", "subject"], name="outbox_one_per_subject")
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="DUE"), name="outbox_due")
        ]
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return f"{self.topic} {self.subject}"
