"""What the virtual terminal shows of a session that its API tells about."""

import pytest
from django.utils import timezone

from payments import settlement
from payments.models import Payment
from payments.receipts.page import Phase
from payments.simulator.screens import progress
from payments.statements import payments_of, session_statement
from payments.states import CaptureStatus
from sessions_app.models import Session
from tests import builders

pytestmark = pytest.mark.django_db


def told(payment: Payment) -> dict[str, object]:
    """What the API says of the payment's session now."""
    fresh = payments_of(payment.ptp).get(pk=payment.pk)
    return session_statement(fresh, now=timezone.now())


def test_between_the_end_and_its_settlement_the_screen_waits_and_promises_nothing() -> None:
    running = builders.cast().running()
    session = running.session
    Session.objects.filter(pk=session.pk).update(state="ENDED", ended_at=timezone.now())

    screen = progress(told(running.payment), "en")

    assert screen.phase is Phase.FINISHING
    assert screen.live


def test_a_bill_that_is_not_captured_yet_keeps_the_screen_alive() -> None:
    payment = builders.cast().running().end(energy_wh=2000, after_seconds=120)

    screen = progress(told(payment), "en")

    assert (screen.phase, screen.live) == (Phase.DONE, True)


def test_a_captured_bill_is_the_last_word() -> None:
    payment = builders.cast().running().end(energy_wh=2000, after_seconds=120)
    report = settlement.CaptureReport(
        confirmation_id="c", status=CaptureStatus.SUCCESS, amount_minor=100, currency="EUR"
    )
    settlement.confirm(payment.pk, report, now=timezone.now())

    screen = progress(told(payment), "en")

    assert not screen.live
    assert "1.00" in screen.money
