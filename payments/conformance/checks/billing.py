"""What the charge came to: its CDR, and the confirmation of the capture (OCPI mod_cdrs, mod_payments)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from payments import exact_json
from payments.conformance.bench import Bench
from payments.conformance.charging.play import running
from payments.conformance.charging.record import Charge
from payments.conformance.charging.target import ceiling_of
from payments.conformance.checks.course import token_differences
from payments.conformance.expectations import accepted, came
from payments.conformance.registry import check
from payments.conformance.rules.charges import cdr as cdr_rules
from payments.conformance.rules.language import Aspect, faults
from payments.conformance.rules.money import gross, net
from payments.conformance.verdicts import Broken, Level, Untried, Weak, expect, expect_none
from payments.simulator.ocpi.wire import parse_time

OBJECT: Final = "mod_cdrs, CDR Object"
PUSH: Final = "mod_cdrs, Push model; mod_payments, Transaction"
ONCE: Final = "One authorization, one bill"
CENT: Final = Decimal("0.01")
PARTS: Final = ("fixed", "energy", "time", "parking", "reservation")
SESSION_ONLY: Final = "CURRENT, POWER, STATE_OF_CHARGE and the like are for sessions only"


def _billed(bench: Bench) -> tuple[Charge, dict[str, Any]]:
    """The charge with its CDR. Raises Broken, Untried."""
    found = running(bench)
    return found, found.cdr


@check("billing-01", "The CDR can be had, by push or from the list", section=PUSH, writes=True)
def a_cdr_comes(bench: Bench) -> str:
    """The trigger of the capture; without it the hold stays until it expires."""
    found = running(bench)
    expect(found.cdr_posts or found.listed_cdrs, f"expected: a CDR for {found.reference}; none came")
    if not found.cdr_posts:
        raise Weak("The CDR is in the list, but was not pushed: the capture waits for the next poll.")
    return f"{len(found.cdr_posts)} POST"


@check(
    "billing-02",
    "A CDR that we could not take comes again",
    section="transport_and_format, Offline behaviour (which leaves it to GET)",
    level=Level.EXTENSION,
    writes=True,
)
def a_refused_cdr_comes_again(bench: Bench) -> None:
    """Our first answer was HTTP 500. The text would have us poll; a provider hopes for a second try."""
    posts = running(bench).cdr_posts
    if not posts:
        raise Untried("No CDR was pushed.")
    expect(len(posts) > 1, "expected: a second POST after HTTP 500; none came")


@check(
    "billing-03",
    "It comes again with the same id and the same content",
    section="mod_cdrs: a CDR cannot be changed or replaced",
    level=Level.SAFETY,
    writes=True,
)
def a_cdr_does_not_change(bench: Bench) -> None:
    """Under a new id it would be captured a second time."""
    posts = running(bench).cdr_posts
    if len(posts) < 2:
        raise Untried("It came only once.")
    ids = {str(post.body.get("id")) for post in posts}
    expect(len(ids) == 1, f"expected: one id; came: {', '.join(sorted(ids))}")
    texts = {exact_json.dumps(post.body) for post in posts}
    expect(len(texts) == 1, "expected: the same content each time; it has changed")


@check(
    "billing-04",
    "There is one bill, and it comes no more once we have it",
    section=ONCE,
    level=Level.SAFETY,
    writes=True,
)
def there_is_one_bill(bench: Bench) -> None:
    """Exactly one CDR that is no credit, for each authorization_reference."""
    found = running(bench)
    bills = [d.body for d in found.cdr_posts if not d.body.get("credit")]
    ids = {str(body.get("id")).lower() for body in [*bills, *found.listed_cdrs] if not body.get("credit")}
    if not ids:
        raise Untried("No CDR came.")
    expect(len(ids) == 1, f"expected: one CDR for {found.reference}; came: {', '.join(sorted(ids))}")
    taken = [post for post in found.cdr_posts if post.http_status // 100 == 2]
    expect(len(taken) <= 1, f"expected: no POST after our HTTP 201; came: {len(taken) - 1} more")


@check("billing-05", "The CDR is complete and well formed", section=OBJECT, writes=True)
def a_cdr_is_well_formed(bench: Bench) -> None:
    """Required fields, types, lengths, enumerations, times, with its tariffs and periods."""
    _, cdr = _billed(bench)
    aspects = [aspect for aspect in Aspect if aspect is not Aspect.DECIMALS]
    expect_none(faults(cdr_rules(bench.version), [("CDR", cdr)], *aspects))


@check(
    "billing-06",
    "Its numbers have at most four decimals",
    section="types, number",
    level=Level.SHOULD,
    writes=True,
)
def numbers_have_four_decimals(bench: Bench) -> None:
    """Unless mentioned otherwise, numbers use 4 decimals."""
    _, cdr = _billed(bench)
    expect_none(faults(cdr_rules(bench.version), [("CDR", cdr)], Aspect.DECIMALS))


@check(
    "billing-07",
    "It carries the reference, the session and the token",
    section=OBJECT + "; mod_commands, StartSession",
    writes=True,
)
def a_cdr_carries_the_start(bench: Bench) -> None:
    """What the provider maps the capture by."""
    found, cdr = _billed(bench)
    wanted = {"authorization_reference": found.reference, "auth_method": "COMMAND"}
    if found.session_id:
        wanted["session_id"] = found.session_id
    wrong = [f"{n}: {v} expected, {cdr.get(n)} came" for n, v in wanted.items() if cdr.get(n) != v]
    expect_none(wrong + token_differences(found.start.body["token"], cdr.get("cdr_token")))


@check("billing-08", "It names the place where the charge was", section="mod_cdrs, CdrLocation", writes=True)
def a_cdr_names_its_place(bench: Bench) -> None:
    """Location, EVSE and connector of the start."""
    found, cdr = _billed(bench)
    place = cdr.get("cdr_location") or {}
    wanted = {"id": found.target.location_id, **found.target.where}
    expect_none(
        [
            f"cdr_location.{n}: {v} expected, {place.get(n)} came"
            for n, v in wanted.items()
            if place.get(n) != v
        ]
    )


@check(
    "billing-09",
    "total_cost tells the amount with VAT",
    section="mod_payments, total_costs: a consumer price with VAT; types, Price",
    writes=True,
)
def the_total_has_its_vat(bench: Bench) -> str:
    """incl_vat on 2.2.1, taxes on 2.3.0: this is what the card pays."""
    _, cdr = _billed(bench)
    total = cdr.get("total_cost")
    paid, before = gross(total), net(total)
    expect(paid is not None, f"expected: an amount with VAT; came: {total}")
    assert paid is not None
    expect(before is not None and paid >= before >= 0, f"expected: with VAT not below without; came: {total}")
    expect(paid * 100 % 1 == 0, f"expected: whole cents, for a card pays it; came: {paid}")
    return f"{paid} {cdr.get('currency')}"


@check(
    "billing-10",
    "The total is not above the amount reserved",
    section="mod_payments, Transaction: the preauth limit",
    level=Level.SAFETY,
    writes=True,
)
def the_total_keeps_to_the_hold(bench: Bench) -> str:
    """More than the hold cannot be captured."""
    found, cdr = _billed(bench)
    most, paid = ceiling_of(found.target, bench.version), gross(cdr.get("total_cost"))
    if most is None or paid is None:
        raise Untried("The tariff names no amount to reserve, or the CDR none to pay.")
    expect(paid <= most, f"expected: at most {most}; came: {paid}")
    return f"{paid} of {most}"


@check(
    "billing-11",
    "The parts add up to the total",
    section=OBJECT + ", total_cost: total sum of all the costs",
    level=Level.SHOULD,
    writes=True,
)
def the_parts_add_up(bench: Bench) -> None:
    """Without min_price or max_price at work; a cent may be lost in rounding each part."""
    _, cdr = _billed(bench)
    parts = [cdr[f"total_{name}_cost"] for name in PARTS if cdr.get(f"total_{name}_cost") is not None]
    if not parts:
        raise Untried("The CDR has no costs by part.")
    for name, read in (("without VAT", net), ("with VAT", gross)):
        amounts, total = [read(part) for part in parts], read(cdr.get("total_cost"))
        if total is None or None in amounts:
            continue
        added = sum((amount for amount in amounts if amount is not None), Decimal(0))
        close = abs(added - total) <= CENT * len(parts)
        expect(close, f"{name}: expected: {total}; the parts come to {added}")


@check(
    "billing-12",
    "Energy agrees: total, periods, session",
    section=OBJECT + ", total_energy; CdrDimensionType ENERGY in kWh",
    level=Level.SHOULD,
    writes=True,
)
def the_energy_agrees(bench: Bench) -> str:
    """A period's ENERGY is in kWh, not Wh."""
    found, cdr = _billed(bench)
    total = Decimal(cdr["total_energy"])
    periods = sum((_energy(period) for period in cdr.get("charging_periods") or []), Decimal(0))
    expect(abs(periods - total) < Decimal("0.002"), f"expected: periods of {total} kWh; came: {periods}")
    states = found.states() or found.listed_sessions
    told = states[-1].get("kwh") if states else None
    if isinstance(told, int | Decimal):
        expect(
            abs(Decimal(told) - total) < Decimal("0.002"),
            f"expected: {told} kWh as the session; came: {total}",
        )
    return f"{total} kWh"


