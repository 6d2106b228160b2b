"""One cast for all tests: a site with a charger that is online, a PTP with a terminal, a price, a session.

Everything is made through the real use cases and the real desk; a test says only what differs. Times are
brought by the caller or taken from the clock, never slept for.
"""

import itertools
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from chargers import commands
from chargers.desk import current_desk
from chargers.facts import (
    CommandOutcome,
    EvseStatus,
    EvseStatusChanged,
    MeterReading,
    TransactionEnded,
    TransactionMetered,
    TransactionStarted,
)
from chargers.models import EVSE, ChargingStation, Command, Connector, Site, Transaction, WebProcess
from payments import keys, settlement
from payments.models import Payment, Ptp, Quote, Terminal
from payments.preauthorization import Hold, give_quote, open_payment
from payments.sealed import seal
from sessions_app.models import Session
from tariffs.engine.terms import (
    Dimension,
    PriceComponent,
    Tariff,
    TariffElement,
    TariffType,
    TaxIncluded,
)
from tariffs.models import TariffVersion
from tariffs.versions import save_tariff

_numbers = itertools.count(1)

VAT = Decimal("25.5")
PRICE_PER_KWH = "0.50"  # incl. VAT
WEBHOOK_SECRET = "whsec_a-secret-of-the-tests"


def next_number() -> int:
    """Return a number that no other row of this run has."""
    return next(_numbers)


# --- Chargers -------------------------------------------------------------------------------------


def site(**fields: Any) -> Site:
    """A site in Helsinki."""
    number = next_number()
    facts: dict[str, Any] = {
        "location_id": f"LOC{number}",
        "country_code": "FI",
        "party_id": "EMB",
        "name": f"Harbour {number}",
        "address": "Example Street 1",
        "city": "Helsinki",
        "postal_code": "00100",
        "country": "FIN",
        "latitude": Decimal("60.1699000"),
        "longitude": Decimal("24.9384000"),
        "time_zone": "Europe/Helsinki",
    }
    return Site.objects.create(**(facts | fields))


def station(*, at: Site | None = None, online: bool = True, **fields: Any) -> ChargingStation:
    """A charger; online means that a living process holds its socket."""
    facts: dict[str, Any] = {"identity": f"CP-{next_number()}", "site": at or site(), "secret_hash": "-"}
    made = ChargingStation.objects.create(**(facts | fields))
    return bring_online(made) if online else made


def bring_online(station: ChargingStation) -> ChargingStation:
    """Give the charger a connection in a process that is alive."""
    station.process = WebProcess.objects.create(alive_at=timezone.now())
    station.connection_id = uuid.uuid4()
    station.save(update_fields=["process", "connection_id"])
    return station


def take_offline(station: ChargingStation) -> ChargingStation:
    """Let the charger's socket be gone."""
    station.process, station.connection_id = None, None
    station.save(update_fields=["process", "connection_id"])
    return station


def evse(*, at: ChargingStation | None = None, **fields: Any) -> EVSE:
    """An EVSE that its charger reported to be free."""
    behind = at or station()
    number = next_number()
    facts: dict[str, Any] = {
        "site": behind.site,
        "station": behind,
        "uid": f"EVSE-{number}",
        "evse_id": f"FI*EMB*E{number}",
        "physical_reference": f"P{number}",
        "number": behind.evses.count() + 1,
        "status": EvseStatus.AVAILABLE,
        "status_at": timezone.now(),
    }
    return EVSE.objects.create(**(facts | fields))


def connector(*, at: EVSE | None = None, tariff: TariffVersion | None = None, **fields: Any) -> Connector:
    """A 150 kW CCS cable that sells by `tariff` (default: `tariff_version()`)."""
    facts: dict[str, Any] = {
        "evse": at or evse(),
        "connector_id": "1",
        "standard": "IEC_62196_T2_COMBO",
        "power_type": "DC",
        "max_voltage": 920,
        "max_amperage": 200,
        "max_power_w": 150_000,
    }
    made = Connector.objects.create(**(facts | fields))
    made.tariffs.add((tariff or tariff_version()).tariff)
    return made


# --- Tariffs --------------------------------------------------------------------------------------


def tariff_terms(**fields: Any) -> Tariff:
    """0.50 EUR per kWh including 25.5 % VAT, 60.00 EUR to be held."""
    energy = PriceComponent(Dimension.ENERGY, Decimal(PRICE_PER_KWH), VAT)
    facts: dict[str, Any] = {
        "country_code": "FI",
        "party_id": "EMB",
        "id": f"TARIFF-{next_number()}",
        "currency": "EUR",
        "elements": (TariffElement((energy,)),),
        "tax_included": TaxIncluded.YES,
        "type": TariffType.AD_HOC_PAYMENT,
        "preauthorize_amount": Decimal(60),
    }
    return Tariff(**(facts | fields))


def tariff_version(**fields: Any) -> TariffVersion:
    """A stored tariff, its first version."""
    return save_tariff(tariff_terms(**fields))


# --- PTPs -----------------------------------------------------------------------------------------


def ptp(**fields: Any) -> Ptp:
    """A payment terminal provider; with `webhook_url`, its signing secret is WEBHOOK_SECRET."""
    facts = {"name": f"PTP {next_number()}", "webhook_secret_sealed": seal(WEBHOOK_SECRET)}
    return Ptp.objects.create(**(facts | fields))


def terminal(*, of: Ptp | None = None, at: Site | None = None, **fields: Any) -> Terminal:
    """A terminal, selling what stands at the site `at`."""
    facts: dict[str, Any] = {
        "ptp": of or ptp(),
        "terminal_id": f"T-{next_number()}",
        "languages": ["en", "fi"],
    }
    made = Terminal.objects.create(**(facts | fields))
    if at is not None:
        made.sites.add(at)
    return made


