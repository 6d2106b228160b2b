"""The report as JSON, for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from payments.conformance.reports.summary import Facts, counts
from payments.conformance.verdicts import Result

FORMAT: Final = "ptp-conformance/1"


def document(results: list[Result], facts: Facts) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "format": FORMAT,
        **asdict(facts),
        "counts": counts(results),
        "results": [asdict(result) for result in results],
    }


def as_json(results: list[Result], facts: Facts) -> str:
    """The report as text."""
    return json.dumps(document(results, facts), ensure_ascii=False, indent=2)
