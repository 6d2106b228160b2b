"""Receipts whose wake-up was lost are drawn by a sweep of their own, which never keeps money waiting for paper."""

from datetime import timedelta

import pytest

from payments import tasks
from payments.models import Receipt
from tests import builders
from tests.payments.receipt_cast import paid

pytestmark = pytest.mark.django_db


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two receipts that nobody drew in time."""
    for _ in range(2):
        paid(builders.cast())
    monkeypatch.setattr(tasks, "RENDER_AFTER", timedelta(0))
    assert Receipt.objects.filter(pdf__isnull=True).count() == 2


@pytest.mark.usefixtures("_undrawn")
def test_a_sweep_draws_what_nobody_drew() -> None:
    tasks.render_missing()

    assert not Receipt.objects.filter(pdf__isnull=True).exists()


@pytest.mark.usefixtures("_undrawn")
def test_a_sweep_whose_time_is_up_leaves_the_rest_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))  # each look at the clock finds it a second later
    monkeypatch.setattr(tasks.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(tasks, "RENDER_FOR_SECONDS", 1.0)

    assert tasks.render_missing() == 1
    assert Receipt.objects.filter(pdf__isnull=True).count() == 1

    assert tasks.render_missing() == 1
    assert not Receipt.objects.filter(pdf__isnull=True).exists()


@pytest.mark.usefixtures("_undrawn")
def test_a_receipt_that_waits_for_its_own_wake_up_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RENDER_AFTER", timedelta(days=1))

    assert tasks.render_missing() == 0
    assert Receipt.objects.filter(pdf__isnull=True).count() == 2
