"""`manage.py up`: everything in one process: web, chargers' sockets, worker, sweeps; with `--demo` a demo network."""

import argparse
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chargers.ocpp.presence import single_process_start
from emabler.running.admin_user import ADMIN_NAME, ensure_admin
from emabler.running.demo import DemoNetwork, SimulatedChargers, demo_network, seed
from emabler.running.migrations import migrate
from emabler.running.options import add_options, listen_url
from emabler.running.simulated_ptp import SimulatedPtp
from emabler.running.web import AddressInUse, bind, serve
from emabler.running.web_lock import SecondWebProcess, take_web_lock
from emabler.running.worker import start_worker

EXIT_FAILED = 1
EXIT_REFUSED = 2
STOP_SECONDS = 2.0  # for the simulators and for the worker, after the server's own grace


class Command(BaseCommand):
    """Start the product; Ctrl-C or SIGTERM stops all of it."""

    help = "Run the whole product in one process."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        listener = self._claim(options["host"], options["port"])
        migrate()
        if not settings.REDIS_URL:
            single_process_start()
        password = ensure_admin(reset=options["reset_admin"])
        network = demo_network() if settings.DEMO else None
        url = listen_url(options["host"], options["port"])
        self._run(
            listener,
            simulators=self._simulators(network, url) if network else None,
            with_worker=options["with_worker"] or not settings.REDIS_URL,
            announcement=_announcement(url, password=password, network=network),
        )

    def _claim(self, host: str, port: int) -> socket.socket:
        """Become the web process of this database and of this address, before anything is changed."""
        try:
            take_web_lock()
            return bind(host, port)
        except (SecondWebProcess, AddressInUse) as refusal:
            self.stderr.write(f"up: {refusal}")
            sys.exit(EXIT_REFUSED)

    def _simulators(self, network: DemoNetwork, url: str) -> "_Simulators":
        """Seed the demo network; return what plays its part."""
        seed(network)
        ptp = SimulatedPtp(network.ptp_over_ocpi, base_url=url)
        ptp.prepare()
        return _Simulators(SimulatedChargers(network, base_url=url), ptp)

    def _run(
        self,
        listener: socket.socket,
        *,
        simulators: "_Simulators | None",
        with_worker: bool,
        announcement: list[str],
    ) -> None:
        def on_started() -> None:
            if simulators:
                simulators.start(complain=self._complain)
            self.stdout.write("\n".join(announcement))
            self.stdout.flush()

        worker = start_worker() if with_worker else None
        try:
            served = serve(listener, on_started=on_started)
        finally:
            if simulators:
                simulators.stop(timeout_seconds=STOP_SECONDS)
            rested = worker.stop(timeout_seconds=STOP_SECONDS) if worker else True
        self._end(0 if served else EXIT_FAILED, at_once=not rested)

    def _complain(self, text: str) -> None:
        self.stderr.write(f"up: {text}")
        self.stderr.flush()

    def _end(self, status: int, *, at_once: bool) -> None:
        """Leave with `status`.

        A task that is still busy would hold the interpreter's exit; it is only a wake-up for a row, and the
        sweep of the next start finds that row.
        """
        if at_once:
            self.stdout.flush()
            self.stderr.flush()
            os._exit(status)
        if status:
            sys.exit(status)


@dataclass(frozen=True, slots=True)
class _Simulators:
    """The demo's other sides, each a process of its own."""

    chargers: SimulatedChargers
    ptp: SimulatedPtp

    def start(self, *, complain: Callable[[str], None]) -> None:
        self.chargers.start()
        self.ptp.start(on_end=complain)

    def stop(self, *, timeout_seconds: float) -> None:
        self.ptp.stop(timeout_seconds=timeout_seconds)
        self.chargers.stop(timeout_seconds=timeout_seconds)


def _announcement(url: str, *, password: str | None, network: DemoNetwork | None) -> list[str]:
    """Say what to open, in the order in which a newcomer wants it."""
    public = settings.PUBLIC_URL
    places = [("Operator portal", f"{public}/   (user {ADMIN_NAME})")]
    if password:
        places.append(("Admin password", f"{password}   (shown once; `up --reset-admin` makes a new one)"))
    if network:
        native, over_ocpi = network.native_terminals, network.ptp_over_ocpi.terminal_ids
        places += [("Virtual terminal", f"{public}/terminal/{each}/") for each in native]
        places += [("Virtual terminal (OCPI)", f"{public}/terminal/{each}/") for each in over_ocpi]
    places += [
        ("Chargers (OCPP)", f"{url.replace('http', 'ws', 1)}/ocpp/<identity>"),
        ("API docs", f"{public}/api/docs/"),
    ]
    width = max(len(name) for name, _ in places)
    lines = [f"  {name:<{width}}  {place}" for name, place in places]
    return [f"eMabler is up at {public}", *lines, "  Stop with Ctrl-C."]
