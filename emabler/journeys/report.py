"""What a journey says while it happens: a line for a person, or one JSON object a line for a program."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

Write = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """How a scenario ended; amounts are decimal strings in major units, None where there is none."""

    ok: bool = False
    session_status: str | None = None
    payment_status: str | None = None
    authorized: str | None = None
    captured: str | None = None
    currency: str | None = None
    energy_wh: int | None = None
    duration_seconds: int | None = None
    remote_starts: int | None = None
    receipt_url: str | None = None


class Report:
    """Writes the steps of one scenario."""

    def __init__(self, scenario: str, write: Write, *, as_json: bool) -> None:
        self._scenario, self._write, self._as_json = scenario, write, as_json

    def step(self, step: str, **facts: Any) -> None:
        """Say what has just happened."""
        at = datetime.now(UTC)
        if self._as_json:
            shown = {"scenario": self._scenario, "step": step, "at": at.isoformat(timespec="milliseconds")}
            self._write(json.dumps({**shown, **facts}, default=str, ensure_ascii=False))
            return
        words = "  ".join(f"{name}={value}" for name, value in facts.items() if value is not None)
        self._write(f"{at:%H:%M:%S}  {self._scenario:<16} {step:<16} {words}".rstrip())

    def result(self, outcome: Outcome, **more: Any) -> None:
        """Say how it ended: the last line."""
        self.step("result", **asdict(outcome), **more)
