"""`manage.py price TARIFF.json USAGE.json`: what a usage costs under a tariff, exactly, without a database."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from django.core.management.base import BaseCommand

from emabler.network.document import read_file
from emabler.pricing.report import report
from emabler.pricing.usage_document import read_usage
from payments.ocpi.reading import Reader
from payments.ocpi.tariffs import parse_tariff
from tariffs.engine.errors import InputError, InvalidInput, InvalidTariff
from tariffs.engine.pricing import price
from tariffs.engine.terms import Tariff

EXIT_INVALID: Final = 2
# What names a tariff has no part in its price: a tariff that is still being written can be priced without.
UNNAMED: Final = {
    "country_code": "XX",
    "party_id": "XXX",
    "id": "unnamed",
    "last_updated": "1970-01-01T00:00:00Z",
}

T_ = TypeVar("T_")


class Command(BaseCommand):
    """Price one usage; the bill, or the first fault as `{"error", "path"}`, is one JSON line."""

    help = "Price a usage or an OCPI CDR with an OCPI tariff; exit status 2 where one of them is invalid."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("tariff", type=Path, metavar="TARIFF.json", help="or a CDR that holds one tariff")
        parser.add_argument("usage", type=Path, metavar="USAGE.json", help="or a CDR")
        parser.add_argument("--tariff-at", metavar="TIME", help="refuse a tariff that is not valid then")
        parser.add_argument("--time-zone", metavar="NAME", help="of the site, which a CDR does not name")

    def handle(self, *args: Any, **options: Any) -> None:
        tariff_at, time_zone = options["tariff_at"], options["time_zone"]
        tariff = self._read(options["tariff"], lambda document: read_tariff(document, tariff_at=tariff_at))
        read = self._read(options["usage"], lambda document: read_usage(document, time_zone=time_zone))
        for note in read.notes:
            self.stderr.write(note)
        assert read.usage is not None, "a usage without faults is there"
        self._print(report(price(tariff, read.usage)))

    def _read(self, file: Path, parse: Callable[[object], T_]) -> T_:
        try:
            return parse(read_file(file))
        except InvalidInput as invalid:
            first = invalid.errors[0]
            self._print({"error": first.message, "path": first.path or str(file)})
            sys.exit(EXIT_INVALID)

    def _print(self, value: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False), style_func=str)


def read_tariff(document: object, *, tariff_at: str | None = None) -> Tariff:
    """The tariff of a file, which is an OCPI Tariff or a CDR with one; valid at `tariff_at` where that is given.

    Raises `InvalidTariff`.
    """
    path = ""
    if (
        isinstance(document, dict)
        and "elements" not in document
        and isinstance(document.get("tariffs"), list)
    ):
        if len(document["tariffs"]) != 1:
            raise _invalid("tariffs", "A CDR with exactly one tariff is expected.")
        document, path = document["tariffs"][0], "tariffs[0]"
    if isinstance(document, dict):
        document = {**UNNAMED, **document}
    tariff = parse_tariff(document, path=path)
    if tariff_at is not None:
        _check_validity(tariff, tariff_at)
    return tariff


def _check_validity(tariff: Tariff, tariff_at: str) -> None:
    at = Reader({"--tariff-at": tariff_at}, "").moment("--tariff-at")
    if at is None:
        raise _invalid("--tariff-at", "A time is expected, as in 2026-11-02T08:00:00Z.")
    if not tariff.is_valid_at(at):
        early = tariff.start_at is not None and at < tariff.start_at
        name = "start_date_time" if early else "end_date_time"
        raise _invalid(name, f"The tariff is not valid at {tariff_at}.")


def _invalid(path: str, message: str) -> InvalidTariff:
    return InvalidTariff([InputError(path, "invalid", message)])
