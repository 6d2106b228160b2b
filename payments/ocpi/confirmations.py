"""OCPI FinancialAdviceConfirmation objects: what a PTP says it took from the card.

OCPI 2.3.0 mod_payments. Money is exact or refused; the lines for the receipt are taken as leniently as possible:
a confirmation that is refused for a blank line would leave a capture without its proof. So what a receipt cannot
show is replaced in them (`one_line`), and what is too long for OCPI is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.card_numbers import masked
from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.prices import Price, price_document, read_price
from payments.ocpi.reading import Reader, given, one_line
from payments.ocpi.tariffs import utc_text
from tariffs.engine.errors import InputError, InvalidInput

MAX_LINES: Final = 200
MAX_LINE: Final = 255


class InvalidConfirmation(InvalidInput):
    """A confirmation has faults; its text names the hold, which staff need to ask for the confirmation."""

    def __init__(
        self, errors: Sequence[InputError], *, hold: str | None, confirmation_id: str | None
    ) -> None:
        super().__init__(errors)
        self._named = f"a confirmation for {hold or 'a hold that cannot be read'} (id {confirmation_id})"

    def __str__(self) -> str:
        return f"{self._named}: {super().__str__()}"


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
    `InvalidConfirmation` with every fault.
    """
    reader = Reader(obj, path)
    reader.value("total_costs", required=True)
    total = read_price(reader.part("total_costs"))
    fields: dict[str, Any] = {
        "id": reader.ci_text("id", longest=36, required=True),
        "authorization_reference": reader.ci_text("authorization_reference", longest=36, required=True),
        "currency": _currency(reader),
        "status": reader.choice("capture_status_code", CaptureStatusCode, required=True),
        "updated_at": reader.moment("last_updated", required=True),
        "eft_data": _lines(reader),
        "message": _message(reader),
    }
    if reader.errors:
        named = {"hold": fields["authorization_reference"], "confirmation_id": fields["id"]}
        raise InvalidConfirmation(reader.errors, **named)
    assert total is not None, "a missing price is a fault"
    # "A consumer price with VAT": one that tells only what it is without is a money fact all the same. It is
    # taken for the whole, and whoever compares it with what is due sees that it differs.
    incl = total.excl if total.incl is None else total.incl
    return ConfirmationEntry(total_incl=incl, total_excl=total.excl, **fields)


def _currency(reader: Reader) -> str:
    """A currency in capitals, as ours are; one that we do not know is kept for staff."""
    told = reader.text("currency", longest=3, required=True) or ""
    return told.upper() if told.isascii() else told  # other letters' capitals may be longer


def _lines(reader: Reader) -> tuple[str, ...]:
    """The lines for the receipt; terminals space theirs with blank ones, which say nothing."""
    lines = reader.value("eft_data")
    if isinstance(lines, list):
        shown = map(_line, lines)
        lines = [line for line in shown if not (isinstance(line, str) and not line.strip())][:MAX_LINES]
        reader = Reader({"eft_data": lines}, reader.path, reader.errors)
    return reader.texts("eft_data", longest=MAX_LINE, most=MAX_LINES)


def _message(reader: Reader) -> str:
    name = "capture_status_message"
    told = Reader({name: _line(reader.value(name))}, reader.path, reader.errors)
    return told.text(name, longest=MAX_LINE) or ""


def _line(value: object) -> object:
    """Text in a line's length; a card number is masked before a cut could leave too few of its digits to know it."""
    return masked(one_line(value))[:MAX_LINE] if isinstance(value, str) else value


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
