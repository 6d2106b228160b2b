"""Credit notes: a document of their own that corrects a receipt, found by the driver from the receipt's page."""

import re

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from payments import decisions
from payments.models import CreditNote, Payment, Receipt
from payments.receipts.languages import WORDS
from tests import builders
from tests.payments.pdf_text import text_of
from tests.payments.receipt_cast import paid, path_of, show, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def refund(payment: Payment, amount_minor: int, reason: str = "The cable was broken") -> CreditNote:
    decisions.refund(payment.pk, amount_minor, actor="anna", reason=reason, now=timezone.now())
    return CreditNote.objects.filter(payment=payment).latest("pk")


def acknowledged(payment: Payment) -> Payment:
    decisions.acknowledge_refund(payment.pk, now=timezone.now())
    return Payment.objects.get(pk=payment.pk)


def test_the_receipts_page_leads_to_each_credit_note() -> None:
    payment = paid()
    assert "Credit notes" not in text(show(payment))
    first = refund(payment, 300)
    acknowledged(payment)
    second = refund(payment, 200)

    body = text(show(payment))

    assert f'{first.full_number}</a> <span class="amount">−3.00 €' in body
    assert f'{second.full_number}</a> <span class="amount">−2.00 €' in body
    links = re.findall(r'href="(/r/[^"]+/credit/\d)\?lang=en"', show(payment).content.decode())
    assert [Client().get(link).status_code for link in links] == [200, 200]
    assert second.full_number in text(Client().get(links[1]))


def test_the_receipt_itself_stays_and_says_what_went_back() -> None:
    payment = paid()
    before = Receipt.objects.get(payment=payment)
    refund(payment, 300)
    assert "A refund of 3.00 € is on its way." in text(show(payment))
    assert "Refund on its way</dt><dd>3.00 €" in text(show(payment))

    payment = acknowledged(payment)

    body = text(show(payment))
    assert "10.00 € was charged to your card. 3.00 € was refunded." in body
    assert "Refunded</dt><dd>3.00 €" in body
    after = Receipt.objects.get(payment=payment)
    assert (after.document, after.full_number) == (before.document, before.full_number)
    assert "3.00 € was refunded." in text_of(Client().get(path_of(payment) + ".pdf").content).replace(
        "\u00a0", " "
    )


@pytest.mark.parametrize("language", list(WORDS))
def test_the_page_says_in_every_language_what_is_corrected_and_why(language: str) -> None:
    payment, words = paid(), WORDS[language]
    receipt = Receipt.objects.get(payment=payment)
    refund(payment, 300)

    body = text(Client().get(f"{path_of(payment)}/credit/1?lang={language}"))

    comma = words.decimal_point
    for fact in (
        words.credit_note,
        f"{words.corrects}</dt><dd>{receipt.full_number}",
        f"{words.reason}</dt><dd>The cable was broken",
        words.lines["REFUND"],
        f"−3{comma}00 €",
        words.goes_back.format(f"3{comma}00 €"),
        words.download_credit_note,
        "VISA •••• 4242",
    ):
        assert fact in body, fact


@pytest.mark.parametrize("language", list(WORDS))
def test_the_pdf_says_the_same(language: str) -> None:
    payment = paid()
    note = refund(payment, 300)

    response = Client().get(f"{path_of(payment)}/credit/1.pdf?lang={language}")

    read = text_of(response.content).replace("\u00a0", " ")
    assert response["Content-Disposition"] == f'inline; filename="credit-note-{note.full_number}.pdf"'
    for fact in (WORDS[language].credit_note, note.full_number, "Demo CPO", "25", "The cable was broken"):
        assert fact in read


def test_the_pdf_is_rendered_once_in_the_drivers_own_language() -> None:
    payment = paid()
    note = refund(payment, 300)
    path = f"{path_of(payment)}/credit/1.pdf"

    finnish = Client().get(f"{path}?lang=fi").content
    assert CreditNote.objects.get(pk=note.pk).pdf is None
    english = Client().get(f"{path}?lang=en").content

    assert bytes(CreditNote.objects.get(pk=note.pk).pdf or b"") == english != finnish
    assert Client().get(f"{path}?lang=en").content == english


def test_lines_and_vat_of_all_credit_notes_undo_the_receipt_to_the_cent() -> None:
    payment = paid()
    for part in (333, 333, 334):
        refund(payment, part)
        acknowledged(payment)

    notes = [note.document for note in CreditNote.objects.filter(payment=payment)]

    receipt = Receipt.objects.get(payment=payment).document
    for name in ("total_incl_minor", "total_excl_minor", "total_vat_minor"):
        assert sum(note[name] for note in notes) == -receipt[name]
    for note in notes:
        assert sum(line["incl_minor"] for line in note["lines"]) == note["total_incl_minor"]


@pytest.mark.parametrize("path", ["/credit/2", "/credit/2.pdf", "/credit/0", "/credit/x", "/credit/"])
def test_what_is_no_credit_note_is_not_found(path: str) -> None:
    payment = paid()
    refund(payment, 300)

    assert Client().get(path_of(payment) + path).status_code == 404


def test_the_link_of_one_session_opens_no_credit_note_of_another() -> None:
    refund(paid(), 300)
    other = paid()

    response = Client().get(f"{path_of(other)}/credit/1")

    assert response.status_code == 404
    assert response["Cache-Control"] == "no-store"
    assert Client().get("/r/nothing/credit/1").status_code == 404


def test_hostile_reasons_are_text() -> None:
    payment = paid()
    refund(payment, 300, reason="<svg/onload=alert(1)>")

    body = Client().get(f"{path_of(payment)}/credit/1").content.decode()

    assert "<svg/onload" not in body
    assert Client().get(f"{path_of(payment)}/credit/1.pdf").status_code == 200


class TestWhetherPricesIncludeVat:
    def test_it_is_frozen_on_the_receipt(self) -> None:
        payment = paid()

        assert Receipt.objects.get(payment=payment).document["tax_included"] == "YES"
        assert "0.50 €/kWh incl. VAT" in text(show(payment))

    def test_a_later_change_of_the_session_does_not_change_the_receipt(self) -> None:
        payment = paid()
        session = payment.session
        assert session is not None
        session.tariff_snapshot["tax_included"] = "NO"
        session.save(update_fields=["tariff_snapshot"])

        assert "0.50 €/kWh incl. VAT" in text(show(payment))

    def test_an_earlier_receipt_that_does_not_say_it_follows_the_frozen_tariff(self) -> None:
        payment = paid()
        receipt = Receipt.objects.get(payment=payment)
        older = {name: value for name, value in receipt.document.items() if name != "tax_included"}
        with pytest.raises(IntegrityError), transaction.atomic():
            Receipt.objects.filter(pk=receipt.pk).update(document=older)
        receipt.document = older

        from payments.receipts.paper import paper_of

        assert "incl. VAT" in paper_of(receipt, [], language="en").rows[0].detail


def test_a_page_without_refunds_asks_nothing_more(django_assert_num_queries) -> None:
    with_refund, without = paid(builders.cast()), paid(builders.cast())
    refund(with_refund, 100)
    show(without)

    with django_assert_num_queries(3):
        show(without)
    with django_assert_num_queries(4):
        show(with_refund)
