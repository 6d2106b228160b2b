"""The report as text: a table for each module, and the reasons below what is not met."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from payments.conformance.reports.summary import Facts, by_module, counts, unmet
from payments.conformance.verdicts import Outcome, Result

TITLE_CHARACTERS: Final = 68
MARK: Final = {Outcome.PASS: "ok  ", Outcome.FAIL: "FAIL", Outcome.WARN: "warn", Outcome.SKIP: "skip"}


def lines(results: list[Result], facts: Facts) -> Iterator[str]:
    """Write the report."""
    for module, group in by_module(results).items():
        yield ""
        yield f"{module}"
        for result in group:
            yield from _lines(result)
    yield ""
    for result in unmet(results):
        yield f"{MARK[result.outcome]}  {result.id} {result.version}".rstrip()
    yield total(results, facts)


def _lines(result: Result) -> Iterator[str]:
    title = result.title
    if len(title) > TITLE_CHARACTERS:
        title = title[: TITLE_CHARACTERS - 1] + "…"
    row = f"  {MARK[result.outcome]}  {result.id:<17} {result.version:<6} {result.level.value:<9} {title}"
    if result.outcome is Outcome.PASS:
        yield f"{row:<114} {_one_line(result.message)}".rstrip()
        return
    yield row
    for line in result.message.splitlines():
        yield f"              {line}"
    if result.outcome is not Outcome.SKIP:
        yield f"              [{result.section}]"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


def total(results: list[Result], facts: Facts) -> str:
    """The last line."""
    found = counts(results)
    told = ", ".join(f"{count} {name}" for name, count in found.items())
    return f"{facts.url}: {len(results)} checks in {facts.seconds:.0f} s: {told}"
