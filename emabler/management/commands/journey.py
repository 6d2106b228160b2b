"""`manage.py journey`: play complete payments against a server that it starts by itself."""

import argparse
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand

from emabler.journeys.doors import DOORS, NATIVE
from emabler.journeys.errors import ServerTrouble
from emabler.journeys.report import Outcome, Report
from emabler.journeys.scenarios import DEFAULT, SCENARIOS
from emabler.journeys.server import Server
from emabler.journeys.stage import Stage

ALL = "all"
EXIT_FAILED = 1


class Command(BaseCommand):
    """Exit status 0: every step and amount was as it must be; 1: one was not; 2: usage."""

    help = "Play complete payments, tap to receipt, over HTTP and WebSocket."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--scenario", choices=[*SCENARIOS, ALL], default=DEFAULT, help=f"default: {DEFAULT}"
        )
        parser.add_argument(
            "--door", choices=[*DOORS, ALL], default=NATIVE, help=f"how the PTP comes in; default: {NATIVE}"
        )
        parser.add_argument(
            "--json", action="store_true", help="one JSON object a line; the last is the result"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # A timeout of whoever called us must not leave a server behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_FAILED))
        chosen, as_json = options["scenario"], options["json"]
        names = list(SCENARIOS) if chosen == ALL else [chosen]
        doors = list(DOORS) if options["door"] == ALL else [options["door"]]
        results: dict[str, bool] = {}
        for door in doors:
            try:
                outcomes = self._play(names, door, as_json=as_json)
            except ServerTrouble as trouble:
                self._report(chosen, as_json).result(Outcome(), problem=str(trouble))
                sys.exit(EXIT_FAILED)
            told = f"{door} " if len(doors) > 1 else ""
            results |= {f"{told}{name}": outcome.ok for name, outcome in outcomes.items()}
        if len(results) > 1:
            self._report(ALL, as_json).result(Outcome(ok=all(results.values())), scenarios=results)
        if not all(results.values()):
            sys.exit(EXIT_FAILED)

    def _play(self, names: list[str], door: str, *, as_json: bool) -> dict[str, Outcome]:
        with Server() as server, Stage(server, names, door) as stage:
            outcomes = {name: stage.play(name, self._report(name, as_json)) for name in names}
            if not all(outcome.ok for outcome in outcomes.values()):
                self.stderr.write(f"The server's last words:\n{server.tail()}")
            return outcomes

    def _report(self, name: str, as_json: bool) -> Report:
        def write(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        return Report(name, write, as_json=as_json)
