"""JSON as money needs it: read without surprises, written without floats.

Reading refuses what Python's json lets through: NaN, doubled keys, control characters in text, deep nesting.
`loads_leniently` is for what tells of money that has been taken: it refuses the spoilt part alone.
Writing puts a Decimal down digit by digit; a float never gets near it.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any, Final, NoReturn

MAX_BYTES = 256 * 1024  # no honest message is larger; the same bound as DATA_UPLOAD_MAX_MEMORY_SIZE
MAX_DEPTH = 10  # ours have three levels, OCPI's seven
# 1e1000000 is nine characters, and a minute of work for whoever writes its digits down.
LONGEST_NUMBER = 100
MAX_EXPONENT = 100
_CONSTANTS: Final = {None: "null", True: "true", False: "false"}
REFUSED_CATEGORIES = ("Cc", "Cs")  # control characters, halves of surrogate pairs
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")  # PostgreSQL takes neither, as text or as jsonb
_REPLACED: Final = "\ufffd"  # what a decoder puts for bytes that are not UTF-8
_TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH} levels"


class UnreadableJson(ValueError):
    """The text is not JSON as it may be sent to us; the message says why."""


def loads(raw: bytes, *, most_bytes: int = MAX_BYTES) -> Any:
    """Read UTF-8 JSON; numbers with a fraction become Decimal. Raises UnreadableJson."""
    if len(raw) > most_bytes:
        raise UnreadableJson(f"The body is larger than {most_bytes} bytes.")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_float=_decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_doubles,
        )
    except RecursionError:
        raise UnreadableJson(f"The body is {_TOO_DEEP}.") from None
    except UnreadableJson:
        raise
    except (ValueError, ArithmeticError) as error:
        raise UnreadableJson(f"The body is not JSON in UTF-8: {str(error)[:200]}") from None
    _check(value)
    return value


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands where a part of a document cannot be read, and is no value of JSON; `why` is for the log."""

    why: str


def loads_leniently(raw: bytes, *, most_bytes: int = MAX_BYTES) -> Any:
    """Read JSON of which parts may be spoilt: for each that `loads` refuses, an `Unreadable` stands there.

    Text keeps its control characters, for whoever reads it to refuse or to replace. What no database stores,
    NUL and halves of surrogate pairs, and bytes that are not UTF-8 are U+FFFD, which no id can have. Raises
    UnreadableJson for what is no JSON at all.
    """
    if len(raw) > most_bytes:
        raise UnreadableJson(f"The body is larger than {most_bytes} bytes.")
    try:
        value = json.loads(
            raw.decode("utf-8", "replace"),
            strict=False,
            parse_int=_marked(int),
            parse_float=_marked(_decimal),
            parse_constant=_marked(_refuse_constant),
            object_pairs_hook=_with_doubles_marked,
        )
    except RecursionError:
        raise UnreadableJson(f"The body is {_TOO_DEEP}.") from None
    except ValueError as error:
        raise UnreadableJson(f"The body is not JSON: {str(error)[:200]}") from None
    return _storable(value, MAX_DEPTH)


def first_unreadable(value: Any) -> str:
    """Return why the first part of what `loads_leniently` returned cannot be read, "" where all can."""
    if isinstance(value, Unreadable):
        return value.why
    return next(filter(None, map(first_unreadable, _parts(value))), "")


def _marked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def read_or_mark(text: str) -> Any:
        try:
            return read(text)
        except (ValueError, ArithmeticError) as error:
            return Unreadable(str(error)[:200])

    return read_or_mark


def _with_doubles_marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Which of two values is meant nobody knows; the other fields of the object stand."""
    value = dict(pairs)
    if len(value) != len(pairs):
        times = Counter(name for name, _ in pairs)
        value |= {name: Unreadable("A key stands twice in one object.") for name in times if times[name] > 1}
    return value


def _storable(value: Any, levels: int) -> Any:
    """The value with text that a database can store, as deep as `levels`."""
    if levels == 0:
        return Unreadable(f"It is {_TOO_DEEP}.")
    if isinstance(value, str):
        return _UNSTORABLE.sub(_REPLACED, value)
    if isinstance(value, dict):
        return {_storable(name, 1): _storable(item, levels - 1) for name, item in value.items()}
    return [_storable(item, levels - 1) for item in value] if isinstance(value, list) else value


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if len(text) > LONGEST_NUMBER or abs(number.adjusted()) > MAX_EXPONENT:
        raise UnreadableJson("A number is too long, or too far from 1.")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableJson(f"{name} is not JSON.")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise UnreadableJson("A key stands twice in one object.")
    return value


def _check(value: Any) -> None:
    """Refuse depth and control characters, level by level and without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        for item in level:
            _check_text(item)
        level = [part for item in level for part in _parts(item)]
        if not level:
            return
    raise UnreadableJson(f"The body is {_TOO_DEEP}.")


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _check_text(value: Any) -> None:
    if not isinstance(value, str) or value.isprintable():
        return
    if any(unicodedata.category(letter) in REFUSED_CATEGORIES for letter in value):
        raise UnreadableJson("Text contains control characters.")


def dumps(value: Any) -> str:
    """Write JSON values, Decimal included. Raises TypeError for anything else, also for float and NaN.

    A page of Locations has 15,000 values: what is common is asked for first, by its very type.
    """
    kind = type(value)
    if kind is str:
        return _quoted(value)
    if kind is dict:
        return "{" + ",".join([_name(name) + dumps(item) for name, item in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([dumps(item) for item in value]) + "]"
    if kind is int:
        return str(value)
    return _rarer(value)


def _rarer(value: Any) -> str:
    match value:
        case None | bool():
            return _CONSTANTS[value]
        case Decimal() if value.is_finite():
            return f"{value:f}"
        case int():
            return str(int(value))
        case str():
            return _quoted(str(value))
        case dict():
            return dumps(dict(value))
        case list() | tuple():
            return dumps(list(value))
    raise TypeError(f"{type(value).__name__} has no exact JSON form")


@lru_cache(maxsize=4096, typed=True)
def _name(name: object) -> str:
    """A key with its colon; the same few hundred come again and again."""
    return f"{_quoted(str(name))}:"
