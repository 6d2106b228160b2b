"""The lists of sessions and CDRs (OCPI mod_sessions, mod_cdrs, Sender Interface)."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from payments.conformance import bodies
from payments.conformance.bench import Bench
from payments.conformance.charging.play import charge
from payments.conformance.expectations import came, follows, never_a_crash, refused
from payments.conformance.registry import check
from payments.conformance.rules.charges import cdr as cdr_rules
from payments.conformance.rules.charges import session as session_rules
from payments.conformance.rules.language import Aspect
from payments.conformance.rules.money import net
from payments.conformance.verdicts import Broken, Level, Untried, Weak, expect, expect_none

SESSIONS: Final = "mod_sessions, Session Object"
CDRS: Final = "mod_cdrs, CDR Object"


def _named(bench: Bench, module: str) -> list[tuple[str, Any]]:
    """The list's objects, after a charge where one is possible. Raises Broken, Untried."""
    with contextlib.suppress(Broken, Untried):
        charge(bench)
    return bench.named(module)


@check(
    "records-01",
    "GET sessions without date_from gets 2001",
    section="mod_sessions, GET Method: date_from is required",
)
def sessions_need_their_date(bench: Bench) -> None:
    """The one list where it is required."""
    refused(bench.get("sessions"), 2001, 2002)


@check("records-02", "Listed sessions have their required fields and types", section=SESSIONS)
def sessions_are_complete(bench: Bench) -> str:
    """Each object must contain all required fields."""
    return follows(session_rules(bench.version), _named(bench, "sessions"), Aspect.MISSING, Aspect.TYPE)


@check("records-03", "Listed sessions keep lengths, enumerations and times", section=SESSIONS + "; types")
def sessions_are_well_written(bench: Bench) -> str:
    """And end after they start."""
    kinds = (Aspect.TEXT, Aspect.ENUM, Aspect.TIME, Aspect.SENSE)
    return follows(session_rules(bench.version), _named(bench, "sessions"), *kinds)


@check(
    "records-04",
    "Listed sessions are ours alone",
    section="transport_and_format, GET: 'do not belong to this client'",
    level=Level.SAFETY,
)
def sessions_are_ours(bench: Bench) -> None:
    """Another provider's cards are nobody else's business."""
    _ours(bench, _named(bench, "sessions"))


@check(
    "records-05",
    "Charging preferences for an unknown session get 404 or 2001",
    section="mod_sessions, ChargingPreferencesResponse",
    level=Level.SHOULD,
)
def preferences_need_a_session(bench: Bench) -> None:
    """The text wants HTTP 404 with 2001 where they are not supported."""
    body = {"profile_type": "CHEAP"}
    answer = bench.call("PUT", "sessions", f"/{bodies.new_id()}/charging_preferences", body=body)
    never_a_crash(answer)
    expect(not answer.ok, f"expected: HTTP 404 with 2001; {came(answer)}", answer)
    if answer.http != 404:
        raise Weak(f"expected: HTTP 404 with 2001; {came(answer)}", answer)


@check("records-06", "Listed CDRs have their required fields and types", section=CDRS)
def cdrs_are_complete(bench: Bench) -> str:
    """With location, tariffs and periods."""
    return follows(cdr_rules(bench.version), _named(bench, "cdrs"), Aspect.MISSING, Aspect.TYPE)


@check("records-07", "Listed CDRs keep lengths, enumerations and times", section=CDRS + "; types")
def cdrs_are_well_written(bench: Bench) -> str:
    """Only a credit CDR may have an id of more than 36 characters."""
    kinds = (Aspect.TEXT, Aspect.ENUM, Aspect.TIME, Aspect.SENSE)
    return follows(cdr_rules(bench.version), _named(bench, "cdrs"), *kinds)


@check("records-08", "Listed CDRs are ours alone", section="mod_cdrs, Pull model", level=Level.SAFETY)
def cdrs_are_ours(bench: Bench) -> None:
    """Only CDRs that are relevant for the requesting party."""
    _ours(bench, _named(bench, "cdrs"))


def _ours(bench: Bench, named: list[tuple[str, Any]]) -> None:
    if not named:
        raise Untried("There is no object to look at.")
    us = (bench.options.party.country_code.upper(), bench.options.party.party_id.upper())
    tokens = [(name, item.get("cdr_token") or {}) for name, item in named]
    owners = [(n, (str(t.get("country_code")).upper(), str(t.get("party_id")).upper())) for n, t in tokens]
    expect_none([f"{name} belongs to {'-'.join(owner)}" for name, owner in owners if owner != us])


@check("records-09", "CDR ids are unique", section=CDRS + ", id")
def cdr_ids_are_unique(bench: Bench) -> None:
    """Unique for each country_code and party_id."""
    ids = [
        f"{item.get('country_code')}-{item.get('party_id')}-{item.get('id')}".lower()
        for _, item in _named(bench, "cdrs")
    ]
    if not ids:
        raise Untried("There is no CDR.")
    twice = sorted({name for name in ids if ids.count(name) > 1})
    expect(not twice, f"expected: each once; twice: {', '.join(twice)}")


@check("records-10", "One authorization is billed once", section="mod_cdrs, Credit CDRs", level=Level.SAFETY)
def one_authorization_is_billed_once(bench: Bench) -> None:
    """More than one CDR for a reference only where the earlier are credited."""
    bills: dict[str, int] = {}
    for _, item in _named(bench, "cdrs"):
        reference = item.get("authorization_reference")
        if isinstance(reference, str):
            bills[reference] = bills.get(reference, 0) + (-1 if item.get("credit") else 1)
    if not bills:
        raise Untried("There is no CDR with an authorization_reference.")
    expect_none(
        [f"{name} has {count} CDRs that no credit undoes" for name, count in bills.items() if count > 1]
    )


@check("records-11", "Credit CDRs undo what they name", section="mod_cdrs, Credit CDRs")
def credits_undo_their_original(bench: Bench) -> str:
    """A negative total_cost, and the id of a CDR that exists."""
    named = _named(bench, "cdrs")
    credits = [(name, item) for name, item in named if item.get("credit")]
    if not credits:
        raise Untried("There is no credit CDR.")
    known = {item.get("id") for _, item in named}
    wrong = [f"{n}: {c.get('credit_reference_id')} is not in the list" for n, c in credits
             if c.get("credit_reference_id") not in known]  # fmt: skip
    totals = [(name, net(credit.get("total_cost"))) for name, credit in credits]
    wrong += [
        f"{name}: a negative total_cost was expected, {total} came"
        for name, total in totals
        if (total or 1) > 0
    ]
    expect_none(wrong)
    return f"{len(credits)} credits"


@check(
    "records-12",
    "Numbers of sessions and CDRs have at most four decimals",
    section="types, number",
    level=Level.SHOULD,
)
def numbers_have_four_decimals(bench: Bench) -> str:
    """0.30000000000000004 is a float's noise."""
    sessions, cdrs = _named(bench, "sessions"), _named(bench, "cdrs")
    if not sessions and not cdrs:
        raise Untried("There is no session and no CDR.")
    looked = [follows(session_rules(bench.version), sessions, Aspect.DECIMALS)] if sessions else []
    looked += [follows(cdr_rules(bench.version), cdrs, Aspect.DECIMALS)] if cdrs else []
    return ", ".join(looked)
