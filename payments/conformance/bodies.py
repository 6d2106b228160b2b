"""The objects that a terminal provider sends (OCPI mod_tokens, mod_commands, mod_payments)."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, Final

from payments.simulator.ocpi.wire import Party, utc_text

Json = dict[str, Any]
EFT_DATA: Final = ["Testcard", "AID: A0000000031010", "Nr: **** **** **** 4242", "SEQ: 00"]


def new_id() -> str:
    """A fresh id of 36 characters, the most that CiString(36) takes."""
    return str(uuid.uuid4())


def token(party: Party, *, uid: str | None = None, type: str = "AD_HOC_USER") -> Json:
    """A Token as a provider makes it for one card payment (OCPI mod_tokens)."""
    return {
        "country_code": party.country_code,
        "party_id": party.party_id,
        "uid": uid or new_id(),
        "type": type,
        "contract_id": f"{party.country_code}{party.party_id}C12345678"[:36],
        "issuer": "PTP conformance kit",
        "valid": True,
        "whitelist": "NEVER",
        "last_updated": utc_text(),
    }


def start_session(
    party: Party, *, response_url: str, location_id: str, reference: str | None = None, **where: str
) -> Json:
    """A StartSession (OCPI mod_commands); `where` is evse_uid and connector_id."""
    return {
        "response_url": response_url,
        "token": token(party),
        "location_id": location_id,
        **where,
        "authorization_reference": reference or new_id(),
    }


def minimal_terminal() -> Json:
    """A Terminal of which only the id is known, as in the text's example (OCPI mod_payments)."""
    return {"terminal_id": new_id()}


def full_terminal() -> Json:
    """A Terminal with every field that a provider may know."""
    return {
        "terminal_id": new_id(),
        "customer_reference": "conformance-kit",
        "address": "Teststreet 1",
        "city": "Helsinki",
        "postal_code": "00100",
        "country": "FIN",
        "coordinates": {"latitude": "60.169856", "longitude": "24.938379"},
        "invoice_base_url": "https://receipts.example/r/",
        "invoice_creator": "CPO",
        "reference": "SN-000123",
        "location_ids": [],
        "evse_uids": [],
        "last_updated": utc_text(),
    }


def price(version: str, net: str, gross: str) -> Json:
    """A Price in the dialect of `version` (OCPI types, Price)."""
    if version == "2.2.1":
        return {"excl_vat": Decimal(net), "incl_vat": Decimal(gross)}
    tax = {"name": "VAT", "percentage": Decimal("25.5"), "amount": Decimal(gross) - Decimal(net)}
    return {"before_taxes": Decimal(net), "taxes": [tax]}


def confirmation(reference: str, total: Json, *, currency: str = "EUR") -> Json:
    """A FinancialAdviceConfirmation of a capture that went well (OCPI mod_payments)."""
    return {
        "id": new_id(),
        "authorization_reference": reference,
        "total_costs": total,
        "currency": currency,
        "eft_data": EFT_DATA,
        "capture_status_code": "SUCCESS",
        "capture_status_message": "Captured.",
        "last_updated": utc_text(),
    }


def failed_confirmation(reference: str) -> Json:
    """One of a capture that failed; the text's example has no eft_data."""
    told = confirmation(reference, {"excl_vat": Decimal("0.00"), "incl_vat": Decimal("0.00")})
    del told["eft_data"]
    return {**told, "capture_status_code": "FAILED", "capture_status_message": "The issuer refused."}


def without(body: Json, *names: str) -> Json:
    """The body lacking these fields."""
    return {name: value for name, value in body.items() if name not in names}
