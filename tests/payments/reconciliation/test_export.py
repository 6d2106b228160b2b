"""Exports: every payment of a period once, amounts as amounts, and no text that a spreadsheet would run."""

import csv
import io
import re
import zipfile
from datetime import timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments import decisions, settlement
from payments.models import CreditNote, Payment, Receipt
from payments.reconciliation import export, files
from payments.reconciliation.books import Period
from payments.reconciliation.export import COLUMNS, csv_header, csv_text, harmless
from tests import builders
from tests.payments.reconciliation.cast import NOW, captured, due, orphan, told
from tests.payments.reconciliation.copies import copies_of

HERE = Period(first=(NOW - timedelta(days=1)).date(), last=(NOW + timedelta(days=1)).date())
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def as_csv(period: Period = HERE) -> list[dict[str, str]]:
    text = csv_header() + "".join(csv_text(chunk) for chunk in export.rows(period, now=NOW))
    return list(csv.DictReader(io.StringIO(text)))


def as_xlsx(period: Period = HERE) -> list[list[tuple[str, str | None]]]:
    """Cells as type and content; "inlineStr" and "s" are text, "n" a number."""
    out = io.BytesIO()
    export.write_xlsx(out, period, now=NOW)
    with zipfile.ZipFile(out) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        assert not re.search(rb"<f>|<hyperlink", book.read("xl/worksheets/sheet1.xml"))
    return [
        [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row]
        for row in sheet.iter(f"{SHEET}row")
    ]  # fmt: skip


@pytest.mark.django_db
class TestRows:
    def test_a_refunded_payment_with_all_its_figures(self) -> None:
        cast = builders.cast()
        payment = captured(cast)
        decisions.refund(payment.pk, 300, actor="anna", reason="x", now=NOW)
        decisions.acknowledge_refund(payment.pk, now=NOW)

        (row,) = as_csv()

        receipt = Receipt.objects.get(payment=payment)
        assert list(row) == list(COLUMNS)
        assert row["session_id"] == str(payment.session_id)
        assert row["authorization_reference"] == payment.authorization_reference
        assert (row["ptp"], row["terminal"]) == (cast.ptp.name, cast.terminal.terminal_id)
        assert (row["site"], row["evse"]) == (str(cast.site), cast.evse.evse_id)
        assert (row["meter_start_kwh"], row["meter_stop_kwh"], row["energy_kwh"]) == (
            "100.000",
            "120.000",
            "20.000",
        )
        assert (row["currency"], row["vat_percent"]) == ("EUR", "25.5")
        assert (row["net"], row["vat"], row["gross"]) == ("7.97", "2.03", "10.00")
        assert (row["held"], row["captured"], row["open"]) == ("60.00", "10.00", "0.00")
        assert (row["written_off"], row["refunded"]) == ("0.00", "3.00")
        credited = (row["credited_net"], row["credited_vat"], row["credited_gross"])
        assert credited == ("2.39", "0.61", "3.00")
        assert row["credit_note_numbers"] == CreditNote.objects.get(payment=payment).full_number
        assert (row["receipt_number"], row["state"], row["standing"]) == (
            receipt.full_number,
            "REFUNDED",
            "matched",
        )

    def test_what_was_paid_out_and_its_fee_stand_where_a_file_names_it(self) -> None:
        cast = builders.cast()
        paid, unpaid = captured(cast), captured(cast)
        raw = f"reference,amount,currency,fee\n{paid.authorization_reference},10.00,EUR,0.25\n"
        files.import_file(cast.ptp, "payout.csv", raw.encode(), actor="anna", now=NOW)

        rows = {row["authorization_reference"]: row for row in as_csv()}

        named, unnamed = rows[paid.authorization_reference], rows[unpaid.authorization_reference]
        assert (named["paid_out"], named["fee"]) == ("10.00", "0.25")
        assert (unnamed["paid_out"], unnamed["fee"]) == ("", "")

    def test_times_bear_the_zone_of_the_site(self) -> None:
        captured()

        (row,) = as_csv()

        for name in ("started_at", "ended_at", "due_at"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0[23]:00", row[name])

    def test_a_release_and_a_written_off_rest_are_told_apart(self) -> None:
        cast = builders.cast()
        partly = told(due(cast), "PARTIAL_SUCCESS", 400)
        decisions.write_off(partly.pk, actor="anna", reason="x", now=NOW)
        released = cast.running(now=NOW - timedelta(minutes=2)).end(energy_wh=0, after_seconds=60)
        settlement.acknowledge_release(released.pk, now=NOW)

        first, second = as_csv()

        assert (first["gross"], first["captured"], first["open"], first["written_off"]) == (
            "10.00",
            "4.00",
            "0.00",
            "6.00",
        )
        assert (second["state"], second["gross"], second["vat_percent"]) == ("RELEASED", "0.00", "")
        assert (second["receipt_number"], second["meter_start_kwh"], second["energy_kwh"]) == (
            "",
            "",
            "0.000",
        )

    def test_what_is_not_due_and_what_is_an_orphan_is_no_payment_of_the_period(self) -> None:
        builders.cast().running()
        orphan(builders.ptp())

        assert as_csv() == []

    def test_chunks_neither_lose_nor_repeat_a_payment(
        self, monkeypatch, django_assert_max_num_queries
    ) -> None:
        payment = captured()
        copies_of(payment, 24)  # all due at the same moment
        monkeypatch.setattr(export, "CHUNK", 10)

        with django_assert_max_num_queries(3 * 8 + 1):
            found = as_csv()

        assert sorted(row["authorization_reference"] for row in found) == sorted(
            Payment.objects.values_list("authorization_reference", flat=True)
        )


@pytest.mark.django_db
class TestXlsx:
    def test_amounts_are_numbers_and_everything_else_is_text(self) -> None:
        captured()

        head, row = as_xlsx()

        assert [content for _, content in head if content] != []
        cells = dict(zip(COLUMNS, row, strict=False))
        assert cells["gross"] == ("n", "10.00")
        assert cells["net"] == ("n", "7.97")
        assert cells["vat_percent"] == ("n", "25.5")
        assert all(
            kind != "n" for name, (kind, _) in cells.items() if name in ("session_id", "started_at", "state")
        )

    def test_hostile_text_is_a_string_and_no_formula(self) -> None:
        cast = builders.cast()
        captured(cast)
        cast.site.name = '=HYPERLINK("http://evil")\x1b'
        cast.site.save()

        (_, row) = as_xlsx()
        (plain,) = as_csv()

        assert dict(zip(COLUMNS, row, strict=False))["site"][0] != "n"
        assert plain["site"].startswith("'=HYPERLINK")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\u00a0=", "\uff1d"])
def test_text_that_begins_a_formula_is_quoted(begin: str) -> None:
    assert harmless(f"{begin}1+1").startswith("'")


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_text_comes_back_from_csv_and_begins_no_formula(texts: list[str]) -> None:
    (back,) = csv.reader(io.StringIO(csv_text([list(texts)]), newline=""))

    for text, read in zip(texts, back, strict=True):
        assert not re.match(r"\s*[=+\-@]", read)
        assert "\0" not in read
        assert read.removeprefix("'") == re.sub(
            r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\ufffd", text
        ).removeprefix("'")


def test_amounts_below_zero_stay_numbers() -> None:
    assert csv_text([[Decimal("-3.00"), None, "x"]]) == "-3.00,,x\r\n"
