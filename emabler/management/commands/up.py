"""`manage.py up`: everything in one process: web, chargers' sockets, worker, sweeps; with `--demo` a demo network."""

import argparse
import os
import socket
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from chargers.ocpp.presence import single_process_start
from emabler.running.admin_user import ADMIN_NAME, ensure_admin
from emabler.running.demo import DemoNetwork, SimulatedChargers, demo_network, seed
from emabler.running.migrations import migrate
from emabler.running.options import add_options, listen_url
from emabler.running.web import AddressInUse, bind, serve
from emabler.running.web_lock import SecondWebProcess, take_web_lock
from emabler.running.worker import start_worker

EXIT_FAILED = 1
EXIT_REFUSED = 2
STOP_SECONDS = 2.0  # for the chargers and for the worker, after the server's own grace


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
        if network:
            seed(network)
        url = listen_url(options["host"], options["port"])
        self._run(
            listener,
            chargers=SimulatedChargers(network, base_url=url) if network else None,
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

    def _run(
        self,
        listener: socket.socket,
        *,
        chargers: SimulatedChargers | None,
        with_worker: bool,
        announcement: list[str],
    ) -> None:
        def on_started() -> None:
            if chargers:
                chargers.start()
            self.stdout.write("\n".join(announcement))
            self.stdout.flush()

        worker = start_worker() if with_worker else None
        try:
            served = serve(listener, on_started=on_started)
        finally:
            if chargers:
                chargers.stop(timeout_seconds=STOP_SECONDS)
            rested = worker.stop(timeout_seconds=STOP_SECONDS) if worker else True
        self._end(0 if served else EXIT_FAILED, at_once=not rested)

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


def _announcement(url: str, *, password: str | None, network: DemoNetwork | None) -> list[str]:
    """Say what to open, in the order in which a newcomer wants it."""
    public = settings.PUBLIC_URL
    lines = [f"eMabler is up at {public}", f"  Operator portal   {public}/   (user {ADMIN_NAME})"]
    if password:
        lines.append(f"  Admin password    {password}   (shown once; `up --reset-admin` makes a new one)")
    for terminal_id in network.terminal_ids if network else ():
        lines.append(f"  Virtual terminal  {public}/terminal/{terminal_id}/")
    return [
        *lines,
        f"  Chargers (OCPP)   {url.replace('http', 'ws', 1)}/ocpp/<identity>",
        f"  API docs          {public}/api/docs/",
        "  Stop with Ctrl-C.",
    ]
