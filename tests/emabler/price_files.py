"""Tariff and usage files for tests of `manage.py price`, and how the command is called."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management import call_command

Document = dict[str, Any]
Run = Callable[..., tuple[int, Document]]


def tariff(*components: Document, restrictions: Document | None = None, **fields: Any) -> Document:
    """An OCPI 2.3.0 tariff of one element; 0.59 per kWh including 25.5 % VAT unless told otherwise."""
    given = components or ({"type": "ENERGY", "price": 0.59, "vat": 25.5, "step_size": 1},)
    element: Document = {"price_components": list(given)}
    if restrictions:
        element["restrictions"] = restrictions
    return {
        "country_code": "FI",
        "party_id": "DEM",
        "id": "T",
        "currency": "EUR",
        "tax_included": "YES",
        "elements": [element],
        "last_updated": "2026-01-01T00:00:00Z",
    } | fields


def segment(start: str = "08:00", end: str = "09:00", energy_kwh: Any = "5", **fields: Any) -> Document:
    """An hour of charging on 2 November 2026; times are UTC."""
    return {
        "start": f"2026-11-02T{start}:00Z",
        "end": f"2026-11-02T{end}:00Z",
        "energy_kwh": energy_kwh,
        "state": "CHARGING",
    } | fields


def usage(*segments: Document, **fields: Any) -> Document:
    return {"time_zone": "Europe/Helsinki", "segments": list(segments) or [segment()]} | fields


def cdr(*periods: Document, end: str = "09:00", **fields: Any) -> Document:
    """A CDR from 08:00 UTC on; periods as `period` gives them."""
    return {
        "start_date_time": "2026-11-02T08:00:00Z",
        "end_date_time": f"2026-11-02T{end}:00Z",
        "cdr_location": {"id": "L", "country": "FIN"},
        "charging_periods": list(periods),
    } | fields


def period(start: str, **volumes: Any) -> Document:
    dimensions = [{"type": kind, "volume": volume} for kind, volume in volumes.items()]
    return {"start_date_time": f"2026-11-02T{start}:00Z", "dimensions": dimensions, "tariff_id": "T"}


def price_files(
    directory: Path, read_out: Callable[[], str], *contents: Any, options: Any = ()
) -> tuple[int, Document]:
    """Call the command with two documents (or bytes); returns exit status and the one object it printed."""
    names = []
    for name, content in zip(("tariff.json", "usage.json"), contents, strict=True):
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (directory / name).write_bytes(raw)
        names.append(str(directory / name))
    status = 0
    try:
        call_command("price", *names, *options)
    except SystemExit as end:
        status = int(end.code or 0)
    out = read_out()
    assert out.count("\n") == 1
    return status, json.loads(out)
