"""Confirmations of captures as a PTP tells them over OCPI: booked, parked or kept, never lost.

OCPI 2.3.0 mod_payments, FinancialAdviceConfirmation. The text has no PUT: a SUCCESS after a FAILED comes as
the same id again or as a new one, so both are one more confirmation.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from payments import settlement
from payments.models import Confirmation, OcpiConnection
from payments.ocpi.card_numbers import masked
from payments.ocpi.confirmations import ConfirmationEntry, confirmation_document, parse_confirmation
from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.holds import payment_of
from payments.ocpi.reading import exact, plain
from payments.receipts.formats import digits_of
from payments.settlement import CaptureReport
from payments.states import CaptureStatus
from tariffs.engine.errors import InputError, InvalidInput


def book(connection: OcpiConnection, told: object, *, now: datetime) -> bool:
    """Take a confirmation, as a POST or a pull brings it; returns whether its id is new.

    One for a hold that we do not know is kept as an orphan (MONEY.md B29); one that comes before our own
    settlement waits for it (B30); amounts that do not fit are flagged. Raises InvalidInput.
    """
    entry = _without_card_numbers(parse_confirmation(told))
    report = _report(entry)
    ptp = connection.ptp
    is_new = not Confirmation.objects.filter(ptp=ptp, confirmation_id=entry.id).exists()
    payment = payment_of(connection, entry.authorization_reference)
    if payment is None:
        settlement.store_orphan(ptp, entry.authorization_reference, report, now=now)
    else:
        settlement.confirm(payment.pk, report, now=now, amendable=True)
    return is_new


def last_told(connection: OcpiConnection, confirmation_id: str, version: Version) -> dict[str, Any] | None:
    """Return a confirmation as its PTP told it last, None for one that it never did."""
    told = Confirmation.objects.filter(ptp=connection.ptp, confirmation_id=confirmation_id).last()
    if told is None or not told.document:
        return None  # one that came by the native API is none of OCPI's
    return in_dialect(Kind.CONFIRMATION, exact(told.document), version)


def _without_card_numbers(entry: ConfirmationEntry) -> ConfirmationEntry:
    lines = tuple(masked(line) for line in entry.eft_data)
    return replace(entry, eft_data=lines, message=masked(entry.message))


def _report(entry: ConfirmationEntry) -> CaptureReport:
    return CaptureReport(
        confirmation_id=entry.id,
        status=CaptureStatus(entry.status.value),
        amount_minor=_minor(entry),
        currency=entry.currency,
        eft_data=list(entry.eft_data),
        message=entry.message,
        document=plain(confirmation_document(entry, Version.V2_3_0)),
    )


def _minor(entry: ConfirmationEntry) -> int:
    """The captured amount in minor units; what the currency cannot say was not captured."""
    digits = digits_of(entry.currency)
    minor = entry.total_incl.scaleb(digits)
    if minor != minor.to_integral_value():
        message = f"{entry.currency} has {digits} digits after the point."
        raise InvalidInput([InputError("total_costs", "scale", message)])
    return int(minor)
