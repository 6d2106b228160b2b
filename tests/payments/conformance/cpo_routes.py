"""The endpoints of the scripted CPO: credentials, lists, objects, tokens, payments."""

import secrets
from copy import deepcopy
from typing import Any

from payments.conformance.rules import partners
from payments.conformance.rules.language import faults
from payments.simulator.ocpi.wire import (
    NoAnswer,
    NotOcpi,
    OcpiClient,
    Party,
    Reply,
    Request,
    not_found,
    utc_text,
)
from tests.payments.conformance import cpo_objects as objects
from tests.payments.conformance.cpo import NEEDED, ROLES, VERSIONS, ScriptedCpo, refusal
from tests.payments.conformance.cpo_charging import lay_commands

Json = Any


def lay_routes(cpo: ScriptedCpo) -> None:
    route = cpo.server.route
    route("GET", "/ocpi/versions", lambda _: Reply(_versions(cpo)))
    for version in VERSIONS:
        _lay_version(cpo, version)
        lay_commands(cpo, version)


def _versions(cpo: ScriptedCpo) -> list[Json]:
    return [{"version": name, "url": f"{cpo.server.url}/ocpi/{name}/details"} for name in VERSIONS]


def _lay_version(cpo: ScriptedCpo, version: str) -> None:
    route, base = cpo.server.route, f"/ocpi/cpo/{version}"
    endpoints = [{"identifier": n, "role": r, "url": cpo.url(version, n)} for n, r in ROLES.items()]
    route(
        "GET",
        f"/ocpi/{version}/details",
        lambda _: Reply({"version": version, "endpoints": deepcopy(endpoints)}),
    )
    route("GET", f"{base}/credentials", lambda _: Reply(_credentials(cpo, cpo.token)))
    route("POST", f"{base}/credentials", lambda asked: _register(cpo, asked, version))
    route("PUT", f"{base}/credentials", lambda asked: _rotate(cpo, asked, version))
    route("DELETE", f"{base}/credentials", lambda _: _forget(cpo))
    route("GET", f"{base}/locations", lambda asked: cpo.page(asked, deepcopy(cpo.locations)))
    for depth in ("/{location}", "/{location}/{evse}", "/{location}/{evse}/{connector}"):
        route("GET", f"{base}/locations{depth}", lambda asked: _place(cpo, asked))
    route("GET", f"{base}/tariffs", lambda asked: cpo.page(asked, deepcopy(cpo.tariffs[version])))
    route("GET", f"{base}/tariffs/{{country}}/{{party}}/{{id}}", lambda asked: _tariff(cpo, asked, version))
    route("GET", f"{base}/sessions", lambda asked: _sessions(cpo, asked, version))
    route("PUT", f"{base}/sessions/{{id}}/charging_preferences", lambda _: not_found())
    route("GET", f"{base}/cdrs", lambda asked: cpo.page(asked, deepcopy(cpo.cdrs[version])))
    token = f"{base}/tokens/{{country}}/{{party}}/{{uid}}"
    route("GET", token, lambda asked: _give(cpo, _token_key(asked)))
    route("PUT", token, lambda asked: _put_token(cpo, asked, version))
    route("PATCH", token, lambda asked: _patch_token(cpo, asked))
    terminals, confirmations = f"{base}/payments/terminals", f"{base}/payments/financial-advice-confirmations"
    route("POST", terminals, lambda asked: _terminal(cpo, asked.body))
    route("PUT", terminals + "/{id}", lambda asked: _terminal(cpo, asked.body))
    route("PATCH", terminals + "/{id}", lambda asked: _patch_terminal(cpo, asked))
    route("GET", terminals + "/{id}", lambda asked: _give(cpo, f"terminal/{asked.parts['id']}"))
    route("POST", confirmations, lambda asked: _confirmation(cpo, asked.body, version))
    route("GET", confirmations + "/{id}", lambda asked: _confirmation_of(cpo, asked, version))


# --- credentials --------------------------------------------------------------------------------


def _credentials(cpo: ScriptedCpo, token: str) -> Json:
    role = {
        "role": "CPO",
        "business_details": {"name": "Scripted CPO"},
        "party_id": objects.CPO.party_id,
        "country_code": objects.CPO.country_code,
    }
    return {"token": token, "url": cpo.versions_url, "roles": [role]}


