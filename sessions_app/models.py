"""Charging sessions, their journal, meter samples and charge detail records.

The rooms above own the money; a session only knows the hold as `limit_minor` and the authorisation by an
opaque id, so that "never billed beyond the hold" is a constraint of the database.
"""

import uuid
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from sessions_app.states import FINAL, LIVE, Alert, Life, SessionState, StopReason

_LIVE = sorted(LIVE)
_FINAL = sorted(FINAL)


class Session(models.Model):
    """One ad hoc charging session, from the approved hold to the final meter value."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    authorization_id = models.UUIDField(unique=True, help_text="opaque: the payment that stands behind it")
    authorization_reference = models.CharField(max_length=36, help_text="the PTP's name for the hold")
    connector = models.ForeignKey("chargers.Connector", on_delete=models.PROTECT, related_name="sessions")
    evse = models.ForeignKey("chargers.EVSE", on_delete=models.PROTECT, related_name="sessions")
    id_tag = models.CharField(
        max_length=20, unique=True, help_text="fresh and random: names it to the charger"
    )
    transaction = models.OneToOneField(
        "chargers.Transaction", on_delete=models.PROTECT, null=True, blank=True, related_name="session"
    )
    # --- life (moved only by lifecycle.py over the pure table in states.py)
    state = models.CharField(
        max_length=12, choices=[(s, s) for s in SessionState], default=SessionState.REQUESTED
    )
    deadline_at = models.DateTimeField(
        null=True, blank=True, help_text="when the sweep must look at it again"
    )
    stop_reason = models.CharField(
        max_length=16, blank=True, choices=[(r, r) for r in StopReason if r], default=StopReason.NONE
    )
    refusal = models.CharField(max_length=60, blank=True, help_text="why it could not start")
    stop_attempts = models.PositiveIntegerField(default=0)
    stale = models.BooleanField(default=False, help_text="running, but not heard of for a while")
    doubted = models.BooleanField(default=False, help_text="the charger seems to have forgotten it")
    vehicle_full = models.BooleanField(default=False, help_text="paused by the vehicle, most often: full")
    needs_review = models.CharField(max_length=200, blank=True, help_text="why staff must look")
    alert = models.CharField(
        max_length=10,
        blank=True,
        choices=[(a, a) for a in Alert if a],
        default=Alert.NONE,
        help_text="what the payment's side has not taken note of yet",
    )
    requested_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)
    event_count = models.PositiveIntegerField(default=0)
    # --- price and limit, frozen at the tap
    currency = models.CharField(max_length=3)
    limit_minor = models.BigIntegerField(help_text="the hold, in minor units; never billed beyond")
    tariff_version = models.ForeignKey(
        "tariffs.TariffVersion", on_delete=models.PROTECT, related_name="sessions"
    )
    tariff_snapshot = models.JSONField(help_text="the tariff as it was at the tap")
    time_zone = models.CharField(max_length=255)
    place = models.JSONField(
        null=True, blank=True, help_text="where it is, as of the tap; empty before 2026-11"
    )
    # --- meter and live cost, as of the newest accepted sample
    energy_wh = models.BigIntegerField(default=0)
    power_w = models.BigIntegerField(null=True, blank=True)
    soc_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    metered_at = models.DateTimeField(null=True, blank=True)
    clock_skew_seconds = models.FloatField(default=0, help_text="added to the charger's times (B34)")
    meter_state = models.JSONField(default=dict, help_text="running state of metering.py")
    cost_state = models.JSONField(default=dict, help_text="running state of the pricing engine")
    cost_incl_minor = models.BigIntegerField(default=0, help_text="running maximum, incl. VAT")
    cost_excl_minor = models.BigIntegerField(default=0)
    stop_at = models.DateTimeField(null=True, blank=True, help_text="when the cost will meet the hold")
    limit_energy_wh = models.BigIntegerField(null=True, blank=True, help_text="energy at that moment")
    stop_latency_seconds = models.FloatField(
        null=True, blank=True, help_text="what its charger takes to obey a stop, as learned at the start"
    )
    limit_reached_at = models.DateTimeField(null=True, blank=True)
    announced_at = models.DateTimeField(null=True, blank=True, help_text="last wake-up for mere meter values")

    class Meta:
        constraints: ClassVar = [
            # I1: at most one live session per EVSE.
            models.UniqueConstraint(
                fields=["evse"], condition=Q(state__in=_LIVE), name="session_one_live_per_evse"
            ),
            models.CheckConstraint(condition=Q(limit_minor__gt=0), name="session_has_a_hold"),
            models.CheckConstraint(condition=Q(energy_wh__gte=0), name="session_energy_not_negative"),
            # S4: whatever is not over has a deadline.
            models.CheckConstraint(
                condition=Q(state__in=_FINAL) | Q(deadline_at__isnull=False), name="session_live_has_deadline"
            ),
            models.CheckConstraint(condition=Q(state__in=_LIVE + _FINAL), name="session_state_is_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["deadline_at"], condition=Q(state__in=_LIVE), name="session_deadline"),
            models.Index(fields=["stop_at"], condition=Q(stop_at__isnull=False), name="session_stop_at"),
            models.Index(fields=["alert"], condition=~Q(alert=""), name="session_alert"),
        ]
        ordering: ClassVar = ["-requested_at"]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"

    @property
    def life(self) -> Life:
        """The pure value that states.apply() moves."""
        return Life(
            state=SessionState(self.state),
            deadline_at=self.deadline_at,
            stop_reason=StopReason(self.stop_reason),
            stop_attempts=self.stop_attempts,
            stale=self.stale,
            doubted=self.doubted,
            vehicle_full=self.vehicle_full,
        )

    @life.setter
    def life(self, life: Life) -> None:
        self.state = life.state
        self.deadline_at = life.deadline_at
        self.stop_reason = life.stop_reason
        self.stop_attempts = life.stop_attempts
        self.stale = life.stale
        self.doubted = life.doubted
        self.vehicle_full = life.vehicle_full

    @property
    def is_over(self) -> bool:
        return self.state in FINAL

    def duration_seconds(self, now: datetime | None = None) -> int:
        """Seconds from the start of the transaction to its end, or to `now` while it runs."""
        if self.started_at is None:
            return 0
        end = self.ended_at or now or timezone.now()
        return max(0, round((end - self.started_at).total_seconds()))


class SessionEvent(models.Model):
    """The journal: one row per change, numbered, append-only."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="events")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    state_before = models.CharField(max_length=12)
    state_after = models.CharField(max_length=12)
    actor = models.CharField(max_length=150, blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "number"], name="session_event_numbered_once")
        ]
        ordering: ClassVar = ["session", "number"]

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"


