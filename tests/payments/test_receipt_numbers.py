"""Receipt numbers: one gapless series per seller and year for receipts and credit notes, whatever happens."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as product
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from payments import decisions, settlement
from payments.models import CreditNote, Payment, Receipt, ReceiptCounter
from payments.receipts import issue
from tests import builders
from tests.payments.receipt_cast import paid

THREADS = 8


def series() -> list[tuple[str, int, int]]:
    """Seller, year and number of every document, in order."""
    fields = ("seller", "year", "number")
    found = [*Receipt.objects.values_list(*fields), *CreditNote.objects.values_list(*fields)]
    return sorted(found)


def unbroken(found: list[tuple[str, int, int]]) -> bool:
    """Whether each seller's years count 1, 2, 3 … without a gap or a repeat."""
    for seller, year in {(seller, year) for seller, year, _ in found}:
        numbers = [number for s, y, number in found if (s, y) == (seller, year)]
        if numbers != list(range(1, len(numbers) + 1)):
            return False
    return True


def ended(*, at: datetime | None = None) -> Payment:
    """A payment whose session is over and which is not settled: its receipt is the next thing to happen."""
    with mock.patch.object(settlement, "settle"):
        running = builders.cast().running(now=(at or timezone.now()) - timedelta(minutes=30))
        running.end(energy_wh=20_000, after_seconds=1200)
    return running.payment


def refund(payment: Payment, amount_minor: int = 100) -> None:
    decisions.refund(payment.pk, amount_minor, actor="anna", reason="x", now=timezone.now())


@pytest.mark.django_db
class TestOneAfterTheOther:
    def test_receipts_and_credit_notes_share_the_series(self) -> None:
        for _ in range(3):
            refund(paid())

        assert [number for *_, number in series()] == [1, 2, 3, 4, 5, 6]

    def test_a_year_begins_anew_and_so_does_another_seller(self, settings: Any) -> None:
        # Helsinki: the date on the receipt is that of the site.
        for at in (datetime(2026, 12, 31, 21, 59, tzinfo=UTC), datetime(2026, 12, 31, 22, 1, tzinfo=UTC)):
            settlement.settle(ended(at=at).pk, now=at)
        settings.SELLER = {**product.SELLER, "vat_id": "SE00000000"}
        settlement.settle(ended().pk, now=datetime(2027, 1, 2, tzinfo=UTC))

        assert series() == [("FI00000000", 2026, 1), ("FI00000000", 2027, 1), ("SE00000000", 2027, 1)]
        assert [receipt.full_number for receipt in Receipt.objects.order_by("pk")] == [
            "2026-000001",
            "2027-000001",
            "2027-000001",
        ]

    @pytest.mark.parametrize("point", ["F25_receipt_in_tx", "document", "wake"])
    def test_a_receipt_that_fails_gives_its_number_back(self, point: str, settings: Any) -> None:
        first, second = ended(), ended()

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError(point)

        if point.startswith("F"):
            settings.FAILPOINTS = {point: fail}
            with pytest.raises(RuntimeError):
                settlement.settle(first.pk, now=timezone.now())
            settings.FAILPOINTS = {}
        else:
            with mock.patch.object(issue, point, fail), pytest.raises(RuntimeError):
                settlement.settle(first.pk, now=timezone.now())

        assert Receipt.objects.count() == 0
        settlement.settle(second.pk, now=timezone.now())
        settlement.settle(first.pk, now=timezone.now())
        assert [receipt.payment for receipt in Receipt.objects.order_by("number")] == [second, first]
        assert unbroken(series())

    def test_a_refund_that_fails_gives_its_number_back(self) -> None:
        payment, other = paid(), paid()

        with (
            mock.patch.object(decisions, "_tell_refund", side_effect=RuntimeError),
            pytest.raises(RuntimeError),
        ):
            refund(payment)
        refund(other)

        assert CreditNote.objects.get().payment == other
        assert [number for *_, number in series()] == [1, 2, 3]

    def test_settling_twice_takes_one_number(self) -> None:
        payment = ended()
        for _ in range(3):
            settlement.settle(payment.pk, now=timezone.now())

        assert ReceiptCounter.objects.get().last_number == 1

    def test_the_database_refuses_a_number_that_is_taken(self) -> None:
        receipt = Receipt.objects.get(payment=paid())
        receipt.pk, receipt.payment = None, ended()

        with pytest.raises(IntegrityError), transaction.atomic():
            receipt.save()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_at_once_leave_no_gap_and_no_repeat_also_when_some_are_rolled_back() -> None:
    due, refundable = [ended() for _ in range(THREADS * 2)], [paid() for _ in range(THREADS)]
    doomed = [ended() for _ in range(THREADS)]
    gate = threading.Barrier(THREADS)

    def work(index: int) -> None:
        try:
            gate.wait()
            settlement.settle(due[index].pk, now=timezone.now())
            _roll_back(doomed[index])
            refund(refundable[index])
            settlement.settle(due[THREADS + index].pk, now=timezone.now())
            settlement.settle(due[(index + 1) % THREADS].pk, now=timezone.now())  # somebody else's, again
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))

    assert len(series()) == 4 * THREADS  # two settled and one refunded each, and the receipts of the refunded
    assert unbroken(series())
    assert ReceiptCounter.objects.get().last_number == 4 * THREADS


class _Undone(Exception):
    """The transaction is to be rolled back."""


def _roll_back(payment: Payment) -> None:
    """Settle, hold the number for a moment as a slow transaction would, and roll back."""
    try:
        with transaction.atomic():
            settlement.settle(payment.pk, now=timezone.now())
            raise _Undone
    except _Undone:
        return
