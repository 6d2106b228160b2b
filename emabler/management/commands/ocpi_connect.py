"""`manage.py ocpi_connect NAME --url … --token …`: register at a platform that gave us its token A."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from emabler.management.commands.ocpi_party import (
    a_country,
    a_name,
    a_party_id,
    add_our_arguments,
    adjust,
    our_party,
)
from payments.models import OcpiConnection
from payments.ocpi import connections, handshake
from payments.ocpi.dialects import Version
from payments.ocpi.discovery import HandshakeFailed

PUSHED = ("locations", "tariffs", "sessions", "cdrs")


class Command(BaseCommand):
    """Exit status 0: registered; 1: it failed, standard error says why; 2: usage."""

    help = "Register over OCPI at a payment terminal provider's platform, with the token A that it gave us."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Here `--version` is OCPI's; Django's own tells nothing that `manage.py --version` does not.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "name", type=a_name, metavar="NAME", help="of the PTP here; new, or known already"
        )
        parser.add_argument("--url", required=True, help="its versions URL")
        parser.add_argument("--token", required=True, help="its token A; - reads it from standard input")
        parser.add_argument("--version", choices=[*Version], help="default: the highest in common")
        parser.add_argument("--country", type=a_country, help="its country code; default: what it says")
        parser.add_argument("--party", type=a_party_id, help="its party id; default: what it says")
        add_our_arguments(parser)
        parser.add_argument("--raw-tokens", action="store_true", help="it wants tokens without base64")

    def handle(self, *args: Any, name: str, url: str, token: str, **options: Any) -> None:
        token = (sys.stdin.readline() if token == "-" else token).strip()  # noqa: S105  (a sign, no secret)
        connection = _prepared(name, options)
        wanted = Version(options["version"]) if options["version"] else None
        try:
            handshake.register_at(connection, url, token, version=wanted, now=timezone.now())
        except HandshakeFailed as error:
            raise CommandError(f"Not registered. {error}") from error
        self._tell(connection)

    def _tell(self, connection: OcpiConnection) -> None:
        them = f"{connection.country_code}*{connection.party_id}"
        self.stdout.write(f"Registered at {them} ({connection.role}) over OCPI {connection.version}.")
        for place, url in sorted(connection.endpoints.items()):
            self.stdout.write(f"  {place}  {url}")
        if polled := [module for module in PUSHED if not connection.endpoint(module)]:
            self.stderr.write(f"It receives no {', '.join(polled)}: it has to ask for them.")


def _prepared(name: str, options: dict[str, Any]) -> OcpiConnection:
    """The connection to register. Raises CommandError where it is known as another party."""
    wanted = (options["country"] or "", options["party"] or "")
    if bool(wanted[0]) != bool(wanted[1]):
        raise CommandError("--country and --party are given together.")
    connection = connections.prepare(
        name=name, country_code=wanted[0], party_id=wanted[1], our_party=our_party(options)
    )
    known = (connection.country_code, connection.party_id)
    if all(wanted) and known != wanted:
        raise CommandError(f"{name} is known as {'*'.join(known)}; ocpi_party invites it as somebody else.")
    adjust(connection, options)
    return connection
