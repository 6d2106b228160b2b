"""From the bytes of a network file to a JSON document that is safe to walk.

Python's JSON reader takes more than JSON has (NaN, repeated names, numbers and nesting without bounds, text
that no database stores). Each of these is a fault with a path here, so that nothing behind has to care.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tariffs.engine.errors import InputError, InvalidInput

MAX_BYTES: Final = 20_000_000  # "files over 20 MB refused"; ten thousand stations are about 10 MB
MAX_DEPTH: Final = 32  # a Location nests about 8 deep
MAX_DIGITS: Final = 40  # of a number, exponent included: no honest one has more than 20
MAX_EXPONENT: Final = 30
MAX_LISTED: Final = 1_000  # faults that are told at once; a file with more is broken as a whole


class _Repeated(dict[str, Any]):
    """An object that names a field twice; which value was meant is unknowable."""

    names: tuple[str, ...]


def read_file(path: Path) -> Any:
    """Return the document of a file.

    Raises `InvalidInput`; codes are `unreadable`, `too_large`, `invalid_encoding`, `invalid_json`,
    `too_deep`, `duplicate_name`, `invalid_number` and `invalid_text`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise _refusal("unreadable", f"The file cannot be read: {problem.strerror}.") from problem
    return read_bytes(content)


def read_bytes(content: bytes) -> Any:
    """Return the document that the bytes hold, decimals as `Decimal`. Raises `InvalidInput`."""
    if len(content) > MAX_BYTES:
        raise _refusal("too_large", f"At most {MAX_BYTES} bytes.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _refusal("invalid_encoding", f"UTF-8 is expected; byte {problem.start} is not.") from problem
    document = _decode(text)
    faults = list(islice(_faults(document), MAX_LISTED))
    if faults:
        raise InvalidInput(faults)
    return document


def _decode(text: str) -> Any:
    try:
        return json.loads(
            text, parse_float=_number, parse_int=_whole, parse_constant=_bad_number, object_pairs_hook=_object
        )
    except RecursionError:
        raise _refusal("too_deep", f"At most {MAX_DEPTH} levels of nesting.") from None
    except json.JSONDecodeError as problem:
        where = f"line {problem.lineno}, column {problem.colno}"
        raise _refusal("invalid_json", f"The file is not JSON: {problem.msg} ({where}).") from problem


class _BadNumber:
    """A number that is out of bounds, kept in place until its path is known."""


def _number(text: str) -> Decimal | _BadNumber:
    try:
        value = Decimal(text) if len(text) <= MAX_DIGITS else None
    except InvalidOperation:  # an exponent beyond what Decimal itself can hold
        value = None
    if value is None:
        return _BadNumber()
    return value if abs(value.adjusted()) <= MAX_EXPONENT else _BadNumber()


def _whole(text: str) -> int | _BadNumber:
    return int(text) if len(text) <= MAX_DIGITS else _BadNumber()


def _bad_number(_text: str) -> _BadNumber:
    """NaN and Infinity, which JSON does not have."""
    return _BadNumber()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    times = Counter(name for name, _ in pairs)
    repeated = _Repeated(fields)
    repeated.names = tuple(name for name in fields if times[name] > 1)
    return repeated


def _faults(document: Any) -> Iterator[InputError]:
    """Walk with a stack of iterators: neither depth nor width may decide whether we survive."""
    yield from _own_faults("", document)
    levels = [_inside("", document)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            continue
        yield from _own_faults(*entry)
        if len(levels) < MAX_DEPTH:
            levels.append(_inside(*entry))
        elif isinstance(entry[1], dict | list):
            yield InputError(entry[0], "too_deep", f"At most {MAX_DEPTH} levels of nesting.")


def _own_faults(path: str, value: Any) -> Iterator[InputError]:
    if isinstance(value, _BadNumber):
        yield InputError(path, "invalid_number", "The number is not JSON's, or far out of bounds.")
    if isinstance(value, _Repeated):
        for name in value.names:
            yield InputError(_joined(path, name), "duplicate_name", "The object names this field twice.")
    texts = value if isinstance(value, dict) else [value] if isinstance(value, str) else []
    if any(not _is_storable(text) for text in texts):
        yield InputError(path, "invalid_text", "The text has a character that cannot be stored.")


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        return ((_joined(path, name), item) for name, item in value.items())
    if isinstance(value, list):
        return ((f"{path}[{number}]", item) for number, item in enumerate(value))
    return iter(())


def _is_storable(text: str) -> bool:
    """PostgreSQL takes no NUL, and half a surrogate pair is no character."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))


def _joined(path: str, name: str) -> str:
    shown = name[:60].encode("utf-8", "replace").decode()
    return f"{path}.{shown}" if path else shown


def _refusal(code: str, message: str) -> InvalidInput:
    return InvalidInput([InputError("", code, message)])
