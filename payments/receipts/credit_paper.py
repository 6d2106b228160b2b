"""A credit note as rows of text in one language; all of it comes from the frozen document."""

from typing import Any

from payments.models import CreditNote
from payments.receipts import formats
from payments.receipts.languages import WORDS
from payments.receipts.page import Fact
from payments.receipts.paper import Paper, Row, card_text, groups_of, place_facts, seller_lines
from payments.receipts.words import Words


def credit_paper_of(note: CreditNote, *, language: str) -> Paper:
    """Return a credit note in one language; read it with `payment`."""
    words, document, payment = WORDS[language], note.document, note.payment
    currency = document["currency"]

    def money(minor: int) -> str:
        return formats.money(minor, currency, language)

    card = [Fact(words.card, card_text(payment))] if card_text(payment) else []
    return Paper(
        title=words.credit_note,
        number=note.full_number,
        issued=formats.moment(note.issued_at, document["time_zone"], language),
        seller=seller_lines(document["seller"], words),
        facts=_facts(document, words, language),
        rows=[_row(line, currency, words, language) for line in document["lines"]],
        groups=groups_of(document, language),
        net=money(document["total_excl_minor"]),
        vat=money(document["total_vat_minor"]),
        total=money(document["total_incl_minor"]),
        payment=[*card, Fact(words.reference, document["authorization_reference"])],
        money=words.goes_back.format(money(-document["total_incl_minor"])),
        card_lines=[],
        support=document["seller"].get("support", ""),
    )


def _facts(document: dict[str, Any], words: Words, language: str) -> list[Fact]:
    reason = [Fact(words.reason, document["reason"])] if document["reason"] else []
    return [Fact(words.corrects, document["corrects"]), *reason, *place_facts(document, language)]


def _row(line: dict[str, Any], currency: str, words: Words, language: str) -> Row:
    """One line per VAT rate: how much of it goes back."""
    return Row(
        text=words.lines["REFUND"],
        detail="",
        rate=formats.percent(line["vat"], language),
        net=formats.money(line["excl_minor"], currency, language),
        vat=formats.money(line["incl_minor"] - line["excl_minor"], currency, language),
        gross=formats.money(line["incl_minor"], currency, language),
    )
