"""Evidence stays: journals, CDRs, receipts, credit notes and confirmations are not changed or deleted by anyone."""

import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.utils import timezone

from payments import decisions
from payments.models import Confirmation, CreditNote, Decision, PaymentEvent, Receipt
from sessions_app.append_only import names
from sessions_app.models import CDR, SessionEvent
from tests.payments.receipt_cast import paid

SEALED = (SessionEvent, CDR, PaymentEvent, Decision, Receipt, CreditNote, Confirmation)
MAY_CHANGE = {Receipt: {"pdf"}, CreditNote: {"pdf"}, Confirmation: {"payment", "closed_at"}}
ONCE = {Receipt: ("pdf",), CreditNote: ("pdf",), Confirmation: ("payment_id",)}


def one_of(model: type[Model]) -> Any:
    """A row of the model, from a payment that was captured and refunded."""
    payment = paid()
    decisions.refund(payment.pk, 100, actor="anna", reason="broken cable", now=timezone.now())
    Decision.objects.create(
        at=timezone.now(), act=Decision.Act.CLOSED, actor="anna", subject="confirmation:1"
    )
    row = model._default_manager.first()
    assert row is not None
    return row


@pytest.mark.django_db
@pytest.mark.parametrize("model", SEALED)
def test_no_column_of_a_sealed_row_can_be_changed(model: type[Model]) -> None:
    row = one_of(model)
    columns = [f for f in model._meta.concrete_fields if f.name not in MAY_CHANGE.get(model, ())]
    assert len(columns) > 4

    for column in columns:
        with pytest.raises(IntegrityError, match="evidence"), transaction.atomic():
            model._default_manager.filter(pk=row.pk).update(**{column.name: getattr(row, column.attname)})
    with pytest.raises(IntegrityError, match="evidence"), transaction.atomic():
        row.save()


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Receipt, CreditNote])
def test_a_pdf_is_rendered_once_and_stays(model: Any) -> None:
    row = one_of(model)

    model.objects.filter(pk=row.pk).update(pdf=b"first")

    with pytest.raises(IntegrityError, match="evidence"), transaction.atomic():
        model.objects.filter(pk=row.pk).update(pdf=b"second")


@pytest.mark.django_db
def test_a_confirmation_that_has_its_payment_keeps_it() -> None:
    confirmation = one_of(Confirmation)
    other = paid()

    with pytest.raises(IntegrityError, match="evidence"), transaction.atomic():
        Confirmation.objects.filter(pk=confirmation.pk).update(payment=other)


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize("model", SEALED)
def test_no_sealed_row_can_be_deleted(model: type[Model]) -> None:
    row = one_of(model)

    with pytest.raises(IntegrityError, match="evidence"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE id = %s", [row.pk])


def test_a_fresh_sqlite_database_has_every_trigger_and_refuses_to_delete(sqlite_env: dict[str, str]) -> None:
    """Also what a later migration that rebuilds one of these tables on SQLite must not lose."""
    database = sqlite3.connect(sqlite_env["DATABASE_URL"].removeprefix("sqlite:///"))
    found = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}

    for model in SEALED:
        assert set(names(model._meta.db_table, ONCE.get(model, ()))) <= found
    at = (timezone.now() - timedelta(days=1)).isoformat()
    database.execute(
        "INSERT INTO payments_paymentevent (payment_id, number, at, kind, state_before, state_after, actor, data)"
        " VALUES ('x', 1, ?, 'Authorized', '', 'AUTHORIZED', '', '{}')",
        [at],
    )
    with pytest.raises(sqlite3.IntegrityError, match="evidence"):
        database.execute("DELETE FROM payments_paymentevent")
