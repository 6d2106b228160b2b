"""The receipt as rows of text in one language: what the page shows and the PDF prints.

Everything that was sold comes from the frozen document; the payment rows beside it tell what was captured,
released or refunded since, and bring the card's EFT data.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from payments.models import Confirmation, Payment, Receipt
from payments.receipts import formats
from payments.receipts.languages import WORDS
from payments.receipts.page import Fact, money_text
from payments.receipts.words import Words
from payments.states import PaymentState
from tariffs.engine.cost import LineKind

_TIMES = (LineKind.TIME, LineKind.PARKING_TIME)
_PER_UNIT = {LineKind.ENERGY: "/kWh", LineKind.TIME: "/h", LineKind.PARKING_TIME: "/h", LineKind.FLAT: ""}
_HELD_ONLY = (PaymentState.AUTHORIZED, PaymentState.CAPTURING, PaymentState.RELEASING)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the bill; `detail` is quantity and unit price."""

    text: str
    detail: str
    rate: str
    net: str
    vat: str
    gross: str


@dataclass(frozen=True, slots=True)
class Group:
    """Net, VAT and gross of one rate."""

    rate: str
    net: str
    vat: str
    gross: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A receipt or a credit note, written out."""

    title: str
    number: str
    issued: str
    seller: list[str]
    facts: list[Fact]
    rows: list[Row]
    groups: list[Group]
    net: str
    vat: str
    total: str
    payment: list[Fact]
    money: str
    card_lines: list[str]
    support: str


def paper_of(receipt: Receipt, confirmations: list[Confirmation], *, language: str) -> Paper:
    """Return a receipt in one language; read it with `payment__session` and `payment__terminal`."""
    words, document, payment = WORDS[language], receipt.document, receipt.payment
    currency = document["currency"]

    def money(minor: int) -> str:
        return formats.money(minor, currency, language)

    return Paper(
        title=words.receipt,
        number=receipt.full_number,
        issued=formats.moment(receipt.issued_at, document["time_zone"], language),
        seller=seller_lines(document["seller"], words),
        facts=_facts(document, language),
        rows=[
            _row(line, currency, language, suffix=_suffix(document, payment, words))
            for line in document["lines"]
        ],
        groups=groups_of(document, language),
        net=money(document["total_excl_minor"]),
        vat=money(document["total_vat_minor"]),
        total=money(document["total_incl_minor"]),
        payment=_payment(payment, language),
        money=money_text(payment, language),
        card_lines=_card_lines(confirmations),
        support=document["seller"].get("support", ""),
    )


def seller_lines(seller: dict[str, str], words: Words) -> list[str]:
    """Return who sold it."""
    vat_id = f"{words.vat_id} {seller['vat_id']}" if seller.get("vat_id") else ""
    lines = [seller.get("name", ""), seller.get("address", ""), vat_id]
    return [line for line in lines if line]


def place_facts(document: dict[str, Any], language: str) -> list[Fact]:
    """Return where and when it was charged."""
    words, zone = WORDS[language], document["time_zone"]
    site = document["site"]
    place = ", ".join(
        part
        for part in (site["name"], site["address"], f"{site['postal_code']} {site['city']}".strip())
        if part
    )
    return [
        Fact(words.place, place),
        Fact(words.charger, f"{document['evse']} ({connector_name(document['connector'])})"),
        Fact(words.started, _moment(document["started_at"], zone, language)),
        Fact(words.ended, _moment(document["ended_at"], zone, language)),
    ]


def _facts(document: dict[str, Any], language: str) -> list[Fact]:
    words = WORDS[language]
    facts = [
        *place_facts(document, language),
        Fact(words.duration, formats.exact_duration(document["duration_seconds"])),
        Fact(words.energy, formats.energy(document["energy_wh"], language, digits=3)),
    ]
    if document["meter_start_wh"] is not None and document["meter_stop_wh"] is not None:
        readings = (document["meter_start_wh"], document["meter_stop_wh"])
        text = " – ".join(formats.energy(reading, language, digits=3) for reading in readings)
        facts.append(Fact(words.meter, text))
    if reason := words.stop_reasons.get(document["stop_reason"], ""):
        facts.append(Fact(words.stopped_because, reason))
    return facts


_CONNECTORS = {
    "IEC_62196_T1": "Type 1",
    "IEC_62196_T2": "Type 2",
    "IEC_62196_T1_COMBO": "CCS 1",
    "IEC_62196_T2_COMBO": "CCS",
    "CHADEMO": "CHAdeMO",
}


def connector_name(standard: str) -> str:
    """Return what drivers call a connector (OCPI ConnectorType)."""
    return _CONNECTORS.get(standard, standard)


def _moment(text: str, zone: str, language: str) -> str:
    return formats.moment(datetime.fromisoformat(text), zone, language)


def _suffix(document: dict[str, Any], payment: Payment, words: Words) -> str:
    """Return whether the unit prices include VAT (OCPI 2.3.0 mod_tariffs, TaxIncluded)."""
    if "tax_included" in document:
        included = document["tax_included"]
    else:  # earlier receipts do not say it; the tariff of their session is frozen as well
        included = (
            payment.session.tariff_snapshot.get("tax_included") if payment.session is not None else None
        )
    return {"YES": words.gross_price, "NO": words.net_price}.get(str(included), "")


def _row(line: dict[str, Any], currency: str, language: str, *, suffix: str) -> Row:
    kind = LineKind(line["dimension"])
    return Row(
        text=WORDS[language].lines[kind],
        detail=_detail(line, kind, currency, language, suffix=suffix),
        rate=""
        if kind in (LineKind.ADJUSTMENT, LineKind.WRITE_OFF)
        else formats.percent(line["vat"], language),
        net=formats.money(line["excl_minor"], currency, language),
        vat=formats.money(line["incl_minor"] - line["excl_minor"], currency, language),
        gross=formats.money(line["incl_minor"], currency, language),
    )


def _detail(line: dict[str, Any], kind: LineKind, currency: str, language: str, *, suffix: str) -> str:
    if line["price"] is None:
        return ""
    volume = Decimal(line["volume"])
    if kind in _TIMES:
        quantity = formats.exact_duration(round(volume * 3600))
    elif kind is LineKind.ENERGY:
        quantity = f"{formats.number(volume, language, digits=3)}\u00a0kWh"
    else:
        quantity = "1"
    price = formats.price(Decimal(line["price"]), currency, language)
    return f"{quantity} × {price}{_PER_UNIT[kind]} {suffix}".strip()


def groups_of(document: dict[str, Any], language: str) -> list[Group]:
    """Return net, VAT and gross of every rate."""
    return [_group(group, document["currency"], language) for group in document["vat_groups"]]


def _group(group: dict[str, Any], currency: str, language: str) -> Group:
    return Group(
        rate=formats.percent(group["rate"], language),
        net=formats.money(group["net_minor"], currency, language),
        vat=formats.money(group["vat_minor"], currency, language),
        gross=formats.money(group["gross_minor"], currency, language),
    )


def _payment(payment: Payment, language: str) -> list[Fact]:
    """Return what happened to the hold, as far as the PTP told us."""
    words = WORDS[language]

    def money(minor: int) -> str:
        return formats.money(minor, payment.currency, language)

    facts = [Fact(words.card, card_text(payment))] if card_text(payment) else []
    facts.append(Fact(words.held, money(payment.authorized_minor)))
    if payment.state not in _HELD_ONLY:
        taken_minor = payment.captured_minor + payment.account.owed_minor
        facts.append(Fact(words.charged, money(taken_minor)))
        facts.append(Fact(words.released, money(max(0, payment.authorized_minor - taken_minor))))
    if payment.state in (PaymentState.PARTIALLY_CAPTURED, PaymentState.CAPTURE_FAILED):
        facts.append(Fact(words.still_open, money(payment.open_minor)))
    if payment.refunding_minor:
        facts.append(Fact(words.refund_due, money(payment.refunding_minor)))
    if payment.refunded_minor:
        facts.append(Fact(words.refunded, money(payment.refunded_minor)))
    if payment.terminal is not None:
        facts.append(Fact(words.terminal, payment.terminal.terminal_id))
    facts.append(Fact(words.reference, payment.authorization_reference))
    return facts


def card_text(payment: Payment) -> str:
    """Return brand and last four digits, all that is ever known of a card here."""
    last4 = f"•••• {payment.card_last4}" if payment.card_last4 else ""
    return " ".join(part for part in (payment.card_scheme, last4) if part)


def _card_lines(confirmations: list[Confirmation]) -> list[str]:
    """Return the EFT data of the newest confirmation that has any (OCPI 2.3.0 payments, eft_data)."""
    for confirmation in reversed(confirmations):
        if confirmation.eft_data:
            return [str(line) for line in confirmation.eft_data]
    return []
