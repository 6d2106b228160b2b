"""Refunds at the native API: told until they are given back, confirmed once, each by its own id."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from payments import decisions, outbox, settlement, webhooks
from payments.models import OutboxMessage, Payment
from payments.settlement import CaptureReport
from payments.states import CaptureStatus, PaymentState
from sessions_app.models import CDR
from tests import builders
from tests.payments.ptp_client import TerminalClient, problem
from tests.payments.reconciliation import cast as reconciliation
from tests.payments.webhook_peer import webhook_peer

TOTAL = 500  # 10 kWh at 0.50 EUR


def captured(cast: builders.Cast) -> Payment:
    payment = cast.running(now=timezone.now() - timedelta(minutes=20)).end(
        energy_wh=10_000, after_seconds=1200
    )
    report = CaptureReport(
        confirmation_id=uuid.uuid4().hex, status=CaptureStatus.SUCCESS, amount_minor=TOTAL, currency="EUR"
    )
    return settlement.confirm(payment.pk, report, now=timezone.now())


def refund(payment: Payment, amount_minor: int) -> CDR:
    return decisions.refund(payment.pk, amount_minor, actor="anna", reason="broken cable", now=timezone.now())


def listed(terminal: TerminalClient) -> list[str]:
    return [item["id"] for item in terminal.get("/refunds", status="due").json()["items"]]


def test_a_refund_is_listed_until_it_is_confirmed(cast, terminal) -> None:
    payment = captured(cast)
    credit = refund(payment, 120)

    (item,) = terminal.get("/refunds", status="due").json()["items"]

    assert item["id"] == str(credit.pk)
    assert (item["amount"], item["currency"], item["due"]) == ("1.20", "EUR", True)
    assert item["authorization_reference"] == payment.authorization_reference
    assert item["captured_amount"] == "5.00"
    assert item["cdr"]["credit"] is True
    assert item["cdr"]["credit_reference_id"] == str(credit.credit_of_id)
    assert item["cdr"]["total_cost"]["before_taxes"] < 0
    answer = terminal.post(f"/refunds/{credit.pk}/confirm")
    assert (answer.status_code, answer.json()["due"]) == (200, False)
    assert listed(terminal) == []
    payment.refresh_from_db()
    assert (payment.state, payment.refunded_minor) == (PaymentState.REFUNDED, 120)
    assert terminal.get(f"/sessions/{payment.session_id}/settlement").json()["refunded_amount"] == "1.20"


def test_a_repeat_changes_nothing_also_when_a_further_refund_has_begun(cast, terminal) -> None:
    payment = captured(cast)
    first = refund(payment, 120)
    terminal.post(f"/refunds/{first.pk}/confirm")
    second = refund(payment, 130)

    again = terminal.post(f"/refunds/{first.pk}/confirm")

    assert (again.status_code, again.json()["due"]) == (200, False)
    assert listed(terminal) == [str(second.pk)]
    payment.refresh_from_db()
    assert (payment.state, payment.refunded_minor) == (PaymentState.REFUNDING, 120)
    terminal.post(f"/refunds/{second.pk}/confirm")
    assert terminal.post(f"/refunds/{second.pk}/confirm").status_code == 200
    payment.refresh_from_db()
    assert (payment.state, payment.refunded_minor) == (PaymentState.REFUNDED, 250)


def test_a_refund_of_another_ptp_is_not_there(cast, terminal) -> None:
    stranger = TerminalClient(builders.api_key(builders.ptp()))
    credit = refund(captured(cast), 120)

    assert listed(stranger) == []
    assert problem(stranger.post(f"/refunds/{credit.pk}/confirm")) == (404, "not_found")
    assert problem(terminal.post(f"/refunds/{uuid.uuid4()}/confirm")) == (404, "not_found")
    original = CDR.objects.get(pk=credit.credit_of_id)
    assert problem(terminal.post(f"/refunds/{original.pk}/confirm")) == (404, "not_found")


@pytest.mark.parametrize("query", [{}, {"status": "done"}, {"status": "due", "cursor": "x"}])
def test_a_list_of_something_else_is_refused(terminal, query) -> None:
    assert problem(terminal.get("/refunds", **query)) == (400, "invalid_query")


def test_the_list_needs_as_many_queries_for_many_as_for_one(
    cast, terminal, django_assert_max_num_queries
) -> None:
    for _ in range(6):
        refund(reconciliation.captured(cast), 120)

    with django_assert_max_num_queries(8):
        assert len(listed(terminal)) == 6


class TestWebhook:
    def test_it_tells_the_same_as_the_list(self, db: None) -> None:
        with webhook_peer() as peer:
            cast = builders.cast(webhook_url=peer.url)
            credit = refund(captured(cast), 120)
            message = OutboxMessage.objects.get(topic=decisions.REFUND_DUE)
            assert outbox.deliver(message.pk, now=timezone.now())
            told = peer.received[-1].json

        assert told["event"] == "refund.due"
        (item,) = TerminalClient(cast.key).get("/refunds", status="due").json()["items"]
        assert told["data"] == item
        assert item["id"] == str(credit.pk)

    def test_once_it_is_confirmed_there_is_nothing_to_tell(self, db: None) -> None:
        with webhook_peer() as peer:
            cast = builders.cast(webhook_url=peer.url)
            credit = refund(captured(cast), 120)
            TerminalClient(cast.key).post(f"/refunds/{credit.pk}/confirm")
            message = OutboxMessage.objects.get(topic=decisions.REFUND_DUE)
            assert outbox.deliver(message.pk, now=timezone.now())

            assert [each.json["event"] for each in peer.received if each.json["event"] == "refund.due"] == []

    def test_a_credit_that_is_gone_is_not_told_for_ever(self, db: None) -> None:
        gone = OutboxMessage(ptp=builders.ptp(), topic=decisions.REFUND_DUE, subject=str(uuid.uuid4()))

        delivery = webhooks.carry_refund_due(gone)

        assert (delivery.delivered, delivery.permanent) == (False, True)
