"""Run the checks in order against one peer and collect what became of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from importlib import import_module
from typing import Final

from payments.conformance.bench import Bench, Options
from payments.conformance.exchanges import Caller, Exchange, excerpt
from payments.conformance.handshake import connect, leave
from payments.conformance.ptp_side import PtpSide
from payments.conformance.registry import VERSIONS, Check, Stage, chosen
from payments.conformance.verdicts import Broken, Outcome, Result, Untried, Weak

EXCERPTS: Final = 3  # of one check; the last ones tell most
# The order of the report. A charge comes before the lists of sessions and CDRs, which live on it.
MODULES: Final = (
    "versions", "auth", "credentials", "transport", "bodies", "locations", "tariffs", "tokens", "terminals",
    "confirmations", "commands", "charge", "course", "billing", "pushes", "records", "pagination", "conduct",
)  # fmt: skip
log = logging.getLogger(__name__)

for _module in MODULES:
    import_module(f"payments.conformance.checks.{_module}")

Heard = Callable[[Result], None]


def run(options: Options, heard: Heard = lambda result: None) -> list[Result]:
    """Check the peer; `heard` gets each result at once. The connection is ended in every case."""
    caller = Caller(timeout_seconds=options.timeout_seconds)
    side = PtpSide(
        host=options.callback_host,
        port=options.callback_port,
        public_url=options.callback_url,
        party=options.party,
        role=options.role,
    )
    with side as ptp:
        bench = Bench(options, ptp, caller)
        try:
            return _Campaign(bench, heard).play()
        finally:
            leave(bench)
            caller.close()


class _Campaign:
    def __init__(self, bench: Bench, heard: Heard) -> None:
        self.bench, self.heard = bench, heard
        self.checks = chosen(bench.options.only)
        self.results: list[Result] = []

    def play(self) -> list[Result]:
        versions = self._versions()
        self.bench.enter(versions[0])
        for check in self._of(Stage.INVITED):
            self._try(check)
        for version in versions if self._of(Stage.CONNECTED, Stage.LEAVING) else ():
            self.bench.enter(version)
            no_connection = self._connect()
            for check in self._of(Stage.CONNECTED):
                if version in check.versions:
                    self._try(check, version, no_connection)
        for check in self._of(Stage.LEAVING):
            self._try(check, no_connection="" if self.bench.connection.token else "There is no connection.")
        return self.results

    def _versions(self) -> tuple[str, ...]:
        """What to check: what was asked for, or all that both sides know."""
        if self.bench.options.versions:
            return self.bench.options.versions
        try:
            offered = self.bench.offered()
        except (Broken, Untried):
            offered = {}
        self.bench.forget("versions")  # the checks of versions shall see it for themselves
        return tuple(version for version in VERSIONS if version in offered) or VERSIONS[:1]

    def _of(self, *stages: Stage) -> list[Check]:
        return [check for check in self.checks if check.stage in stages]

    def _connect(self) -> str:
        """Register; return why that was not possible."""
        try:
            connect(self.bench)
        except (Broken, Untried) as trouble:
            return str(trouble)
        return ""

    def _try(self, check: Check, version: str = "", no_connection: str = "") -> None:
        began, place = time.monotonic(), len(self.bench.caller.exchanges)
        outcome, message, cited = self._verdict(check, no_connection)
        exchanges = []
        if outcome in (Outcome.FAIL, Outcome.WARN):
            seen = cited or self.bench.caller.exchanges[place:]
            exchanges = [excerpt(exchange, self.bench.caller.secrets) for exchange in seen[-EXCERPTS:]]
        result = Result(
            id=check.id,
            module=check.module,
            title=check.title,
            section=check.section,
            level=check.level,
            version=version,
            outcome=outcome,
            message=message,
            seconds=round(time.monotonic() - began, 3),
            excerpts=exchanges,
        )
        self.results.append(result)
        self.heard(result)

    def _verdict(self, check: Check, no_connection: str) -> tuple[Outcome, str, list[Exchange]]:
        if check.writes and self.bench.options.read_only:
            return Outcome.SKIP, "It would leave something at the peer; --read-only.", []
        if no_connection and check.needs_connection:
            return Outcome.SKIP, no_connection, []
        try:
            return Outcome.PASS, check.run(self.bench) or "", []
        except Untried as untried:
            return Outcome.SKIP, str(untried), []
        except Weak as weak:
            return Outcome.WARN, str(weak), weak.exchanges
        except Broken as broken:
            return check.level.outcome_when_broken, str(broken), broken.exchanges
        except Exception as fault:  # the door: data of a shape that no check foresaw is the peer's news
            log.exception("%s", check.id)
            told = f"The answer could not be read: {type(fault).__name__}: {fault}"
            return check.level.outcome_when_broken, told, []
