"""What stands behind a doubtful payment: the PTP's newest confirmation, its settlement files, what staff tried.

It decides which amount a person can accept at a press, and when somebody must say it instead.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.conf import settings

from payments.models import Confirmation, Decision, Payment, SettlementLine
from payments.states import CaptureStatus, PaymentState, Review


class Source(StrEnum):
    """Who says what was captured."""

    CONFIRMATION = "confirmation"  # the PTP's newest one
    FILE = "settlement_file"  # lines of the PTP's settlement files
    STAFF = "staff"  # a person, who asked the PTP


@dataclass(frozen=True, slots=True)
class Asked:
    """What one person wants to accept, and a second one must agree to."""

    user_id: int
    who: str
    amount_minor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a capture; `amount_minor` is None where only a person can tell.

    `key` names what was looked at: it changes with every news.
    """

    source: Source = Source.STAFF
    amount_minor: int | None = None
    key: str = ""
    tried: bool = False  # the PTP was told again, and had its time to answer
    asked: Asked | None = None


NONE: Final = Evidence()

# Reviews whose act depends on more than the payment's own row.
_CONFIRMED = frozenset({Review.AMOUNT_DIFFERS, Review.CAPTURED_AFTER_RELEASE})
_PAID = frozenset(
    {
        Review.UNCONFIRMED,
        Review.CDR_REFUSED,
        Review.CURRENCY_DIFFERS,
        Review.CAPTURE_FAILED,
        Review.CAPTURED_LESS,
        Review.FILE_DIFFERS,
    }
)
_ELSE = frozenset({Review.CONFIRMED_TWICE, Review.UNRELEASED, Review.UNREFUNDED})


def evidence_of(payments: Iterable[Payment], *, now: datetime) -> dict[uuid.UUID, Evidence]:
    """Return what stands behind those flagged payments that need it. Three queries, or none."""
    doubtful = [each for each in payments if each.review in _CONFIRMED | _PAID | _ELSE]
    if not doubtful:
        return {}
    keys = [payment.pk for payment in doubtful]
    told, paid, decided = _told(keys), _paid(keys), _decided(keys)
    return {
        each.pk: _with_decisions(
            _judged(each, told.get(each.pk), paid.get(each.pk, [])), each, decided[each.pk], now
        )
        for each in doubtful
    }


def _told(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, Confirmation]:
    rows = Confirmation.objects.filter(payment__in=keys).order_by("received_at", "pk")
    return {row.payment_id: row for row in rows.defer("document", "eft_data") if row.payment_id}


def _paid(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, list[SettlementLine]]:
    found: dict[uuid.UUID, list[SettlementLine]] = defaultdict(list)
    rows = SettlementLine.objects.filter(payment__in=keys, file__withdrawn_at=None, amount_minor__gt=0)
    for line in rows.order_by("pk"):
        assert line.payment_id is not None
        found[line.payment_id].append(line)
    return found


def _decided(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Decision]]:
    found: dict[uuid.UUID, list[Decision]] = defaultdict(list)
    acts = (Decision.Act.SENT_AGAIN, Decision.Act.ACCEPT_ASKED)
    for decision in Decision.objects.filter(payment__in=keys, act__in=acts).order_by("at", "pk"):
        assert decision.payment_id is not None
        found[decision.payment_id].append(decision)
    return found


def _judged(payment: Payment, told: Confirmation | None, lines: list[SettlementLine]) -> Evidence:
    """Return the amount that can be accepted as it stands; where sources disagree a person must tell."""
    review = Review(payment.review)
    confirmed_minor = _confirmed_minor(payment, told) if review in _CONFIRMED else None
    paid_minor = _paid_minor(payment, lines)
    booked = f"{payment.captured_minor}:{payment.excess_minor}:{payment.excess_returned_minor}"
    key = f"{review}:{told.pk if told else ''}:{paid_minor}:{booked}"
    if confirmed_minor is not None:
        agreed = paid_minor in (None, confirmed_minor)
        return Evidence(Source.CONFIRMATION, confirmed_minor, key) if agreed else Evidence(key=key)
    # What came back of an excess is no part of what is accepted, though it was paid out once.
    left_minor = None if paid_minor is None else paid_minor - payment.excess_returned_minor
    known_minor = payment.captured_minor
    if review is Review.FILE_DIFFERS:
        known_minor += payment.account.owed_minor
    if review in _PAID | _CONFIRMED and left_minor is not None and left_minor > known_minor:
        return Evidence(Source.FILE, left_minor, key)
    return Evidence(key=key)


def _confirmed_minor(payment: Payment, told: Confirmation | None) -> int | None:
    """Return what the newest confirmation says, None where it contradicts itself or what is booked.

    Once an excess has come back, it does not say whether that is still counted.
    """
    if told is None or told.currency != payment.currency or told.amount_minor < payment.captured_minor:
        return None
    if payment.excess_returned_minor:
        return None
    if payment.review == Review.CAPTURED_AFTER_RELEASE and not told.amount_minor:
        return None  # an older one, matched by hand, says that something was taken
    failed_with_money = told.status == CaptureStatus.FAILED and told.amount_minor > 0
    return None if failed_with_money else told.amount_minor


def _paid_minor(payment: Payment, lines: list[SettlementLine]) -> int | None:
    """Return what settlement files say was paid, None where they do not, or in another currency."""
    if not lines or any(line.currency != payment.currency for line in lines):
        return None
    return sum(line.amount_minor for line in lines)


def _with_decisions(found: Evidence, payment: Payment, decided: list[Decision], now: datetime) -> Evidence:
    patience = timedelta(seconds=settings.CONFIRMATION_WARN_SECONDS)
    tried, asked = False, None
    for decision in decided:
        if decision.act == Decision.Act.SENT_AGAIN:
            tried = tried or _in_vain(decision, payment, now - patience)
        else:
            asked = _asked(decision) if decision.data.get("evidence") == found.key else None
    return replace(found, tried=tried, asked=asked)


def _in_vain(decision: Decision, payment: Payment, before: datetime) -> bool:
    """Whether the PTP was told again of the same thing and has had its time; another refund is another thing."""
    same = decision.data.get("refunded_minor", payment.refunded_minor) == payment.refunded_minor
    return same and decision.data.get("state") == PaymentState(payment.state) and decision.at <= before


def _asked(decision: Decision) -> Asked:
    data: dict[str, Any] = decision.data
    return Asked(data["user"], decision.actor, data["amount_minor"], decision.reason)
