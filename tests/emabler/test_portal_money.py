"""Settlements, payments and exports in the portal: every payment by day and terminal, and the way to each."""

import csv
import io
import re
import zipfile
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from payments import decisions
from payments.models import Payment, Receipt
from payments.reconciliation import books, files
from sessions_app.models import Session
from tests import builders
from tests.emabler.money_pages import decider, text, viewer
from tests.payments.reconciliation.cast import NOW, captured, due, orphan, paid_out, told
from tests.payments.reconciliation.copies import copies_of

pytestmark = pytest.mark.django_db
HOSTILE = "<svg/onload=alert(1)>"
PAGES = ("/money/", "/money/payments/", "/money/review/", "/money/files/")


@pytest.fixture
def vera() -> Client:
    return viewer()


class TestDoor:
    @pytest.mark.parametrize("path", [*PAGES, "/money/payments/export.csv", "/money/payments/export.xlsx"])
    def test_strangers_are_sent_to_the_login(self, path: str) -> None:
        assert Client().get(path)["Location"].startswith("/login/?next=/money/")

    @pytest.mark.parametrize("path", PAGES)
    def test_staff_may_look_at_empty_books(self, vera: Client, path: str) -> None:
        assert vera.get(path).status_code == 200

    def test_nothing_can_be_decided_without_the_permission(self, vera: Client) -> None:
        payment = told(due(), "PARTIAL_SUCCESS", 400)
        one = f"/money/payments/{payment.pk}"

        for path in (
            f"{one}/refund",
            f"{one}/write-off",
            "/money/refunds/1/approve",
            "/money/refunds/1/decline",
            f"/money/review/payment/{payment.pk}/do",
            "/money/review/confirmation/1/match",
            "/money/files/",
            "/money/files/1/withdraw",
            "/money/files/columns/1/",
        ):
            assert vera.post(path, {"reason": "x", "amount": "1.00"}).status_code == 403, path
        body = vera.get(f"{one}/").content.decode()
        assert "<form" not in body.split('id="content"')[1]
        payment.refresh_from_db()
        assert payment.state == "PARTIALLY_CAPTURED"

    @pytest.mark.parametrize("path", ["payments/{}/", "review/payment/{}/", "files/7/", "review/nothing/7/"])
    def test_what_is_not_there_is_not_found(self, vera: Client, path: str) -> None:
        response = vera.get(f"/money/{path.format(uuid4())}")

        assert response.status_code in (302, 404)
        assert response.status_code == 404 or response["Location"] == "/money/review/"


