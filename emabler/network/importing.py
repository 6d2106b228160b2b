"""Import a network file: all of it or nothing, and a second time changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from emabler.network.afir import afir_findings
from emabler.network.checks import check, merge, unused_tokens
from emabler.network.entries import read_network
from emabler.network.stored import load_stored
from emabler.network.write_ocpi_parties import write_ocpi_parties
from emabler.network.write_partners import write_ptps, write_terminals
from emabler.network.write_sites import write_sites, write_tariffs
from emabler.network.write_stations import Secret, write_stations
from tariffs.afir import Finding
from tariffs.engine.errors import InputError, InvalidInput

ADVISORY_LOCK_KEY = 0x696D706F7274  # "import" in ASCII; any constant that nothing else uses


@dataclass(frozen=True, slots=True)
class Imported:
    """What a person should see of an import that took place."""

    secrets: list[Secret]  # generated ones; they can be shown only now
    findings: tuple[InputError, ...]  # not wrong, but worth a look
    afir: tuple[Finding, ...] = ()  # tariffs that cannot or should not be sold where they are


def import_network(document: object, *, now: datetime) -> Imported:
    """Bring a network file's document (see `document.read_file`) into the database in one transaction.

    Idempotent. Raises `InvalidInput` with every fault; then nothing has changed.
    """
    network, errors = read_network(document)
    with transaction.atomic():
        _one_at_a_time()
        stored = load_stored(network)
        errors += check(network, stored)
        if errors:
            raise InvalidInput(errors)
        merged = merge(network, stored)
        write_tariffs(network)
        write_sites(network, now=now)
        secrets = write_stations(network, merged) + write_ptps(network)
        secrets += write_ocpi_parties(network, now=now)
        write_terminals(network, merged)
        findings = (*network.findings, *unused_tokens(network, stored))
        return Imported(secrets, findings, tuple(afir_findings(network)))


def _one_at_a_time() -> None:
    """Two imports at once would find each other's entries missing and both create them."""
    if connection.vendor == "postgresql":  # SQLite has one writer anyway
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK_KEY])
