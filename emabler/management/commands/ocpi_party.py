"""`manage.py ocpi_party NAME --country FI --party ABC`: invite a payment terminal provider's platform over OCPI."""

import argparse
import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments.models import OcpiConnection
from payments.ocpi import connections
from payments.ocpi.connections import Party
from payments.ocpi.credentials import PTP_ROLES

LONGEST_NAME = 100
LONGEST_REFERENCE = 36  # OCPI 2.3.0 mod_payments, Terminal.customer_reference


class Command(BaseCommand):
    """Exit status 0: invited, standard output shows versions URL and token A; 1: refused; 2: usage."""

    help = "Invite a payment terminal provider over OCPI; prints our versions URL and its token A, once."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "name", type=a_name, metavar="NAME", help="of the PTP here; new, or known already"
        )
        parser.add_argument("--country", type=a_country, required=True, help="its OCPI country code, say NL")
        parser.add_argument("--party", type=a_party_id, required=True, help="its OCPI party id, say ABC")
        parser.add_argument("--role", choices=PTP_ROLES, default="PTP", help="default: PTP")
        add_our_arguments(parser)
        parser.add_argument("--raw-tokens", action="store_true", help="it wants tokens without base64")
        parser.add_argument("--again", action="store_true", help="also if that ends a registration")

    def handle(self, *args: Any, name: str, country: str, party: str, **options: Any) -> None:
        known = OcpiConnection.objects.filter(ptp__name=name).first()
        if known is not None and known.is_registered and not options["again"]:
            raise CommandError(f"{name} is registered. With --again that ends, and it is invited anew.")
        connection, token = connections.invite(
            name=name,
            country_code=country,
            party_id=party,
            role=options["role"],
            our_party=our_party(options),
            now=timezone.now(),
        )
        adjust(connection, options)
        self._tell(connection, token)

    def _tell(self, connection: OcpiConnection, token: str) -> None:
        them = f"{connection.country_code}*{connection.party_id}"
        us = ", ".join("*".join(party) for party in sorted(connections.parties_of(connection)))
        self.stdout.write(f"{connection.ptp.name} is invited as {them}; we are {us}.")
        self.stdout.write(f"Versions URL: {connections.versions_url()}")
        self.stdout.write(f"Token A: {token}")
        self.stderr.write("The token is shown this once. It opens versions and credentials until it is used.")
        host = urlsplit(settings.PUBLIC_URL).hostname or ""
        if not settings.DEMO and (not settings.PUBLIC_URL.startswith("https:") or host == "localhost"):
            self.stderr.write(
                f"PUBLIC_URL is {settings.PUBLIC_URL}; platforms need an https address of ours."
            )


# --- Arguments that ocpi_connect has too ----------------------------------------------------------


def add_our_arguments(parser: argparse.ArgumentParser) -> None:
    """Who we are to a platform."""
    ours = "CPO_COUNTRY_CODE and CPO_PARTY_ID"
    parser.add_argument("--our-country", type=a_country, help=f"as which party we answer; default: {ours}")
    parser.add_argument("--our-party", type=a_party_id)
    parser.add_argument(
        "--contract",
        type=a_contract,
        action="append",
        metavar="REF=CC*PID",
        help="a customer_reference of its terminals, and the party of ours that they sell for; may be repeated",
    )


def our_party(options: dict[str, Any]) -> Party | None:
    """The party of ours that was named. Raises CommandError for half of one."""
    country_code, party_id = options["our_country"], options["our_party"]
    if bool(country_code) != bool(party_id):
        raise CommandError("--our-country and --our-party are given together.")
    return (country_code, party_id) if country_code else None


def adjust(connection: OcpiConnection, options: dict[str, Any]) -> None:
    """Set what was asked for, and leave what was not."""
    if options["contract"]:
        connections.set_contracts(connection, dict(options["contract"]))
    if options["raw_tokens"] and not connection.raw_tokens:
        connection.raw_tokens = True
        connection.save(update_fields=["raw_tokens"])


def a_name(text: str) -> str:
    """The name of a PTP."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"must be 1 to {LONGEST_NAME} printable characters")
    return text


def a_country(text: str) -> str:
    """An OCPI country code, in capitals."""
    if not re.fullmatch(r"[A-Za-z]{2}", text):
        raise argparse.ArgumentTypeError("must be two letters, as in FI")
    return text.upper()


def a_party_id(text: str) -> str:
    """An OCPI party id, in capitals."""
    if not re.fullmatch(r"[A-Za-z0-9]{3}", text):
        raise argparse.ArgumentTypeError("must be three letters or digits, as in ABC")
    return text.upper()


def a_contract(text: str) -> tuple[str, Party]:
    """A customer reference and the party of ours; `-` does where a shell has plans for `*`."""
    reference, _, party = text.rpartition("=")
    country_code, _, party_id = party.replace("-", "*").partition("*")
    if not reference.strip() or not reference.isprintable() or len(reference) > LONGEST_REFERENCE:
        raise argparse.ArgumentTypeError("must be REFERENCE=CC*PID, as in site-owner-7=FI*ABC")
    return reference, (a_country(country_code), a_party_id(party_id))
