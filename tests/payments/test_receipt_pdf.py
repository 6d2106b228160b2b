"""The receipt as a PDF: readable back, in the driver's language, whatever a site is called."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from payments.models import Receipt
from payments.receipts.languages import WORDS
from payments.receipts.pdf import MISSING, letters, printable, render
from payments.tasks import draw_receipts
from tests import builders
from tests.payments.pdf_text import text_of
from tests.payments.receipt_cast import EFT_LINES, paid, path_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


class TestPdf:
    def test_its_text_can_be_read_back(self) -> None:
        payment = paid()
        receipt = Receipt.objects.get(payment=payment)

        read = text_of(Client().get(path_of(payment) + ".pdf").content).replace("\u00a0", " ")

        for fact in (receipt.full_number, "Demo CPO", "10.00 €", "25.5 %", "VISA •••• 4242", *EFT_LINES):
            assert fact in read

    def test_it_speaks_the_language_asked_for(self) -> None:
        read = text_of(Client().get(path_of(paid()) + ".pdf?lang=fi").content)

        assert "Kuitti" in read
        assert "10,00\u00a0€" in read

    def test_the_stored_one_is_served_while_nothing_was_confirmed(self) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=30))
        payment = running.end(energy_wh=20_000, after_seconds=1200)
        draw_receipts()

        served = Client().get(path_of(payment) + ".pdf")

        assert served.content == bytes(Receipt.objects.get(payment=payment).pdf or b"")
        assert served["Content-Type"] == "application/pdf"

    def test_without_a_task_it_is_made_on_demand_and_kept(self) -> None:
        running = builders.cast().running(now=timezone.now() - timedelta(minutes=30))
        payment = running.end(energy_wh=20_000, after_seconds=1200)

        served = Client().get(path_of(payment) + ".pdf").content

        assert served.startswith(b"%PDF-")
        assert bytes(Receipt.objects.get(payment=payment).pdf or b"") == served

    def test_before_there_is_a_receipt_the_answer_is_a_page_with_a_way_back(self) -> None:
        payment = builders.cast().running().payment

        response = Client().get(path_of(payment) + ".pdf")

        assert response.status_code == 404
        assert path_of(payment) in response.content.decode()

    def test_every_word_of_every_language_has_its_letters_in_the_font(self) -> None:
        for words in WORDS.values():
            for phrase in _phrases(words):
                assert printable(phrase) == phrase

    def test_what_has_no_letter_is_seen_and_breaks_nothing(self) -> None:
        hostile = "灯 \U0001f50c \x00\x1b ‮ ok"
        assert printable(hostile).count(MISSING) == 2
        assert all(ord(letter) in letters() for letter in printable(hostile))

        cast = builders.cast()
        cast.site.name = hostile
        cast.site.save()
        receipt = Receipt.objects.select_related("payment__session", "payment__terminal").get(
            payment=paid(cast, eft_data=[hostile * 20, "x" * 255])
        )

        assert MISSING in text_of(render(receipt))

    def test_a_bill_with_many_lines_goes_over_pages(self) -> None:
        receipt = Receipt.objects.select_related("payment__session", "payment__terminal").get(payment=paid())
        receipt.document["lines"] *= 40

        read = text_of(render(receipt)).replace("\n", "")
        assert "Page 1 of 3" in read
        assert "Page 3 of 3" in read


def _phrases(words: Any) -> list[str]:
    values = [getattr(words, name) for name in words.__slots__]
    return [text for value in values for text in ([value] if isinstance(value, str) else value.values())]
