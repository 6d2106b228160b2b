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
    TariffNews,
)
from payments.models.parties import ApiKey, Ptp, Quote, Terminal
from payments.models.payments import Confirmation, Payment, PaymentEvent
from payments.models.pushes import OcpiPush
from payments.models.receipts import CreditNote, Receipt, ReceiptCounter
from payments.models.reconciliation import (
    Decision,
    RefundRequest,
    SettlementFile,
    SettlementFormat,
    SettlementLine,
)
from payments.models.told_cdrs import ToldCdr

__all__ = [
    "ApiKey",
    "Confirmation",
    "Contract",
    "CreditNote",
    "Decision",
    "IdempotentAnswer",
    "OcpiCommand",
    "OcpiConnection",
    "OcpiMessage",
    "OcpiPush",
    "OutboxMessage",
    "Payment",
    "PaymentEvent",
    "Ptp",
    "Quote",
    "Receipt",
    "ReceiptCounter",
    "RefundRequest",
    "SeenSite",
    "SeenTariff",
    "SettlementFile",
    "SettlementFormat",
    "SettlementLine",
    "StoredToken",
    "TariffNews",
    "Terminal",
    "ToldCdr",
]
