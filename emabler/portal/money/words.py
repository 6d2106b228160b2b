"""Plain words for how payments stand, why something waits for a person, and what that person can do."""

from collections.abc import Callable
from typing import Any, Final

from emabler.portal.ocpi.words import topic
from emabler.portal.overview import LANGUAGE
from emabler.portal.words import Sign
from payments.models import Decision, Payment
from payments.receipts import formats
from payments.reconciliation.evidence import Evidence, Source
from payments.reconciliation.inbox import Act, Item, Kind
from payments.reconciliation.match import Ageing, Difference, Standing
from payments.states import PaymentState, Review

STANDING: Final[dict[Standing, Sign]] = {
    Standing.MATCHED: Sign("Matched", "good"),
    Standing.OPEN: Sign("Open", "wait"),
    Standing.PARTIAL: Sign("Partial", "bad"),
    Standing.FAILED: Sign("Failed", "bad"),
    Standing.OVERDUE: Sign("Overdue", "bad"),
    Standing.DIFFERS: Sign("Differs", "bad"),
    Standing.ORPHAN: Sign("Orphan", "bad"),
}
MEANS: Final[dict[Standing, str]] = {
    Standing.MATCHED: "CDR, confirmation and settlement file agree; nothing is open.",
    Standing.OPEN: "The PTP has yet to answer, and still has time.",
    Standing.PARTIAL: "Less was captured than is due.",
    Standing.FAILED: "Nothing was captured.",
    Standing.OVERDUE: "The PTP should have answered by now.",
    Standing.DIFFERS: "CDR, confirmation, file or our books name different amounts.",
    Standing.ORPHAN: "The PTP names a payment that we do not know.",
}
AGES: Final = {age: str(age) for age in Ageing}
KINDS: Final[dict[Kind, str]] = {
    Kind.PAYMENT: "Payments",
    Kind.SESSION: "Sessions",
    Kind.CONFIRMATION: "Unknown confirmations",
    Kind.LINE: "Unknown lines of files",
    Kind.MESSAGE: "Messages given up",
    Kind.REFUND: "Refunds to approve",
}
DECISIONS: Final[dict[str, str]] = {
    Decision.Act.SENT_AGAIN: "Told the PTP again",
    Decision.Act.ACCEPT_ASKED: "What was captured waits for a second person",
    Decision.Act.MATCHED: "Matched by hand",
    Decision.Act.CLOSED: "Closed: no payment of ours",
    Decision.Act.REFUND_ASKED: "Refund asked for, waits for a second person",
    Decision.Act.REFUND_DECLINED: "Refund declined",
    Decision.Act.REFUND_WITHDRAWN: "Refund taken back",
    Decision.Act.FILE_IMPORTED: "Settlement file imported",
    Decision.Act.FILE_WITHDRAWN: "Settlement file withdrawn",
    Decision.Act.FORMAT_CHANGED: "Columns of settlement files changed",
}


def money(minor: int, currency: str) -> str:
    """Return an amount as staff read it."""
    return formats.money(minor, currency, LANGUAGE)


def difference(found: Difference, currency: str) -> str:
    """Return in a sentence what two sources do not agree about."""
    if found.what == "currency":
        amount = money(found.found_minor, found.found_currency)
        return f"The {found.found_by} is in another currency: {amount}."
    expected, other = money(found.expected_minor, currency), money(found.found_minor, currency)
    return f"{found.what.capitalize()}: {expected} ({found.expected_by}), {other} ({found.found_by})."


# --- Why it waits ---------------------------------------------------------------------------------

Sentence = Callable[[Payment, str], str]  # of a payment, with its PTP's name


def _told(what: str) -> Sentence:
    return lambda payment, ptp: f"{ptp} is to {what.format(**_amounts(payment))} and has not answered."


def _said(text: str) -> Sentence:
    return lambda payment, ptp: text.format(ptp=ptp, **_amounts(payment))


def _amounts(payment: Payment) -> dict[str, str]:
    minors = {
        "held": payment.authorized_minor,
        "due": payment.due_minor,
        "captured": payment.captured_minor,
        "open": payment.open_minor,
        "refunding": payment.refunding_minor,
        "owed": payment.account.owed_minor,
    }
    return {name: money(minor, payment.currency) for name, minor in minors.items()}


def _unsettled(payment: Payment) -> str:
    if payment.session is not None and payment.session.is_over:
        return (
            "{held} is held, and the session that is over could not be billed: a fault of ours, see the log."
        )
    return "{held} has been held for days and the session has not ended."


REVIEW: Final[dict[Review, Sentence]] = {
    Review.UNCONFIRMED: _told("capture {due}"),
    Review.UNRELEASED: _told("release the hold of {held}"),
    Review.UNREFUNDED: _told("give back {refunding}"),
    Review.UNSETTLED: lambda payment, ptp: _said(_unsettled(payment))(payment, ptp),
    Review.AMOUNT_DIFFERS: _said("{ptp} confirmed another amount than the {due} that is due."),
    Review.CURRENCY_DIFFERS: _said("{ptp} confirmed in another currency; {due} is due."),
    Review.CAPTURED_AFTER_RELEASE: _said("{ptp} captured something of a hold that was to be released."),
    Review.CONFIRMED_TWICE: _said("{ptp} confirmed again after {captured} was captured: was it taken twice?"),
    Review.METER_DOUBT: _said("The charger's figures do not add up; {due} was billed."),
    Review.CAPTURE_FAILED: _said("{ptp} could not capture the {due}: all of it is open."),
    Review.CAPTURED_LESS: _said("{ptp} captured {captured} of {due}: {open} is open."),
    Review.CAPTURED_MORE: _said("{ptp} took {owed} more than we may keep and must give it back."),
    Review.FILE_DIFFERS: _said(
        "Settlement files of {ptp} name another amount than the {captured} we booked."
    ),
    Review.CDR_REFUSED: _said("{ptp} does not take the CDR over {due}."),
    Review.LATE_STOP_DIFFERS: _said("The charger told another end after {due} was billed."),
}


