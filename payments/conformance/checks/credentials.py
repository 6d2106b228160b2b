"""The handshake, rotation, and the end (OCPI credentials)."""

from __future__ import annotations

from typing import Final

from payments.conformance.bench import Bench
from payments.conformance.exchanges import ROUTING_HEADERS, Exchange
from payments.conformance.expectations import (
    accepted,
    never_a_crash,
    not_allowed,
    refused,
    unauthorized,
    unreadable,
)
from payments.conformance.handshake import leave, offer
from payments.conformance.ptp_side import of_kind
from payments.conformance.registry import Stage, check
from payments.conformance.rules.language import faults
from payments.conformance.rules.partners import credentials as credentials_rules
from payments.conformance.verdicts import Broken, Level, Untried, Weak, expect, expect_none

ERRORS: Final = "credentials, Errors during registration; status_codes, 3xxx"


@check(
    "credentials-01",
    "PUT before the registration gets 405",
    section="credentials, PUT Method",
    stage=Stage.INVITED,
)
def update_needs_a_registration(bench: Bench) -> None:
    """There is nothing to update."""
    not_allowed(offer(bench, "PUT", our_token=bench.ptp.new_token()))


@check(
    "credentials-02",
    "DELETE before the registration gets 405",
    section="credentials, DELETE Method",
    stage=Stage.INVITED,
)
def leaving_needs_a_registration(bench: Bench) -> None:
    """There is nothing to end."""
    not_allowed(bench.plain("DELETE", bench.url("credentials")))


@check(
    "credentials-03",
    "Credentials with missing fields get 2001",
    section="status_codes, 2xxx",
    stage=Stage.INVITED,
)
def incomplete_credentials_are_refused(bench: Bench) -> None:
    """No roles; then no token."""
    whole = bench.ptp.credentials(bench.ptp.new_token())
    for name in ("roles", "token", "url"):
        body = {key: value for key, value in whole.items() if key != name}
        refused(bench.plain("POST", bench.url("credentials"), body=body))


@check("credentials-04", "Credentials that are no JSON get 400", section="status_codes", stage=Stage.INVITED)
def unreadable_credentials_are_refused(bench: Bench) -> None:
    """A body that stops in the middle."""
    answer = bench.plain(
        "POST", bench.url("credentials"), raw=b'{"token": "abc"', headers={"Content-Type": "application/json"}
    )
    unreadable(answer)


@check(
    "credentials-05", "A client whose versions cannot be read gets 3001", section=ERRORS, stage=Stage.INVITED
)
def unreachable_client_is_told(bench: Bench) -> None:
    """Our URL names a port where nobody listens."""
    answer = offer(bench, "POST", our_token=bench.ptp.new_token(), url=bench.ptp.dead_versions_url)
    _registration_refused(answer, 3001)


@check("credentials-06", "A client without a common version gets 3002", section=ERRORS, stage=Stage.INVITED)
def strange_client_is_told(bench: Bench) -> None:
    """Our versions list 2.1.1 alone."""
    answer = offer(bench, "POST", our_token=bench.ptp.new_token(), url=bench.ptp.strange_versions_url)
    _registration_refused(answer, 3002)


