"""Payments at every point of reconciliation: due, confirmed in any way, refunded, orphaned, paid out."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.utils import timezone

from chargers.facts import EvseStatus
from chargers.models import EVSE
from payments import settlement
from payments.models import Confirmation, Payment, Ptp, SettlementFile
from payments.reconciliation import comparing, files
from payments.settlement import CaptureReport
from payments.states import CaptureStatus
from tests import builders

NOW = timezone.now()
TOTAL = 1000  # 20 kWh at 0.50 EUR


def due(cast: builders.Cast | None = None, *, at: datetime | None = None, **ptp: str) -> Payment:
    """A payment whose 20 kWh are billed; it became due ten minutes before `at`."""
    began = (at or NOW) - timedelta(hours=1)
    cast = cast or builders.cast(**ptp)
    payment = cast.running(now=began).end(energy_wh=20_000, after_seconds=3000)
    EVSE.objects.filter(pk=cast.evse.pk).update(status=EvseStatus.AVAILABLE)
    return Payment.objects.get(pk=payment.pk)


def told(payment: Payment, status: str, amount_minor: int, **report: Any) -> Payment:
    """The same payment after its PTP confirmed this."""
    facts: dict[str, Any] = {"confirmation_id": uuid4().hex, "currency": "EUR"}
    confirmed = CaptureReport(status=CaptureStatus(status), amount_minor=amount_minor, **(facts | report))
    settlement.confirm(payment.pk, confirmed, now=NOW)
    return Payment.objects.get(pk=payment.pk)


def captured(cast: builders.Cast | None = None, *, at: datetime | None = None, **ptp: str) -> Payment:
    """A payment of which everything was captured."""
    return told(due(cast, at=at, **ptp), "SUCCESS", TOTAL)


def orphan(ptp: Ptp, reference: str = "mistyped", *, amount_minor: int = TOTAL) -> Confirmation:
    """A confirmation of a hold that we do not know."""
    report = CaptureReport(
        confirmation_id=uuid4().hex,
        status=CaptureStatus.SUCCESS,
        amount_minor=amount_minor,
        currency="EUR",
    )
    return settlement.store_orphan(ptp, reference, report, now=NOW)


def csv_of(*rows: tuple[str, str]) -> bytes:
    """A settlement file in EUR: reference and amount."""
    return "\n".join(
        ["reference,amount,currency", *(f"{name},{amount},EUR" for name, amount in rows)]
    ).encode()


def paid_out(ptp: Ptp, *rows: tuple[str, str]) -> SettlementFile:
    """An imported settlement file."""
    return files.import_file(ptp, "payout.csv", csv_of(*rows), actor="anna", now=NOW)


def compared(payment: Payment) -> Payment:
    """The same payment after it was compared with the files that name it."""
    comparing.sweep(NOW)
    return Payment.objects.select_related("ptp", "session").get(pk=payment.pk)


def person(name: str = "anna", **fields: Any) -> Any:
    """Someone of the staff."""
    return get_user_model().objects.create_user(name, is_staff=True, **fields)
