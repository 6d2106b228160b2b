"""`manage.py simulate_ptp`: a payment terminal provider over OCPI, in a process of its own."""

import argparse
import signal
import sys
import threading
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments import exact_json
from payments.simulator.ocpi.control import Control
from payments.simulator.ocpi.registration import HandshakeFailed
from payments.simulator.ocpi.settings import VERSIONS, PtpSettings, ReleaseRule
from payments.simulator.ocpi.simulator import PtpSimulator
from payments.simulator.ocpi.switches import BadSwitch, Switch
from payments.simulator.ocpi.wire import Party, PeerServer

EXIT_FAILED = 1
PAUSE_SECONDS = 0.5  # between two attempts to shake hands with a CPO that is not up yet


class Command(BaseCommand):
    """Exit status 0: it was told to end; 1: the handshake failed; 2: usage."""

    help = "Play a payment terminal provider that speaks OCPI; prints one JSON object a line."
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Here `--version` is OCPI's; Django's own tells nothing that `manage.py --version` does not.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--cpo-versions-url", default="", help="where the CPO's versions are")
        parser.add_argument("--token", default="", help="the CPO's token A")
        parser.add_argument(
            "--without-handshake",
            action="store_true",
            help="wait for the CPO to register here; its versions URL and token A are printed",
        )
        parser.add_argument("--version", choices=VERSIONS, default="", help="speak this version alone")
        parser.add_argument("--host", default="127.0.0.1", help="for OCPI; control is on the loopback alone")
        parser.add_argument("--port", type=int, default=0, help="of OCPI; default: a free one")
        parser.add_argument("--control-port", type=int, default=0, help="default: a free one")
        parser.add_argument(
            "--memory", type=Path, help="file of holds and tokens, so that a restart forgets none"
        )
        parser.add_argument("--party", default="DE-PTP", help="country code and party id; default: DE-PTP")
        parser.add_argument("--role", default="PTP", help="PTP, OTHER or EMSP")
        parser.add_argument("--terminal", action="append", help="a terminal's id; may be repeated")
        parser.add_argument("--customer-reference", default="demo", help="the contract that terminals name")
        parser.add_argument("--release-on", choices=[*ReleaseRule], default=ReleaseRule.BOTH)
        parser.add_argument("--default-hold", type=_amount, help="for a tariff that names no amount")
        parser.add_argument("--poll-seconds", type=float, default=30.0, help="between two polls")
        parser.add_argument(
            "--abandon-seconds", type=float, default=300.0, help="until an unheard hold is dropped"
        )
        parser.add_argument(
            "--patience-seconds", type=float, default=30.0, help="for a CPO that is not up yet"
        )
        parser.add_argument(
            "--switch", action="append", default=[], type=_switch, help="fault[@module][=times[:value]]"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["without_handshake"] or options["cpo_versions_url"] or options["memory"]):
            raise CommandError("--cpo-versions-url with --token, or --without-handshake", returncode=2)
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        simulator = PtpSimulator(
            _settings(options),
            host=options["host"],
            port=options["port"],
            memory=options["memory"],
            on_event=self._tell,
        )
        for switch in options["switch"]:
            simulator.switch(switch)
        control = PeerServer(port=options["control_port"])
        for server in (control, *([simulator.server] if options["host"].startswith("127.") else [])):
            Control(simulator).add_to(server)
        with control, simulator:
            if not self._meet(simulator, options, ended):
                sys.exit(EXIT_FAILED)
            urls = {"versions_url": simulator.registrar.versions_url, "control_url": control.url}
            simulator.emit("ready", version=simulator.registrar.now.version, **urls)
            ended.wait()

    def _meet(self, simulator: PtpSimulator, options: dict[str, Any], ended: threading.Event) -> bool:
        """Come together with the CPO, or get ready to; False when that failed."""
        registrar = simulator.registrar
        deadline = time.monotonic() + options["patience_seconds"]
        if options["without_handshake"] and not registrar.now.complete:
            simulator.emit("waiting", versions_url=registrar.versions_url, token_a=registrar.invite())
            return True
        while not ended.is_set():
            try:
                if not registrar.now.complete:
                    simulator.register(options["cpo_versions_url"], options["token"])
                elif registrar.now.our_url != registrar.versions_url:
                    registrar.rotate()  # the CPO has an address of ours that is no longer good
                return True
            except HandshakeFailed as trouble:
                if time.monotonic() > deadline:
                    simulator.emit("handshake_failed", problem=str(trouble))
                    return False
                ended.wait(PAUSE_SECONDS)
        return True

    def _tell(self, said: dict[str, Any]) -> None:
        self.stdout.write(exact_json.dumps(said))
        self.stdout.flush()


def _settings(options: dict[str, Any]) -> PtpSettings:
    country_code, _, party_id = options["party"].partition("-")
    return PtpSettings(
        version=options["version"],
        party=Party(country_code, party_id),
        role=options["role"],
        terminals=tuple(options["terminal"] or ["SIM-OCPI-1"]),
        customer_reference=options["customer_reference"],
        release_rule=ReleaseRule(options["release_on"]),
        default_hold=options["default_hold"],
        poll_seconds=options["poll_seconds"],
        abandon_seconds=options["abandon_seconds"],
    )


def _switch(text: str) -> Switch:
    try:
        return Switch.parse(text)
    except BadSwitch as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from None
