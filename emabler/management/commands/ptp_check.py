"""`manage.py ptp_check`: play a payment terminal provider against any CPO backend and tell what it does wrong."""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.conformance import campaign
from payments.conformance.bench import Options
from payments.conformance.registry import CHECKS, VERSIONS
from payments.conformance.reports.console import MARK, lines
from payments.conformance.reports.document import as_json
from payments.conformance.reports.page import as_html
from payments.conformance.reports.summary import Facts, failed
from payments.conformance.verdicts import Result
from payments.simulator.ocpi.wire import Party, utc_text

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
ALL: Final = "all"


class Command(BaseCommand):
    """Exit status 0: nothing failed; 1: something did; 2: usage."""

    help = (
        "Check a CPO backend against OCPI 2.2.1 with DirectPayment and OCPI 2.3.0 with payments, over HTTP alone. "
        "It registers with token A, checks, charges once for each version, and unregisters."
    )
    requires_system_checks: list[str] = []  # it is a stranger to the server that it checks

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Let --version be OCPI's; Django's own would print Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        peer = parser.add_argument_group("the peer")
        peer.add_argument("--url", help="of its versions: https://cpo.example/ocpi/versions")
        peer.add_argument("--token", help="token A, fresh: it is used up by the handshake")
        peer.add_argument("--version", dest="versions", choices=[*VERSIONS, ALL], default=ALL)
        us = parser.add_argument_group("who we are")
        us.add_argument("--party", default="NL-PTC", help="country and party id (default: NL-PTC)")
        us.add_argument("--role", default="PTP", choices=["PTP", "OTHER", "EMSP"])
        us.add_argument("--callback-host", default="127.0.0.1", help="where we listen")
        us.add_argument("--callback-port", type=int, default=0, help="default: a free one")
        us.add_argument("--callback-url", default="", help="how the peer reaches us, behind a proxy or TLS")
        charge = parser.add_argument_group("the charge")
        charge.add_argument(
            "--location", default="", help="its id; default: the first EVSE that is available"
        )
        charge.add_argument("--evse", default="", help="its uid or evse_id")
        charge.add_argument("--connector", default="", help="its id")
        charge.add_argument("--charge-seconds", type=float, default=20.0)
        charge.add_argument("--patience-seconds", type=float, default=60.0, help="how long a push may take")
        charge.add_argument("--settle-seconds", type=float, default=3.0, help="how long we wait for doubles")
        charge.add_argument("--timeout-seconds", type=float, default=20.0, help="of one HTTP call")
        charge.add_argument("--read-only", action="store_true", help="leave nothing there, and do not charge")
        report = parser.add_argument_group("the report")
        report.add_argument("--json", type=Path, metavar="FILE")
        report.add_argument("--html", type=Path, metavar="FILE")
        report.add_argument("--only", action="append", default=[], metavar="ID", help="a check or a module")
        report.add_argument("--strict", action="store_true", help="warnings count as failures")
        report.add_argument("--list", action="store_true", help="name the checks and stop")

    def handle(self, *args: Any, **given: Any) -> None:
        if given["list"]:
            self._list()
            return
        options = _options(given)
        began, began_at = time.monotonic(), utc_text()
        results = campaign.run(options, self._hear)
        facts = Facts(
            url=options.url,
            began_at=began_at,
            seconds=round(time.monotonic() - began, 1),
            read_only=options.read_only,
        )
        self._tell(results, facts, given)
        if failed(results, strict=given["strict"]):
            sys.exit(EXIT_FAILED)

    def _list(self) -> None:
        for check in CHECKS.values():
            self.stdout.write(f"{check.id:<17} {check.level.value:<9} {check.title}  [{check.section}]")

    def _hear(self, result: Result) -> None:
        """One short line at once, for a charge takes its time."""
        self.stderr.write(f"{MARK[result.outcome]} {result.id} {result.version}", style_func=str)

    def _tell(self, results: list[Result], facts: Facts, given: dict[str, Any]) -> None:
        for line in lines(results, facts):
            self.stdout.write(line)
        for file, write in ((given["json"], as_json), (given["html"], as_html)):
            if file is not None:
                file.write_text(write(results, facts), encoding="utf-8")
        self.stdout.flush()


def _options(given: dict[str, Any]) -> Options:
    if not given["url"] or not given["token"]:
        raise CommandError("--url and --token are needed.", returncode=EXIT_USAGE)
    country, _, party = given["party"].replace("/", "-").partition("-")
    if len(country) != 2 or len(party) != 3:
        raise CommandError("--party is a country and a party id, such as NL-PTC.", returncode=EXIT_USAGE)
    wanted = given["versions"]
    unknown = set(given["only"]) - set(CHECKS) - {check.module for check in CHECKS.values()}
    if unknown:
        raise CommandError(
            f"There is no check {', '.join(sorted(unknown))}; see --list.", returncode=EXIT_USAGE
        )
    same = (
        "url", "token", "role", "callback_host", "callback_port", "callback_url", "location", "evse", "connector",
        "charge_seconds", "patience_seconds", "settle_seconds", "timeout_seconds", "read_only",
    )  # fmt: skip
    return Options(
        versions=() if wanted == ALL else (wanted,),
        party=Party(country.upper(), party.upper()),
        only=tuple(given["only"]),
        **{name: given[name] for name in same},
    )
