"""The handshake's objects: who a peer is, what it speaks, where its modules are."""

from typing import Any

import pytest

from payments.ocpi.credentials import (
    EndpointEntry,
    PartyRole,
    VersionEntry,
    credentials_document,
    parse_credentials,
    parse_endpoints,
    parse_versions,
)
from payments.ocpi.dialects import Version
from tests.payments.ocpi_shapes import cast
from tests.payments.ocpi_shapes.faults import faults

URL = "https://ptp.example/ocpi/versions"


def role(name: str = "PTP", **fields: Any) -> dict[str, Any]:
    facts = {"role": name, "country_code": "NL", "party_id": "PTP", "business_details": {"name": "Example"}}
    return {key: value for key, value in (facts | fields).items() if value is not None}


def sent(**fields: Any) -> dict[str, Any]:
    facts = {"token": "a-token-of-64", "url": URL, "roles": [role()]}
    return {name: value for name, value in (facts | fields).items() if value is not None}


def test_credentials_are_read() -> None:
    read = parse_credentials(sent(hub_party_id="NLHUB", x_theirs=1))

    assert (read.token, read.url, read.hub_party_id) == ("a-token-of-64", URL, "NLHUB")
    assert read.roles == (PartyRole("PTP", "NL", "PTP", "Example"),)


def test_what_surrounds_a_token_came_in_by_copying() -> None:
    assert parse_credentials(sent(token=" a-token-of-64\n")).token == "a-token-of-64"


def test_a_role_without_business_details_or_in_small_letters_is_taken() -> None:
    read = parse_credentials(sent(roles=[role("ptp", business_details=None)]))

    assert read.roles == (PartyRole("PTP", "NL", "PTP"),)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["PTP"], "PTP"),
        (["EMSP"], "EMSP"),
        (["OTHER"], "OTHER"),
        (["EMSP", "OTHER", "PTP"], "PTP"),
        (["CPO", "EMSP"], "EMSP"),
        (["CPO", "HUB", "FI-NEW"], None),
    ],
)
def test_a_terminal_provider_is_known_by_any_of_three_roles(names: list[str], expected: str | None) -> None:
    found = parse_credentials(sent(roles=[role(name) for name in names])).ptp_role()

    assert (found and found.role) == expected


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"token": None}, "token", "required"),
        ({"token": "  "}, "token", "invalid"),
        ({"token": "a b"}, "token", "invalid"),
        ({"token": "ä"}, "token", "invalid"),
        ({"token": "a" * 65}, "token", "invalid"),
        ({"token": 7}, "token", "invalid"),
        ({"url": None}, "url", "required"),
        ({"url": "ptp.example"}, "url", "invalid"),
        ({"roles": None}, "roles", "required"),
        ({"roles": []}, "roles", "required"),
        ({"roles": {}}, "roles", "invalid"),
        ({"roles": [role(party_id="PTPX")]}, "roles[0].party_id", "too_large"),
        ({"roles": [role(country_code=None)]}, "roles[0].country_code", "required"),
        ({"roles": [role("")]}, "roles[0].role", "invalid"),
        ({"hub_party_id": "NLHUBS"}, "hub_party_id", "too_large"),
    ],
)
def test_a_fault_is_named_and_never_repeats_the_token(changes: Any, path: str, code: str) -> None:
    assert faults(parse_credentials, sent(**changes)) == [(path, code)]


@pytest.mark.parametrize("version", cast.VERSIONS)
def test_ours_name_every_party_on_our_platform(version: Version) -> None:
    two = (*cast.US, PartyRole("CPO", "SE", "EMB"))

    document = credentials_document("t", URL, two, version, hub_party_id="NLHUB")

    assert document["roles"] == [
        {
            "role": "CPO",
            "party_id": "EMB",
            "country_code": "FI",
            "business_details": {"name": "Example Charging Oy", "website": "https://cpo.example"},
        },
        {"role": "CPO", "party_id": "EMB", "country_code": "SE", "business_details": {"name": "EMB"}},
    ]
    assert ("hub_party_id" in document) == (version is Version.V2_3_0)


class TestVersions:
    def test_versions_are_listed(self) -> None:
        listed = [{"version": "2.2.1", "url": URL}, {"version": "3.0", "url": URL, "beta": True}]

        assert parse_versions(listed) == (VersionEntry("2.2.1", URL), VersionEntry("3.0", URL))

    def test_endpoints_are_listed_and_a_role_may_be_missing(self) -> None:
        details = {
            "version": "2.2.1",
            "endpoints": [
                {"identifier": "credentials", "url": URL},
                {"identifier": "locations", "role": "receiver", "url": URL},
            ],
        }

        assert parse_endpoints(details) == (
            EndpointEntry("credentials", "", URL),
            EndpointEntry("locations", "RECEIVER", URL),
        )

    @pytest.mark.parametrize(
        ("parse", "value", "path"),
        [
            (parse_versions, {}, "versions"),
            (parse_versions, [], "versions"),
            (parse_versions, [{"version": "2.2.1"}], "versions[0].url"),
            (parse_versions, ["2.2.1"], "versions[0]"),
            (parse_endpoints, [], ""),
            (parse_endpoints, {"endpoints": []}, "endpoints"),
            (parse_endpoints, {"endpoints": [{"identifier": "cdrs", "url": "/cdrs"}]}, "endpoints[0].url"),
        ],
    )
    def test_a_fault_is_named(self, parse: Any, value: object, path: str) -> None:
        assert [found for found, _ in faults(parse, value)] == [path]
