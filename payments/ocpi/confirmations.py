"""OCPI FinancialAdviceConfirmation objects: what a PTP says it took from the card.

OCPI 2.3.0 mod_payments. Money is exact or refused; the lines for the receipt are taken as leniently as possible:
a confirmation that is refused for a blank line would leave a capture without its proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.prices import Price, price_document, read_price
from payments.ocpi.reading import Reader, given
from payments.ocpi.tariffs import utc_text
from tariffs.engine.errors import UnknownCurrency
from tariffs.engine.money import minor_digits

MAX_LINES: Final = 200
MAX_LINE: Final = 255


class CaptureStatusCode(StrEnum):
    """What became of the capture."""

    SUCCESS = "SUCCESS"  # all of it
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"  # a part, named by total_costs
    FAILED = "FAILED"  # nothing


@dataclass(frozen=True, slots=True)
class ConfirmationEntry:
    """A confirmation; totals in major units, as the PTP wrote them."""

    id: str
    authorization_reference: str
    total_incl: Decimal
    total_excl: Decimal
    currency: str
    status: CaptureStatusCode
    updated_at: datetime
    eft_data: tuple[str, ...] = ()
    message: str = ""


def parse_confirmation(obj: object, *, path: str = "") -> ConfirmationEntry:
    """Read a FinancialAdviceConfirmation, its price in the shape of either version.

    `eft_data` is required by the text and absent from its own example: none is taken as none. Raises
    `InvalidInput` with every fault.
    """
    reader = Reader(obj, path)
    total = _total(reader)
    fields: dict[str, Any] = {
        "id": reader.ci_text("id", longest=36, required=True),
        "authorization_reference": reader.ci_text("authorization_reference", longest=36, required=True),
        "currency": _currency(reader),
        "status": reader.choice("capture_status_code", CaptureStatusCode, required=True),
        "updated_at": reader.moment("last_updated", required=True),
        "eft_data": _lines(reader),
        "message": reader.text("capture_status_message", longest=MAX_LINE) or "",
    }
    reader.require_sound()
    assert total is not None, "a missing price is a fault"
    assert total.incl is not None, "so is one that does not say what was taken"
    return ConfirmationEntry(total_incl=total.incl, total_excl=total.excl, **fields)


def _total(reader: Reader) -> Price | None:
    """What was captured, "a consumer price with VAT": one that tells only what it is without is refused."""
    reader.value("total_costs", required=True)
    part = reader.part("total_costs")
    price = read_price(part)
    if part is None or price is None or price.incl is not None:
        return price
    if price.excl == 0:
        return Price(price.excl, price.excl)
    part.fault("incl_vat", "required", "What was captured includes VAT.")
    return None


def _currency(reader: Reader) -> str:
    currency = reader.text("currency", longest=3, required=True) or ""
    if currency:
        try:
            minor_digits(currency)
        except UnknownCurrency as error:
            reader.fault("currency", "unknown_currency", str(error))
    return currency


def _lines(reader: Reader) -> tuple[str, ...]:
    """The lines for the receipt; terminals space theirs with blank ones, which say nothing."""
    lines = reader.value("eft_data")
    if isinstance(lines, list):
        lines = [line for line in lines if not (isinstance(line, str) and not line.strip())]
        reader = Reader({"eft_data": lines}, reader.path, reader.errors)
    return reader.texts("eft_data", longest=MAX_LINE, most=MAX_LINES)


def confirmation_document(confirmation: ConfirmationEntry, version: Version) -> dict[str, Any]:
    """Write a confirmation back to the PTP that sent it."""
    total = Price(confirmation.total_excl, confirmation.total_incl)
    document = given(
        {
            "id": confirmation.id,
            "authorization_reference": confirmation.authorization_reference,
            "total_costs": price_document(total),
            "currency": confirmation.currency,
            "eft_data": list(confirmation.eft_data),
            "capture_status_code": confirmation.status.value,
            "capture_status_message": confirmation.message,
            "last_updated": utc_text(confirmation.updated_at),
        }
    )
    return in_dialect(Kind.CONFIRMATION, document, version)
