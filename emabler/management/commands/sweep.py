"""Runs the sweeps in this process, for when no worker does: whatever was lost, they find it."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from emabler import sweeps


class Command(BaseCommand):
    help = "Run every sweep once, without Celery and Redis: deadlines, settlements, deliveries. Safe beside workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--every", type=float, help="again and again, with this many seconds between")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until done, or until stopped."""
        while True:
            for task, said in sweeps.run_all().items():
                self.stdout.write(f"{task}: {said}")
            if not options["every"]:
                return
            time.sleep(options["every"])
