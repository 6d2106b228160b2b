"""The parties that a platform speaks for: what it owns bears one of their names."""

from collections.abc import Mapping

from payments.models import OcpiConnection
from payments.ocpi.connections import Party


def their_parties(connection: OcpiConnection) -> frozenset[Party]:
    """Return the parties of a platform: that of its connection, and those of its CredentialsRoles."""
    named = {(connection.country_code, connection.party_id)}
    for role in connection.roles:
        if isinstance(role, dict):
            named.add((str(role.get("country_code")), str(role.get("party_id"))))
    return frozenset(in_capitals(party) for party in named)


def owner_of(connection: OcpiConnection, token: Mapping[str, str]) -> Party | None:
    """Return the party of a platform whose token this is, None where it is none of theirs."""
    named = in_capitals((token.get("country_code", ""), token.get("party_id", "")))
    return named if named in their_parties(connection) else None


def in_capitals(party: Party) -> Party:
    """Country code and party id are of no case (OCPI 2.3.0 types, CiString); ours are kept in capitals."""
    return party[0].upper(), party[1].upper()
