"""OCPI connections to PTPs' platforms: credentials, contracts, what each has seen, its commands and its traffic."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from payments.models.parties import Ptp


class OcpiConnection(models.Model):
    """One platform of a PTP that speaks OCPI to us: one credentials handshake, one token each way.

    "Server token" is what the platform shows us (we keep its hash); "client token" is what we show it (kept
    sealed). Which of them OCPI calls B or C depends on who began the handshake.
    """

    class State(models.TextChoices):
        INVITED = "INVITED", "token A was given out; nobody has registered yet"
        REGISTERED = "REGISTERED", "credentials are exchanged"
        UNREGISTERED = "UNREGISTERED", "one side ended it; no token is good any more"

    class ReleaseSignal(models.TextChoices):
        SESSION_INVALID = "SESSION_INVALID", "the Session becomes INVALID"
        ZERO_COST_CDR = "ZERO_COST_CDR", "a CDR that costs nothing, besides the Session"

    class InvoiceCreator(models.TextChoices):
        CPO = "CPO", "we make the receipt; our CDRs carry its number"
        PTP = "PTP", "the PTP makes it; our CDRs carry none"

    ptp = models.OneToOneField(Ptp, on_delete=models.PROTECT, related_name="ocpi_connection")
    state = models.CharField(max_length=12, choices=State.choices, default=State.INVITED)
    # --- who they are, and as which of our parties we speak to them by default
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    role = models.CharField(max_length=20, default="PTP", help_text="PTP, OTHER or EMSP")
    our_country_code = models.CharField(max_length=2)
    our_party_id = models.CharField(max_length=3)
    # --- what the handshake settled
    version = models.CharField(max_length=10, blank=True, help_text="2.2.1 or 2.3.0")
    versions_url = models.URLField(max_length=500, blank=True, help_text="the platform's")
    endpoints = models.JSONField(
        default=dict, blank=True, help_text='the platform\'s, as {"locations:RECEIVER": url}'
    )
    roles = models.JSONField(
        default=list, blank=True, help_text="the platform's CredentialsRoles as they came"
    )
    server_token_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of what it shows us")
    pending_token_hash = models.CharField(
        max_length=64, blank=True, help_text="of the token in a handshake that we began and that is not over"
    )
    client_token_sealed = models.TextField(blank=True, help_text="sealed; what we show it")
    registered_at = models.DateTimeField(null=True, blank=True)
    token_changed_at = models.DateTimeField(null=True, blank=True)
    # --- how this platform wants things
    raw_tokens = models.BooleanField(default=False, help_text="an old peer that wants tokens without base64")
    release_signal = models.CharField(
        max_length=16, choices=ReleaseSignal.choices, default=ReleaseSignal.SESSION_INVALID
    )
    invoice_creator = models.CharField(
        max_length=3, choices=InvoiceCreator.choices, default=InvoiceCreator.CPO
    )
    languages = models.JSONField(default=list, blank=True, help_text="of tariff texts; empty: all we have")
    terminals_url = models.URLField(
        max_length=500, blank=True, help_text="where it is not {payments}/terminals"
    )
    confirmations_url = models.URLField(
        max_length=500, blank=True, help_text="where it is not {payments}/financial-advice-confirmations"
    )
    more_hosts = models.JSONField(
        default=list, blank=True, help_text="hosts a response_url may name besides that of versions_url"
    )
    last_heard_at = models.DateTimeField(null=True, blank=True)
    last_reached_at = models.DateTimeField(null=True, blank=True)
    confirmations_pulled_at = models.DateTimeField(null=True, blank=True)
    terminals_pulled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "OCPI connection"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["server_token_hash"],
                condition=~Q(server_token_hash=""),
                name="ocpi_connection_one_per_token",
            )
        ]

    def __str__(self) -> str:
        return f"{self.country_code}*{self.party_id} {self.state}"

    @property
    def is_registered(self) -> bool:
        return self.state == self.State.REGISTERED

    def endpoint(self, module: str, role: str = "RECEIVER") -> str:
        """Return the platform's URL of a module in a role, "" where it has none."""
        return str(self.endpoints.get(f"{module}:{role}", ""))


class Contract(models.Model):
    """One of several contracts of a platform: which of our parties its terminals sell for."""

    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="contracts")
    customer_reference = models.CharField(max_length=36)
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "customer_reference"], name="contract_once_per_connection"
            )
        ]

    def __str__(self) -> str:
        return self.customer_reference


