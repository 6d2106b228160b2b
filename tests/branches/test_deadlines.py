"""Whatever is not over has a moment at which it is looked at again; the database refuses a row without (S4, I6)."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, models, transaction

from chargers.models import Command
from payments.models import OcpiCommand, OutboxMessage, Payment, Quote
from payments.states import WAITING
from sessions_app.models import Session
from sessions_app.states import LIVE
from tests import builders

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _books(books: None) -> None:
    """The module's database."""


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_session_has_a_deadline(state: str) -> None:
    session = builders.cast().payment().session
    assert session is not None
    Session.objects.filter(pk=session.pk).update(state=state)

    with pytest.raises(IntegrityError, match="session_live_has_deadline"), transaction.atomic():
        Session.objects.filter(pk=session.pk).update(deadline_at=None)


@pytest.mark.parametrize("state", sorted(WAITING))
def test_a_payment_that_waits_has_a_deadline(state: str) -> None:
    payment = builders.cast().payment()
    Payment.objects.filter(pk=payment.pk).update(state=state)

    with pytest.raises(IntegrityError, match="payment_waiting_has_deadline"), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(deadline_at=None)


def test_commands_messages_and_quotes_cannot_be_without_theirs() -> None:
    fields: list[tuple[type[models.Model], str]] = [
        (Command, "deadline_at"),
        (OcpiCommand, "deadline_at"),
        (OutboxMessage, "next_attempt_at"),
        (Quote, "valid_until"),
    ]

    assert all(not model._meta.get_field(name).null for model, name in fields)


def test_every_state_that_is_not_final_is_one_that_the_sweep_looks_at() -> None:
    def condition(model: type[models.Model], name: str) -> Callable[..., object] | object:
        return next(index.condition for index in model._meta.indexes if index.name == name)

    assert str(condition(Session, "session_deadline")) == str(models.Q(state__in=sorted(LIVE)))
    assert str(condition(Payment, "payment_deadline")) == str(models.Q(state__in=sorted(WAITING)))
