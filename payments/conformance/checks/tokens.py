"""Tokens, which a provider may push (OCPI mod_tokens, Receiver Interface)."""

from __future__ import annotations

from typing import Any, Final

from payments.conformance import bodies
from payments.conformance.bench import Bench
from payments.conformance.exchanges import Exchange
from payments.conformance.expectations import absent, accepted, came, never_a_crash, not_allowed, refused
from payments.conformance.registry import check
from payments.conformance.rules.language import faults
from payments.conformance.rules.partners import token as token_rules
from payments.conformance.verdicts import Level, Weak, expect, expect_none
from payments.simulator.ocpi.wire import utc_text

RECEIVER: Final = "mod_tokens, Receiver Interface"
PUT: Final = "mod_tokens, PUT Method"
PATCH: Final = "mod_tokens, PATCH Method"


def _path(body: dict[str, Any]) -> str:
    return f"/{body['country_code']}/{body['party_id']}/{body['uid']}"


def _put(bench: Bench, body: dict[str, Any], *, path: str = "") -> Exchange:
    return bench.call("PUT", "tokens", path or _path(body), query={"type": body["type"]}, body=body)


def _stored(bench: Bench) -> dict[str, Any]:
    """A token that the peer has stored, once for each version. Raises Broken."""

    def store() -> dict[str, Any]:
        body = bodies.token(bench.options.party)
        accepted(_put(bench, body), "a new Token")
        return body

    return bench.fact("a token", store)


@check("tokens-01", "A new token is taken", section=PUT, writes=True)
def a_token_is_taken(bench: Bench) -> None:
    """AD_HOC_USER tokens need not be stored for a start; the module is required all the same."""
    _stored(bench)


@check("tokens-02", "A stored token is given back", section="mod_tokens, GET Method", writes=True)
def a_token_is_given_back(bench: Bench) -> None:
    """With ?type=, and with the fields that were put."""
    body = _stored(bench)
    answer = bench.get("tokens", _path(body), type=body["type"])
    data = accepted(answer, "the Token")
    expect_none(faults(token_rules(bench.version), [("Token", data)]), answer)
    names = ("uid", "type", "contract_id", "issuer", "valid", "whitelist")
    wrong = [
        f"{name}: {body[name]!r} expected, {data[name]!r} came" for name in names if data[name] != body[name]
    ]
    expect_none(wrong, answer)


@check(
    "tokens-03",
    "201 for a new token, 200 for a known one",
    section="status_codes",
    level=Level.SHOULD,
    writes=True,
)
def created_and_updated_differ(bench: Bench) -> None:
    """PUT of the same token twice."""
    body = bodies.token(bench.options.party)
    first, second = _put(bench, body), _put(bench, body)
    accepted(second, "the same Token again")
    expect(
        (first.http, second.http) == (201, 200),
        f"expected: 201, 200; came: {first.http}, {second.http}",
        second,
    )


@check("tokens-04", "PUT replaces", section=PUT, writes=True)
def put_replaces(bench: Bench) -> None:
    """The new issuer, and no visual_number any more."""
    body = {**bodies.token(bench.options.party), "visual_number": "12 34"}
    accepted(_put(bench, body), "a new Token")
    changed = {**bodies.without(body, "visual_number"), "issuer": "Another", "last_updated": utc_text()}
    accepted(_put(bench, changed), "the changed Token")
    answer = bench.get("tokens", _path(body), type=body["type"])
    data = accepted(answer, "the Token")
    told = (
        f"expected: issuer Another, no visual_number; came: {data.get('issuer')}, {data.get('visual_number')}"
    )
    expect(data.get("issuer") == "Another" and not data.get("visual_number"), told, answer)


@check("tokens-05", "PATCH changes what it names", section=PATCH, writes=True)
def patch_changes(bench: Bench) -> None:
    """valid=false is how a token ends; the rest stays."""
    body = bodies.token(bench.options.party)
    accepted(_put(bench, body), "a new Token")
    change = {"valid": False, "last_updated": utc_text()}
    accepted(
        bench.call("PATCH", "tokens", _path(body), query={"type": body["type"]}, body=change), "the change"
    )
    answer = bench.get("tokens", _path(body), type=body["type"])
    data = accepted(answer, "the Token")
    told = f"expected: valid false, issuer {body['issuer']}; came: {data.get('valid')}, {data.get('issuer')}"
    expect(data.get("valid") is False and data.get("issuer") == body["issuer"], told, answer)


@check("tokens-06", "PATCH without last_updated gets 2001", section=PATCH + "; status_codes", writes=True)
def patch_needs_its_time(bench: Bench) -> None:
    """Any request to the PATCH method SHALL contain the last_updated field."""
    body = _stored(bench)
    refused(
        bench.call("PATCH", "tokens", _path(body), query={"type": body["type"]}, body={"valid": True}), 2001
    )