class TestSettlements:
    def test_sums_stand_by_standing_by_age_and_by_day_and_terminal(self, vera: Client) -> None:
        cast = builders.cast()
        captured(cast)
        captured(cast)
        partly = told(due(cast, at=NOW - timedelta(days=3)), "PARTIAL_SUCCESS", 400)
        orphan(cast.ptp)
        paid_out(cast.ptp, (partly.authorization_reference, "4.00"))

        body = text(vera.get("/money/"))

        assert (
            "Matched CDR, confirmation and settlement file agree; nothing is open. 2 20.00 € 20.00 € 0.00 €"
            in body
        )
        assert "Partial Less was captured than is due. 1 10.00 € 4.00 € 6.00 €" in body
        assert "2–7 days, EUR 1 6.00 €" in body
        assert f"{cast.terminal.terminal_id} {cast.ptp.name} 2 matched 2 20.00 € 20.00 € 0.00 €" in body
        assert (
            f"{cast.terminal.terminal_id} {cast.ptp.name} 1 partial 1 10.00 € 4.00 € 6.00 € 4.00 € 1 of 1 in a file"
            in body
        )
        assert f"not known {cast.ptp.name} 1 orphan" in body

    def test_the_fees_of_settlement_files_are_summed(self, vera: Client) -> None:
        cast = builders.cast()
        names = [captured(cast).authorization_reference for _ in range(2)]
        raw = "reference,amount,currency,fee\n" + "".join(f"{name},10.00,EUR,0.25\n" for name in names)
        files.import_file(cast.ptp, "payout.csv", raw.encode(), actor="anna", now=NOW)

        assert "2 of 2 in a file, fees 0.50 €" in text(vera.get("/money/"))

    def test_every_line_leads_to_its_payments(self, vera: Client) -> None:
        cast = builders.cast()
        payment = told(due(cast), "PARTIAL_SUCCESS", 400)
        captured(builders.cast())

        links = re.findall(r'href="(/money/payments/\?[^"]+)"', vera.get("/money/").content.decode())

        by_standing = [link for link in links if "standing=partial" in link]
        by_age = [link for link in links if "age=FRESH" in link]
        by_day = [link for link in links if f"terminal={cast.terminal.terminal_id}" in link]
        assert len(by_standing) == len(by_age) == len(by_day) == 1
        for link in (*by_standing, *by_age, *by_day):
            body = text(vera.get(link.replace("&amp;", "&")))
            assert "1 payment " in body
            assert payment.authorization_reference in body

    def test_a_quiet_period_says_so(self, vera: Client) -> None:
        captured()

        assert "No payment became due in these days." in text(
            vera.get("/money/?first=2020-01-01&last=2020-01-31")
        )

    @pytest.mark.parametrize(
        ("query", "word"),
        [
            ("first=2026-02-01&last=2026-01-01", "begins after its end"),
            ("first=2020-01-01&last=2026-01-01", "At most 366 days"),
            ("last=0001-01-05", "A year between 2000 and 2100"),
            ("first=0001-01-01&last=0001-01-01", "A year between 2000 and 2100"),
            ("first=9999-12-31&last=9999-12-31", "A year between 2000 and 2100"),
            ("first=yesterday", "Enter a valid date"),
            ("ptp=x", "Select a valid choice"),
            ("terminal=%00", "Null characters"),
            ("currency=EURO", "at most 3 characters"),
        ],
    )
    def test_a_filter_that_cannot_be_read_says_why_and_shows_nothing(
        self, vera: Client, query: str, word: str
    ) -> None:
        for path in ("/money/", "/money/payments/"):
            response = vera.get(f"{path}?{query}")
            assert response.status_code == 200
            if "%00" not in query:  # browsers do not send it; it is left out
                assert word in text(response)
                assert "Nothing is shown" in text(response)

    def test_too_many_payments_ask_for_a_shorter_period(self, vera: Client, monkeypatch) -> None:
        monkeypatch.setattr(books, "MOST_PAYMENTS", 0)
        captured()

        assert "Choose a shorter period" in text(vera.get("/money/"))

    def test_five_hundred_payments_need_as_many_queries_as_a_few(
        self, vera: Client, django_assert_max_num_queries
    ) -> None:
        copies_of(captured(), 499)

        with django_assert_max_num_queries(20):
            assert "500 5,000.00" not in text(vera.get("/money/"))
        with django_assert_max_num_queries(20):
            body = text(vera.get("/money/payments/?standing=matched"))

        assert "500 payments" in body
        assert "Page 1 of 10" in body


class TestPayments:
    def test_what_differs_is_said_with_both_amounts(self, vera: Client) -> None:
        told(due(), "SUCCESS", 900)

        body = text(vera.get("/money/payments/?standing=differs"))

        assert "Captured: 10.00 € (CDR), 9.00 € (confirmation)." in body

    def test_a_payment_is_found_by_what_people_have_at_hand(self, vera: Client) -> None:
        cast = builders.cast()
        payment = captured(cast)
        decisions.refund(payment.pk, 100, actor="anna", reason="x", now=NOW)
        note = payment.credit_notes.get()
        running = builders.cast().payment(card_last4="7777")
        numbers = (Receipt.objects.get(payment=payment).full_number, note.full_number)

        for name in (
            payment.authorization_reference[:12],
            str(payment.session_id),
            str(payment.pk),
            *numbers,
        ):
            body = text(vera.get("/money/payments/", {"q": name}))
            assert "1 found for" in body, name
            assert payment.authorization_reference in body
        assert running.authorization_reference in text(vera.get("/money/payments/?q=7777"))

    @pytest.mark.parametrize("query", ["nobody", "%00", "9999-999999999", "0000", "'"])
    def test_a_search_for_nothing_finds_nothing(self, vera: Client, query: str) -> None:
        captured()

        body = text(vera.get(f"/money/payments/?q={query}"))

        assert "Nothing is called so." in body or query == "%00"