def _registration_refused(answer: Exchange, code: int) -> None:
    told = f"expected: HTTP 2xx with OCPI {code}; came: {answer.answer}"
    expect(answer.code is not None and answer.code >= 2000 and answer.http // 100 == 2, told, answer)
    if answer.code != code:
        raise Weak(told, answer)


@check(
    "credentials-08",
    "A registration succeeds and a token comes back",
    section="credentials, Registration",
    needs_connection=False,
)
def registration_succeeds(bench: Bench) -> str:
    """POST for the first version; PUT at the next version's endpoint switches to it."""
    answer = _registration(bench)
    accepted(answer, "the CPO's credentials object")
    expect(bench.connection.token, "expected: a usable token in the credentials object", answer)
    return f"by {answer.method}"


@check("credentials-09", "The credentials object is complete", section="credentials, Credentials object")
def credentials_are_complete(bench: Bench) -> None:
    """token, url and roles with business details."""
    answer = _registration(bench)
    expect_none(faults(credentials_rules(bench.version), [("credentials", answer.data)]), answer)


@check("credentials-10", "A CPO's role is among the roles, each once", section="credentials, CredentialsRole")
def a_cpo_is_among_the_roles(bench: Bench) -> None:
    """The combination of role, party and country is unique."""
    answer = _registration(bench)
    roles = [
        (str(role.get("role")), str(role.get("country_code")).upper(), str(role.get("party_id")).upper())
        for role in answer.data["roles"]
    ]
    expect(any(role == "CPO" for role, *_ in roles), f"expected: a role CPO; came: {roles}", answer)
    expect(len(roles) == len(set(roles)), f"expected: each combination once; came: {roles}", answer)


@check("credentials-11", "The token given is neither token A nor ours", section="credentials, Registration")
def the_token_is_new(bench: Bench) -> None:
    """A new unique token for each registration."""
    given = (_registration(bench).data or {}).get("token")
    expect(given != bench.options.token, "expected: a new token; token A came back")
    expect(given not in bench.ptp.tokens, "expected: a token of the CPO's; ours came back")


@check("credentials-12", "The CPO reads our versions and details", section="credentials, POST Method")
def the_cpo_reads_our_details(bench: Bench) -> None:
    """The server must fetch the client's endpoints for this version, with the token that we gave."""
    _reads_details(bench, bench.connection.mark)


def _reads_details(bench: Bench, mark: int) -> None:
    for kind in ("versions", "details"):
        found = bench.ptp.wait(of_kind(kind), mark=mark, seconds=bench.options.settle_seconds)
        expect(found is not None, f"expected: GET of our {kind}; it did not come")
        assert found is not None
        expect(
            found.known_token, f"expected: the token that we gave, base64-encoded; {found} came with another"
        )


@check(
    "credentials-13",
    "Versions and credentials are not routed",
    section="transport_and_format, Message Routing Headers",
    level=Level.SHOULD,
)
def configuration_is_not_routed(bench: Bench) -> None:
    """Routing headers SHALL NOT be used with these modules."""
    answer = _registration(bench)
    ours = bench.ptp.since(bench.connection.mark, "versions", "details")
    wrong = [f"the answer carries {name}" for name in ROUTING_HEADERS if answer.header(name)]
    wrong += [f"{d} carries {name}" for d in ours for name in ROUTING_HEADERS if name in d.request.headers]
    expect_none(wrong, answer)


@check("credentials-14", "A second POST gets 405", section="credentials, POST Method")
def second_registration_is_refused(bench: Bench) -> None:
    """Already registered."""
    not_allowed(offer(bench, "POST", our_token=bench.ptp.new_token()))


@check("credentials-15", "GET gives the CPO's credentials", section="credentials, GET Method")
def credentials_can_be_read(bench: Bench) -> None:
    """The same url and roles as in the handshake."""
    answer = bench.plain("GET", bench.url("credentials"))
    data = accepted(answer, "the CPO's credentials object")
    expect_none(faults(credentials_rules(bench.version), [("credentials", data)]), answer)


@check(
    "credentials-16", "PATCH gets 405", section="credentials, Interfaces and endpoints", level=Level.SHOULD
)
def credentials_are_not_patched(bench: Bench) -> None:
    """PATCH is n/a."""
    not_allowed(bench.plain("PATCH", bench.url("credentials"), body={"token": "x"}))


@check(
    "credentials-17", "PUT rotates: the new token works, the old is dead", section="credentials, PUT Method"
)
def rotation_replaces_the_token(bench: Bench) -> None:
    """The server must generate a new token for the client."""
    old = bench.token
    answer = offer(bench, "PUT", our_token=bench.ptp.new_token())
    accepted(answer, "the updated credentials object")
    expect(bench.token != old, "expected: a new token; the old one came back", answer)
    try:
        accepted(bench.page("locations", limit=1), "a page of locations, with the new token")
        unauthorized(bench.call("GET", "locations", token=old))
    except Broken:
        if bench.call("GET", "locations", token=old).ok:
            bench.connection.token = old
        raise


@check("credentials-18", "PUT makes the CPO read our endpoints again", section="credentials, PUT Method")
def rotation_reads_our_details_again(bench: Bench) -> None:
    """Even if the version has not changed; with the token of the PUT."""
    mark, ours = bench.ptp.mark(), bench.ptp.new_token()
    accepted(offer(bench, "PUT", our_token=ours), "the updated credentials object")
    _reads_details(bench, mark)
    stale = [str(d) for d in bench.ptp.since(mark, "versions", "details") if ours not in d.request.tokens]
    expect_none([f"expected: the new token; {found} used the old one" for found in stale])


@check(
    "credentials-19",
    "A PUT that fails leaves the connection as it was",
    section=ERRORS,
    level=Level.SAFETY,
)
def failed_rotation_changes_nothing(bench: Bench) -> None:
    """Otherwise both sides would be locked out of a running network."""
    before = bench.token
    answer = offer(bench, "PUT", our_token=bench.ptp.new_token(), url=bench.ptp.dead_versions_url)
    told = f"expected: an OCPI error, for our API is unreachable; came: {answer.answer}"
    expect(answer.code is not None and answer.code >= 2000, told, answer)
    accepted(bench.page("locations", limit=1), "a page of locations, with the token from before")
    expect(bench.token == before, "expected: the token from before goes on", answer)


@check(
    "credentials-07",
    "A client without a common module gets 3003",
    section="credentials, Required endpoints not available; status_codes, 3003",
)
def bare_client_is_told(bench: Bench) -> None:
    """A PUT whose details list charging profiles alone, not even credentials."""
    answer = offer(bench, "PUT", our_token=bench.ptp.new_token(), url=bench.ptp.bare_versions_url)
    if answer.ok:  # it took us so; let it know our endpoints again, for the checks that follow
        accepted(offer(bench, "PUT", our_token=bench.ptp.new_token()), "the updated credentials object")
    _registration_refused(answer, 3003)
    accepted(bench.page("locations", limit=1), "a page of locations, with the token from before")


@check(
    "credentials-20",
    "DELETE ends the connection: the token is dead",
    section="credentials, DELETE Method",
    stage=Stage.LEAVING,
)
def leaving_kills_the_token(bench: Bench) -> None:
    """Our credentials can no longer be used, and what we hold neither."""
    old = bench.token
    answer = leave(bench)
    if answer is None:
        raise Broken("expected: an answer to DELETE; none came")
    expect(answer.ok, f"expected: HTTP 2xx, OCPI 1000; came: {answer.answer}", answer)
    unauthorized(bench.call("GET", "locations", token=old))


@check(
    "credentials-21",
    "A second DELETE gets 405 or 401",
    section="credentials, DELETE Method",
    stage=Stage.LEAVING,
    needs_connection=False,
)
def leaving_twice_is_refused(bench: Bench) -> None:
    """The client is no longer registered, or no longer known."""
    if bench.connection.token:
        leave(bench)
    if bench.connection.registration is None or bench.connection.token:
        raise Untried("There was no connection to end.")
    dead = bench.connection.last_token
    answer = bench.plain("DELETE", bench.url("credentials"), token=dead)
    never_a_crash(answer)
    expect(answer.http in (401, 405), f"expected: HTTP 405 or 401; came: {answer.answer}", answer)


def _registration(bench: Bench) -> Exchange:
    if bench.connection.registration is None:
        raise Untried("No registration was tried.")
    return bench.connection.registration