def api_key(of: Ptp, *, only: Terminal | None = None) -> str:
    """A fresh API key of the PTP, or of one of its terminals."""
    key = keys.new_key()
    keys.store_key(of, key, only)
    return key


# --- The whole cast -------------------------------------------------------------------------------


@dataclass
class Cast:
    """One terminal that sells one free connector of one online charger."""

    site: Site
    station: ChargingStation
    evse: EVSE
    connector: Connector
    tariff_version: TariffVersion
    ptp: Ptp
    terminal: Terminal
    key: str = field(repr=False)

    def quote(self, *, now: datetime | None = None, language: str = "en") -> Quote:
        """The price as the driver sees it before the tap."""
        at = now or timezone.now()
        return give_quote(ptp=self.ptp, connector=self.connector, language=language, now=at)

    def payment(self, *, authorized_minor: int = 6000, now: datetime | None = None, **fields: Any) -> Payment:
        """A tap: an approved hold, its session requested. `fields` are those of `Hold`."""
        at = now or timezone.now()
        facts: dict[str, Any] = {
            "ptp": self.ptp,
            "terminal": self.terminal,
            "authorization_reference": f"auth-{uuid.uuid4().hex[:20]}",
            "authorized_minor": authorized_minor,
            "currency": self.tariff_version.tariff.currency,
            "card_scheme": "VISA",
            "card_last4": "4242",
        }
        return open_payment(Hold(**(facts | fields)), self.quote(now=at), now=at)

    def running(self, *, authorized_minor: int = 6000, now: datetime | None = None) -> "Running":
        """A session that charges since `now`."""
        at = now or timezone.now()
        return start(self.payment(authorized_minor=authorized_minor, now=at), at=at)


def cast(*, terms: Tariff | None = None, online: bool = True, **ptp_fields: Any) -> Cast:
    """Make the whole cast; `terms` is the tariff, `ptp_fields` those of the PTP."""
    version = save_tariff(terms or tariff_terms())
    charger = station(online=online)
    place = evse(at=charger)
    provider = ptp(**ptp_fields)
    return Cast(
        site=charger.site,
        station=charger,
        evse=place,
        connector=connector(at=place, tariff=version),
        tariff_version=version,
        ptp=provider,
        terminal=terminal(of=provider, at=charger.site),
        key=api_key(provider),
    )


# --- A session's life, as its charger tells it ----------------------------------------------------


@dataclass
class Running:
    """A charging session under the hands of its charger."""

    payment: Payment
    transaction: Transaction
    started_at: datetime
    register_wh: int

    @property
    def session(self) -> Session:
        """The session as it stands in the database now."""
        return Session.objects.get(pk=self.payment.session_id)

    def meter(self, *, energy_wh: int, after_seconds: int, power_w: int | None = None) -> None:
        """Report that so much energy has been delivered since the start."""
        at = self.started_at + timedelta(seconds=after_seconds)
        reading = MeterReading(
            sampled_at=at, received_at=at, register_wh=self.register_wh + energy_wh, power_w=power_w
        )
        with transaction.atomic():
            current_desk().metered(TransactionMetered(self.transaction.pk, (reading,), at))

    def end(self, *, energy_wh: int, after_seconds: int, reason: str = "EVDisconnected") -> Payment:
        """Report the end of the transaction, settle it, and return the payment as it is then."""
        at = self.started_at + timedelta(seconds=after_seconds)
        meter_stop_wh = self.register_wh + energy_wh
        with transaction.atomic():
            Transaction.objects.filter(pk=self.transaction.pk).update(
                meter_stop_wh=meter_stop_wh, stopped_at=at, stop_received_at=at, stop_reason=reason
            )
            fact = TransactionEnded(self.transaction.pk, meter_stop_wh, at, at, reason)
            current_desk().ended(fact)
        return settlement.settle(self.payment.pk, now=at)


def answer_start(
    payment: Payment, outcome: CommandOutcome = CommandOutcome.ACCEPTED, *, at: datetime | None = None
) -> None:
    """Let the charger answer the start command of this payment's session."""
    command = Command.objects.get(reference=str(payment.session_id))
    with transaction.atomic():
        commands.settle(
            command_pk=command.pk,
            outcome=outcome,
            now=at or timezone.now(),
            expected=(Command.State.QUEUED, Command.State.SENT),
        )


def start(
    payment: Payment,
    *,
    at: datetime | None = None,
    register_wh: int = 100_000,
    evse_status: EvseStatus = EvseStatus.PREPARING,
) -> Running:
    """Let the charger accept the start and open its transaction."""
    at = at or timezone.now()
    answer_start(payment, at=at)
    session = Session.objects.select_related("evse").get(pk=payment.session_id)
    evse = session.evse
    with transaction.atomic():
        current_desk().status_changed(EvseStatusChanged(evse.pk, evse_status, "NoError", at, at))
        EVSE.objects.filter(pk=evse.pk).update(status=evse_status)
        opened = Transaction.objects.create(
            station_id=evse.station_id,
            evse=evse,
            transaction_id=str(next_number()),
            natural_key=uuid.uuid4().hex,
            id_tag=session.id_tag,
            accepted=True,
            meter_start_wh=register_wh,
            started_at=at,
            start_received_at=at,
        )
        fact = TransactionStarted(opened.pk, evse.station_id, evse.pk, session.id_tag, register_wh, at, at)
        assert current_desk().started(fact).accepted
        EVSE.objects.filter(pk=evse.pk).update(status=EvseStatus.CHARGING)
    return Running(payment, opened, at, register_wh)
