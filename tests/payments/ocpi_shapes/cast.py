"""One of each: a harbour with two EVSEs, its price, a session there, its bill, its terminal. No database.

`as_sent` writes a document as the wire has it, and reads it as a peer does: numbers are Decimal.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from chargers.models import EVSE, Connector, Site
from payments import exact_json
from payments.ocpi.cdrs import cdr_document, zero_cdr_document
from payments.ocpi.commands import CommandResponseType, CommandResultType, command_response, command_result
from payments.ocpi.confirmations import CaptureStatusCode, ConfirmationEntry, confirmation_document
from payments.ocpi.credentials import PartyRole, credentials_document
from payments.ocpi.dialects import Version
from payments.ocpi.locations import (
    ConnectorEntry,
    EvseEntry,
    SiteEntry,
    connector_document,
    evse_document,
    location_document,
)
from payments.ocpi.prices import price_of
from payments.ocpi.sessions import SessionStatus, SessionValues, session_document
from payments.ocpi.tariffs import tariff_document
from payments.ocpi.terminals import InvoiceCreator, TerminalEntry, terminal_document
from sessions_app.models import CDR, Session
from tariffs.engine.document import to_document
from tariffs.engine.terms import (
    AltText,
    DayOfWeek,
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
    TariffType,
    TaxIncluded,
)

Document = dict[str, Any]

VERSIONS = tuple(Version)
NOON = datetime(2026, 5, 4, 12, 0, 0, 987_654, tzinfo=UTC)
VAT = Decimal("25.5")
SESSION_ID = UUID("0b8f2f5e-7c1d-4a55-9f3b-2d6b7f0c1a11")
CDR_ID = UUID("7d0c9f1a-52de-4c8b-8d0f-90a3b5b4f001")
CREDIT_ID = UUID("7d0c9f1a-52de-4c8b-8d0f-90a3b5b4f002")
TOKEN = {
    "country_code": "NL",
    "party_id": "PTP",
    "uid": "f0a3c1d2-8d0f-4c55-9a7e-6f6a1b2c3d4e",
    "type": "AD_HOC_USER",
    "contract_id": "NL-PTP-C00000042-1",
}
SIGNED = {
    "public_key": "3059",
    "values": [
        {"context": context, "measurand": "Energy.Active.Import.Register", "sampled_at": "", "text": text}
        for context, text in (
            ("Transaction.Begin", 'OCMF|{"PG":"T1"}|{}'),
            ("Sample.Periodic", 'OCMF|{"PG":"T2"}|{}'),
            ("Transaction.End", 'OCMF|{"PG":"T3"}|{}'),
        )
    ],
}


def as_sent(document: Any) -> Any:
    return exact_json.loads(exact_json.dumps(document).encode())


# --- A price --------------------------------------------------------------------------------------


def component(
    kind: Dimension = Dimension.ENERGY, price: str = "0.59", vat: Decimal | None = VAT
) -> PriceComponent:
    return PriceComponent(kind, Decimal(price), vat)


def terms(**fields: Any) -> Tariff:
    """0.59 EUR per kWh and, by day, 6 EUR per hour of parking; 60 EUR to be held."""
    by_day = Restrictions(min_duration_seconds=7200, day_of_week=(DayOfWeek.MONDAY,))
    facts: dict[str, Any] = {
        "country_code": "FI",
        "party_id": "EMB",
        "id": "HARBOUR-2026",
        "currency": "EUR",
        "elements": (
            TariffElement((component(Dimension.PARKING_TIME, "6.00"),), by_day),
            TariffElement((component(),)),
        ),
        "tax_included": TaxIncluded.YES,
        "type": TariffType.AD_HOC_PAYMENT,
        "min_price": PriceLimit(Decimal("0.50"), Decimal("0.63")),
        "preauthorize_amount": Decimal(60),
        "alt_texts": (AltText("en", "Wind power only."),),
        "last_updated_at": NOON,
    }
    return Tariff(**(facts | fields))


# --- A place --------------------------------------------------------------------------------------


def connector(connector_id: str = "1", **fields: Any) -> ConnectorEntry:
    facts: dict[str, Any] = {
        "standard": "IEC_62196_T2_COMBO",
        "format": "CABLE",
        "power_type": "DC",
        "max_voltage": 920,
        "max_amperage": 200,
        "max_power_w": 150_000,
        "tariff_ids": ("HARBOUR-2026",),
        "updated_at": NOON,
    }
    return ConnectorEntry(connector_id, **(facts | fields))


def evse(uid: str = "E-1", **fields: Any) -> EvseEntry:
    facts: dict[str, Any] = {
        "evse_id": f"FI*EMB*{uid.replace('-', '')}",
        "physical_reference": uid,
        "connectors": (connector(),),
        "status": "AVAILABLE",
        "updated_at": NOON,
    }
    return EvseEntry(uid, **(facts | fields))


def site(**fields: Any) -> SiteEntry:
    """With what an import may have brought along, of both versions."""
    facts: dict[str, Any] = {
        "country_code": "FI",
        "party_id": "EMB",
        "location_id": "HARBOUR",
        "country": "FIN",
        "time_zone": "Europe/Helsinki",
        "name": "Harbour Square",
        "address": "Satamakatu 1",
        "city": "Jyväskylä",
        "postal_code": "40100",
        "latitude": Decimal("62.2414400"),
        "longitude": Decimal("25.7201000"),
        "evses": (evse("E-1"), evse("E-2", connectors=(connector("1"), connector("2")))),
        "source": {
            "opening_times": {"twentyfourseven": True},
            "energy_mix": {
                "is_green_energy": True,
                "energy_sources": [{"source": "WIND", "percentage": 99.9}],
            },
            "help_phone": "+358401234567",
        },
        "updated_at": NOON,
    }
    return SiteEntry(**(facts | fields))


# --- A session and its bill -----------------------------------------------------------------------


def session_values(**fields: Any) -> SessionValues:
    """Charging: 12.345 kWh for 7.28 EUR so far."""
    facts: dict[str, Any] = {
        "country_code": "FI",
        "party_id": "EMB",
        "session_id": str(SESSION_ID),
        "status": SessionStatus.ACTIVE,
        "start_at": NOON,
        "energy_kwh": Decimal("12.345"),
        "cdr_token": TOKEN,
        "authorization_reference": "pp-2026-0000000001",
        "location_id": "HARBOUR",
        "evse_uid": "E-1",
        "connector_id": "1",
        "currency": "EUR",
        "total": price_of(580, 728, "EUR"),
        "updated_at": NOON + timedelta(minutes=5),
    }
    return SessionValues(**(facts | fields))


def session(**fields: Any) -> Session:
    """The row of a session that has ended."""
    place = Site(
        location_id="HARBOUR",
        country_code="FI",
        party_id="EMB",
        name="Harbour Square",
        address="Satamakatu 1",
        city="Jyväskylä",
        postal_code="40100",
        country="FIN",
        latitude=Decimal("62.2414400"),
        longitude=Decimal("25.7201000"),
        time_zone="Europe/Helsinki",
    )
    stand = EVSE(site=place, uid="E-1", evse_id="FI*EMB*E1")
    plug = Connector(
        evse=stand,
        connector_id="1",
        standard="IEC_62196_T2_COMBO",
        power_type="DC",
        max_voltage=920,
        max_amperage=200,
        max_power_w=150_000,
    )
    facts: dict[str, Any] = {
        "id": SESSION_ID,
        "authorization_reference": "pp-2026-0000000001",
        "evse": stand,
        "connector": plug,
        "currency": "EUR",
        "requested_at": NOON - timedelta(minutes=1),
        "started_at": NOON,
        "ended_at": NOON + timedelta(minutes=40),
        "stop_reason": "DRIVER",
    }
    return Session(**(facts | fields))


def cdr(**fields: Any) -> CDR:
    """20 kWh in 40 minutes for 11.80 EUR."""
    period = {
        "start_at": NOON.isoformat(),
        "end_at": (NOON + timedelta(minutes=40)).isoformat(),
        "energy_wh": "20000",
        "state": "CHARGING",
    }
    line = {"dimension": "ENERGY", "vat": "25.5", "excl_minor": 940, "incl_minor": 1180}
    facts: dict[str, Any] = {
        "id": CDR_ID,
        "session": session(),
        "issued_at": NOON + timedelta(minutes=41),
        "started_at": NOON,
        "ended_at": NOON + timedelta(minutes=40),
        "duration_seconds": 2400,
        "energy_wh": 20_000,
        "currency": "EUR",
        "total_incl_minor": 1180,
        "total_excl_minor": 940,
        "limit_minor": 6000,
        "lines": [line],
        "vat_groups": [{"rate": "25.5", "net_minor": 940, "vat_minor": 240, "gross_minor": 1180}],
        "periods": [period],
        "tariff_snapshot": to_document(terms()),
        "time_zone": "Europe/Helsinki",
    }
    return CDR(**(facts | fields))


def credit_of(original: CDR) -> CDR:
    """All of it given back."""
    groups = [{"rate": group["rate"], "vat_minor": -group["vat_minor"]} for group in original.vat_groups]
    return cdr(
        id=CREDIT_ID,
        credit_of=original,
        session=original.session,
        total_incl_minor=-original.total_incl_minor,
        total_excl_minor=-original.total_excl_minor,
        vat_groups=groups,
        lines=[],
        periods=[],
    )


# --- A terminal -----------------------------------------------------------------------------------


def terminal(**fields: Any) -> TerminalEntry:
    facts: dict[str, Any] = {
        "terminal_id": "b2a5d1de-2f0f-4d5e-9a61-0a7c1f3e5b77",
        "customer_reference": "EMB-NORTH",
        "address": "Satamakatu 1",
        "city": "Jyväskylä",
        "country": "FIN",
        "latitude": Decimal("62.2414400"),
        "longitude": Decimal("25.7201000"),
        "invoice_base_url": "https://cpo.example/r/",
        "invoice_creator": InvoiceCreator.CPO,
        "reference": "SN-0042",
        "location_ids": ("HARBOUR",),
        "evse_uids": ("E-1", "E-2"),
        "updated_at": NOON.replace(microsecond=0),
    }
    return TerminalEntry(**(facts | fields))


def confirmation(**fields: Any) -> ConfirmationEntry:
    facts: dict[str, Any] = {
        "id": "1f6e2f0a-4f0e-4bb5-8f5d-6f4f7f6b8c90",
        "authorization_reference": "pp-2026-0000000001",
        "total_incl": Decimal("11.80"),
        "total_excl": Decimal("9.40"),
        "currency": "EUR",
        "eft_data": ("VISA CONTACTLESS", "AID A0000000031010", "**** 4242"),
        "status": CaptureStatusCode.SUCCESS,
        "message": "Captured",
        "updated_at": NOON.replace(microsecond=0),
    }
    return ConfirmationEntry(**(facts | fields))


def confirmation_sent(**fields: Any) -> Document:
    """What a PTP posts; a field of `None` is left out."""
    document = confirmation_document(confirmation(), Version.V2_3_0) | fields
    sent: Document = as_sent({name: value for name, value in document.items() if value is not None})
    return sent


def token_sent(**fields: Any) -> Document:
    """A whole Token, with a field of the peer's own."""
    document = TOKEN | {
        "issuer": "Example Payments",
        "valid": True,
        "whitelist": "NEVER",
        "x_card": {"scheme": "VISA"},
        "last_updated": "2026-05-04T12:00:00Z",
    }
    sent: Document = as_sent(
        {name: value for name, value in (document | fields).items() if value is not None}
    )
    return sent


