"""Sites, charging stations, EVSEs, connectors; what chargers reported, and what was asked of them."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from chargers.facts import CommandAction, EvseStatus

PROCESS_LEASE_SECONDS = 15  # a web process that has not shown itself for this long has died with its sockets


class Site(models.Model):
    """A place with charging stations (OCPI: Location)."""

    location_id = models.CharField(max_length=36, help_text="OCPI Location id")
    country_code = models.CharField(max_length=2, help_text="OCPI country code of the operator")
    party_id = models.CharField(max_length=3, help_text="OCPI party id of the operator")
    name = models.CharField(max_length=255, blank=True)
    address = models.CharField(max_length=255, blank=True)
    city = models.CharField(max_length=45, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    country = models.CharField(max_length=3, help_text="ISO 3166-1 alpha-3")
    latitude = models.DecimalField(max_digits=10, decimal_places=7, null=True, blank=True)
    longitude = models.DecimalField(max_digits=10, decimal_places=7, null=True, blank=True)
    time_zone = models.CharField(max_length=255, help_text="IANA name; tariffs are evaluated in it")
    publish = models.BooleanField(default=True)
    commissioned_on = models.DateField(null=True, blank=True, help_text="decides whether AFIR applies")
    preauthorize_ac = models.DecimalField(
        "preauthorisation at AC",
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="in the tariff's currency, where the tariff names no amount; empty: the CPO's default",
    )
    preauthorize_dc = models.DecimalField(
        "preauthorisation at DC",
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text="as at AC",
    )
    source = models.JSONField(
        default=dict, blank=True, help_text="fields of the imported Location we do not use"
    )
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["country_code", "party_id", "location_id"], name="site_unique_per_party"
            )
        ]
        ordering: ClassVar = ["name", "location_id"]

    def __str__(self) -> str:
        return self.name or self.location_id


class WebProcess(models.Model):
    """A process that holds chargers' sockets; its lease tells live presence from a crashed one's rows."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    started_at = models.DateTimeField(default=timezone.now)
    alive_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name_plural = "web processes"

    def __str__(self) -> str:
        return str(self.id)


class ChargingStation(models.Model):
    """A charger: one OCPP connection, one or more EVSEs."""

    identity = models.CharField(max_length=48, unique=True, help_text="last segment of its OCPP URL")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="stations")
    secret_hash = models.CharField(max_length=64, help_text="SHA-256 of its password, hex")
    vendor = models.CharField(max_length=50, blank=True)
    model = models.CharField(max_length=50, blank=True)
    serial_number = models.CharField(max_length=50, blank=True)
    firmware_version = models.CharField(max_length=50, blank=True)
    protocol = models.CharField(max_length=16, blank=True, help_text="WebSocket subprotocol last agreed")
    booted_at = models.DateTimeField(null=True, blank=True)
    configuration = models.JSONField(default=dict, blank=True, help_text="keys it reported, secrets left out")
    stop_latency_seconds = models.FloatField(
        null=True, blank=True, help_text="from a stop to the end of energy, as learned from its sessions"
    )
    # Presence: which connection speaks for it. A new connection takes a new id (fencing); replies and
    # writes of the old one no longer match.
    connection_id = models.UUIDField(null=True, blank=True)
    process = models.ForeignKey(
        WebProcess, on_delete=models.SET_NULL, null=True, blank=True, related_name="stations"
    )
    channel_name = models.CharField(max_length=255, blank=True)
    connected_at = models.DateTimeField(null=True, blank=True)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    swaps = models.PositiveIntegerField(default=0, help_text="times a second connection took over")

    class Meta:
        ordering: ClassVar = ["identity"]

    def __str__(self) -> str:
        return self.identity

    def has_feature(self, profile: str) -> bool:
        """Whether it reported this feature profile (OCPP 1.6 §9.1, SupportedFeatureProfiles)."""
        reported = str(self.configuration.get("SupportedFeatureProfiles", ""))
        return profile in (each.strip() for each in reported.split(","))

    def meter_public_key(self, number: int) -> str:
        """The key by which an EVSE's meter signs, as the station wrote it; empty where it reported none."""
        names = (f"MeterPublicKey[{number}]", f"MeterPublicKey{number}", "MeterPublicKey")
        return next((str(self.configuration[name]) for name in names if self.configuration.get(name)), "")

    @property
    def online(self) -> bool:
        """Whether a living process holds its socket now; read `process` with select_related."""
        if self.connection_id is None or self.process is None:
            return False
        return self.process.alive_at > timezone.now() - timedelta(seconds=PROCESS_LEASE_SECONDS)