@check("tokens-07", "One uid of two types is two tokens", section="mod_tokens, Token Object", writes=True)
def types_are_kept_apart(bench: Bench) -> None:
    """The combination of uid and type is unique."""
    uid = bodies.new_id()
    for kind, issuer in (("RFID", "Card maker"), ("APP_USER", "App maker")):
        body = {**bodies.token(bench.options.party, uid=uid, type=kind), "issuer": issuer}
        accepted(_put(bench, body), f"a Token of the type {kind}")
    path = f"/{bench.options.party.country_code}/{bench.options.party.party_id}/{uid}"
    for kind, issuer in (("RFID", "Card maker"), ("APP_USER", "App maker")):
        answer = bench.get("tokens", path, type=kind)
        data = accepted(answer, f"the Token of the type {kind}")
        told = f"expected: {kind} of {issuer}; came: {data.get('type')} of {data.get('issuer')}"
        expect((data.get("type"), data.get("issuer")) == (kind, issuer), told, answer)


@check("tokens-08", "Without ?type= an RFID token is meant", section=RECEIVER + ", type", writes=True)
def the_default_type_is_rfid(bench: Bench) -> None:
    """Default if omitted: RFID; so an AD_HOC_USER token is not found so."""
    body = _stored(bench)
    absent(bench.get("tokens", _path(body)))


@check("tokens-09", "An absent token gets 404", section="status_codes", level=Level.SHOULD)
def an_absent_token_is_404(bench: Bench) -> None:
    """A uid that nobody has put."""
    party = bench.options.party
    absent(bench.get("tokens", f"/{party.country_code}/{party.party_id}/{bodies.new_id()}", type="RFID"))


@check(
    "tokens-10",
    "A token of another party is refused",
    section="mod_tokens, PUT Method, country_code and party_id",
    level=Level.SAFETY,
    writes=True,
)
def other_parties_tokens_are_refused(bench: Bench) -> None:
    """Whoever could put another's tokens could let anybody charge at its cost."""
    body = {**bodies.token(bench.options.party), "country_code": "ZZ", "party_id": "ZZZ"}
    answer = _put(bench, body)
    never_a_crash(answer)
    expect(not answer.ok, f"expected: a refusal; {came(answer)}", answer)


@check(
    "tokens-11",
    "Path and body must name the same token",
    section="mod_tokens, PUT Method: SHALL be the same value",
    writes=True,
)
def path_and_body_agree(bench: Bench) -> None:
    """A body with another uid than the path."""
    body = bodies.token(bench.options.party)
    refused(_put(bench, body, path=_path({**body, "uid": bodies.new_id()})), 2001)


@check(
    "tokens-12",
    "A token without a required field gets 2001",
    section="mod_tokens, Token Object; status_codes",
    writes=True,
)
def incomplete_tokens_are_refused(bench: Bench) -> None:
    """contract_id, whitelist, valid, last_updated, each in turn."""
    for name in ("contract_id", "whitelist", "valid", "last_updated"):
        body = bodies.token(bench.options.party)
        answer = bench.call(
            "PUT", "tokens", _path(body), query={"type": body["type"]}, body=bodies.without(body, name)
        )
        refused(answer, 2001)


@check(
    "tokens-13",
    "A value of the wrong type or length gets 2001",
    section="mod_tokens, Token Object; types",
    writes=True,
)
def malformed_tokens_are_refused(bench: Bench) -> None:
    """A word for a flag, an unknown whitelist, a contract_id of 37 characters."""
    for change in ({"valid": "yes"}, {"whitelist": "SOMETIMES"}, {"contract_id": "x" * 37}):
        refused(_put(bench, {**bodies.token(bench.options.party), **change}), 2001)


@check("tokens-14", "DELETE and POST get 405", section=RECEIVER, level=Level.SHOULD)
def tokens_are_not_deleted(bench: Bench) -> None:
    """Tokens cannot be removed; they become invalid."""
    body = bodies.token(bench.options.party)
    not_allowed(bench.call("DELETE", "tokens", _path(body)))
    not_allowed(bench.call("POST", "tokens", _path(body), body=body))


@check("tokens-15", "PATCH of an absent token is an error", section=PATCH, level=Level.SHOULD)
def patch_needs_an_object(bench: Bench) -> None:
    """So that the sender learns to PUT."""
    body = bodies.token(bench.options.party)
    change = {"valid": False, "last_updated": utc_text()}
    answer = bench.call("PATCH", "tokens", _path(body), query={"type": body["type"]}, body=change)
    never_a_crash(answer)
    if answer.ok:
        raise Weak(f"expected: an OCPI error, such as 2004; {came(answer)}", answer)
