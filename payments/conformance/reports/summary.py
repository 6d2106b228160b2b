"""Counting and grouping of results, the same for every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from payments.conformance.verdicts import Outcome, Result


@dataclass(frozen=True, slots=True)
class Facts:
    """About the run."""

    url: str  # of the peer's versions
    began_at: str  # as OCPI writes times
    seconds: float
    read_only: bool


def counts(results: Iterable[Result]) -> dict[str, int]:
    """How many passed, failed, were warned of, skipped."""
    found = Counter(result.outcome.value for result in results)
    return {outcome.value: found[outcome.value] for outcome in Outcome}


def failed(results: Iterable[Result], *, strict: bool) -> bool:
    """Whether the peer has failed; `strict` counts warnings too."""
    bad = {Outcome.FAIL, Outcome.WARN} if strict else {Outcome.FAIL}
    return any(result.outcome in bad for result in results)


def unmet(results: Iterable[Result]) -> list[Result]:
    """What failed, then what was warned of."""
    found = [result for result in results if result.outcome in (Outcome.FAIL, Outcome.WARN)]
    return sorted(found, key=lambda result: (result.outcome is Outcome.WARN, result.module, result.id))


def by_module(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Groups in the order of the run; the versions of a check side by side."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.module, []).append(result)
    return {
        name: sorted(group, key=lambda result: (result.id, result.version)) for name, group in groups.items()
    }