# --- All that we send -----------------------------------------------------------------------------

US = (PartyRole("CPO", "FI", "EMB", "Example Charging Oy", "https://cpo.example"),)


def documents(version: Version) -> dict[str, tuple[str, Document]]:
    """Every object that leaves us, by a name for the test: its OCPI class and itself as sent."""
    many = terms(
        elements=(TariffElement((component(), component(Dimension.FLAT, "1.00", Decimal(10)))),),
        max_price=PriceLimit(Decimal(25)),
    )
    sent = {
        "site": ("Location", location_document(site(), version)),
        "bare site": ("Location", location_document(bare_site(), version)),
        "EVSE": ("Evse", evse_document(site().evses[1], version)),
        "connector": ("Connector", connector_document(connector(), version)),
        "tariff": ("Tariff", tariff_document(terms(), version, languages=("fi", "en"))),
        "tariff of two rates": ("Tariff", tariff_document(many, version, hold_amount=Decimal("50.0000"))),
        "tariff without taxes": ("Tariff", tariff_document(untaxed(), version)),
        "session": ("Session", session_document(session_values(), version)),
        "session not started": ("Session", session_document(pending(), version)),
        "CDR": ("Cdr", cdr_document(cdr(signed_data=SIGNED), version=version, token=TOKEN)),
        "CDR with our invoice": (
            "Cdr",
            cdr_document(cdr(), version=version, invoice_reference="2026-000001"),
        ),
        "credit": ("Cdr", cdr_document(credit_of(cdr()), version=version, token=TOKEN)),
        "zero CDR": ("Cdr", zero_cdr_document(never_started(), version=version, issued_at=NOON)),
        "terminal": ("Terminal", terminal_document(terminal())),
        "confirmation": ("FinancialAdviceConfirmation", confirmation_document(confirmation(), version)),
        "credentials": (
            "Credentials",
            credentials_document("t" * 64, "https://cpo.example/ocpi/versions", US, version),
        ),
        "response": (
            "CommandResponse",
            command_response(CommandResponseType.REJECTED, 30, {"fi": "Varattu.", "en": "Occupied."}),
        ),
        "result": ("CommandResult", command_result(CommandResultType.TIMEOUT)),
    }
    return {name: (kind, as_sent(document)) for name, (kind, document) in sent.items()}


def bare_site() -> SiteEntry:
    """As little as our database can hold."""
    bare = evse("E-9", evse_id="", physical_reference="", connectors=(connector(tariff_ids=()),))
    return replace(
        site(), address="", city="", postal_code="", name="", latitude=None, source={}, evses=(bare,)
    )


def untaxed() -> Tariff:
    return terms(
        tax_included=TaxIncluded.NOT_APPLICABLE,
        elements=(TariffElement((component(vat=None),)),),
        preauthorize_amount=None,
        min_price=None,
        alt_texts=(),
    )


def pending() -> SessionValues:
    return session_values(status=SessionStatus.PENDING, energy_kwh=Decimal(0), total=None)


def never_started() -> Session:
    return session(started_at=None, ended_at=None, stop_reason="", refusal="no cable in time")
