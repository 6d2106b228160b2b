"""The frame guard: what a charger sent becomes a checked frame or a typed refusal, never an exception.

Pure. It stands in front of everything else because a WebSocket peer may send anything: nesting that
exhausts the stack, numbers that take seconds to convert, characters that no database takes (OCPP.md 1.1).
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

CALL, CALLRESULT, CALLERROR = 2, 3, 4
TOO_LARGE = "larger than the limit"
LONGEST_ID = 36  # OCPP-J 1.6 §4.1.4
DEEPEST_NESTING = 16  # the deepest honest message (StopTransaction) has 6 levels
LARGEST_INTEGER = 2**53  # beyond it JSON numbers are not exact, and a bigint column ends soon after

# Characters of the raw text that call for a look at every value: an escaped NUL, a long number, an exponent.
_SUSPICIOUS = re.compile(r"\\u0000|\d{16}|\d[eE][+-]?\d")
_BRACKETS_OF_A_SHALLOW_FRAME = 2 * DEEPEST_NESTING
_HEAD = re.compile(r'\s*\[\s*2\s*,\s*"([!#-\[\]-~]{1,36})"\s*,\s*"([A-Za-z]{1,50})"\s*,')
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `problem` names what had to be replaced in it; such a request is judged, not trusted."""

    unique_id: str
    action: str
    payload: dict[str, Any]
    problem: str = ""
    problem_code: str = ""


@dataclass(frozen=True, slots=True)
class CallResult:
    """The answer to a command of ours."""

    unique_id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallError:
    """The charger could not process a command of ours."""

    unique_id: str
    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not a frame. Answerable only when an id could be read (OCPP-J 1.6 defines no id for the rest)."""

    why: str
    unique_id: str | None = None
    code: str = "FormationViolation"


Frame = Call | CallResult | CallError | Refusal


def read_frame(text: str, *, max_bytes: int) -> Frame:
    """Decode one text frame. Never raises; size is checked in bytes of UTF-8."""
    if len(text) > max_bytes or len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        return Refusal(TOO_LARGE)
    problem, code = "", ""
    try:
        decoded = orjson.loads(text)
    except orjson.JSONDecodeError:
        decoded, problem = _salvage(text)
        code = "FormationViolation"
        if not problem:
            return _read_head(text)
    unique_id = _readable_id(decoded)  # before anything in it is replaced
    if problem or _SUSPICIOUS.search(text) or _bracket_count(text) > _BRACKETS_OF_A_SHALLOW_FRAME:
        decoded, found, found_code = _clean(decoded, 0)
        problem, code = problem or found, code or found_code
    return _shape(unique_id, decoded, problem, code)


def call(unique_id: str, action: str, payload: dict[str, Any]) -> str:
    """Build a request frame."""
    return orjson.dumps([CALL, unique_id, action, payload]).decode()


def call_result(unique_id: str, payload: dict[str, Any]) -> str:
    """Build an answer frame."""
    return orjson.dumps([CALLRESULT, unique_id, payload]).decode()


def call_error(unique_id: str, code: str, description: str = "") -> str:
    """Build an error frame. Details stay empty: what came in is never reflected."""
    return orjson.dumps([CALLERROR, unique_id, code, description[:255], {}]).decode()


def _shape(unique_id: str | None, decoded: Any, problem: str, code: str) -> Frame:
    if not isinstance(decoded, list) or len(decoded) < 3:
        return Refusal("not a list of three to five")
    if unique_id is None:
        return Refusal("message id is not a string of 1 to 36 characters")
    kind, length = decoded[0], len(decoded)
    if type(kind) is not int:
        return Refusal("message type is not an integer", unique_id)
    if kind == CALL and length == 4:
        return _shape_call(unique_id, decoded[2], decoded[3], problem, code)
    if kind == CALLRESULT and length == 3 and isinstance(decoded[2], dict):
        return CallResult(unique_id, decoded[2])
    if kind == CALLERROR and length in (4, 5) and isinstance(decoded[2], str) and isinstance(decoded[3], str):
        return CallError(unique_id, decoded[2][:64], decoded[3][:255])
    if kind in (CALLRESULT, CALLERROR):
        return Refusal("malformed answer")  # an answer is never answered
    return Refusal("unknown message type or wrong length", unique_id)


def _shape_call(unique_id: str, action: Any, payload: Any, problem: str, code: str) -> Frame:
    if not isinstance(action, str) or not 0 < len(action) <= 50:
        return Refusal("action is not a string", unique_id)
    if not isinstance(payload, dict):
        return Refusal("payload is not an object", unique_id)
    return Call(unique_id, action, payload, problem, code)


def _readable_id(decoded: Any) -> str | None:
    if not isinstance(decoded, list) or len(decoded) < 2:
        return None
    unique_id = decoded[1]
    if not isinstance(unique_id, str) or not 0 < len(unique_id) <= LONGEST_ID:
        return None
    return None if _UNSTORABLE.search(unique_id) else unique_id


def _bracket_count(text: str) -> int:
    return text.count("[") + text.count("{")


def _salvage(text: str) -> tuple[Any, str]:
    """Read what strict JSON refuses but chargers send: NaN, huge numbers, lone surrogates.

    A transaction message must be answered or the charger repeats it for ever, so its id is worth some work.
    Returns the value and what was wrong; an empty problem means that nothing could be read.
    """
    if _bracket_count(text) > 4096:
        return None, ""
    try:
        decoded = json.loads(text, parse_constant=str, parse_int=_bounded_int, parse_float=_bounded_float)
    except (ValueError, RecursionError):
        return None, ""
    return decoded, "not strict JSON"


def _read_head(text: str) -> Frame:
    """Make what can be made of a broken text: a request whose id and action can still be read is answered."""
    head = _HEAD.match(text)
    if head is None:
        return Refusal("not JSON")
    raw = _UNSTORABLE.sub("�", text[:4000])
    return Call(head[1], head[2], {"unreadable": raw}, "not JSON", "FormationViolation")


def _bounded_int(digits: str) -> int | str:
    return int(digits) if len(digits) <= 17 else digits[:40]


def _bounded_float(digits: str) -> float | str:
    value = float(digits) if len(digits) <= 32 else float("inf")
    return value if abs(value) <= LARGEST_INTEGER else digits[:40]


def _clean(value: Any, depth: int) -> tuple[Any, str, str]:
    """Copy a decoded value without what cannot be stored; say what was found and its error code."""
    if depth > DEEPEST_NESTING:
        return None, "nested too deep", "FormationViolation"
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            return _UNSTORABLE.sub("�", value), "characters that cannot be stored", "FormationViolation"
        return value, "", ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= LARGEST_INTEGER:
            return str(value)[:40], "number out of range", "PropertyConstraintViolation"
        return value, "", ""
    if isinstance(value, list):
        parts = [_clean(item, depth + 1) for item in value]
        return [part[0] for part in parts], *_first_problem(parts)
    if isinstance(value, dict):
        keys = [_clean(key, depth + 1) for key in value]
        parts = [_clean(item, depth + 1) for item in value.values()]
        return {k[0]: v[0] for k, v in zip(keys, parts, strict=True)}, *_first_problem(keys + parts)
    return value, "", ""


def _first_problem(parts: list[tuple[Any, str, str]]) -> tuple[str, str]:
    return next(((part[1], part[2]) for part in parts if part[1]), ("", ""))
