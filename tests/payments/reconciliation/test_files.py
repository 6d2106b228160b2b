"""Settlement files: stored whole or not at all, once, each line with the payment that it names."""

import pytest
from django.db import IntegrityError

from payments.models import Decision, SettlementFile, SettlementLine
from payments.reconciliation import files
from payments.reconciliation.files import AlreadyImported, AlreadyWithdrawn
from payments.reconciliation.settlement_csv import Unreadable
from tests import builders
from tests.payments.reconciliation.cast import NOW, captured, csv_of, due, paid_out, told

pytestmark = pytest.mark.django_db


def test_lines_go_to_the_payments_that_they_name() -> None:
    cast = builders.cast()
    payment = captured(cast)
    other = told(due(cast), "SUCCESS", 1000, confirmation_id="FAC-7")

    file = paid_out(
        cast.ptp, (payment.authorization_reference, "10.00"), ("FAC-7", "10.00"), ("stranger", "3.00")
    )

    lines = list(file.lines.order_by("number"))
    assert [line.payment for line in lines] == [payment, other, None]
    assert [(line.number, line.amount_minor) for line in lines] == [(2, 1000), (3, 1000), (4, 300)]
    note = Decision.objects.get(act=Decision.Act.FILE_IMPORTED)
    assert (note.actor, note.subject, note.data["lines"]) == ("anna", f"file:{file.pk}", 3)


def test_a_reference_of_another_ptp_is_an_orphan() -> None:
    payment = captured()

    file = paid_out(builders.ptp(), (payment.authorization_reference, "10.00"))

    assert file.lines.get().payment is None


def test_one_bad_line_keeps_the_whole_file_out() -> None:
    ptp = builders.ptp()

    with pytest.raises(Unreadable):
        paid_out(ptp, ("a", "1.00"), ("b", "many"))

    assert not SettlementFile.objects.exists()
    assert not SettlementLine.objects.exists()
    assert not Decision.objects.exists()


def test_the_same_file_counts_once_and_says_when_it_came() -> None:
    ptp = builders.ptp()
    first = paid_out(ptp, ("a", "1.00"))

    with pytest.raises(AlreadyImported) as refused:
        paid_out(ptp, ("a", "1.00"))

    assert refused.value.file == first
    assert f"{NOW:%Y-%m-%d}" in str(refused.value)
    assert paid_out(builders.ptp(), ("a", "1.00")).pk != first.pk  # another PTP's file may look the same


def test_the_database_refuses_the_same_file_when_two_import_it_at_once() -> None:
    ptp = builders.ptp()
    first = paid_out(ptp, ("a", "1.00"))

    first.pk = None
    with pytest.raises(IntegrityError):
        first.save()


def test_a_withdrawn_file_stays_and_may_be_imported_again() -> None:
    ptp = builders.ptp()
    first = paid_out(ptp, ("a", "1.00"))

    files.withdraw(first.pk, actor="bert", reason="of another month", now=NOW)

    first.refresh_from_db()
    assert (first.withdrawn_by, first.withdrawn_because) == ("bert", "of another month")
    assert first.lines.count() == 1
    assert Decision.objects.filter(act=Decision.Act.FILE_WITHDRAWN, actor="bert").exists()
    assert paid_out(ptp, ("a", "1.00")).pk != first.pk
    with pytest.raises(AlreadyWithdrawn):
        files.withdraw(first.pk, actor="bert", reason="again", now=NOW)


def test_a_ptp_names_its_columns_once() -> None:
    ptp = builders.ptp()
    assert files.columns_of(ptp)["reference"] == "reference"

    files.name_columns(
        ptp, {"reference": " Merchant ref ", "fee": "", "amount": "Gross"}, actor="anna", now=NOW
    )

    named = files.columns_of(ptp)
    assert (named["reference"], named["amount"], named["fee"]) == ("Merchant ref", "Gross", "fee")
    raw = b"Merchant ref;Gross;Currency\na;1,50;EUR"
    assert files.import_file(ptp, "x.csv", raw, actor="anna", now=NOW).lines.get().amount_minor == 150


def test_a_large_file_needs_few_queries(django_assert_max_num_queries) -> None:
    ptp = builders.ptp()
    raw = csv_of(*((f"ref-{n}", "1.00") for n in range(3000)))

    with django_assert_max_num_queries(60):  # SQLite takes about a hundred rows at once
        files.import_file(ptp, "large.csv", raw, actor="anna", now=NOW)

    assert SettlementLine.objects.count() == 3000
