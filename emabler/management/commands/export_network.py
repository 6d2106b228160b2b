"""`manage.py export_network [--output FILE]`: write the network in the shape that `import_network` reads."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from emabler.network.exporting import export_network, to_json


class Command(BaseCommand):
    """Export the network, without secrets."""

    help = "Write the network as a file that import_network reads; it holds no secrets."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, metavar="FILE", help="write there, not to standard output")

    def handle(self, *args: Any, output: Path | None, **options: Any) -> None:
        text = to_json(export_network()) + "\n"
        if output is None:
            self.stdout.write(text, ending="")
        else:
            output.write_text(text, encoding="utf-8")
