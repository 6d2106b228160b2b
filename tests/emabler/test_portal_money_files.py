"""Settlement files in the portal: imported whole or refused with every faulty line, named, withdrawn."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from payments.models import Decision, SettlementFile
from payments.reconciliation import files as settlement_files
from payments.reconciliation import settlement_csv
from tests import builders
from tests.emabler.money_pages import decider, said, text, viewer
from tests.payments.reconciliation.cast import captured, csv_of, paid_out

pytestmark = pytest.mark.django_db


@pytest.fixture
def dora() -> Client:
    return decider()


def upload(client: Client, ptp_pk: object, raw: bytes, name: str = "payout.csv") -> str:
    return said(client, "/money/files/", {"ptp": ptp_pk, "file": SimpleUploadedFile(name, raw)})


def test_a_file_is_imported_and_its_lines_lead_to_their_payments(dora: Client) -> None:
    payment = captured()
    raw = csv_of((payment.authorization_reference, "10.00"), ("stranger", "3.00"))

    body = upload(dora, payment.ptp.pk, raw)

    assert "2 lines imported." in body
    assert "1 unknown" in body
    assert f"{payment.authorization_reference} {payment.authorization_reference} 10.00 €" in body
    assert Decision.objects.get(act=Decision.Act.FILE_IMPORTED).actor == "dora"
    assert "payout.csv" in text(dora.get("/money/files/"))


def test_a_faulty_file_is_refused_with_every_line(dora: Client) -> None:
    body = upload(dora, builders.ptp().pk, csv_of(("a", "x"), ("b", "1.00"), ("c", "y")))

    assert "Nothing was imported." in body
    assert "Line 2: amount x" in body
    assert "Line 4: amount y" in body
    assert not SettlementFile.objects.exists()


def test_the_same_file_is_refused_the_second_time(dora: Client) -> None:
    ptp = builders.ptp()
    upload(dora, ptp.pk, csv_of(("a", "1.00")))

    assert "was imported before" in upload(dora, ptp.pk, csv_of(("a", "1.00")), "renamed.csv")


def test_a_file_that_is_too_large_is_not_read(dora: Client, monkeypatch) -> None:
    monkeypatch.setattr(settlement_csv, "read", None)

    assert "At most 5 MB" in upload(dora, builders.ptp().pk, b"x" * (settlement_csv.MAX_BYTES + 1))


@pytest.mark.parametrize("ptp_pk", ["", "x", "99999"])
def test_a_file_of_nobody_is_refused(dora: Client, ptp_pk: str) -> None:
    upload(dora, ptp_pk, csv_of(("a", "1.00")))

    assert not SettlementFile.objects.exists()


def test_staff_without_the_permission_see_files_and_no_form() -> None:
    file = paid_out(builders.ptp(), ("a", "1.00"))
    vera = viewer()

    assert "Import a file" not in text(vera.get("/money/files/"))
    assert "Withdraw this file" not in text(vera.get(f"/money/files/{file.pk}/"))


def test_a_file_is_withdrawn_with_a_reason(dora: Client) -> None:
    file = paid_out(builders.ptp(), ("a", "1.00"))
    path = f"/money/files/{file.pk}/withdraw"
    assert "Say why" in said(dora, path)

    assert "counts no more" in said(dora, path, {"reason": "of another month"})

    assert "already" in said(dora, path, {"reason": "again"})
    assert "Withdrawn by dora: of another month" in text(dora.get(f"/money/files/{file.pk}/"))
    assert dora.post("/money/files/77/withdraw", {"reason": "x"}).status_code == 404


def test_a_ptp_may_name_its_columns(dora: Client) -> None:
    ptp = builders.ptp()
    path = f"/money/files/columns/{ptp.pk}/"
    assert dora.get(path).status_code == 200

    assert "are named" in said(dora, path, {"reference": "Merchant ref"})

    assert settlement_files.columns_of(ptp)["reference"] == "Merchant ref"
    assert 'value="Merchant ref"' in dora.get(path).content.decode()
    assert "1 lines imported" in upload(dora, ptp.pk, b"Merchant ref,amount,currency\na,1.00,EUR")
    assert dora.get("/money/files/columns/77/").status_code == 404
