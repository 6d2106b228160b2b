"""What is told of a charge while it runs: sessions, energy, cost, the EVSE (OCPI mod_sessions, mod_locations)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from payments.conformance.bench import Bench
from payments.conformance.charging.play import running
from payments.conformance.charging.record import RANK, Charge
from payments.conformance.registry import check
from payments.conformance.rules.charges import session as session_rules
from payments.conformance.rules.language import Aspect, faults, moment_problem
from payments.conformance.rules.money import gross, net
from payments.conformance.verdicts import Broken, Level, Untried, Weak, expect, expect_none
from payments.simulator.ocpi.wire import parse_time

FLOW: Final = "mod_commands, Flow; mod_payments, Transaction"
PUSH: Final = "mod_sessions, Push model"
OBJECT: Final = "mod_sessions, Session Object"
ONCE: Final = "One authorization, one charge"


def pushed(bench: Bench) -> Charge:
    """The charge, where sessions were pushed. Raises Broken, Untried."""
    found = running(bench)
    if not found.session_pushes:
        raise Untried("No session was pushed; see charge-09.")
    return found


@check("charge-09", "The session is pushed, first by PUT", section=PUSH, writes=True)
def a_session_is_put_first(bench: Bench) -> str:
    """A PATCH of what the provider does not know is lost; without the id it cannot stop."""
    found = running(bench)
    if not found.session_pushes:
        if found.session_id:
            raise Weak("The session is in the list, but was not pushed: a terminal shows no progress.")
        raise Broken("expected: PUT of the session, or the session in GET sessions; neither came")
    first = found.session_pushes[0]
    expect(first.method == "PUT", f"expected: PUT first; came: {first}")
    return f"{len(found.session_puts)} PUT, {len(found.session_pushes) - len(found.session_puts)} PATCH"


@check(
    "charge-10",
    "It is PENDING before it is ACTIVE",
    section="mod_sessions, SessionStatus",
    level=Level.SHOULD,
    writes=True,
)
def a_session_begins_pending(bench: Bench) -> str:
    """PENDING is the initial state: the terminal asks for the plug meanwhile."""
    told = [str(state.get("status")) for state in pushed(bench).states()]
    expect(told[0] == "PENDING", f"expected: PENDING first; came: {', '.join(told)}")
    expect("ACTIVE" in told, f"expected: ACTIVE later; came: {', '.join(told)}")
    return " ".join(word for place, word in enumerate(told) if place == 0 or told[place - 1] != word)


@check("charge-11", "Its status never goes back", section="mod_sessions, SessionStatus", writes=True)
def a_session_goes_forward(bench: Bench) -> None:
    """COMPLETED is final."""
    told = [str(state.get("status")) for state in pushed(bench).states()]
    ranks = [RANK.get(word, 0) for word in told]
    expect(ranks == sorted(ranks), f"expected: PENDING, ACTIVE, COMPLETED; came: {', '.join(told)}")


@check("charge-12", "Every session that is PUT is complete and well formed", section=OBJECT, writes=True)
def sessions_are_well_formed(bench: Bench) -> None:
    """Required fields, types, lengths, enumerations, times."""
    puts = [(f"PUT {place + 1}", d.body) for place, d in enumerate(pushed(bench).session_puts)]
    aspects = [aspect for aspect in Aspect if aspect is not Aspect.DECIMALS]
    expect_none(faults(session_rules(bench.version), puts, *aspects))


@check(
    "charge-13",
    "It carries what START_SESSION said",
    section=OBJECT + "; mod_commands, StartSession",
    writes=True,
)
def sessions_carry_the_start(bench: Bench) -> None:
    """Reference, token, COMMAND, location, EVSE and connector."""
    found = running(bench)
    state = (found.states() or found.listed_sessions or [{}])[-1]
    wanted = {
        "authorization_reference": found.reference,
        "auth_method": "COMMAND",
        "location_id": found.target.location_id,
        **found.target.where,
    }
    wrong = [f"{n}: {v} expected, {state.get(n)} came" for n, v in wanted.items() if state.get(n) != v]
    expect_none(wrong + token_differences(found.start.body["token"], state.get("cdr_token")))


def token_differences(sent: dict[str, Any], told: Any) -> list[str]:
    """What a cdr_token does not have from the token of the start."""
    token = told if isinstance(told, dict) else {}
    names = ("country_code", "party_id", "uid", "type", "contract_id")
    return [
        f"cdr_token.{n}: {sent[n]} expected, {token.get(n)} came" for n in names if token.get(n) != sent[n]
    ]


@check(
    "charge-14",
    "start_date_time does not go back when it becomes ACTIVE",
    section=OBJECT + ", start_date_time",
    writes=True,
)
def the_start_is_set_anew(bench: Bench) -> None:
    """First the creation, then the moment it became ACTIVE."""
    states = [state for state in pushed(bench).states() if not moment_problem(state.get("start_date_time"))]
    pending = [state["start_date_time"] for state in states if state.get("status") == "PENDING"]
    active = [state["start_date_time"] for state in states if state.get("status") == "ACTIVE"]
    if not pending or not active:
        raise Untried("It was not both PENDING and ACTIVE.")
    late = parse_time(active[-1]) >= parse_time(pending[0])
    expect(late, f"expected: not before {pending[0]}; came: {active[-1]}")


@check("charge-15", "PATCH carries last_updated", section="mod_sessions, PATCH Method", writes=True)
def patches_carry_their_time(bench: Bench) -> str:
    """Any request to the PATCH method SHALL contain it."""
    patches = [d for d in pushed(bench).session_pushes if d.method == "PATCH"]
    if not patches:
        raise Untried("No PATCH was sent.")
    bare = [str(d) for d in patches if moment_problem((d.body or {}).get("last_updated"))]
    expect_none([f"expected: last_updated; {line} has none" for line in bare])
    return f"{len(patches)} PATCH"


@check(
    "charge-16",
    "No charging period is told twice",
    section="mod_sessions, PATCH Method: charging_periods are added",
    level=Level.SAFETY,
    writes=True,
)
def periods_are_told_once(bench: Bench) -> None:
    """PATCH appends, PUT replaces: a period that is sent again is paid again by whoever adds them up."""
    for state in pushed(bench).states():
        begins = [str(period.get("start_date_time")) for period in state.get("charging_periods") or []]
        twice = sorted({at for at in begins if begins.count(at) > 1})
        expect(not twice, f"expected: each period once; twice: those that begin at {', '.join(twice)}")


@check(
    "charge-17",
    "Energy and cost never fall",
    section=OBJECT + ", kwh, total_cost",
    level=Level.SAFETY,
    writes=True,
)
def readings_never_fall(bench: Bench) -> None:
    """The driver watches them."""
    states = pushed(bench).states()
    for name, read in (("kwh", _kwh), ("total_cost", _cost)):
        told = [value for value in map(read, states) if value is not None]
        expect(
            told == sorted(told),
            f"{name}: expected: never less than before; came: {', '.join(map(str, told))}",
        )


@check(
    "charge-18",
    "Energy and cost are told while it charges",
    section="mod_payments, Transaction: session updates; a terminal shows progress",
    level=Level.SHOULD,
    writes=True,
)
def progress_is_told(bench: Bench) -> str:
    """More than one ACTIVE state, with growing kwh and a total_cost."""
    active = [state for state in pushed(bench).states() if state.get("status") == "ACTIVE"]
    kwh = [value for value in map(_kwh, active) if value is not None]
    cost = [value for value in map(_cost, active) if value is not None]
    told = f"{', '.join(map(str, kwh)) or 'nothing'} (in {bench.options.charge_seconds:.0f} s; see --charge-seconds)"
    expect(kwh and kwh[-1] > 0, f"expected: kwh above zero; came: {told}")
    expect(len(set(kwh)) > 1, f"expected: kwh that grows; came: {told}")
    expect(cost, "expected: a total_cost; none came")
    return f"{kwh[0]} … {kwh[-1]} kWh, {cost[0]} … {cost[-1]}"


def _kwh(state: dict[str, Any]) -> Decimal | None:
    value = state.get("kwh")
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _cost(state: dict[str, Any]) -> Decimal | None:
    told = state.get("total_cost")
    paid = gross(told)
    return net(told) if paid is None else paid


@check("charge-19", "Pushes come in order: last_updated never goes back", section=PUSH, writes=True)
def pushes_come_in_order(bench: Bench) -> None:
    """An older state that comes later would overwrite the newer."""
    stamps = [str((d.body or {}).get("last_updated")) for d in pushed(bench).session_pushes]
    moments = [parse_time(stamp) for stamp in stamps if not moment_problem(stamp)]
    expect(moments == sorted(moments), f"expected: in order; came: {', '.join(stamps)}")


@check(
    "charge-20",
    "The EVSE is not AVAILABLE while it charges",
    section="mod_locations, Status; GET Object",
    writes=True,
)
def a_busy_evse_is_shown(bench: Bench) -> str:
    """The next driver must not be sent there; its and the location's last_updated move."""
    found = running(bench)
    if found.busy is None or found.before is None:
        raise Untried("The location was not read while charging.")
    evse = _evse(found, found.busy)
    status = str(evse.get("status"))
    expect(status == "CHARGING", f"expected: CHARGING; came: {status}")
    for name, old, new in (
        ("EVSE", _evse(found, found.before), evse),
        ("Location", found.before, found.busy),
    ):
        stamps = (str(old.get("last_updated")), str(new.get("last_updated")))
        if not any(map(moment_problem, stamps)):
            moved = parse_time(stamps[1]) > parse_time(stamps[0])
            expect(moved, f"{name}.last_updated: expected: later than {stamps[0]}; came: {stamps[1]}")
    return status


