"""Versions and version details (OCPI version_information_endpoint)."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from payments.conformance.bench import Bench
from payments.conformance.expectations import accepted, accepted_list
from payments.conformance.registry import VERSIONS, Stage, check
from payments.conformance.rules.language import faults
from payments.conformance.rules.partners import DETAILS, VERSION
from payments.conformance.verdicts import Level, Untried, expect, expect_none

LIST: Final = "version_information_endpoint, Version information endpoint"
ONE: Final = "version_information_endpoint, Version details endpoint"
EIGHT: Final = {
    "credentials": "",  # its role says nothing
    "locations": "SENDER",
    "tariffs": "SENDER",
    "sessions": "SENDER",
    "cdrs": "SENDER",
    "commands": "RECEIVER",
    "tokens": "RECEIVER",
    "payments": "RECEIVER",
}
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@check(
    "versions-01",
    "Token A reads the list of versions",
    section=LIST,
    stage=Stage.INVITED,
    needs_connection=False,
)
def versions_are_listed(bench: Bench) -> str:
    """A list of {version, url}."""
    exchange = bench.plain("GET", bench.options.url)
    found = accepted_list(exchange, "the list of versions")
    expect(found, "expected: at least one version; came: an empty list", exchange)
    expect_none(faults(VERSION, [(f"versions[{place}]", item) for place, item in enumerate(found)]), exchange)
    return ", ".join(str(item["version"]) for item in found)


@check("versions-02", "Every version asked for is offered", section=LIST, stage=Stage.INVITED)
def wanted_versions_are_offered(bench: Bench) -> None:
    """2.2.1 or 2.3.0, or the one that --version names."""
    offered = bench.offered()
    wanted = bench.options.versions
    missing = [version for version in wanted if version not in offered]
    expect(not missing, f"expected: {', '.join(missing)}; offered: {', '.join(offered) or 'nothing'}")
    known = [version for version in VERSIONS if version in offered]
    expect(known, f"expected: {' or '.join(VERSIONS)}; offered: {', '.join(offered) or 'nothing'}")


@check("versions-03", "No version is listed twice", section=LIST, level=Level.SHOULD, stage=Stage.INVITED)
def versions_are_listed_once(bench: Bench) -> None:
    """A peer could not know which URL is meant."""
    exchange = bench.plain("GET", bench.options.url)
    found = [str(item.get("version")) for item in accepted_list(exchange, "the list of versions")]
    expect(len(found) == len(set(found)), f"expected: each once; came: {', '.join(found)}", exchange)


@check(
    "versions-04",
    "URLs are https outside the loopback",
    section="transport_and_format, Security and authentication",
    stage=Stage.INVITED,
)
def urls_are_https(bench: Bench) -> None:
    """The interfaces are protected by TLS."""
    urls = [bench.options.url, *bench.offered().values()]
    bare = [url for url in urls if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in LOOPBACK]
    expect(not bare, f"expected: https; came: {', '.join(bare)}")


@check("versions-05", "Details name the version and their endpoints", section=ONE)
def details_are_well_formed(bench: Bench) -> None:
    """version, and endpoints with identifier, role and url."""
    exchange = bench.details()
    data = accepted(exchange, "the details of the version")
    expect_none(faults(DETAILS, [("details", data)]), exchange)
    told = f"expected: version {bench.version}; came: {data['version']}"
    expect(data["version"] == bench.version, told, exchange)


@check("versions-06", "All eight modules that direct payment needs are there", section="mod_payments; " + ONE)
def eight_modules_are_listed(bench: Bench) -> None:
    """Payments lives on locations, tariffs, commands, sessions, CDRs and tokens."""
    missing = [name for name in EIGHT if name not in bench.endpoints()]
    expect(not missing, f"expected: all eight modules; missing: {', '.join(missing)}", bench.details())


@check("versions-07", "Modules have the role of a CPO", section=ONE + ", InterfaceRole")
def modules_have_their_roles(bench: Bench) -> None:
    """SENDER of what the CPO owns, RECEIVER of what the provider owns."""
    wrong = []
    for name, role in EIGHT.items():
        roles = [str(entry.get("role")) for entry in bench.endpoints().get(name, [])]
        if role and roles and role not in roles:
            wrong.append(f"{name}: {role} expected, {'/'.join(roles)} came")
    expect_none(wrong, bench.details())


@check("versions-08", "An endpoint is listed once for each role", section=ONE, level=Level.SHOULD)
def endpoints_are_listed_once(bench: Bench) -> None:
    """Payments may be listed once for each of its two families."""
    seen = [
        (name, str(entry.get("role")))
        for name, entries in bench.endpoints().items()
        for entry in entries
        if name != "payments"
    ]
    twice = sorted({f"{name} {role}" for name, role in seen if seen.count((name, role)) > 1})
    expect(not twice, f"expected: each once; twice: {', '.join(twice)}", bench.details())


@check("versions-09", "Details ask for a token, and open with ours", section=ONE, level=Level.MUST)
def details_need_a_token(bench: Bench) -> None:
    """They are for parties that are known, and for those alone."""
    url = bench.offered().get(bench.version)
    if not url:
        raise Untried(f"{bench.version} is not offered.")
    known, stranger = bench.plain("GET", url), bench.plain("GET", url, headers={"Authorization": None})
    accepted(known, "the details, for the registered token")
    expect(stranger.http == 401, f"expected: HTTP 401 without a token; came: {stranger.answer}", stranger)