def why(item: Item) -> str:
    """Return in plain words what happened."""
    return _WHY[item.kind](item)


def _payment_why(item: Item) -> str:
    assert item.payment is not None
    return REVIEW[Review(item.payment.review)](item.payment, item.payment.ptp.name)


def _orphan_why(item: Item) -> str:
    row, amount = item.row, money(item.row.amount_minor, item.row.currency)
    if item.kind is Kind.LINE:
        return f"A settlement file of {row.file.ptp.name} names {row.reference} with {amount}; we do not know it."
    name = row.authorization_reference or "nothing"
    return f"{row.ptp.name} says {row.status} with {amount} for {name}; we do not know that hold."


def _message_why(item: Item) -> str:
    error = item.row.last_error or "no answer"
    return f"{item.row.ptp.name} was not told: {topic(item.row.topic)}. Given up after {error}."


def _refund_why(item: Item) -> str:
    amount = money(item.row.amount_minor, item.row.payment.currency)
    return f"{item.row.asked_by.get_username()} wants to give back {amount}: {item.row.reason}"


_WHY: Final[dict[Kind, Callable[[Item], str]]] = {
    Kind.PAYMENT: _payment_why,
    Kind.SESSION: lambda item: f"The session is in doubt: {item.row.needs_review}.",
    Kind.CONFIRMATION: _orphan_why,
    Kind.LINE: _orphan_why,
    Kind.MESSAGE: _message_why,
    Kind.REFUND: _refund_why,
}


# --- What can be done -----------------------------------------------------------------------------


def act_label(item: Item) -> str:
    """Return what the button of an item says."""
    if item.act is Act.TELL_AGAIN and item.payment is not None:
        return _TELL_AGAIN[PaymentState(item.payment.state)]
    if item.act is Act.WRITE_OFF and item.payment is not None:
        return f"Write off {money(item.payment.open_minor, item.payment.currency)}"
    if item.act is Act.ACCEPT and item.payment is not None:
        return _accept_label(item.evidence, item.payment.currency)
    if item.act is Act.RETURNED and item.payment is not None:
        return f"{money(item.payment.account.owed_minor, item.payment.currency)} are back"
    return _LABELS[item.act]


def _accept_label(found: Evidence, currency: str) -> str:
    """Return what accepting does; an amount that a person must enter is not on the button."""
    if found.amount_minor is None:
        return "Enter what was captured"
    amount = money(found.amount_minor, currency)
    if found.source is Source.FILE:
        return f"Book {amount} from the settlement file"
    return f"Accept the {amount} that were confirmed"


def asked(item: Item) -> str:
    """Return who wants to accept what, where a second person must agree; else empty."""
    wish = item.evidence.asked
    if wish is None or item.payment is None:
        return ""
    amount = money(wish.amount_minor, item.payment.currency)
    return f"{wish.who} says that {amount} were captured: {wish.reason}"


_TELL_AGAIN: Final = {
    PaymentState.CAPTURING: "Tell the capture again",
    PaymentState.RELEASING: "Tell the release again",
    PaymentState.REFUNDING: "Tell the refund again",
}
_LABELS: Final[dict[Act, str]] = {
    Act.TELL_AGAIN: "Tell the PTP again",
    Act.SEND_MESSAGE: "Send again",
    Act.WRITE_OFF: "Write off",
    Act.MATCH: "Match by hand",
    Act.ACCEPT: "Accept what was captured",
    Act.RETURNED: "It is back",
    Act.RELEASED: "The hold is gone",
    Act.REFUNDED: "It has gone back",
    Act.CLOSE: "Close with a reason",
    Act.END_SESSION: "End in the books",
    Act.SETTLE: "Try again",
    Act.DECIDE: "Approve or decline",
}
HELP: Final[dict[Act, str]] = {
    Act.TELL_AGAIN: "The PTP knows it by its id, so being told twice does no harm.",
    Act.SEND_MESSAGE: "It goes out with its newest content.",
    Act.WRITE_OFF: "The open amount is given up for good; nothing more is asked of the driver.",
    Act.MATCH: "Choose the payment that it is of.",
    Act.ACCEPT: (
        "It is booked as captured in all, before refunds. What is missing stays open, to be written off; what is"
        " too much is no part of the charge, and the PTP must give it back."
    ),
    Act.RETURNED: "Ask the PTP to give it back to the card. Once it did, say how you know.",
    Act.RELEASED: "The PTP does not say so by itself. Ask it, and say what it answered.",
    Act.REFUNDED: "The PTP does not say so by itself. Ask it, and say what it answered.",
    Act.CLOSE: "Nothing moves. Look at the story, talk to the PTP if need be, and say what you found.",
    Act.END_SESSION: "The session ends at its last plausible meter value and is billed. The charger is asked nothing.",
    Act.SETTLE: "It is tried again by itself, too. Nothing is captured until it can be billed.",
    Act.DECIDE: "Someone else than the one who asked decides.",
}


def details(data: dict[str, Any], currency: str) -> list[tuple[str, str]]:
    """Return what a journal line carries, amounts as amounts."""
    found = []
    for name, value in data.items():
        if value in ("", None):
            continue
        if name.endswith("_minor") and isinstance(value, int):
            name, value = name.removesuffix("_minor"), money(value, currency)
        found.append((name.replace("_", " "), str(value)))
    return found
