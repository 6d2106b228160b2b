"""What a check may come to, and how it says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payments.conformance.exchanges import Exchange


class Level(StrEnum):
    """How strong the demand is; what is not met is a failure or a warning."""

    MUST = "MUST"  # the text of OCPI demands it: not met is FAIL
    SAFETY = "SAFETY"  # OCPI is silent, but money or somebody's network is at risk: not met is FAIL
    SHOULD = "SHOULD"  # the text advises it, or a terminal provider asks for it: not met is WARN
    EXTENSION = "EXTENSION"  # beyond the text, but peers in the field use it: not met is WARN

    @property
    def outcome_when_broken(self) -> Outcome:
        """FAIL or WARN."""
        return Outcome.FAIL if self in (Level.MUST, Level.SAFETY) else Outcome.WARN


class Outcome(StrEnum):
    """What became of a check."""

    PASS = "PASS"  # met  # noqa: S105
    FAIL = "FAIL"  # not met, and it had to be
    WARN = "WARN"  # not met, but it was only advised
    SKIP = "SKIP"  # could not be tried; the reason is told


class Broken(Exception):
    """The demand is not met: what was expected, what came, and in which exchanges."""

    def __init__(self, message: str, *exchanges: Exchange | None) -> None:
        super().__init__(message)
        self.exchanges = [exchange for exchange in exchanges if exchange is not None]


class Weak(Broken):
    """Met in the main thing, but not as the text advises: a warning whatever the level."""


class Untried(Exception):
    """The check cannot be tried here; the message says why."""


@dataclass(frozen=True, slots=True)
class Result:
    """One check against one version."""

    id: str
    module: str
    title: str
    section: str
    level: Level
    version: str  # empty where no version matters
    outcome: Outcome
    message: str = ""
    seconds: float = 0.0
    excerpts: list[dict[str, str]] = field(default_factory=list)


def expect(met: object, message: str, *exchanges: Exchange | None) -> None:
    """Break the check unless `met`. Raises Broken."""
    if not met:
        raise Broken(message, *exchanges)


def expect_none(faults: list[str], *exchanges: Exchange | None, most: int = 6) -> None:
    """Break the check with the first of `faults`, if there are any. Raises Broken."""
    if faults:
        more = f"\n… and {len(faults) - most} more" if len(faults) > most else ""
        raise Broken("\n".join(faults[:most]) + more, *exchanges)
