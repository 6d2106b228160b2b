"""OCPI handshake: credentials, and the lists of versions and endpoints that lead to the modules.

OCPI 2.3.0 credentials, version_information_endpoint. Peers extend the enums here more than elsewhere (a
role PTP is in no table of the text), so names are taken as they come and compared by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from payments.ocpi.dialects import Kind, Version, in_dialect
from payments.ocpi.reading import Reader, given

MAX_ROLES: Final = 1_000  # a hub's platform lists the parties behind it
MAX_VERSIONS: Final = 50
MAX_ENDPOINTS: Final = 200
_TOKEN: Final = re.compile(r"[!-~]{1,64}")

# The roles that a payment terminal provider may sign in with: PTP is what it is called, and not in the
# table of roles; OTHER and EMSP are what systems use that keep to the table.
PTP_ROLES: Final = ("PTP", "OTHER", "EMSP")


@dataclass(frozen=True, slots=True)
class PartyRole:
    """What a party on a platform is (CredentialsRole); `role` as it came, in capitals."""

    role: str
    country_code: str
    party_id: str
    name: str = ""
    website: str = ""


@dataclass(frozen=True, slots=True)
class CredentialsEntry:
    """What a peer gives us to call it with: its token, its versions and who it is."""

    token: str
    url: str
    roles: tuple[PartyRole, ...]
    hub_party_id: str = ""

    def ptp_role(self) -> PartyRole | None:
        """The role to deal with as payment terminal provider: by order of `PTP_ROLES`, then of the list."""
        found = [role for role in self.roles if role.role in PTP_ROLES]
        return min(found, key=lambda role: PTP_ROLES.index(role.role), default=None)


def parse_credentials(obj: object, *, path: str = "") -> CredentialsEntry:
    """Read Credentials. Raises `InvalidInput` with every fault; none of them repeats the token."""
    reader = Reader(obj, path)
    fields: dict[str, Any] = {
        "token": _token(reader),
        "url": reader.url("url", required=True),
        "roles": tuple(_role(item) for item in reader.items("roles", most=MAX_ROLES, least=1)),
        "hub_party_id": reader.ci_text("hub_party_id", longest=5) or "",
    }
    reader.require_sound()
    return CredentialsEntry(**fields)


def _token(reader: Reader) -> str:
    """1 to 64 printable characters without a space; what surrounds them came in by copying."""
    value = reader.value("token", required=True)
    token = value.strip() if isinstance(value, str) else ""
    if value is not None and not _TOKEN.fullmatch(token):
        reader.fault("token", "invalid", "1 to 64 printable ASCII characters without a space are expected.")
    return token


def _role(reader: Reader) -> PartyRole:
    """A role; `business_details` are required by the text, and nothing is done with them but to show them."""
    details = reader.part("business_details")
    return PartyRole(
        role=(reader.ci_text("role", longest=36, required=True) or "").upper(),
        country_code=reader.ci_text("country_code", longest=2, required=True) or "",
        party_id=reader.ci_text("party_id", longest=3, required=True) or "",
        name=(details and details.text("name", longest=100)) or "",
        website=(details and details.text("website", longest=255)) or "",
    )


def credentials_document(
    token: str, versions_url: str, roles: Iterable[PartyRole], version: Version, *, hub_party_id: str = ""
) -> dict[str, Any]:
    """Write our Credentials: `token` is what the peer has to call us with."""
    document = given({"token": token, "url": versions_url, "hub_party_id": hub_party_id})
    document["roles"] = [
        {
            "role": role.role,
            "party_id": role.party_id,
            "country_code": role.country_code,
            "business_details": given({"name": role.name or role.party_id, "website": role.website}),
        }
        for role in roles
    ]
    return in_dialect(Kind.CREDENTIALS, document, version)


# --- Versions and endpoints -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version that a peer speaks, and where its details are; `version` as it came."""

    version: str
    url: str


@dataclass(frozen=True, slots=True)
class EndpointEntry:
    """One module interface of a peer. `role` is SENDER or RECEIVER, and says nothing for credentials."""

    identifier: str
    role: str
    url: str


def parse_versions(obj: object) -> tuple[VersionEntry, ...]:
    """Read the `data` of GET versions. Raises `InvalidInput` with every fault."""
    reader = Reader({"versions": obj}, "")
    entries = tuple(
        VersionEntry(
            version=item.ci_text("version", longest=36, required=True) or "",
            url=item.url("url", required=True) or "",
        )
        for item in reader.items("versions", most=MAX_VERSIONS, least=1)
    )
    reader.require_sound()
    return entries


def parse_endpoints(obj: object) -> tuple[EndpointEntry, ...]:
    """Read the `endpoints` of the `data` of GET version details. Raises `InvalidInput` with every fault."""
    reader = Reader(obj, "")
    entries = tuple(
        EndpointEntry(
            identifier=item.ci_text("identifier", longest=64, required=True) or "",
            role=(item.ci_text("role", longest=36) or "").upper(),
            url=item.url("url", required=True) or "",
        )
        for item in reader.items("endpoints", most=MAX_ENDPOINTS, least=1)
    )
    reader.require_sound()
    return entries
