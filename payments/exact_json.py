"""JSON as money needs it: read without surprises, written without floats.

Reading refuses what Python's json lets through: NaN, doubled keys, control characters in text, deep nesting.
Writing puts a Decimal down digit by digit; a float never gets near it.
"""

import json
import unicodedata
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
        raise UnreadableJson(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except UnreadableJson:
        raise
    except (ValueError, ArithmeticError) as error:
        raise UnreadableJson(f"The body is not JSON in UTF-8: {str(error)[:200]}") from None
    _check(value)
    return value


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
    raise UnreadableJson(f"The body is nested deeper than {MAX_DEPTH} levels.")


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