class EVSE(models.Model):
    """One place to charge one vehicle; exactly one connector of its station in OCPP 1.6."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="evses")
    uid = models.CharField(max_length=36, help_text="OCPI EVSE uid")
    evse_id = models.CharField(max_length=48, blank=True, help_text="eMI3 id")
    physical_reference = models.CharField(
        max_length=16, blank=True, help_text="what is printed on the charger"
    )
    station = models.ForeignKey(
        ChargingStation, on_delete=models.PROTECT, null=True, blank=True, related_name="evses"
    )
    number = models.PositiveIntegerField(
        null=True, blank=True, help_text="OCPP 1.6 connector or 2.x EVSE number"
    )
    status = models.CharField(max_length=16, choices=[(s, s) for s in EvseStatus], default=EvseStatus.UNKNOWN)
    status_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True)
    removed = models.BooleanField(default=False)
    source = models.JSONField(default=dict, blank=True, help_text="fields of the imported EVSE we do not use")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "EVSE"
        verbose_name_plural = "EVSEs"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["uid"], name="evse_unique_uid"),
            models.UniqueConstraint(fields=["station", "number"], name="evse_unique_number_per_station"),
            models.CheckConstraint(
                condition=Q(station__isnull=True, number__isnull=True)
                | Q(station__isnull=False, number__isnull=False, number__gte=1),
                name="evse_number_goes_with_station",
            ),
        ]
        ordering: ClassVar = ["station__identity", "number", "uid"]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """What the driver reads on the charger."""
        return self.physical_reference or self.evse_id or self.uid


class Connector(models.Model):
    """A socket or cable of an EVSE; its tariffs say what charging there costs."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    evse = models.ForeignKey(EVSE, on_delete=models.PROTECT, related_name="connectors")
    connector_id = models.CharField(max_length=36, help_text="OCPI Connector id")
    standard = models.CharField(max_length=32)
    format = models.CharField(max_length=16, default="CABLE")
    power_type = models.CharField(max_length=16)
    max_voltage = models.PositiveIntegerField()
    max_amperage = models.PositiveIntegerField()
    max_power_w = models.PositiveIntegerField()
    tariffs = models.ManyToManyField("tariffs.Tariff", related_name="connectors", blank=True)
    source = models.JSONField(
        default=dict, blank=True, help_text="fields of the imported Connector we do not use"
    )
    updated_at = models.DateTimeField(default=timezone.now)
    tariffs_changed_at = models.DateTimeField(
        default=timezone.now, help_text="when another tariff was attached or taken away"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["evse", "connector_id"], name="connector_unique_per_evse"),
            models.CheckConstraint(condition=Q(max_power_w__gt=0), name="connector_has_power"),
        ]
        ordering: ClassVar = ["evse", "connector_id"]

    def __str__(self) -> str:
        return f"{self.evse.label} {self.standard}"

    @property
    def is_dc(self) -> bool:
        return self.power_type == "DC"


