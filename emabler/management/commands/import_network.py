"""`manage.py import_network FILE.json`: provision sites, chargers, tariffs, PTPs and terminals from a file."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, OutputWrapper
from django.utils import timezone

from emabler.network.document import read_file
from emabler.network.importing import import_network
from tariffs.engine.errors import InvalidInput

EXIT_INVALID = 2


class Command(BaseCommand):
    """Import a network file.

    Standard output carries JSON lines: generated secrets, each once, and AFIR findings; or every fault of a
    refused file. Remarks on the file itself go to standard error.
    """

    help = "Import a network file: all of it, or nothing and exit status 2 with one JSON line per error."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.json")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            imported = import_network(read_file(file), now=timezone.now())
        except InvalidInput as invalid:
            write_lines(self.stdout, (error.as_dict() for error in invalid.errors))
            sys.exit(EXIT_INVALID)
        write_lines(self.stderr, (finding.as_dict() for finding in imported.findings))
        write_lines(self.stdout, imported.secrets)
        write_lines(self.stdout, (_finding(found.as_dict()) for found in imported.afir))


def _finding(fields: dict[str, str]) -> dict[str, str]:
    return {"finding": fields["rule"]} | {name: text for name, text in fields.items() if name != "rule"}


def write_lines(output: OutputWrapper, rows: Iterable[dict[str, str]]) -> None:
    """Write one JSON object a line, in plain colours."""
    for row in rows:
        output.write(json.dumps(row, ensure_ascii=False), style_func=str)
