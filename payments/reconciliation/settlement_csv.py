"""Read a PTP's settlement file: CSV as people's systems write it, taken as text, every fault told with its line.

Default headers are our own names of the columns; a PTP that uses others gets a mapping (SettlementFormat).

| column | needed | content |
|--|--|--|
| reference | yes | our authorization reference, or the PTP's confirmation id |
| amount | yes | major units, decimal point or comma, no thousands separator; below zero for a refund |
| currency | yes | ISO 4217 |
| fee | no | as amount, in the same currency |
| captured_at | no | ISO 8601 date or time; without an offset it is UTC |
| payout_id | no | the payout that it is in |
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tariffs.engine.errors import InvalidAmount, UnknownCurrency
from tariffs.engine.money import minor_digits, parse_amount

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_ROWS: Final = 20_000
MAX_FAULTS: Final = 50  # more of them help nobody
MAX_CELL: Final = 64  # what the columns hold
COLUMNS: Final = ("reference", "amount", "currency", "fee", "captured_at", "payout_id")
NEEDED: Final = ("reference", "amount", "currency")
_PRINTABLE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was read; amounts in minor units."""

    number: int
    reference: str
    amount_minor: int
    currency: str
    fee_minor: int | None
    captured_at: datetime | None
    payout_id: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and in which line of the file; 0 is the file as a whole."""

    line: int
    message: str


class Unreadable(Exception):
    """The file cannot be imported; nothing of it was."""

    def __init__(self, faults: list[Fault], *, hidden: int = 0) -> None:
        super().__init__(faults[0].message)
        self.faults = faults
        self.hidden = hidden  # further faults that are not told


def read(raw: bytes, columns: Mapping[str, str]) -> list[Line]:
    """Return all lines of a file. `columns` maps our names to the PTP's headers. Raises Unreadable."""
    text = _text(raw)
    rows = _rows(text)
    header = next(rows, None)
    if header is None:
        raise _whole("The file is empty.")
    places = _places([cell.strip() for cell in header[1]], columns)
    lines: list[Line] = []
    faults: list[Fault] = []
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(lines) + len(faults) >= MAX_ROWS:
            raise _whole(f"The file has more than {MAX_ROWS} lines. Split it.")
        found = _line(number, cells, places)
        if isinstance(found, Line):
            lines.append(found)
        else:
            faults.append(Fault(number, found))
    if faults:
        raise Unreadable(faults[:MAX_FAULTS], hidden=len(faults[MAX_FAULTS:]))
    if not lines:
        raise _whole("The file has a header and no line below it.")
    return lines


def _whole(message: str) -> Unreadable:
    return Unreadable([Fault(0, message)])


def _text(raw: bytes) -> str:
    """Decode UTF-8 with or without BOM, else Latin-1, which reads every byte."""
    if len(raw) > MAX_BYTES:
        raise _whole(f"The file is larger than {MAX_BYTES // 1024 // 1024} MB. Split it.")
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")):
        raise _whole("This is a spreadsheet or an archive. Save it as CSV.")
    if b"\0" in raw:
        raise _whole("This is not a text file in UTF-8 or Latin-1. Save it as CSV in UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells. Raises Unreadable where the quoting is broken."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    number = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Unreadable([Fault(number, f"The line cannot be read: {error}.")]) from None
        yield number, cells
        number = reader.line_num + 1


def _delimiter(text: str) -> str:
    """The header decides: whichever of the two it has more of."""
    header = text[:4096].lstrip("\r\n").splitlines()[:1]
    return ";" if header and header[0].count(";") > header[0].count(",") else ","


def _places(header: list[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Return where each of our columns is. Raises Unreadable for a needed one that is not there, or is twice."""
    known = [name.casefold() for name in header]
    places: dict[str, int] = {}
    faults = []
    for column in COLUMNS:
        wanted = columns.get(column) or column
        count = known.count(wanted.strip().casefold())
        if count > 1:
            faults.append(Fault(1, f"The column {wanted} is there {count} times."))
        elif count:
            places[column] = known.index(wanted.strip().casefold())
        elif column in NEEDED:
            faults.append(Fault(1, f"The column {wanted} ({column}) is missing."))
    if faults:
        raise Unreadable(faults)
    return places


def _line(number: int, cells: list[str], places: Mapping[str, int]) -> Line | str:
    """Return a line, or what is wrong with it."""
    texts = {column: cells[place].strip() if place < len(cells) else "" for column, place in places.items()}
    for column, text in texts.items():
        if not text and column in NEEDED:
            return f"{column} is empty."
        if len(text) > MAX_CELL:
            return f"{column} is longer than {MAX_CELL} characters."
        if not _PRINTABLE.fullmatch(text):
            return f"{column} has control characters."
    try:
        return _parsed(number, texts)
    except UnknownCurrency:
        return f"{texts['currency']} is no currency of ISO 4217."
    except (InvalidAmount, ValueError, OverflowError) as error:
        return str(error)


def _parsed(number: int, texts: Mapping[str, str]) -> Line:
    currency = texts["currency"].upper()
    minor_digits(currency)
    fee = texts.get("fee", "")
    return Line(
        number=number,
        reference=texts["reference"],
        amount_minor=_amount("amount", texts["amount"], currency),
        currency=currency,
        fee_minor=_amount("fee", fee, currency) if fee else None,
        captured_at=_moment(texts.get("captured_at", "")),
        payout_id=texts.get("payout_id", ""),
    )


def _amount(column: str, text: str, currency: str) -> int:
    """Return minor units of `-12.30`, `12,30`. Raises ValueError, UnknownCurrency."""
    unsigned = text.replace("\u2212", "-").removeprefix("-")
    try:
        minor = parse_amount(unsigned.replace(",", "."), currency)
    except InvalidAmount as error:
        raise ValueError(f"{column} {text}: {error}") from None
    return minor if unsigned == text else -minor


def _moment(text: str) -> datetime | None:
    """Return a time in UTC. Raises ValueError."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"captured_at {text}: a date or time as in 2026-01-31 or 2026-01-31T12:00:00Z."
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
