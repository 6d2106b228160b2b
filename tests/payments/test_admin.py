"""The admin shows money and evidence, and lets nobody write it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chargers.models import Command, CommandAction
from payments import decisions
from payments.models import ApiKey, Decision, OutboxMessage, Payment
from payments.reconciliation import files, refunds
from sessions_app.models import Session, SessionEvent
from sessions_app.states import SessionState
from tests import builders
from tests.payments.reconciliation.cast import NOW, captured, paid_out, person

pytestmark = pytest.mark.django_db
EVIDENCE = (
    "payments.payment",
    "payments.confirmation",
    "payments.receipt",
    "payments.creditnote",
    "payments.decision",
    "payments.refundrequest",
    "payments.settlementfile",
    "payments.settlementline",
    "payments.settlementformat",
    "payments.outboxmessage",
    "payments.quote",
    "payments.apikey",
    "sessions_app.session",
    "sessions_app.cdr",
    "sessions_app.metersample",
)


def ours() -> list[Any]:
    return [m for m in admin.site._registry if m._meta.app_label in ("payments", "sessions_app")]


@pytest.fixture
def paid() -> Payment:
    running = builders.cast(webhook_url="https://ptp.example/hook").running(
        now=timezone.now() - timedelta(minutes=10)
    )
    running.meter(energy_wh=2000, after_seconds=120, power_w=40_000)
    return running.end(energy_wh=5000, after_seconds=300)


def reconciled(settings: Any) -> None:
    """A row of each kind that reconciliation keeps."""
    settings.REFUND_SECOND_PERSON_ABOVE = 2
    payment = captured()
    paid_out(payment.ptp, (payment.authorization_reference, "10.00"))
    files.name_columns(payment.ptp, {"reference": "Ref"}, actor="anna", now=NOW)
    anna = person()
    refunds.refund(payment.pk, 100, user=anna, reason="x", now=NOW)
    decisions.acknowledge_refund(payment.pk, now=NOW)
    refunds.refund(payment.pk, 500, user=anna, reason="x", now=NOW)


def test_every_list_and_every_row_opens(admin_client: Client, paid: Payment, settings: Any) -> None:
    reconciled(settings)
    builders.cast().quote()
    for model in ours():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
        row = model._default_manager.first()
        if row is not None:
            assert admin_client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("label", EVIDENCE)
def test_evidence_is_not_added_changed_or_deleted(
    admin_client: Client, paid: Payment, label: str, settings: Any
) -> None:
    reconciled(settings)
    builders.cast().quote()
    app, model_name = label.split(".")
    model = next(m for m in ours() if m._meta.label_lower == label)
    row = model._default_manager.first()

    assert admin_client.get(reverse(f"admin:{app}_{model_name}_add")).status_code == 403
    if row is not None:
        assert (
            admin_client.post(reverse(f"admin:{app}_{model_name}_change", args=[row.pk]), {}).status_code
            == 403
        )
        assert (
            admin_client.post(reverse(f"admin:{app}_{model_name}_delete", args=[row.pk])).status_code == 403
        )


def test_lists_ask_the_database_a_fixed_number_of_times(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        builders.cast().running(now=timezone.now() - timedelta(minutes=10)).end(
            energy_wh=5000, after_seconds=300
        )

    for name in ("payments_payment", "payments_receipt", "sessions_app_session", "sessions_app_cdr"):
        with django_assert_max_num_queries(14):
            admin_client.get(reverse(f"admin:{name}_changelist"))


def test_stop_charging_sends_a_stop_in_the_users_name(admin_client: Client) -> None:
    session = builders.cast().running().session

    admin_client.post(
        reverse("admin:sessions_app_session_changelist"),
        {"action": "stop_charging", "_selected_action": [str(session.pk)]},
    )

    session.refresh_from_db()
    assert session.state == SessionState.STOPPING
    assert Command.objects.get(action=CommandAction.STOP).actor == "admin (admin)"


def test_stop_of_what_is_over_says_so(admin_client: Client, paid: Payment) -> None:
    response = admin_client.post(
        reverse("admin:sessions_app_session_changelist"),
        {"action": "stop_charging", "_selected_action": [str(paid.session_id)]},
        follow=True,
    )

    assert "is over already" in response.content.decode()
    assert Session.objects.get().state == SessionState.ENDED


def test_closing_in_the_books_asks_why(admin_client: Client) -> None:
    session = builders.cast().running().session
    form = {"action": "close_in_books", "_selected_action": [str(session.pk)]}
    page = reverse("admin:sessions_app_session_changelist")

    unsaid = admin_client.post(page, form, follow=True)
    session.refresh_from_db()
    assert "Say why" in unsaid.content.decode()
    assert session.state == SessionState.CHARGING

    admin_client.post(page, {**form, "reason": "the charger burnt"})
    session.refresh_from_db()
    assert session.is_over
    ended = SessionEvent.objects.get(session=session, kind="CloseAsked")
    assert (ended.actor, ended.data["reason"]) == ("admin (admin)", "the charger burnt")


def test_closing_in_the_books_takes_the_right_to_decide_about_money(client: Client) -> None:
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=["view_session", "change_session"]))
    client.force_login(clerk)

    page = client.get(reverse("admin:sessions_app_session_changelist")).content.decode()

    assert "stop_charging" in page
    assert "close_in_books" not in page


def test_a_message_that_was_given_up_is_sent_again(admin_client: Client, paid: Payment) -> None:
    message = OutboxMessage.objects.get(topic="settlement.due")
    OutboxMessage.objects.update(state=OutboxMessage.State.GIVEN_UP, attempts=9)

    admin_client.post(
        reverse("admin:payments_outboxmessage_changelist"),
        {"action": "send_again", "_selected_action": [str(message.pk)]},
    )

    message.refresh_from_db()
    assert (message.state, message.attempts) == (OutboxMessage.State.DUE, 0)
    kept = Decision.objects.get()
    assert (kept.act, kept.actor, kept.subject) == ("SENT_AGAIN", "admin (admin)", f"message:{message.pk}")


def test_a_key_is_revoked_and_its_hash_never_shown(admin_client: Client) -> None:
    cast = builders.cast()
    key = ApiKey.objects.get(ptp=cast.ptp)
    body = admin_client.get(reverse("admin:payments_apikey_change", args=[key.pk])).content.decode()
    assert key.key_hash not in body

    admin_client.post(
        reverse("admin:payments_apikey_changelist"), {"action": "revoke", "_selected_action": [str(key.pk)]}
    )

    key.refresh_from_db()
    assert key.revoked_at is not None


def test_the_sealed_webhook_secret_is_never_shown(admin_client: Client) -> None:
    cast = builders.cast()
    body = admin_client.get(reverse("admin:payments_ptp_change", args=[cast.ptp.pk])).content.decode()

    assert cast.ptp.webhook_secret_sealed
    assert cast.ptp.webhook_secret_sealed not in body