class MeterSample(models.Model):
    """One reading as it was judged: what was used, what was dropped, and why."""

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="samples")
    sampled_at = models.DateTimeField(help_text="the charger's clock, corrected for a skew that was found")
    received_at = models.DateTimeField()
    register_wh = models.BigIntegerField(null=True)
    power_w = models.BigIntegerField(null=True)
    current_a = models.DecimalField(max_digits=9, decimal_places=3, null=True)
    context = models.CharField(max_length=32)
    parked = models.BooleanField(default=False, help_text="no energy since the sample before")
    dropped = models.CharField(max_length=40, blank=True, help_text="why it was not used")

    class Meta:
        constraints: ClassVar = [
            # S9: the same sample counts once, however often it is sent. Two NULLs never collide, so a
            # sample without a register has no such guard; it carries no energy either.
            models.UniqueConstraint(
                fields=["session", "sampled_at", "register_wh", "context"], name="sample_once"
            )
        ]
        ordering: ClassVar = ["session", "sampled_at", "pk"]

    def __str__(self) -> str:
        return f"{self.sampled_at:%H:%M:%S} {self.register_wh} Wh"


class CDR(models.Model):
    """Charge detail record: what a session costs, frozen. Exactly one that is not a credit per session."""

    id = models.UUIDField(primary_key=True, editable=False, help_text="derived from the session's id")
    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="cdrs")
    credit_of = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="credits"
    )
    credit_number = models.PositiveIntegerField(default=0, help_text="1, 2, … for credits of the same CDR")
    issued_at = models.DateTimeField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    duration_seconds = models.PositiveIntegerField()
    energy_wh = models.BigIntegerField()
    meter_start_wh = models.BigIntegerField(null=True)
    meter_stop_wh = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    total_incl_minor = models.BigIntegerField()
    total_excl_minor = models.BigIntegerField()
    limit_minor = models.BigIntegerField(help_text="the hold it must not exceed")
    written_off_minor = models.BigIntegerField(default=0, help_text="cost beyond the hold, never charged")
    lines = models.JSONField(help_text="cost lines; their incl. VAT amounts sum to the total")
    vat_groups = models.JSONField(
        default=list, help_text="net, VAT and gross per rate; they sum to the totals"
    )
    periods = models.JSONField(help_text="the usage it was priced from, in the engine's segments")
    tariff_snapshot = models.JSONField()
    time_zone = models.CharField(max_length=255)
    doubts = models.JSONField(
        default=list, blank=True, help_text="what was dropped from the meter's story, and why"
    )
    signed_data = models.JSONField(
        default=dict, blank=True, help_text="what the meter signed, unverified, and its public key as told"
    )

    class Meta:
        verbose_name = "CDR"
        constraints: ClassVar = [
            # I3: at most one non-credit CDR per session.
            models.UniqueConstraint(
                fields=["session"], condition=Q(credit_of__isnull=True), name="cdr_one_per_session"
            ),
            # I4: never beyond the hold.
            models.CheckConstraint(
                condition=Q(total_incl_minor__lte=F("limit_minor")), name="cdr_within_hold"
            ),
            models.CheckConstraint(
                condition=Q(credit_of__isnull=False) | Q(total_incl_minor__gte=0), name="cdr_not_negative"
            ),
            models.CheckConstraint(condition=Q(written_off_minor__gte=0), name="cdr_write_off_not_negative"),
            models.UniqueConstraint(
                fields=["credit_of", "credit_number"],
                condition=Q(credit_of__isnull=False),
                name="cdr_credit_numbered_once",
            ),
            models.CheckConstraint(
                condition=Q(credit_of__isnull=True) | Q(total_incl_minor__lt=0), name="cdr_credit_gives_back"
            ),
        ]
        ordering: ClassVar = ["-issued_at"]

    def __str__(self) -> str:
        return f"CDR {self.id}"