class Transaction(models.Model):
    """A charging transaction as its charger tells it, ours or anyone's; closed once, never reopened."""

    station = models.ForeignKey(ChargingStation, on_delete=models.PROTECT, related_name="transactions")
    evse = models.ForeignKey(EVSE, on_delete=models.PROTECT, related_name="transactions")
    transaction_id = models.CharField(max_length=36, help_text="unique per station only")
    # What makes a repeat of the same start recognisable (OCPP.md section 3, StartTransaction retry).
    natural_key = models.CharField(max_length=64)
    id_tag = models.CharField(max_length=36)
    accepted = models.BooleanField(help_text="what the charger was told; told again on a repeat")
    meter_start_wh = models.BigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(help_text="the charger's clock")
    start_received_at = models.DateTimeField()
    meter_stop_wh = models.BigIntegerField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True, help_text="the charger's clock")
    stop_received_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=40, blank=True)
    inferred = models.BooleanField(default=False, help_text="closed by us: the charger forgot it")
    late_stop_at = models.DateTimeField(
        null=True, blank=True, help_text="when it told its end after all; `meter_stop_wh` is of that end"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "transaction_id"], name="transaction_unique_per_station"
            ),
            models.UniqueConstraint(fields=["station", "natural_key"], name="transaction_start_told_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["evse"], condition=Q(stopped_at__isnull=True), name="transaction_open_by_evse"
            ),
            models.Index(fields=["station", "id_tag"], name="transaction_by_tag"),
        ]
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.station_id}:{self.transaction_id}"

    @property
    def given_up(self) -> bool:
        """Whether only our books closed it: the charger has not told its end."""
        return self.inferred and self.late_stop_at is None


class SignedMeterValue(models.Model):
    """What a meter signed of a transaction, as text and unverified; a CDR takes its own copy."""

    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="signed_values")
    context = models.CharField(max_length=40)
    measurand = models.CharField(max_length=40)
    sampled_at = models.DateTimeField(help_text="the charger's clock")
    received_at = models.DateTimeField()
    text = models.TextField(blank=True, help_text="as received; empty where it was dropped")
    digest = models.CharField(max_length=64, help_text="SHA-256 of what was sent, hex")
    dropped = models.CharField(max_length=60, blank=True, help_text="why its text was not kept")

    class Meta:
        constraints: ClassVar = [
            # A charger tells its first value at the start and again with the stop, and repeats either.
            models.UniqueConstraint(fields=["transaction", "context", "digest"], name="signed_value_once")
        ]
        ordering: ClassVar = ["transaction", "pk"]

    def __str__(self) -> str:
        return f"{self.context}: {self.dropped or self.text[:40]}"


class Command(models.Model):
    """Something asked of a charger: durable, with a deadline, sent at most once.

    The row is written in the transaction of whatever asked; the socket's process takes it by a conditional
    update from QUEUED to SENT before a byte leaves, so a crash can lose a send but never repeat one.
    """

    class State(models.TextChoices):
        QUEUED = "QUEUED", "waits for the charger's socket"
        SENT = "SENT", "left, not answered yet"
        ACCEPTED = "ACCEPTED", "the charger said yes"
        REJECTED = "REJECTED", "the charger said no or answered an error"
        UNANSWERED = "UNANSWERED", "no answer in time: what the charger did is unknown"
        UNSENT = "UNSENT", "never left before its deadline"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="commands")
    action = models.CharField(max_length=24, choices=[(a, a) for a in CommandAction])
    arguments = models.JSONField(default=dict, help_text="in our words; the protocol room translates")
    reference = models.CharField(max_length=64, blank=True, help_text="whom the outcome concerns")
    actor = models.CharField(max_length=150, help_text="who asked")
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED)
    created_at = models.DateTimeField(default=timezone.now)
    deadline_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    connection_id = models.UUIDField(null=True, blank=True, help_text="the connection it left on")
    settled_at = models.DateTimeField(null=True, blank=True)
    response = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints: ClassVar = [
            # I9: one start command per authorisation, whatever is retried.
            models.UniqueConstraint(
                fields=["reference"],
                condition=Q(action=CommandAction.START) & ~Q(reference=""),
                name="command_one_start_per_reference",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["QUEUED", "SENT"]) | Q(settled_at__isnull=False),
                name="command_settled_has_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["station", "id"], condition=Q(state="QUEUED"), name="command_queue"),
            models.Index(
                fields=["deadline_at"], condition=Q(state__in=["QUEUED", "SENT"]), name="command_deadline"
            ),
        ]
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.state}"


class StationMessage(models.Model):
    """Evidence: a transaction message that could not be applied as sent, kept byte for byte (at most 8 KiB).

    Examples: a stop for an unknown transaction, a second stop with other values, a meter value nobody asked
    for. Staff see them; money is never changed by them.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="messages")
    transaction = models.ForeignKey(Transaction, on_delete=models.SET_NULL, null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=50)
    problem = models.CharField(max_length=200)
    payload = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.action}: {self.problem}"
