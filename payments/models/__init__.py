"""PTPs and their terminals, payments with their journal, receipts, the outbox, and OCPI connections."""

from payments.models.delivery import IdempotentAnswer, OutboxMessage
from payments.models.ocpi import (
    Contract,
    OcpiCommand,
    OcpiConnection,
    OcpiMessage,
    SeenSite,
    SeenTariff,
    StoredToken,
)
from payments.models.parties import ApiKey, Ptp, Quote, Terminal
from payments.models.payments import Confirmation, Payment, PaymentEvent
from payments.models.receipts import Receipt, ReceiptCounter

__all__ = [
    "ApiKey",
    "Confirmation",
    "Contract",
    "IdempotentAnswer",
    "OcpiCommand",
    "OcpiConnection",
    "OcpiMessage",
    "OutboxMessage",
    "Payment",
    "PaymentEvent",
    "Ptp",
    "Quote",
    "Receipt",
    "ReceiptCounter",
    "SeenSite",
    "SeenTariff",
    "StoredToken",
    "Terminal",
]
