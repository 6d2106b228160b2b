"""What must hold of one payment, once everything is calm: rows against the charger's log and the card.

Imported once Django is set up.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from chargers.facts import CommandAction
from chargers.models import Command
from payments.models import Payment, Receipt, ReceiptCounter
from payments.states import LEGAL as LEGAL_PAYMENTS
from payments.states import PaymentState, Review
from sessions_app.models import CDR, Session
from sessions_app.states import FINAL, LEGAL, NEVER_STARTED, STOP_ATTEMPTS_BEFORE_REVIEW
from tests.campaigns.witnesses import Card, Delivered

NOTHING_WH = 10  # below, nothing is charged (ZERO_ENERGY_THRESHOLD_WH)
WORTH_MONEY_WH = 50  # above, they cost more than a cent
LATE = "the charger started after the session was over"
LATE_STOP = "LateStop"


def check_payment(
    payment: Payment,
    session: Session,
    *,
    log: Delivered | None,
    card: Card,
    starts: Mapping[str, int],
    late_stops: bool = False,
) -> Iterator[str]:
    """Say what is wrong with it; `starts` counts remote starts by id tag, `log` is None where nothing began.

    With `late_stops` hours pass in moments, so that a session may be billed before its charger told its end.
    """
    cdrs = list(CDR.objects.filter(session=session))
    yield from _check_commands(session, starts)
    yield from _check_journals(payment, session)
    late = late_stops and session.events.filter(kind=LATE_STOP).exists()
    yield from _check_energy(session, log, cdrs, late=late)
    yield from _check_bills(session, cdrs)
    yield from _check_money(payment, cdrs, card)
    missing_wh = (log.energy_wh or 0) - sum(cdr.energy_wh for cdr in cdrs) if late and log else 0
    yield from _check_reviews(payment, session, log, missing_wh)


def check_numbers() -> Iterator[str]:
    """Receipts are numbered without a gap, each number once."""
    for counter in ReceiptCounter.objects.all():
        numbers = Receipt.objects.filter(seller=counter.seller, year=counter.year).order_by("number")
        listed = list(numbers.values_list("number", flat=True))
        if listed != list(range(1, counter.last_number + 1)):
            yield f"receipt numbers have a gap or a twin: {len(listed)} receipts, counter {counter.last_number}"


def _check_commands(session: Session, starts: Mapping[str, int]) -> Iterator[str]:
    if starts.get(session.id_tag, 0) > 1:
        yield f"the charger was told to start {starts[session.id_tag]} times (I9)"
    if Command.objects.filter(action=CommandAction.START, reference=str(session.pk)).count() > 1:
        yield "two start commands for one session (I9)"


def _check_journals(payment: Payment, session: Session) -> Iterator[str]:
    for name, row, legal in (("session", session, LEGAL), ("payment", payment, LEGAL_PAYMENTS)):
        lines = list(row.events.order_by("number"))
        if [line.number for line in lines] != list(range(1, row.event_count + 1)):
            yield f"the {name}'s journal has a gap or a twin"
        if not lines or lines[-1].state_after != row.state:
            yield f"the {name}'s journal does not lead to its state {row.state}"
        for before, after in pairwise(lines):
            if after.state_before != before.state_after:
                yield f"the {name}'s journal jumps from {before.state_after} to {after.state_before}"
        for line in lines[1:]:
            moved = line.state_before != line.state_after
            # The start's answer may be told by the transaction itself: two moves in one line.
            if (
                moved
                and line.kind != "TransactionOpened"
                and line.state_after not in legal[line.state_before]
            ):
                yield f"the {name} moved from {line.state_before} to {line.state_after}"


def _check_energy(
    session: Session, log: Delivered | None, cdrs: Sequence[CDR], *, late: bool
) -> Iterator[str]:
    """Billed is what the charger says that it delivered; what came too late is flagged, and billed to nobody.

    `late`: the session was billed without its charger's end, by what was known; never by more.
    """
    energy_wh = (log.energy_wh or 0) if log is not None else 0
    if session.state not in FINAL:
        yield f"the session is still {session.state}"
    elif session.state in NEVER_STARTED:
        if cdrs:
            yield f"a CDR for a session that is {session.state}"
        if log is not None and log.accepted:
            yield f"{session.state}, but the charger was allowed to charge {energy_wh} Wh"
        if energy_wh >= NOTHING_WH and not session.needs_review:
            yield f"{session.state}, {energy_wh} Wh delivered, and nobody is told"
    elif log is None:
        yield "a session ended that its charger never began"
    elif len(cdrs) > 1:
        yield f"{len(cdrs)} CDRs for one session (I3)"
    elif late and sum(cdr.energy_wh for cdr in cdrs) <= energy_wh:
        return
    elif cdrs and cdrs[0].energy_wh != energy_wh:
        yield f"{energy_wh} Wh delivered, {cdrs[0].energy_wh} Wh billed"
    elif not cdrs and energy_wh >= NOTHING_WH:
        yield f"{energy_wh} Wh delivered, no CDR"


def _check_bills(session: Session, cdrs: Sequence[CDR]) -> Iterator[str]:
    for cdr in cdrs:
        lines_minor = sum(line["incl_minor"] for line in cdr.lines)
        if lines_minor != cdr.total_incl_minor or cdr.total_incl_minor > session.limit_minor:
            yield f"CDR of {cdr.total_incl_minor}, its lines sum to {lines_minor}, hold {session.limit_minor}"


def _check_money(payment: Payment, cdrs: Sequence[CDR], card: Card) -> Iterator[str]:
    due_minor = cdrs[0].total_incl_minor if cdrs else 0
    wanted = ["hold", "capture"] if due_minor else ["hold", "release"]
    if card.effects != wanted:
        yield f"the card was touched by {card.effects}, not by {wanted}"
    if card.captured * 100 != due_minor or card.captured > card.amount:
        yield f"captured {card.captured} of {card.amount}, the CDR says {Decimal(due_minor) / 100}"
    state = PaymentState.CAPTURED if due_minor else PaymentState.RELEASED
    if payment.state != state or payment.captured_minor != due_minor or payment.due_minor != due_minor:
        yield f"{payment.state}, {payment.captured_minor} captured of {payment.due_minor}; {due_minor} is right"
    receipts = list(Receipt.objects.filter(payment=payment))
    if len(receipts) != bool(due_minor):
        yield f"{len(receipts)} receipts"
    for receipt in receipts:
        if receipt.document["total_incl_minor"] != due_minor:
            yield f"the receipt says {receipt.document['total_incl_minor']}, the CDR {due_minor}"
    confirmed = list(payment.confirmations.values_list("amount_minor", flat=True))
    if confirmed != ([due_minor] if due_minor else []):
        yield f"confirmed were {confirmed}, the CDR says {due_minor}"


def _check_reviews(
    payment: Payment, session: Session, log: Delivered | None, missing_wh: int
) -> Iterator[str]:
    """Staff are asked to look where something is to be seen, as where energy was told late, and nowhere else."""
    disobeyed = session.stop_attempts >= STOP_ATTEMPTS_BEFORE_REVIEW
    late_start = session.state in NEVER_STARTED and log is not None
    if session.needs_review and not (late_start and session.needs_review == LATE):
        yield f"flagged for review: {session.needs_review}"
    if missing_wh >= WORTH_MONEY_WH and payment.due_minor < payment.authorized_minor:
        if payment.review != Review.LATE_STOP_DIFFERS:
            yield f"{missing_wh} Wh were told late, and the review is {payment.review or 'none'}"
    elif payment.review and not (
        late_start
        or (disobeyed and payment.review == Review.UNSETTLED)
        or (missing_wh and payment.review == Review.LATE_STOP_DIFFERS)
    ):
        yield f"the payment is flagged for review: {payment.review}"
