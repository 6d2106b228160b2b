"""Credits: a part or all of a CDR given back as a new, negative record; the original is never touched.

OCPI 2.3.0 mod_cdrs, Credit CDRs. A credit says how much goes back and with which VAT; energy and times stay
those of the original.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import Sum

from sessions_app.cdr import CDR_NAMESPACE
from sessions_app.errors import NothingToCredit
from sessions_app.models import CDR
from tariffs.engine.money import round_half_up, split_in_proportion

LINE = "REFUND"  # the dimension of a credit's lines: one per VAT rate


@dataclass(frozen=True, slots=True)
class Share:
    """Net and gross of one VAT rate, in minor units."""

    rate: str | None
    net_minor: int
    gross_minor: int


def credit_id(session_id: uuid.UUID, number: int) -> uuid.UUID:
    """Return the id of a session's n-th credit: derived, so that no crash can issue it twice under two ids."""
    return uuid.uuid5(CDR_NAMESPACE, f"{session_id}:credit:{number}")


def split(left: Sequence[Share], amount_minor: int) -> list[Share]:
    """Take an amount out of what is left per VAT rate, in proportion to it; what is left last is taken exactly.

    No rate gives more than it has. Raises NothingToCredit.
    """
    total = sum(share.gross_minor for share in left)
    if not 0 < amount_minor <= total:
        raise NothingToCredit(amount_minor, total)
    grosses = split_in_proportion(amount_minor, [share.gross_minor for share in left])
    return [
        Share(share.rate, _net_of(share, gross), gross)
        for share, gross in zip(left, grosses, strict=True)
        if gross
    ]


def _net_of(share: Share, gross_minor: int) -> int:
    if gross_minor == share.gross_minor:
        return share.net_minor
    return round_half_up(Fraction(gross_minor * share.net_minor, share.gross_minor))


def shares_left(cdr: CDR) -> list[Share]:
    """Return what of a CDR was not credited yet, per VAT rate."""
    left = {group["rate"]: [group["net_minor"], group["gross_minor"]] for group in cdr.vat_groups}
    for credit in CDR.objects.filter(credit_of=cdr):
        for group in credit.vat_groups:
            left[group["rate"]][0] += group["net_minor"]
            left[group["rate"]][1] += group["gross_minor"]
    return [Share(rate, net, gross) for rate, (net, gross) in left.items() if gross]


def issue(cdr: CDR, amount_minor: int, *, now: datetime) -> CDR:
    """Issue a credit of a CDR over an amount incl. VAT, inside the caller's transaction.

    The caller holds a lock that lets only one credit of a session be issued at a time (the payment's row).
    Raises NothingToCredit for more than is left.
    """
    number = CDR.objects.filter(credit_of=cdr).count() + 1
    shares = split(shares_left(cdr), amount_minor)
    return CDR.objects.create(
        id=credit_id(cdr.session_id, number),
        session=cdr.session,
        credit_of=cdr,
        credit_number=number,
        issued_at=now,
        started_at=cdr.started_at,
        ended_at=cdr.ended_at,
        duration_seconds=cdr.duration_seconds,
        energy_wh=cdr.energy_wh,
        meter_start_wh=cdr.meter_start_wh,
        meter_stop_wh=cdr.meter_stop_wh,
        currency=cdr.currency,
        total_incl_minor=-sum(share.gross_minor for share in shares),
        total_excl_minor=-sum(share.net_minor for share in shares),
        limit_minor=cdr.limit_minor,
        lines=[_line(share) for share in shares],
        vat_groups=[_group(share) for share in shares],
        periods=cdr.periods,
        tariff_snapshot=cdr.tariff_snapshot,
        time_zone=cdr.time_zone,
    )


def credited_minor(cdr: CDR) -> int:
    """Return how much of a CDR was credited so far, incl. VAT."""
    total = CDR.objects.filter(credit_of=cdr).aggregate(total=Sum("total_incl_minor"))["total"]
    return -(total or 0)


def _line(share: Share) -> dict[str, object]:
    return {
        "dimension": LINE,
        "volume": "1",
        "unit": "session",
        "price": None,
        "vat": share.rate,
        "excl_minor": -share.net_minor,
        "incl_minor": -share.gross_minor,
    }


def _group(share: Share) -> dict[str, object]:
    return {
        "rate": share.rate,
        "net_minor": -share.net_minor,
        "vat_minor": -(share.gross_minor - share.net_minor),
        "gross_minor": -share.gross_minor,
    }
