"""The language of the rules: a kind looks at one JSON value and yields faults with their aspect.

Aspects let one table of fields feed several checks: what is missing, what has the wrong type, what is too
long, what is no member of its enumeration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from payments.simulator.ocpi.wire import parse_time

DECIMALS: Final = 4  # OCPI types, number: "use 4 decimals"
# OCPI types, DateTime: UTC, at most 25 characters, `Z` or nothing at the end; +00:00 is not allowed.
MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z?")
MOMENT_CHARACTERS: Final = 25


class Aspect(StrEnum):
    """What is wrong with a value."""

    MISSING = "missing"  # a required field or list member
    TYPE = "type"  # another JSON type than the text's
    TEXT = "text"  # too long, or characters that may not be there
    ENUM = "enum"  # no member of the enumeration
    TIME = "time"  # no DateTime as the text writes it
    DECIMALS = "decimals"  # a number with more than four
    SENSE = "sense"  # two values that contradict each other


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where."""

    path: str
    aspect: Aspect
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


Kind = Callable[[Any, str], Iterator[Fault]]


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a class: `card` is the text's cardinality: 1, ?, * or +."""

    kind: Kind
    card: str = "?"


def shape(fields: Mapping[str, Field], *more: Kind) -> Kind:
    """An object with these fields; others may be there. `more` looks at the whole object."""

    def look(value: Any, path: str) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield Fault(path, Aspect.TYPE, f"an object was expected, {said(value)} came")
            return
        for name, field in fields.items():
            yield from _field(value.get(name), f"{path}.{name}", field)
        for rule in more:
            yield from rule(value, path)

    return look


def _field(value: Any, path: str, field: Field) -> Iterator[Fault]:
    if value is None:  # "fields that are not specified may be considered as null values"
        if field.card in "1+":
            yield Fault(path, Aspect.MISSING, "the field is required and missing")
    elif field.card in "*+":
        yield from _list(value, path, field)
    else:
        yield from field.kind(value, path)


def _list(value: Any, path: str, field: Field) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, Aspect.TYPE, f"a list was expected, {said(value)} came")
        return
    if field.card == "+" and not value:
        yield Fault(path, Aspect.MISSING, "at least one member is required")
    for place, item in enumerate(value):
        yield from field.kind(item, f"{path}[{place}]")


def said(value: Any) -> str:
    """Name a JSON value shortly."""
    text = f"{value!s}" if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def string(longest: int, *, pattern: str | None = None) -> Kind:
    """OCPI types, string: printable UTF-8, at most `longest` characters."""
    return _text(longest, re.compile(pattern) if pattern else None, ascii_only=False)


def cistring(longest: int, *, pattern: str | None = None) -> Kind:
    """OCPI types, CiString: printable ASCII, at most `longest` characters."""
    return _text(longest, re.compile(pattern) if pattern else None, ascii_only=True)


def _text(longest: int, pattern: re.Pattern[str] | None, *, ascii_only: bool) -> Kind:
    def look(value: Any, path: str) -> Iterator[Fault]:
        if not isinstance(value, str):
            yield Fault(path, Aspect.TYPE, f"a string was expected, {said(value)} came")
        elif len(value) > longest:
            yield Fault(path, Aspect.TEXT, f"{len(value)} characters, at most {longest} are allowed")
        elif not value.isprintable() or (ascii_only and not value.isascii()):
            letters = "printable ASCII" if ascii_only else "printable characters"
            yield Fault(path, Aspect.TEXT, f"{letters} expected, {said(value)} came")
        elif pattern and not pattern.fullmatch(value):
            yield Fault(path, Aspect.TEXT, f"{said(value)} is not written like {pattern.pattern}")

    return look


def url(value: Any, path: str) -> Iterator[Fault]:
    """OCPI types, URL: string(255), absolute."""
    yield from string(255)(value, path)
    if isinstance(value, str) and not is_url(value):
        yield Fault(path, Aspect.TEXT, f"an absolute http(s) URL was expected, {said(value)} came")


def is_url(value: Any) -> bool:
    """Whether it is an absolute URL of the web."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def moment(value: Any, path: str) -> Iterator[Fault]:
    """OCPI types, DateTime."""
    if not isinstance(value, str):
        yield Fault(path, Aspect.TYPE, f"a DateTime was expected, {said(value)} came")
    elif problem := moment_problem(value):
        yield Fault(path, Aspect.TIME, problem)


def moment_problem(value: Any) -> str:
    """Say what is wrong with a DateTime; empty where nothing is."""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return f"UTC like 2026-01-31T12:00:00Z was expected, {said(value)} came"
    if len(value) > MOMENT_CHARACTERS:
        return f"{said(value)} has {len(value)} characters, at most {MOMENT_CHARACTERS} are allowed"
    try:
        parse_time(value)
    except ValueError:
        return f"{said(value)} is no moment of the calendar"
    return ""


def number(value: Any, path: str) -> Iterator[Fault]:
    """OCPI types, number: a JSON number with four decimals."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        yield Fault(path, Aspect.TYPE, f"a JSON number was expected, {said(value)} came")
    elif isinstance(value, Decimal) and -int(value.normalize().as_tuple().exponent) > DECIMALS:
        yield Fault(path, Aspect.DECIMALS, f"{said(value)} has more than {DECIMALS} decimals")


def integer(*, least: int | None = None, most: int | None = None) -> Kind:
    """A JSON integer between bounds."""

    def look(value: Any, path: str) -> Iterator[Fault]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield Fault(path, Aspect.TYPE, f"an integer was expected, {said(value)} came")
        elif (least is not None and value < least) or (most is not None and value > most):
            yield Fault(path, Aspect.SENSE, f"{value} is out of range")

    return look


def boolean(value: Any, path: str) -> Iterator[Fault]:
    """true or false."""
    if not isinstance(value, bool):
        yield Fault(path, Aspect.TYPE, f"true or false was expected, {said(value)} came")


def one_of(*members: str) -> Kind:
    """A member of an enumeration."""
    return _member(frozenset(members), open=False)


def one_of_open(*members: str) -> Kind:
    """OCPI types, OpenEnum: other values may come, but they are strings."""
    return _member(frozenset(members), open=True)


def _member(members: frozenset[str], *, open: bool) -> Kind:
    def look(value: Any, path: str) -> Iterator[Fault]:
        if not isinstance(value, str):
            yield Fault(path, Aspect.TYPE, f"a string was expected, {said(value)} came")
        elif value not in members and (not open or not value or not value.isprintable()):
            yield Fault(path, Aspect.ENUM, f"{said(value)} is no value of this enumeration")

    return look


def faults(kind: Kind, objects: Iterable[tuple[str, Any]], *aspects: Aspect) -> list[str]:
    """Return what is wrong in these aspects (all, where none is named), a line each."""
    return [
        str(fault)
        for path, value in objects
        for fault in kind(value, path)
        if not aspects or fault.aspect in aspects
    ]
