"""The `ocpp` package's JSON schemas, compiled once per message by a fast validator, read leniently.

Real chargers add vendor fields and invent units; refusing those would cost their operator money. So extra
fields and unknown words of open lists pass; wrong types, missing fields and unknown statuses do not.
"""

import importlib.resources
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs
import orjson

# Lists that vendors extend; what we do not know in them is ignored where it is used.
_OPEN_LISTS = frozenset(
    {"context", "format", "location", "measurand", "phase", "unit", "errorCode", "reason"}
)

# Schema keyword -> error code (OCPP-J 1.6 §4.2.3, which spells Occurence so).
_CODES = {
    "type": "TypeConstraintViolation",
    "required": "OccurenceConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """What a payload breaks, as an OCPP error code and a place; it never quotes the payload."""

    code: str
    place: str


def violation_of(action: str, payload: dict[str, Any]) -> Violation | None:
    """Return the first violation of the request's 1.6 schema, None when it is well formed."""
    validator = _validator(action)
    try:
        if validator.is_valid(payload):
            return None
        error = next(iter(validator.iter_errors(payload)))
    except ValueError:  # a value the validator cannot represent
        return Violation("FormationViolation", "")
    keyword = str(error.schema_path[-1]) if error.schema_path else ""
    place = ".".join(str(step) for step in error.instance_path)[:100]
    return Violation(_CODES.get(keyword, "PropertyConstraintViolation"), place)


@cache
def _validator(action: str) -> jsonschema_rs.Draft4Validator:
    source = importlib.resources.files("ocpp") / "v16" / "schemas" / f"{action}.json"
    schema = orjson.loads(source.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    return jsonschema_rs.Draft4Validator(_lenient(schema))


def _lenient(schema: Any, name: str = "") -> Any:
    if isinstance(schema, list):
        return [_lenient(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"additionalProperties", "id", "$schema"} | ({"enum"} if name in _OPEN_LISTS else set())
    return {key: _lenient(value, key) for key, value in schema.items() if key not in dropped}
