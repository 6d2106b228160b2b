"""Two people at once: one refund, one approval, one import; on PostgreSQL with real threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from payments.errors import PaymentError
from payments.models import CreditNote, Decision, Payment, RefundRequest, SettlementFile
from payments.reconciliation import acts, files, refunds
from payments.reconciliation.files import AlreadyImported
from tests import builders
from tests.payments.reconciliation.cast import NOW, captured, csv_of, due, orphan, person

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def at_once(*acts_of: Callable[[], Any]) -> list[str]:
    """Do all of it in the same moment; returns what each came to, in order: "done" or the error's name."""
    gate = threading.Barrier(len(acts_of))

    def work(act: Callable[[], Any]) -> str:
        try:
            gate.wait()
            act()
        except (PaymentError, AlreadyImported) as refused:
            return type(refused).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(acts_of)) as pool:
        return list(pool.map(work, acts_of))


def test_two_refunds_of_all_of_it_are_one() -> None:
    payment, anna, bert = captured(), person("anna"), person("bert")

    def wanted(user: Any) -> Callable[[], Any]:
        return lambda: refunds.refund(payment.pk, 1000, user=user, reason="x", now=NOW)

    assert sorted(at_once(wanted(anna), wanted(bert))) == ["WrongState", "done"]

    assert CreditNote.objects.count() == 1
    assert Payment.objects.get(pk=payment.pk).refunding_minor == 1000


def test_a_form_that_is_sent_twice_at_once_refunds_once() -> None:
    payment, anna = captured(), person()
    seen = payment.event_count

    def sent() -> Any:
        return refunds.refund(payment.pk, 100, user=anna, reason="x", now=NOW, seen_events=seen)

    assert sorted(at_once(sent, sent, sent)) == ["Changed", "Changed", "done"]

    assert CreditNote.objects.count() == 1


def test_two_requests_at_once_are_one(settings) -> None:
    settings.REFUND_SECOND_PERSON_ABOVE = 1
    payment, anna, bert = captured(), person("anna"), person("bert")

    def asked(user: Any) -> Callable[[], Any]:
        return lambda: refunds.refund(payment.pk, 1000, user=user, reason="x", now=NOW)

    assert sorted(at_once(asked(anna), asked(bert))) == ["AskedAlready", "done"]

    assert RefundRequest.objects.count() == 1


def test_two_approvals_are_one_and_a_decline_at_once_loses_or_wins_whole(settings) -> None:
    settings.REFUND_SECOND_PERSON_ABOVE = 1
    people = [person(name) for name in ("anna", "bert", "carl", "dora")]
    request = refunds.refund(captured().pk, 1000, user=people[0], reason="x", now=NOW).request
    assert request is not None

    came = at_once(
        lambda: refunds.approve(request.pk, user=people[1], now=NOW),
        lambda: refunds.approve(request.pk, user=people[2], now=NOW),
        lambda: refunds.decline(request.pk, user=people[3], reason="x", now=NOW),
    )

    assert sorted(came) == ["NotDecidable", "NotDecidable", "done"]
    request.refresh_from_db()
    assert CreditNote.objects.count() == (1 if request.state == "APPROVED" else 0)


def test_an_orphan_goes_to_one_of_two_payments() -> None:
    cast = builders.cast()
    first, second = due(cast), due(cast)
    stray = orphan(cast.ptp)

    def matched(payment: Payment) -> Callable[[], Any]:
        return lambda: acts.match_confirmation(stray.pk, payment.pk, actor="anna", reason="x", now=NOW)

    assert sorted(at_once(matched(first), matched(second))) == ["WrongState", "done"]

    assert Payment.objects.filter(captured_minor=1000).count() == 1
    assert Decision.objects.filter(act=Decision.Act.MATCHED).count() == 1


def test_the_same_file_imported_twice_at_once_counts_once() -> None:
    ptp = builders.ptp()
    raw = csv_of(("a", "1.00"), ("b", "2.00"))

    def imported() -> Any:
        return files.import_file(ptp, "payout.csv", raw, actor="anna", now=NOW)

    assert sorted(at_once(imported, imported)) == ["AlreadyImported", "done"]

    assert SettlementFile.objects.get().lines.count() == 2
