"""How the peer calls us: token, ids, routing, paths (OCPI transport_and_format, Client Owned Object Push)."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from payments.conformance.bench import ROUTED, Bench
from payments.conformance.charging.play import charge
from payments.conformance.ptp_side import Delivery
from payments.conformance.registry import check
from payments.conformance.rules.language import Aspect, Kind, faults, moment_problem
from payments.conformance.rules.places import connector, evse, location
from payments.conformance.rules.prices import tariff
from payments.conformance.verdicts import Broken, Level, Untried, expect_none
from payments.simulator.ocpi.wire import token_header

OWNED: Final = "transport_and_format, Client Owned Object Push"


def _heard(bench: Bench, *kinds: str) -> list[Delivery]:
    """What the peer has sent in this connection, with a charge behind it where one is possible. Raises Untried."""
    with contextlib.suppress(Broken, Untried):
        charge(bench)
    found = bench.ptp.since(bench.connection.mark, *kinds)
    if not found:
        raise Untried("The peer has sent nothing of this kind.")
    return found


@check(
    "pushes-01",
    "The peer uses the token that we gave, base64-encoded",
    section="transport_and_format, Authorization header",
)
def the_peer_uses_our_token(bench: Bench) -> str:
    """The encoding is required since 2.2-d2."""
    found = _heard(bench)
    ours = {token_header(token) for token in bench.ptp.tokens}
    wrong = [str(d) for d in found if d.request.headers.get("Authorization", "") not in ours]
    expect_none([f"expected: Token <base64 of our token>; {line} had something else" for line in wrong])
    return f"{len(found)} requests"


@check(
    "pushes-02",
    "Every request has its own X-Request-ID and an X-Correlation-ID",
    section="transport_and_format, Unique message IDs",
)
def requests_have_ids(bench: Bench) -> None:
    """Unique for each request."""
    found = _heard(bench)
    wrong = [
        f"expected: {name}; {d} has none"
        for d in found
        for name in ("X-Request-ID", "X-Correlation-ID")
        if not d.request.headers.get(name)
    ]
    ids = [d.request.headers.get("X-Request-ID", "") for d in found]
    wrong += [f"expected: unique; X-Request-ID {name} came {ids.count(name)} times"
              for name in sorted(set(ids)) if name and ids.count(name) > 1]  # fmt: skip
    expect_none(wrong)


@check("pushes-03", "Bodies come as application/json", section="transport_and_format, Request format")
def bodies_are_json(bench: Bench) -> None:
    """Content-Type SHALL be set to application/json for any request that contains a message body."""
    found = [d for d in _heard(bench) if d.request.raw]
    if not found:
        raise Untried("The peer has sent no body.")
    kinds = [(d, d.request.headers.get("Content-Type", "").split(";")[0].strip().lower()) for d in found]
    expect_none(
        [
            f"expected: application/json; {d} came as {kind!r}"
            for d, kind in kinds
            if kind != "application/json"
        ]
    )


@check(
    "pushes-04",
    "Pushes are routed: from the CPO to us",
    section="transport_and_format, Message Routing Headers",
    level=Level.SHOULD,
)
def pushes_are_routed(bench: Bench) -> None:
    """The four headers on functional modules; a peer with one party may leave them out."""
    us, cpo = bench.options.party, bench.connection.cpo
    wanted = {"OCPI-to-country-code": us.country_code, "OCPI-to-party-id": us.party_id}
    if cpo is not None:
        wanted |= {"OCPI-from-country-code": cpo.country_code, "OCPI-from-party-id": cpo.party_id}
    wrong = [
        f"{d}: {name} {value} expected, {d.request.headers.get(name)} came"
        for d in _heard(bench, *(name for name in ROUTED if name != "commands"))
        for name, value in wanted.items()
        if d.request.headers.get(name, "").upper() != value.upper()
    ]
    expect_none(wrong)


@check(
    "pushes-05",
    "The path names owner and object as the body does",
    section=OWNED + "; SHALL be the same value",
)
def paths_agree_with_bodies(bench: Bench) -> None:
    """{country_code}/{party_id}/{id} of what is PUT."""
    wrong = []
    for d in _heard(bench, "locations", "tariffs", "sessions"):
        body = d.body
        if d.method != "PUT" or len(d.ids) != 3 or not isinstance(body, dict):
            continue
        told = [str(body.get(name)) for name in ("country_code", "party_id", "id")]
        if [part.lower() for part in d.ids] != [t.lower() for t in told]:
            wrong.append(f"{d}: the body says {'/'.join(told)}")
    expect_none(wrong)


@check(
    "pushes-06",
    "Locations and tariffs that are pushed are well formed",
    section="mod_locations, PUT Method; mod_tariffs, PUT Method",
)
def pushed_objects_are_well_formed(bench: Bench) -> str:
    """Whole objects by PUT; PATCH may hold a part."""
    rules: dict[tuple[str, int], Kind] = {
        ("locations", 3): location(bench.version),
        ("locations", 4): evse(bench.version),
        ("locations", 5): connector(bench.version),
        ("tariffs", 3): tariff(bench.version),
    }
    puts = [d for d in _heard(bench, "locations", "tariffs") if d.method == "PUT"]
    if not puts:
        raise Untried("No location and no tariff was PUT.")
    aspects = [aspect for aspect in Aspect if aspect is not Aspect.DECIMALS]
    wrong = [
        line
        for d in puts
        if (kind := rules.get((d.kind, len(d.ids)))) is not None
        for line in faults(kind, [("/".join((d.kind, *d.ids)), d.body)], *aspects)
    ]
    expect_none(wrong)
    return f"{len(puts)} PUT"


@check("pushes-07", "PATCH of a location or EVSE carries last_updated", section="mod_locations, PATCH Method")
def patches_carry_their_time(bench: Bench) -> str:
    """Any request to the PATCH method SHALL contain the last_updated field."""
    patches = [d for d in _heard(bench, "locations") if d.method == "PATCH"]
    if not patches:
        raise Untried("No location was patched.")
    expect_none([f"expected: last_updated; {d} has none" for d in patches if moment_problem(_stamp(d.body))])
    return f"{len(patches)} PATCH"


def _stamp(body: Any) -> Any:
    return body.get("last_updated") if isinstance(body, dict) else None


@check(
    "pushes-08",
    "The peer calls nothing that we did not offer",
    section="version_information_endpoint: the exact URL can be found in the details",
)
def only_known_urls_are_called(bench: Bench) -> None:
    """URLs are taken from the details, slashes and all."""
    _heard(bench)
    stray = bench.ptp.stray()
    expect_none([f"{line}: we have no such endpoint" for line in stray])


@check(
    "pushes-09",
    "Nobody calls us without a token",
    section="transport_and_format, Authorization header",
    level=Level.SAFETY,
)
def nobody_calls_without_a_token(bench: Bench) -> None:
    """Every request carries one that we gave; a CommandResult too."""
    wrong = [str(d) for d in _heard(bench) if not d.known_token]
    expect_none([f"expected: a token of ours; {line}" for line in wrong])
