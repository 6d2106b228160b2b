"""Write a checked file's OCPI parties; what a handshake settled, or an end ended, a file does not touch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emabler.network.entries import Network, OcpiPartyEntry
from emabler.network.write_partners import Secret
from payments.models import Contract, OcpiConnection
from payments.ocpi import connections


def write_ocpi_parties(network: Network, *, now: datetime) -> list[Secret]:
    """Save the file's OCPI parties; returns the tokens that were generated, to be shown once."""
    return [secret for entry in network.ocpi_parties if (secret := _write(entry, now))]


def _write(entry: OcpiPartyEntry, now: datetime) -> Secret | None:
    connection = OcpiConnection.objects.filter(ptp__name=entry.name).first()
    secret = None
    if connection is None:
        connection, token = _invite(entry, now)
        if entry.token_a is None:
            secret = {
                "secret": "ocpi_party",
                "name": entry.name,
                "versions_url": connections.versions_url(),
                "token_a": token,
            }
    elif connection.state == OcpiConnection.State.INVITED and _is_new(entry.token_a, connection):
        connection, _ = _invite(entry, now)
    _save(connection, _wanted(entry, connection))
    if entry.contracts is not None and dict(entry.contracts) != _contracts(connection):
        connections.set_contracts(connection, dict(entry.contracts))
    return secret


def _invite(entry: OcpiPartyEntry, now: datetime) -> tuple[OcpiConnection, str]:
    return connections.invite(
        name=entry.name,
        country_code=entry.party[0],
        party_id=entry.party[1],
        role=entry.role,
        our_party=entry.our_party,
        token_a=entry.token_a or "",
        now=now,
    )


def _is_new(token_a: str | None, connection: OcpiConnection) -> bool:
    return token_a is not None and connections.hash_of(token_a) != connection.server_token_hash


def _wanted(entry: OcpiPartyEntry, connection: OcpiConnection) -> dict[str, Any]:
    """The columns that the file speaks of. Who registered told us its role itself."""
    wanted: dict[str, Any] = {
        "release_signal": entry.release_signal,
        "invoice_creator": entry.invoice_creator,
        "languages": None if entry.languages is None else list(entry.languages),
    }
    if entry.our_party is not None:
        wanted |= {"our_country_code": entry.our_party[0], "our_party_id": entry.our_party[1]}
    if not connection.is_registered:
        wanted |= {"country_code": entry.party[0], "party_id": entry.party[1], "role": entry.role}
    return {name: value for name, value in wanted.items() if value is not None}


def _save(connection: OcpiConnection, wanted: dict[str, Any]) -> None:
    changed = {name: value for name, value in wanted.items() if getattr(connection, name) != value}
    if changed:
        OcpiConnection.objects.filter(pk=connection.pk).update(**changed)


def _contracts(connection: OcpiConnection) -> dict[str, connections.Party]:
    rows = Contract.objects.filter(connection=connection)
    return {row.customer_reference: (row.country_code, row.party_id) for row in rows}
