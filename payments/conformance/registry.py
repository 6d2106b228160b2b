"""The list of checks: each is one function with an id, a title, a section of the text and a level."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from payments.conformance.verdicts import Level

if TYPE_CHECKING:
    from payments.conformance.bench import Bench

V221: Final = "2.2.1"
V230: Final = "2.3.0"
VERSIONS: Final = (V221, V230)  # the older first: the switch to the newer is itself a check


class Stage(IntEnum):
    """When a check is tried; stages run in this order."""

    INVITED = 1  # once, with token A, before any registration
    CONNECTED = 2  # for each version, registered
    LEAVING = 3  # once, at the very end: it may end the connection


Body = Callable[["Bench"], str | None]  # returns a remark for the report, or nothing


@dataclass(frozen=True, slots=True)
class Check:
    """One demand and how it is tried."""

    id: str
    title: str
    section: str  # of the OCPI text, or the practice that asks for it
    level: Level
    stage: Stage
    run: Body
    versions: tuple[str, ...] = VERSIONS
    writes: bool = False  # leaves something at the other side; left out by --read-only
    needs_connection: bool = True

    @property
    def module(self) -> str:
        """The group in the report."""
        return self.id.rsplit("-", 1)[0]


CHECKS: Final[dict[str, Check]] = {}


def check(
    id: str,
    title: str,
    *,
    section: str,
    level: Level = Level.MUST,
    stage: Stage = Stage.CONNECTED,
    versions: tuple[str, ...] = VERSIONS,
    writes: bool = False,
    needs_connection: bool = True,
) -> Callable[[Body], Body]:
    """Register a function as a check. Two checks with one id are a bug of ours."""
    assert re.fullmatch(r"[a-z]+-[0-9]{2}", id), id
    assert id not in CHECKS, f"two checks are called {id}"

    def register(run: Body) -> Body:
        CHECKS[id] = Check(
            id=id,
            title=title,
            section=section,
            level=level,
            stage=stage,
            run=run,
            versions=versions,
            writes=writes,
            needs_connection=needs_connection,
        )
        return run

    return register


def chosen(only: Iterable[str]) -> list[Check]:
    """Return the checks whose id or module is in `only`, all for an empty `only`, in their order."""
    wanted = set(only)
    return [found for found in CHECKS.values() if not wanted or {found.id, found.module} & wanted]
