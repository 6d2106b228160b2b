"""One payment: its amounts, how it stands and why, what can be decided about it, and its whole story."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from emabler.portal.money import words
from emabler.portal.money.review import item_row
from emabler.portal.money.settlements import card_of, place_of
from emabler.portal.money.story import clock, story_of
from emabler.portal.session_page import Moment
from emabler.portal.words import Sign
from emabler.portal.words import payment as payment_sign
from emabler.portal.words import review as review_text
from payments.models import CreditNote, Payment, Receipt, RefundRequest
from payments.receipts.tokens import token_for
from payments.reconciliation import inbox, refunds
from payments.reconciliation.books import position_of
from payments.reconciliation.evidence import NONE, Evidence
from payments.reconciliation.inbox import Item, Kind
from payments.states import WAITING
from sessions_app.models import CDR
from tariffs.engine.money import to_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """An amount with its name."""

    name: str
    amount: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDo:
    """What waits, why, and the one act that most likely ends it."""

    item: Item
    why: str
    label: str
    help: str
    act: str
    needs_reason: bool
    close_label: str
    asked: str = ""  # by whom, where a second person must agree
    own: bool = False  # whoever looks asked for it
    asks_amount: bool = False  # nobody but a person can say it


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A refund that waits for a second person."""

    pk: int
    amount: str
    reason: str
    who: str
    when: str
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A numbered document."""

    number: str
    amount: str
    issued: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPage:
    """All that the page shows."""

    payment: Payment
    sign: Sign
    review: str
    standing: Sign | None
    means: str
    differences: list[str]
    place: str
    card: str
    tallies: list[Tally]
    todos: list[ToDo]
    asked: Asked | None
    cdr: CDR | None
    receipt: Document | None
    credit_notes: list[Document]
    receipt_token: str
    moments: list[Moment]
    may_refund: bool
    may_write_off: bool
    open_amount: str
    owed_amount: str
    evidence: Evidence
    alone_up_to: str


def find_payment(payment_id: uuid.UUID) -> Payment:
    """Return a payment with what its page reads. Raises Payment.DoesNotExist."""
    rows = Payment.objects.select_related("session__evse__site", "session__connector", "ptp", "terminal")
    return rows.get(pk=payment_id)


def payment_page(payment: Payment, *, user: Any, now: datetime) -> PaymentPage:
    """Read one payment. A fixed number of queries, some thirty."""
    position = position_of(payment, now=now)
    receipt = Receipt.objects.filter(payment=payment).defer("pdf").first()
    asked = inbox.asked_refunds().filter(payment=payment).first()
    differences = position.verdict.differences if position else ()
    todos = _todos(payment, user, now)
    return PaymentPage(
        payment=payment,
        sign=payment_sign(payment.state),
        review=review_text(payment.review),
        standing=words.STANDING[position.standing] if position else None,
        means=words.MEANS[position.standing] if position else "",
        differences=[words.difference(each, payment.currency) for each in differences],
        place=place_of(payment),
        card=card_of(payment),
        tallies=_tallies(payment, position.paid_minor if position else None),
        todos=todos,
        asked=_asked(asked, user) if asked else None,
        cdr=CDR.objects.filter(session=payment.session, credit_of=None).first(),
        receipt=_document(receipt) if receipt else None,
        credit_notes=[_document(note, note.reason) for note in refunds.notes_of(payment)],
        receipt_token=token_for(payment.session_id) if payment.session_id else "",
        moments=story_of(payment, now=now),
        may_refund=refunds.may_refund(payment) and asked is None,
        may_write_off=inbox.may_write_off(payment),
        open_amount=words.money(payment.open_minor, payment.currency),
        owed_amount=_owed(payment),
        evidence=next((todo.item.evidence for todo in todos if todo.item.kind is Kind.PAYMENT), NONE),
        alone_up_to=_alone_up_to(payment),
    )


def _tallies(payment: Payment, paid_minor: int | None) -> list[Tally]:
    def tally(name: str, minor: int, note: str = "") -> Tally:
        return Tally(name=name, amount=words.money(minor, payment.currency), note=note)

    on_its_way = words.money(payment.refunding_minor, payment.currency)
    found = [
        tally("Held", payment.authorized_minor),
        tally("Due", payment.due_minor),
        tally("Captured", payment.captured_minor),
        tally("Open", payment.open_minor),
        tally("Written off", payment.written_off_minor),
        tally(
            "Refunded",
            payment.refunded_minor,
            f"and {on_its_way} on its way" if payment.refunding_minor else "",
        ),
    ]
    if payment.excess_minor:
        back = words.money(payment.excess_returned_minor, payment.currency)
        found.append(tally("Taken too much", payment.excess_minor, f"{back} of it is back"))
    return found if paid_minor is None else [*found, tally("In settlement files", paid_minor)]


def _owed(payment: Payment) -> str:
    """Return what the PTP must still give back, empty where nothing."""
    minor = payment.account.owed_minor
    return words.money(minor, payment.currency) if minor else ""


def _todos(payment: Payment, user: Any, now: datetime) -> list[ToDo]:
    """Return what waits about this payment: its own flag, its session's doubt, messages that were given up."""
    items = [inbox.find_item(Kind.PAYMENT, str(payment.pk))] if payment.review else []
    if payment.session is not None and payment.session.needs_review and not payment.review:
        items.append(inbox.find_item(Kind.SESSION, str(payment.session_id)))
    items += inbox.messages_about(payment)
    return [_todo(item, user, now) for item in items if item is not None]


def _todo(item: Item, user: Any, now: datetime) -> ToDo:
    row, found = item_row(item, now), item.evidence
    comes_back = item.kind is Kind.PAYMENT and item.payment is not None and item.payment.state in WAITING
    return ToDo(
        item=item,
        why=row.why,
        label=row.label,
        help=words.HELP[item.act],
        act=item.act.value,
        needs_reason=item.act in inbox.NEEDS_REASON,
        close_label="Put it off" if comes_back else "Close it instead",
        asked=words.asked(item) if item.act is inbox.Act.ACCEPT else "",
        own=found.asked is not None and found.asked.user_id == user.pk,
        asks_amount=item.act is inbox.Act.ACCEPT and found.amount_minor is None,
    )


def _asked(request: RefundRequest, user: Any) -> Asked:
    return Asked(
        pk=request.pk,
        amount=words.money(request.amount_minor, request.payment.currency),
        reason=request.reason,
        who=request.asked_by.get_username(),
        when=clock(request.asked_at, "UTC"),
        own=request.asked_by_id == user.pk,
    )


def _document(document: Receipt | CreditNote, note: str = "") -> Document:
    printed = document.document
    return Document(
        number=document.full_number,
        amount=words.money(printed["total_incl_minor"], printed["currency"]),
        issued=clock(document.issued_at, printed["time_zone"]),
        note=note,
    )


def _alone_up_to(payment: Payment) -> str:
    """Return what one person may still let go back."""
    limit_minor = to_minor(settings.REFUND_SECOND_PERSON_ABOVE, payment.currency)
    left = max(0, limit_minor - payment.refunded_minor - payment.refunding_minor)
    return words.money(left, payment.currency)
