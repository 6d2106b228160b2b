"""Payment terminal providers, their terminals and keys, and the prices they were quoted."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone


class Ptp(models.Model):
    """A payment terminal provider: runs terminals, preauthorises and captures at its PSP."""

    name = models.CharField(max_length=100, unique=True)
    webhook_url = models.URLField(max_length=500, blank=True)
    webhook_secret_sealed = models.TextField(blank=True, help_text="sealed; signs what we send")
    created_at = models.DateTimeField(default=timezone.now)
    # Its circuit: a platform that answers nobody is asked by one message at a time, every few seconds (S17).
    failures_in_row = models.PositiveIntegerField(default=0, help_text="calls that reached nobody")
    errors_in_row = models.PositiveIntegerField(default=0, help_text="messages that it answered with a fault")
    fault_of = models.UUIDField(null=True, blank=True, help_text="the last of these messages")
    probe_at = models.DateTimeField(null=True, blank=True, help_text="no probe of it before this")

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
    # What an OCPI Terminal says beyond that (OCPI 2.3.0 mod_payments).
    customer_reference = models.CharField(max_length=36, blank=True, help_text="names its contract")
    reference = models.CharField(max_length=36, blank=True, help_text="serial number, say")
    active = models.BooleanField(default=True, help_text="no: switched off at the PTP; sessions go on")
    document = models.JSONField(
        default=dict, blank=True, help_text="the OCPI Terminal as its PTP last told it"
    )
    updated_at = models.DateTimeField(default=timezone.now)

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
