"""Whether a bill is right: its price computed anew from energy and time, its sums, its receipt."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from emabler.journeys.errors import expect
from emabler.journeys.network import TARIFF, TIME_ZONE
from payments.ocpi.tariffs import parse_tariff
from payments.simulator.psp import Hold, HoldState, Psp
from tariffs.engine.money import from_minor
from tariffs.engine.pricing import price
from tariffs.engine.usage import Segment, Usage

Body = dict[str, Any]
TERMS = parse_tariff(json.loads(json.dumps(TARIFF), parse_float=Decimal))
WIRE_PRECISION = timedelta(milliseconds=1)  # times on the wire are cut to it


def price_of(energy_wh: int, started_at: datetime, ended_at: datetime) -> Decimal:
    """What the journeys' tariff charges for so much energy in so much time, incl. VAT."""
    cost = price(TERMS, Usage(TIME_ZONE, (Segment(started_at, ended_at, energy_wh),)))
    return from_minor(cost.total_incl_minor, TERMS.currency)


def price_range(
    energy_wh: int, started_at: datetime, ended_at: datetime, *, slack_seconds: float
) -> tuple[Decimal, Decimal]:
    """The least and the most that it may cost when each time was cut to the wire's precision."""
    slack = timedelta(seconds=slack_seconds)
    earliest_end = max(started_at, ended_at - slack)
    return price_of(energy_wh, started_at, earliest_end), price_of(energy_wh, started_at, ended_at + slack)


def check_bill(settlement: Body, hold: Hold) -> None:
    """The total is the price of the energy and time that the CDR names, and at most the hold."""
    total = Decimal(settlement["total"]["incl_vat"])
    cdr = settlement["cdr"]
    expect(cdr is not None, "a session that charged has no CDR")
    energy_wh = Decimal(cdr["total_energy"]) * 1000
    expect(
        energy_wh == settlement["energy_wh"],
        f"CDR says {energy_wh} Wh, the session {settlement['energy_wh']}",
    )
    start = datetime.fromisoformat(settlement["started_at"])
    end = datetime.fromisoformat(settlement["ended_at"])
    limit = Decimal(hold.amount)
    least = min(price_of(int(energy_wh), start, end - WIRE_PRECISION), limit)
    most = min(price_of(int(energy_wh), start, end + WIRE_PRECISION), limit)
    expect(least <= total <= most, f"{energy_wh} Wh in {end - start} cost {least}, not {total}")
    expect(total <= limit, f"the bill of {total} is beyond the hold of {hold.amount}")
    expect(cdr["authorization_reference"] == hold.reference, "the CDR names another authorisation")
    _check_sums(settlement, total)


def _check_sums(settlement: Body, total: Decimal) -> None:
    lines = sum(Decimal(line["incl_vat"]) for line in settlement["cost_lines"])
    expect(lines == total, f"the lines sum to {lines}, not to {total}")
    gross = sum(Decimal(group["gross"]) for group in settlement["vat"])
    parts = sum(Decimal(group["net"]) + Decimal(group["vat"]) for group in settlement["vat"])
    expect(gross == parts == total, f"the VAT groups sum to {gross} and {parts}, not to {total}")
    cost = settlement["cdr"]["total_cost"]
    in_cdr = cost["before_taxes"] + sum(tax["amount"] for tax in cost["taxes"])
    expect(in_cdr == total, f"the CDR's total is {in_cdr}, not {total}")


def check_captured(settlement: Body, hold: Hold, psp: Psp) -> None:
    """The card was charged once, and everyone says the same amount."""
    expect(hold.state is HoldState.CAPTURED, f"the hold is {hold.state}")
    touched = [effect for effect, reference in psp.effects if reference == hold.reference]
    expect(touched == ["hold", "capture"], f"the card was touched by {touched}")
    told = settlement["captured_amount"]
    expect(told == hold.captured, f"the PSP captured {hold.captured}, the server says {told}")
    expect(settlement["review"] is None, f"the payment is flagged for review: {settlement['review']}")


def check_released(hold: Hold, psp: Psp) -> None:
    """The hold was dropped, and nothing was taken."""
    touched = [effect for effect, reference in psp.effects if reference == hold.reference]
    expect(touched == ["hold", "release"], f"the card was touched by {touched}")


def check_paid_limit(hold: Hold) -> None:
    """The hold is used up: captured is the hold or up to 2 % less."""
    least = Decimal(hold.amount) * Decimal("0.98")
    used_up = least <= Decimal(hold.captured) <= Decimal(hold.amount)
    expect(used_up, f"captured {hold.captured} of a hold of {hold.amount}")
