"""Read fields of an OCPI object with their limits; faults are collected with their path, never raised.

A reader and the readers of its parts share one list of faults. What is faulty or absent reads as `None`
(or as nothing, for a list); the caller looks at `errors` before it builds a value. The few functions below
the reader treat whole documents: to store them, to write them, to patch them.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from tariffs.engine.errors import InputError, InvalidInput

# OCPI numbers have 4 decimals; some systems write gross prices back with more to keep them exact.
MAX_DECIMALS: Final = 12
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
# Bounded, so that no text becomes a number that takes a worker's memory.
_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_CI_STRING: Final = re.compile(r"[ -~]+")  # OCPI types, CiString: printable ASCII
MAX_URL: Final = 255

E_ = TypeVar("E_", bound=enum.Enum)
T_ = TypeVar("T_")


class Reader:
    """One JSON object at a path of a document."""

    def __init__(self, value: object, path: str, errors: list[InputError] | None = None) -> None:
        self.path = path
        self.errors: list[InputError] = [] if errors is None else errors
        self.fields: Mapping[str, object] = value if isinstance(value, Mapping) else {}
        self._is_object = isinstance(value, Mapping)
        if not self._is_object:
            self.errors.append(InputError(path, "invalid", "A JSON object is expected."))

    def fault(self, name: str, code: str, message: str) -> None:
        """Note a fault of a field."""
        self.errors.append(InputError(self.at(name), code, message))

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def value(self, name: str, *, required: bool = False) -> object:
        """The raw value; JSON null counts as absent."""
        value = self.fields.get(name)
        # What is no object at all has been noted once; its missing fields are no news.
        if value is None and required and self._is_object:
            self.fault(name, "required", "This field is required.")
        return value

    def text(self, name: str, *, longest: int, required: bool = False) -> str | None:
        """Printable text that is not blank."""
        value = self.value(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str) or not value.isprintable() or (required and not value.strip()):
            self.fault(name, "invalid", "Printable text is expected.")
        elif len(value) > longest:
            self.fault(name, "too_large", f"At most {longest} characters.")
        else:
            return value
        return None

    def ci_text(self, name: str, *, longest: int, required: bool = False) -> str | None:
        """A CiString: printable ASCII that neither starts nor ends with a space; kept as it is written."""
        value = self.text(name, longest=longest, required=required)
        if value is not None and (not _CI_STRING.fullmatch(value) or value != value.strip()):
            self.fault(name, "invalid", "Printable ASCII is expected.")
            return None
        return value

    def url(self, name: str, *, required: bool = False) -> str | None:
        """An absolute http or https address; whether it may be called is decided elsewhere."""
        value = self.ci_text(name, longest=MAX_URL, required=required)
        if value is not None and not _is_url(value):
            self.fault(name, "invalid", "An http or https URL is expected.")
            return None
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """true or false."""
        value = self.value(name)
        if value is not None and not isinstance(value, bool):
            self.fault(name, "invalid", "true or false is expected.")
        return value if isinstance(value, bool) else default

    def number(
        self, name: str, *, most: Decimal, least: Decimal = Decimal(0), required: bool = False
    ) -> Decimal | None:
        """A JSON number from `least` to `most`; a float is refused, for it is not what the peer wrote."""
        value = self.value(name, required=required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.fault(name, "invalid", "A number is expected.")
            return None
        if isinstance(value, Decimal) and not value.is_finite():
            self.fault(name, "invalid", "A finite number is expected.")
        elif value < least:
            message = "The number cannot be negative." if least == 0 else f"At least {least}."
            self.fault(name, "invalid", message)
        elif value > most:
            self.fault(name, "too_large", f"At most {most}.")
        elif isinstance(value, Decimal) and _decimals(value) > MAX_DECIMALS:
            self.fault(name, "too_large", f"At most {MAX_DECIMALS} decimals.")
        else:
            return Decimal(value)
        return None

    def measure(self, name: str, *, most: Decimal, required: bool = False) -> Decimal | None:
        """A number that a meter or a person wrote, from 0 to `most`: a JSON number or a decimal string.

        It may have as many decimals as it needs: it is taken as it is, and never written back.
        """
        value = self.value(name, required=required)
        if value is None:
            return None
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = Decimal(value)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.fault(name, "invalid", "A number is expected, or a decimal string.")
        elif not Decimal(value).is_finite() or value < 0:
            self.fault(name, "invalid", "A finite number from 0 is expected.")
        elif value > most:
            self.fault(name, "too_large", f"At most {most}.")
        else:
            return Decimal(value)
        return None

    def whole(self, name: str, *, most: int, required: bool = False) -> int | None:
        """A whole JSON number from 0 to `most`; 300.0 is taken for 300."""
        number = self.number(name, most=Decimal(most), required=required)
        if number is None:
            return None
        if number != number.to_integral_value():
            self.fault(name, "invalid", "A whole number is expected.")
            return None
        return int(number)

    def choice(self, name: str, kind: type[E_], *, required: bool = False) -> E_ | None:
        """A value of an enum of strings."""
        value = self.value(name, required=required)
        if value is None:
            return None
        try:
            return kind(value)
        except ValueError:
            self.fault(name, "invalid", f"One of {', '.join(str(item.value) for item in kind)}.")
            return None

    def names(self, name: str, kind: type[E_]) -> Iterator[E_]:
        """A list of member names of an enum."""
        for number, value in enumerate(self._list(name, most=len(kind) * 2)):
            if isinstance(value, str) and value in kind.__members__:
                yield kind[value]
            else:
                self.fault(f"{name}[{number}]", "invalid", f"One of {', '.join(kind.__members__)}.")

    def texts(self, name: str, *, longest: int, most: int) -> tuple[str, ...]:
        """A list of printable texts; a faulty one reads as `""`, so that the others keep their places."""
        values = self._list(name, most=most)
        places = Reader({f"{name}[{n}]": value for n, value in enumerate(values)}, self.path, self.errors)
        return tuple(places.text(place, longest=longest, required=True) or "" for place in places.fields)

    def parsed(self, name: str, pattern: re.Pattern[str], parse: Callable[[str], T_]) -> T_ | None:
        """Text of a fixed form."""
        value = self.value(name)
        if value is None:
            return None
        try:
            if isinstance(value, str) and pattern.fullmatch(value):
                return parse(value)
        except (ValueError, OverflowError):
            pass  # it has the form, but is no date: 2026-02-31
        self.fault(name, "invalid", "The text does not have the expected form.")
        return None

    def moment(self, name: str, *, required: bool = False) -> datetime | None:
        """An OCPI DateTime, which is UTC with or without `Z`; as an aware UTC time."""
        self.value(name, required=required)
        return self.parsed(name, _MOMENT, _utc)

    def part(self, name: str) -> Reader | None:
        """A nested object, `None` where it is absent."""
        value = self.value(name)
        return None if value is None else Reader(value, self.at(name), self.errors)

    def items(self, name: str, *, most: int, least: int = 0) -> Iterator[Reader]:
        """The objects of a list."""
        values = self._list(name, most=most)
        if len(values) < least and self._is_object and not self._is_faulty(name):
            self.fault(name, "required", f"At least {least} is required.")
        for number, value in enumerate(values):
            yield Reader(value, f"{self.at(name)}[{number}]", self.errors)

    def require_sound(self) -> None:
        """Raise `InvalidInput` with every fault that was noted, if there is one."""
        if self.errors:
            raise InvalidInput(self.errors)

    def _list(self, name: str, *, most: int) -> list[object]:
        value = self.value(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(name, "invalid", "A list is expected.")
        elif len(value) > most:
            self.fault(name, "too_large", f"At most {most} entries.")
        else:
            return value
        return []

    def _is_faulty(self, name: str) -> bool:
        return any(error.path == self.at(name) for error in self.errors)


def _decimals(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def one_line(text: str) -> str:
    """Text as a receipt can show it: one line, read from its first letter to its last.

    Formatters put no-break and narrow spaces into `12,30 €`, and terminals end their lines: what separates or
    controls is a space here. Marks that show nothing go, for those of direction turn an amount round.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text.replace("\r\n", "\n")))


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return "" if unicodedata.category(letter) == "Cf" else " "


def _utc(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text
    except ValueError:  # brackets without an IPv6 address
        return False


def plain(value: object) -> Any:
    """A JSON value as a database stores it: decimals become numbers of JSON again.

    What passes here is never priced: the shares of an energy mix, say.
    """
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def exact(value: object) -> Any:
    """A JSON value of a database as the wire needs it: the shortest decimal that reads as the same float."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, Mapping):
        return {name: exact(item) for name, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list | tuple) else value


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something: absent, empty texts and empty lists are the same on the wire."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The document after a PATCH: fields that are given replace the old ones as a whole, also lists.

    OCPI 2.3.0 transport_and_format, PATCH. JSON null counts as not given.
    """
    return {**document, **{name: value for name, value in patch.items() if value is not None}}
