"""Receipts are drawn by one worker at a time, which never keeps money waiting for paper."""

import pytest
from django.core.cache import cache

from payments.models import Receipt
from payments.receipts import drawing
from payments.tasks import draw_receipts
from tests import builders
from tests.payments.receipt_cast import paid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_undrawn")]


@pytest.fixture
def _undrawn() -> None:
    """Two receipts that nobody drew yet."""
    cache.clear()
    for _ in range(2):
        paid(builders.cast())
    assert undrawn() == 2


def undrawn() -> int:
    return Receipt.objects.filter(pdf__isnull=True).count()


def test_what_nobody_drew_is_drawn() -> None:
    assert draw_receipts() == 2
    assert undrawn() == 0


def test_a_worker_whose_turn_is_over_leaves_the_rest_to_the_next_and_wakes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(0, 200, 2))  # each look at the clock finds it two seconds later
    woken: list[str] = []
    monkeypatch.setattr(drawing.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(drawing, "wake", woken.append)

    assert (draw_receipts(), undrawn(), woken) == (1, 1, [drawing.TASK])
    assert (draw_receipts(), undrawn()) == (1, 0)


def test_two_workers_do_not_draw_at_once() -> None:
    cache.add("receipts:drawing", True, timeout=60)

    assert draw_receipts() == 0

    cache.delete("receipts:drawing")
    assert draw_receipts() == 2


def test_one_that_cannot_be_drawn_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = Receipt.objects.earliest("issued_at")
    render = drawing.render

    def broken(receipt: Receipt) -> bytes:
        if receipt.pk == first.pk:
            raise ValueError("no ink")
        return render(receipt)

    monkeypatch.setattr(drawing, "render", broken)

    assert draw_receipts() == 1
    assert list(Receipt.objects.filter(pdf__isnull=True)) == [first]
    assert first.full_number in caplog.text