def _energy(period: dict[str, Any]) -> Decimal:
    found = [d["volume"] for d in period.get("dimensions") or [] if d.get("type") == "ENERGY"]
    return sum((Decimal(volume) for volume in found), Decimal(0))


@check(
    "billing-13",
    "Times agree: begin, end, hours, periods",
    section=OBJECT + ", total_time in hours; ChargingPeriod",
    level=Level.SHOULD,
    writes=True,
)
def the_times_agree(bench: Bench) -> str:
    """total_time is in hours; periods begin in order and inside the session."""
    _, cdr = _billed(bench)
    begin, end = parse_time(cdr["start_date_time"]), parse_time(cdr["end_date_time"])
    hours = Decimal(int((end - begin).total_seconds() * 1000)) / 3_600_000
    total = Decimal(cdr["total_time"])
    expect(abs(total - hours) < Decimal("0.01"), f"expected: about {hours:.4f} h; came: total_time {total}")
    begins = [parse_time(period["start_date_time"]) for period in cdr.get("charging_periods") or []]
    inside = all(begin.replace(microsecond=0) <= at <= end for at in begins)
    expect(
        begins == sorted(begins) and inside,
        f"expected: periods in order, from {begin} to {end}; came: {begins}",
    )
    return f"{total} h"


@check(
    "billing-14",
    "The tariff of the bill is with it",
    section=OBJECT + ", tariffs; ChargingPeriod.tariff_id",
    level=Level.SHOULD,
    writes=True,
)
def the_tariff_is_with_the_bill(bench: Bench) -> None:
    """As it was at the start; every tariff_id of a period is among them."""
    found, cdr = _billed(bench)
    there = {str(tariff.get("id")).lower() for tariff in cdr.get("tariffs") or []}
    expect(there, "expected: the tariff in tariffs; none came")
    named = {str(p["tariff_id"]).lower() for p in cdr.get("charging_periods") or [] if p.get("tariff_id")}
    expect(named <= there, f"expected: the tariffs {named} of the periods; came: {there}")
    shown = str((found.target.tariff or {}).get("id")).lower()
    expect(shown in there, f"expected: {shown}, which the terminal has shown; came: {', '.join(there)}")