def _evse(found: Charge, location: dict[str, Any]) -> dict[str, Any]:
    for evse in location.get("evses") or []:
        if isinstance(evse, dict) and evse.get("uid") == found.target.evse_uid:
            return evse
    raise Broken(
        f"expected: EVSE {found.target.evse_uid} in location {found.target.location_id}; it is not there"
    )


@check(
    "charge-21",
    "The EVSE's new status is pushed",
    section="mod_locations, PATCH Method; a provider mirrors the status",
    level=Level.SHOULD,
    writes=True,
)
def a_new_status_is_pushed(bench: Bench) -> str:
    """The mirror, as the pushes have it, says so while it charges."""
    found = running(bench)
    if found.mirrored is None:
        raise Untried("The location was not read before, or the charge did not last.")
    pushed = [str(d) for d in found.deliveries if d.kind == "locations"]
    if not pushed and found.target.status_in(found.mirrored_before) == "CHARGING":
        raise Untried(
            "The EVSE was free for too short a time: from the charge before the mirror says CHARGING."
        )
    status = found.target.status_in(found.mirrored) or "nothing"
    told = ", ".join(pushed) or "no push of a location or an EVSE came"
    expect(status == "CHARGING", f"expected: CHARGING in the mirror; it says {status}; {told}")
    return f"{len(pushed)} pushes"


