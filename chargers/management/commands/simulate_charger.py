"""A charging station in a process of its own, for demo, journeys and trials against any OCPP 1.6J server."""

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from chargers.simulator.console import HELP, run
from chargers.simulator.options import Fault, Options


class Command(BaseCommand):
    help = f"Simulate a charging station (OCPP 1.6J). Prints JSON lines; reads from stdin: {HELP}"
    requires_system_checks = ()  # it is a charger: it has no database and no pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options; times in seconds."""
        parser.add_argument("identity")
        parser.add_argument("--url", required=True, help="without the identity: ws://127.0.0.1:8000/ocpp")
        parser.add_argument("--password", required=True)
        parser.add_argument("--connectors", type=int, default=1)
        parser.add_argument(
            "--plug-after", type=float, help="plug in this long after an accepted remote start"
        )
        parser.add_argument("--unplug-after", type=float, help="pull the cable this long after the start")
        parser.add_argument("--leave-after", type=float, help="pull the cable this long after another end")
        parser.add_argument("--power-kw", type=float, default=11.0)
        parser.add_argument(
            "--battery-kwh", type=float, help="what the vehicle still takes; default: never full"
        )
        parser.add_argument(
            "--meter-interval", type=float, default=60.0, help="until the server sets another"
        )
        parser.add_argument("--connection-timeout", type=float, default=60.0, help="ConnectionTimeOut")
        parser.add_argument(
            "--stop-seconds", type=float, default=0.05, help="from a remote stop to the end of energy"
        )
        parser.add_argument("--smart-charging", action="store_true", help="takes charging profiles")
        parser.add_argument(
            "--signed",
            action="store_true",
            help="send the first and last value also as OCMF, signed by a new key (told as MeterPublicKey1, …) "
            "that no authority knows",
        )
        parser.add_argument("--fault", type=Fault, choices=list(Fault), default=Fault.NONE)

    def handle(self, *args: Any, **given: Any) -> None:
        """Run until SIGTERM."""
        asyncio.run(
            run(
                Options(
                    identity=given["identity"],
                    url=given["url"],
                    password=given["password"],
                    connectors=given["connectors"],
                    power_w=given["power_kw"] * 1000,
                    battery_wh=None if given["battery_kwh"] is None else given["battery_kwh"] * 1000,
                    plug_after_seconds=given["plug_after"],
                    unplug_after_seconds=given["unplug_after"],
                    leave_after_seconds=given["leave_after"],
                    meter_interval_seconds=given["meter_interval"],
                    connection_timeout_seconds=given["connection_timeout"],
                    stop_seconds=given["stop_seconds"],
                    smart_charging=given["smart_charging"],
                    signed=given["signed"],
                    fault=given["fault"],
                )
            )
        )