class SeenTariff(models.Model):
    """The tariff version that a platform last acknowledged, pushed or polled, with the hold it was shown.

    A session is priced by it, never by one that its terminal could not have shown. What it replaced is kept:
    for some time a driver may still come with the older price and the older hold (payments.ocpi.seen).
    """

    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="seen_tariffs")
    tariff = models.ForeignKey("tariffs.Tariff", on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey("tariffs.TariffVersion", on_delete=models.PROTECT, related_name="+")
    hold_minor = models.BigIntegerField()
    seen_at = models.DateTimeField()
    previous_version = models.ForeignKey(
        "tariffs.TariffVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    version_replaced_at = models.DateTimeField(null=True, blank=True)
    previous_hold_minor = models.BigIntegerField(null=True, blank=True)
    hold_replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "tariff"], name="seen_tariff_once")
        ]

    def __str__(self) -> str:
        return f"{self.tariff_id} v{self.version_id}"


class TariffNews(models.Model):
    """Since when a tariff is for one platform as it is: what it is told as `last_updated`.

    The stamp is given when somebody first looks, not when the platform is told: one that asks for what changed
    in one window of time after the other finds it in one of them (payments.ocpi.told_tariffs).
    """

    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="tariff_news")
    tariff = models.ForeignKey("tariffs.Tariff", on_delete=models.CASCADE, related_name="+")
    ocpi_version = models.CharField(max_length=10, help_text="another one may tell another hold")
    version = models.ForeignKey(
        "tariffs.TariffVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="empty: the platform was told that the tariff is gone",
    )
    hold_minor = models.BigIntegerField()
    news_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "tariff news"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "tariff", "ocpi_version"], name="tariff_news_once")
        ]

    def __str__(self) -> str:
        return f"{self.tariff_id} v{self.version_id} {self.news_at}"


class SeenSite(models.Model):
    """When a platform last acknowledged a Location; what changed later it does not know."""

    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="seen_sites")
    site = models.ForeignKey("chargers.Site", on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(help_text="it knows what was true then")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["connection", "site"], name="seen_site_once")
        ]

    def __str__(self) -> str:
        return f"{self.site_id} {self.seen_at}"


class OcpiCommand(models.Model):
    """A START_SESSION or STOP_SESSION that we accepted, and the one CommandResult that it gets."""

    class Kind(models.TextChoices):
        START = "START_SESSION", "START_SESSION"
        STOP = "STOP_SESSION", "STOP_SESSION"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="commands")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    payment = models.ForeignKey("payments.Payment", on_delete=models.CASCADE, related_name="ocpi_commands")
    response_url = models.CharField(max_length=255)
    correlation_id = models.CharField(max_length=64, blank=True)
    result = models.CharField(max_length=20, blank=True, help_text="CommandResultType, once it is known")
    message = models.CharField(max_length=255, blank=True)
    deadline_at = models.DateTimeField(help_text="what has no result by then is a TIMEOUT")
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "OCPI command"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["payment"], condition=Q(kind="START_SESSION"), name="ocpi_command_one_start"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["deadline_at"], condition=Q(result=""), name="ocpi_command_undecided")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.result or 'undecided'}"


class StoredToken(models.Model):
    """A token that a platform stored with us (OCPI mod_tokens); we never ask it whether a driver may charge."""

    connection = models.ForeignKey(OcpiConnection, on_delete=models.CASCADE, related_name="tokens")
    country_code = models.CharField(max_length=2)
    party_id = models.CharField(max_length=3)
    uid = models.CharField(max_length=36)
    type = models.CharField(max_length=36, default="RFID")
    document = models.JSONField(help_text="as it came")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["connection", "country_code", "party_id", "uid", "type"], name="stored_token_once"
            )
        ]

    def __str__(self) -> str:
        return self.uid


class OcpiMessage(models.Model):
    """One request and its answer, either way, for people to look at; secrets are taken out before."""

    class Direction(models.TextChoices):
        IN = "IN", "they called us"
        OUT = "OUT", "we called them"

    connection = models.ForeignKey(
        OcpiConnection, on_delete=models.CASCADE, null=True, blank=True, related_name="messages"
    )
    direction = models.CharField(max_length=3, choices=Direction.choices)
    method = models.CharField(max_length=8)
    url = models.CharField(max_length=500)
    module = models.CharField(max_length=40, blank=True)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="empty: no answer came")
    ocpi_status = models.PositiveSmallIntegerField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True, db_index=True)
    correlation_id = models.CharField(max_length=64, blank=True, db_index=True)
    request_body = models.TextField(blank=True)
    response_body = models.TextField(blank=True)
    error = models.CharField(max_length=300, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = "OCPI message"
        indexes: ClassVar = [models.Index(fields=["connection", "-at"], name="ocpi_message_by_connection")]
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.direction} {self.method} {self.url}"