def _register(cpo: ScriptedCpo, asked: Request, version: str) -> Reply:
    if cpo.token:
        return refusal("You are registered already.", 2000, 405)
    return _agree(cpo, asked.body, version)


def _rotate(cpo: ScriptedCpo, asked: Request, version: str) -> Reply:
    if not cpo.token:
        return refusal("You are not registered.", 2000, 405)
    return _agree(cpo, asked.body, version)


def _agree(cpo: ScriptedCpo, body: Json, version: str) -> Reply:
    if found := faults(partners.credentials(version), [("credentials", body)]):
        return refusal(found[0])
    problem, endpoints = _read_client(cpo, body, version)
    if problem is not None:
        if cpo.has("forgets on a failed PUT") and cpo.token:
            cpo.dead.add(cpo.token)
            cpo.token = secrets.token_urlsafe(24)
        return problem
    if cpo.token:
        cpo.dead.add(cpo.token)
    cpo.token = _next_token(cpo, body)
    cpo.client_token, cpo.client_url = body["token"], body["url"]
    cpo.client_endpoints, cpo.version = endpoints, version
    cpo.partner = Party(body["roles"][0]["country_code"], body["roles"][0]["party_id"])
    return Reply(_credentials(cpo, cpo.token))


def _next_token(cpo: ScriptedCpo, body: Json) -> str:
    if cpo.has("gives our token back"):
        return str(body["token"])
    if cpo.has("never rotates") and cpo.token:
        return cpo.token
    cpo.minted += 1
    return f"token-c-{cpo.minted}-{secrets.token_urlsafe(16)}"


def _read_client(cpo: ScriptedCpo, body: Json, version: str) -> tuple[Reply | None, dict[str, str]]:
    token = cpo.client_token if cpo.has("rotates with the old token") and cpo.client_token else body["token"]
    if cpo.has("does not read details"):
        return None, _guessed(body["url"], version)
    client = OcpiClient(token, timeout_seconds=5)
    try:
        return _endpoints(cpo, client, body, version)
    except (NoAnswer, NotOcpi) as fault:
        return refusal(str(fault), 3001), {}
    finally:
        client.close()


def _guessed(url: str, version: str) -> dict[str, str]:
    base = url.removesuffix("/ocpi/versions") + f"/ocpi/ptp/{version}"
    return {name: f"{base}/{name}" for name in ROLES}


def _endpoints(
    cpo: ScriptedCpo, client: OcpiClient, body: Json, version: str
) -> tuple[Reply | None, dict[str, str]]:
    listed = client.call("GET", body["url"], headers=_extra(cpo), routed=False)
    if not listed.ok:
        return refusal("Your versions cannot be read.", 3001), {}
    urls = {item["version"]: item["url"] for item in listed.data}
    if version not in urls:
        return refusal("There is no common version.", 3002), {}
    details = client.call("GET", urls[version], headers=_extra(cpo), routed=False)
    endpoints = {item["identifier"]: item["url"] for item in details.data["endpoints"]}
    if any(name not in endpoints for name in NEEDED):
        return refusal("Endpoints are missing.", 3003), {}
    return None, endpoints


def _extra(cpo: ScriptedCpo) -> dict[str, str | None]:
    headers: dict[str, str | None] = {}
    if cpo.has("routes configuration"):
        headers["OCPI-from-party-id"] = objects.CPO.party_id
    if cpo.has("repeats its request id"):
        headers["X-Request-ID"] = "always-the-same"
    if cpo.has("sends no ids"):
        headers |= {"X-Request-ID": None}
    return headers


def _forget(cpo: ScriptedCpo) -> Reply:
    if not cpo.token:
        return refusal("You are not registered.", 2000, 405)
    if not cpo.has("does not forget"):
        cpo.dead.add(cpo.token)
        cpo.token = "nobody"
    return Reply()


# --- what it owns -------------------------------------------------------------------------------


def _place(cpo: ScriptedCpo, asked: Request) -> Reply:
    parts, place = asked.parts, None
    for location in deepcopy(cpo.locations):
        if location["id"].lower() == parts["location"].lower():
            place = location
    if cpo.has("EVSEs are everywhere") and "evse" in parts:
        place = {"evses": [evse for location in deepcopy(cpo.locations) for evse in location["evses"]]}
    for name, children, key in (("evse", "evses", "uid"), ("connector", "connectors", "id")):
        if place is not None and name in parts:
            place = next((part for part in place[children] if part[key] == parts[name]), None)
    return not_found(2003) if place is None else Reply(place)


