"""A payment from the driver's side: charged, confirmed, and looked at through its receipt link."""

import re
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from payments import settlement
from payments.models import Payment
from payments.receipts.tokens import token_for
from payments.settlement import CaptureReport
from payments.states import CaptureStatus
from tests import builders

EFT_LINES = ["VISA CREDIT  CONTACTLESS", "AID A0000000031010"]


def path_of(payment: Payment) -> str:
    assert payment.session_id is not None
    return f"/r/{token_for(payment.session_id)}"


def show(payment: Payment, query: str = "", **headers: str) -> HttpResponse:
    return Client().get(path_of(payment) + query, headers=headers)


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode().replace("\u00a0", " "))


def paid(cast: builders.Cast | None = None, **report: Any) -> Payment:
    """A payment that was charged for 20 kWh and confirmed."""
    running = (cast or builders.cast()).running(now=timezone.now() - timedelta(minutes=30))
    payment = running.end(energy_wh=20_000, after_seconds=1200)
    facts: dict[str, Any] = {
        "confirmation_id": f"fac-{builders.next_number()}",
        "status": CaptureStatus.SUCCESS,
        "amount_minor": payment.due_minor,
        "currency": "EUR",
        "eft_data": EFT_LINES,
    }
    return settlement.confirm(payment.pk, CaptureReport(**(facts | report)), now=timezone.now())