@check("billing-15", "The same CDR is in GET cdrs", section="mod_cdrs, GET Method", writes=True)
def the_cdr_is_listed(bench: Bench) -> None:
    """The way back after 48 hours without connection."""
    found, cdr = _billed(bench)
    listed = [item for item in found.listed_cdrs if item.get("id") == cdr.get("id")]
    expect(len(listed) == 1, f"expected: CDR {cdr.get('id')} once in the list; came: {len(listed)}")
    names = ("total_cost", "total_energy", "authorization_reference", "start_date_time", "end_date_time")
    wrong = [
        f"{n}: pushed {cdr.get(n)}, listed {listed[0].get(n)}"
        for n in names
        if cdr.get(n) != listed[0].get(n)
    ]
    expect_none(wrong)


@check(
    "billing-16",
    "The session's last cost is the bill's",
    section="mod_sessions, total_cost; mod_cdrs, total_cost",
    level=Level.SHOULD,
    writes=True,
)
def the_session_agrees_with_the_bill(bench: Bench) -> None:
    """The driver has seen it on the terminal."""
    found, cdr = _billed(bench)
    states = found.states() or found.listed_sessions
    told = gross(states[-1].get("total_cost")) if states else None
    if told is None or states[-1].get("status") != "COMPLETED":
        raise Untried("The session told no last cost with VAT.")
    paid = gross(cdr.get("total_cost"))
    expect(told == paid, f"expected: {told}, as the session; came: {paid}")


@check(
    "billing-17",
    "The confirmation of the capture is taken",
    section="mod_payments, POST Financial Advice Confirmation Method",
    writes=True,
)
def the_capture_is_taken(bench: Bench) -> None:
    """With the amount of the CDR and the reference of the start."""
    found, _ = _billed(bench)
    if not found.confirmed:
        raise Untried("The CDR named no amount to capture.")
    accepted(found.confirmed[0], "the FinancialAdviceConfirmation of the CDR")


@check(
    "billing-18", "The same confirmation again does no harm", section=ONCE, level=Level.SAFETY, writes=True
)
def the_capture_may_be_told_again(bench: Bench) -> None:
    """2xx and the same object; not a second capture in the books, and not a conflict."""
    found, _ = _billed(bench)
    if len(found.confirmed) < 2 or found.confirmation is None or found.confirmation_read is None:
        raise Untried("No confirmation could be sent twice.")
    accepted(found.confirmed[1], "the same FinancialAdviceConfirmation again")
    data = accepted(found.confirmation_read, "the FinancialAdviceConfirmation, read back")
    wanted, told = gross(found.confirmation["total_costs"]), gross(data.get("total_costs"))
    if told is None:
        raise Broken(f"expected: {wanted} with VAT; {came(found.confirmation_read)}", found.confirmation_read)
    expect(told == wanted, f"expected: {wanted}; came: {told}", found.confirmation_read)