def _tariff(cpo: ScriptedCpo, asked: Request, version: str) -> Reply:
    found = [item for item in cpo.tariffs[version] if item["id"] == asked.parts["id"]]
    return Reply(deepcopy(found[0])) if found else not_found()


def _sessions(cpo: ScriptedCpo, asked: Request, version: str) -> Reply:
    if "date_from" not in asked.query:
        return refusal("date_from is required.")
    return cpo.page(asked, deepcopy(cpo.sessions[version]))


# --- what the provider owns ---------------------------------------------------------------------


def _give(cpo: ScriptedCpo, key: str) -> Reply:
    found = cpo.stored.get(key)
    return not_found() if found is None else Reply(deepcopy(found))


def _store(cpo: ScriptedCpo, key: str, body: Json) -> Reply:
    new = key not in cpo.stored
    cpo.stored[key] = deepcopy(body)
    return Reply(http_status=201 if new else 200)


def _token_key(asked: Request) -> str:
    kind = asked.query.get("type", "RFID")
    return f"token/{asked.parts['uid']}/{kind}"


def _is_theirs(cpo: ScriptedCpo, country: Json, party: Json) -> bool:
    return cpo.partner is not None and (country, party) == (cpo.partner.country_code, cpo.partner.party_id)


def _put_token(cpo: ScriptedCpo, asked: Request, version: str) -> Reply:
    if found := faults(partners.token(version), [("token", asked.body)]):
        return refusal(found[0])
    if not _is_theirs(cpo, asked.parts["country"], asked.parts["party"]) and not cpo.has("takes any token"):
        return refusal("That party is not yours.")
    if asked.body["uid"] != asked.parts["uid"] and not cpo.has("ignores the path"):
        return refusal("Path and body name two tokens.")
    return _store(cpo, _token_key(asked), asked.body)


def _patch_token(cpo: ScriptedCpo, asked: Request) -> Reply:
    if "last_updated" not in asked.body:
        return refusal("last_updated is required.")
    known = cpo.stored.get(_token_key(asked))
    if known is None:
        return refusal("There is no such token.", 2004)
    known |= asked.body
    return Reply()


def _terminal(cpo: ScriptedCpo, body: Json) -> Reply:
    told = {"last_updated": utc_text(), **body}
    if not body.get("terminal_id"):
        return refusal("terminal_id is required.")
    if found := faults(partners.TERMINAL, [("terminal", told)]):
        return refusal(found[0])
    return _store(cpo, f"terminal/{body['terminal_id']}", told)


def _patch_terminal(cpo: ScriptedCpo, asked: Request) -> Reply:
    known = cpo.stored.get(f"terminal/{asked.parts['id']}")
    if known is None:
        return refusal("There is no such terminal.")
    known |= asked.body
    return Reply()


def _confirmation(cpo: ScriptedCpo, body: Json, version: str) -> Reply:
    problems = [faults(partners.confirmation(v), [("confirmation", body)]) for v in VERSIONS]
    amounts = (body.get("total_costs") or {}) if isinstance(body.get("total_costs"), dict) else {}
    figures = [value for value in amounts.values() if not isinstance(value, list | str)]
    if all(problems) or any(not 0 <= figure < 10**9 for figure in figures):
        return refusal((problems[0] or ["The amount is none."])[0])
    told = {"eft_data": [], **body}
    return _store(cpo, f"confirmation/{body['id']}", told)


def _confirmation_of(cpo: ScriptedCpo, asked: Request, version: str) -> Reply:
    found = deepcopy(cpo.stored.get(f"confirmation/{asked.parts['id']}"))
    if found is None:
        return not_found()
    costs = found["total_costs"]
    if version == "2.2.1" and "before_taxes" in costs:
        tax = sum(tax["amount"] for tax in costs["taxes"])
        found["total_costs"] = {"excl_vat": costs["before_taxes"], "incl_vat": costs["before_taxes"] + tax}
    if version == "2.3.0" and "excl_vat" in costs:
        tax = costs["incl_vat"] - costs["excl_vat"]
        found["total_costs"] = {"before_taxes": costs["excl_vat"], "taxes": [{"name": "VAT", "amount": tax}]}
    return Reply(found)