class TestPaymentPage:
    def test_it_tells_amounts_facts_and_the_whole_story(self, vera: Client) -> None:
        payment = captured(webhook_url="https://ptp.example/hook")
        decisions.refund(payment.pk, 300, actor="anna", reason="broken cable", now=NOW)
        paid_out(payment.ptp, (payment.authorization_reference, "10.00"))

        body = text(vera.get(f"/money/payments/{payment.pk}/"))

        for fact in (
            "Held 60.00 €",
            "Due 10.00 €",
            "Captured 10.00 €",
            "Refunded 0.00 € and 3.00 € on its way",
            "In settlement files 10.00 €",
            "Charging began",
            f"{payment.ptp.name} says SUCCESS with 10.00 €",
            "Refund decided, told to the PTP (money) CAPTURED → REFUNDING",
            "anna · amount: 3.00 € · reason: broken cable",
            "Settlement file: 10.00 €",
            "Message to the PTP: Refund (webhook)",
            "over −3.00 €",
        ):
            assert fact in body, fact

    def test_a_payment_that_still_runs_has_a_page_too(self, vera: Client) -> None:
        payment = builders.cast().running().payment

        body = text(vera.get(f"/money/payments/{payment.pk}/"))

        assert "Held 60.00 €" in body
        assert "What to do" not in body

    def test_its_queries_do_not_grow_with_its_story(
        self, vera: Client, django_assert_max_num_queries
    ) -> None:
        payment = captured(webhook_url="https://ptp.example/hook")
        for _ in range(20):
            told(payment, "SUCCESS", 1000)

        with django_assert_max_num_queries(50):
            assert "confirmed again" in text(vera.get(f"/money/payments/{payment.pk}/"))


class TestExports:
    def test_the_csv_streams_the_period_that_is_shown(self) -> None:
        dora = decider()
        payment = captured()
        period = f"first={timezone.now():%Y-%m-%d}&last={timezone.now() + timedelta(days=1):%Y-%m-%d}"

        response = dora.get(f"/money/payments/export.csv?{period}")

        assert response.streaming
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert re.search(r'attachment; filename="payments-[\d-]+\.csv"', response["Content-Disposition"])
        (row,) = csv.DictReader(io.StringIO(b"".join(response).decode()))
        assert row["authorization_reference"] == payment.authorization_reference

    def test_the_csv_has_what_the_list_shows(self, vera: Client) -> None:
        matched, waiting = captured(), due()

        def exported(query: str) -> list[str]:
            body = b"".join(vera.get(f"/money/payments/export.csv?{query}")).decode()
            return [row["authorization_reference"] for row in csv.DictReader(io.StringIO(body))]

        assert exported("standing=matched") == [matched.authorization_reference]
        assert exported("age=FRESH") == [waiting.authorization_reference]

    def test_the_xlsx_is_a_workbook(self, vera: Client) -> None:
        captured()

        response = vera.get("/money/payments/export.xlsx")

        with zipfile.ZipFile(io.BytesIO(b"".join(response))) as book:
            assert "xl/worksheets/sheet1.xml" in book.namelist()

    def test_a_year_too_large_for_xlsx_is_sent_to_csv(self, vera: Client, monkeypatch) -> None:
        from payments.reconciliation import export

        monkeypatch.setattr(export, "MOST_XLSX_ROWS", 0)
        captured()

        assert "export them as CSV" in text(vera.get("/money/payments/export.xlsx", follow=True))

    @pytest.mark.parametrize("ending", ["csv", "xlsx"])
    def test_a_period_that_cannot_be_read_is_not_exported(self, vera: Client, ending: str) -> None:
        response = vera.get(f"/money/payments/export.{ending}?first=x", follow=True)

        assert "choose it again" in text(response)


def test_text_from_outside_is_text_on_every_page() -> None:
    dora = decider()
    cast = builders.cast(webhook_url="https://ptp.example/hook")
    cast.site.name = HOSTILE
    cast.site.save()
    payment = due(cast)
    told(payment, "SUCCESS", 900, message=HOSTILE, confirmation_id=HOSTILE)
    Payment.objects.filter(pk=payment.pk).update(card_scheme=HOSTILE)
    stray = orphan(cast.ptp, HOSTILE)
    file = paid_out(cast.ptp, (HOSTILE, "1.00"))
    other = captured(cast)
    Session.objects.filter(pk=other.session_id).update(needs_review=HOSTILE)

    for path in (
        *PAGES,
        f"/money/payments/{payment.pk}/",
        f"/money/payments/?q={HOSTILE}",
        f"/money/payments/{other.pk}/",
        f"/money/review/confirmation/{stray.pk}/",
        f"/money/review/line/{file.lines.get().pk}/",
        f"/money/files/{file.pk}/",
    ):
        body = dora.get(path).content.decode()
        assert "<svg/onload" not in body, path
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"", body), path