@check(
    "charge-23", "The session ends COMPLETED, with its end", section=OBJECT + ", end_date_time", writes=True
)
def a_session_is_completed(bench: Bench) -> None:
    """By push or in the list."""
    found = running(bench)
    found.need_session()
    state = (found.states() or found.listed_sessions or [{}])[-1]
    expect(state.get("status") == "COMPLETED", f"expected: COMPLETED; came: {state.get('status')}")
    problem = moment_problem(state.get("end_date_time"))
    expect(not problem, f"end_date_time: {problem}")


@check(
    "charge-24",
    "The session is in GET sessions as it was pushed",
    section="mod_sessions, GET Method",
    writes=True,
)
def a_session_is_listed(bench: Bench) -> None:
    """Whoever missed the pushes reads it there."""
    found = running(bench)
    name = found.need_session()
    listed = [item for item in found.listed_sessions if str(item.get("id")).lower() == name.lower()]
    expect(len(listed) == 1, f"expected: session {name} once in the list; came: {len(listed)}")
    last = (found.states() or listed)[-1]
    wrong = [
        f"{n}: pushed {last.get(n)}, listed {listed[0].get(n)}"
        for n in ("status", "kwh", "currency", "location_id")
        if last.get(n) != listed[0].get(n)
    ]
    expect_none(wrong)
