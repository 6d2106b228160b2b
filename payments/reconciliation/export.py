"""Payments of a period for accountants: one row each, from the hold to the refund, as CSV and as XLSX.

Rows are read in chunks, each by queries of its own, so that a year neither fills the memory nor holds a cursor.
Text that a spreadsheet would run as a formula is quoted in CSV and typed as text in XLSX (SAFETY.md section 3).
"""

import csv
import io
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import IO, Any, Final
from zoneinfo import ZoneInfo

import xlsxwriter
from django.db.models import Q

from payments.models import CreditNote, Payment, Receipt
from payments.reconciliation.books import Period, Position, day_at, payments_of, positions_of
from sessions_app.models import CDR
from tariffs.engine.money import from_minor, minor_digits

Cell = str | Decimal | None
Row = list[Cell]

CHUNK: Final = 500
MOST_XLSX_ROWS: Final = 100_000  # half a minute to write; a longer period goes out as CSV
COLUMNS: Final = (
    "session_id",
    "authorization_reference",
    "ptp",
    "terminal",
    "site",
    "evse",
    "started_at",
    "ended_at",
    "due_at",
    "meter_start_kwh",
    "meter_stop_kwh",
    "energy_kwh",
    "currency",
    "vat_percent",
    "net",
    "vat",
    "gross",
    "held",
    "captured",
    "open",
    "written_off",
    "refunded",
    "credited_net",
    "credited_vat",
    "credited_gross",
    "owed_back",
    "paid_out",
    "fee",
    "receipt_number",
    "credit_note_numbers",
    "state",
    "standing",
)
_FORMULA: Final = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(slots=True)
class _Credited:
    """What the credit notes of a payment give back, in minor units."""

    numbers: list[str] = field(default_factory=list)
    net_minor: int = 0
    gross_minor: int = 0


def rows(period: Period, *, now: datetime, standing: str = "", age: str = "") -> Iterator[list[Row]]:
    """Yield the rows of a period in chunks, the oldest first; of a standing and an age, where given.

    Eight queries a chunk.
    """

    def chosen(position: Position) -> bool:
        return position.stands_so(standing, age)

    after: tuple[datetime, uuid.UUID] | None = None
    wanted = payments_of(period).order_by("settled_at", "pk")
    wanted = wanted.select_related("session__evse__site", "terminal", "ptp").defer(
        "session__tariff_snapshot", "session__cost_state", "session__meter_state", "token"
    )
    while True:
        more = wanted if after is None else wanted.filter(_beyond(*after))
        payments = list(more[:CHUNK])
        if not payments:
            return
        last = payments[-1]
        assert last.settled_at is not None
        after = last.settled_at, last.pk
        yield _chunk([payment for payment in payments if _is_of(payment, period)], now, chosen)


def _beyond(settled_at: datetime, pk: uuid.UUID) -> Q:
    return Q(settled_at__gt=settled_at) | Q(settled_at=settled_at, pk__gt=pk)


def _is_of(payment: Payment, period: Period) -> bool:
    assert payment.settled_at is not None
    assert payment.session is not None
    return period.first <= day_at(payment.settled_at, payment.session.time_zone) <= period.last


def _chunk(payments: list[Payment], now: datetime, chosen: Callable[[Position], bool]) -> list[Row]:
    if not payments:
        return []
    sessions = [payment.session_id for payment in payments]
    cdrs = CDR.objects.filter(session__in=sessions, credit_of=None).only(
        "session", "meter_start_wh", "meter_stop_wh", "energy_wh", "vat_groups", "total_incl_minor", "total_excl_minor",
    )  # fmt: skip
    bills: dict[uuid.UUID | None, CDR] = {cdr.session_id: cdr for cdr in cdrs}
    receipts = Receipt.objects.filter(payment__in=payments).only("payment", "year", "number")
    numbers = {receipt.payment_id: receipt.full_number for receipt in receipts}
    credited = _credited(payments)
    standings = positions_of([payment.pk for payment in payments], now=now)
    return [
        _row(
            payment,
            bills.get(payment.session_id),
            standings[payment.pk],
            receipt_number=numbers.get(payment.pk, ""),
            credited=credited[payment.pk],
        )
        for payment in payments
        if chosen(standings[payment.pk])
    ]


def _credited(payments: list[Payment]) -> dict[uuid.UUID, _Credited]:
    found: dict[uuid.UUID, _Credited] = defaultdict(_Credited)
    notes = CreditNote.objects.filter(payment__in=payments).select_related("cdr").order_by("pk")
    for note in notes.only("payment", "year", "number", "cdr__total_excl_minor", "cdr__total_incl_minor"):
        sums = found[note.payment_id]
        sums.numbers.append(note.full_number)
        sums.net_minor -= note.cdr.total_excl_minor
        sums.gross_minor -= note.cdr.total_incl_minor
    return found


def _row(
    payment: Payment, cdr: CDR | None, position: Position, *, receipt_number: str, credited: _Credited
) -> Row:
    session = payment.session
    assert session is not None

    def money(minor: int) -> Decimal:
        return from_minor(minor, payment.currency)

    gross, net = (cdr.total_incl_minor, cdr.total_excl_minor) if cdr else (0, 0)
    zone = ZoneInfo(session.time_zone)
    return [
        str(session.pk),
        payment.authorization_reference,
        payment.ptp.name,
        payment.terminal.terminal_id if payment.terminal else "",
        str(session.evse.site),
        session.evse.evse_id or session.evse.uid,
        *(_iso(at, zone) for at in (session.started_at, session.ended_at, payment.settled_at)),
        _kwh(cdr.meter_start_wh if cdr else None),
        _kwh(cdr.meter_stop_wh if cdr else None),
        _kwh(session.energy_wh if cdr is None else cdr.energy_wh),
        payment.currency,
        _rates(cdr),
        *(money(minor) for minor in (net, gross - net, gross)),
        money(payment.authorized_minor),
        money(payment.captured_minor),
        money(payment.open_minor),
        money(payment.written_off_minor),
        money(payment.refunded_minor),
        money(credited.net_minor),
        money(credited.gross_minor - credited.net_minor),
        money(credited.gross_minor),
        money(payment.account.owed_minor),
        *_paid_out(position),
        receipt_number,
        "; ".join(credited.numbers),
        payment.state,
        str(position.standing),
    ]


def _paid_out(position: Position) -> tuple[Cell, Cell]:
    """What settlement files say was paid out, and the PTP's fee, both empty where none names the payment."""
    if position.paid_minor is None:
        return None, None
    paid, fee = position.paid_minor, position.fee_minor
    return from_minor(paid, position.currency), from_minor(fee, position.currency)


def _iso(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds") if at else ""


def _kwh(energy_wh: int | None) -> Decimal | None:
    return None if energy_wh is None else Decimal(energy_wh).scaleb(-3)


def _rates(cdr: CDR | None) -> Cell:
    """Return the VAT rate, all of them where there are several, nothing where there is no VAT."""
    rates = (
        [Decimal(group["rate"]).normalize() + 0 for group in cdr.vat_groups if group["rate"]] if cdr else []
    )
    if len(rates) == 1:
        return rates[0]
    return "; ".join(f"{rate:f}" for rate in sorted(rates)) or None


# --- CSV ------------------------------------------------------------------------------------------


def csv_header() -> str:
    """Return the first line."""
    return _lines([list(COLUMNS)])


def csv_text(chunk: list[Row]) -> str:
    """Return rows as CSV (RFC 4180): plain decimals, text that no spreadsheet runs."""
    return _lines([[_plain(cell) for cell in row] for row in chunk])


def _lines(chunk: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(chunk)
    return out.getvalue()


def _plain(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:f}" if isinstance(cell, Decimal) else harmless(cell)


def harmless(text: str) -> str:
    """Return text that a spreadsheet takes as text: quoted where it would begin a formula, printable."""
    printable = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return f"'{printable}" if _FORMULA.match(printable) else printable


# --- XLSX -----------------------------------------------------------------------------------------


def write_xlsx(out: IO[bytes], period: Period, *, now: datetime, standing: str = "", age: str = "") -> None:
    """Write a workbook of one sheet: amounts are numbers with their currency's digits, everything else text."""
    options: dict[str, Any] = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet("Payments")
        bold = book.add_format({"bold": True})
        for column, name in enumerate(COLUMNS):
            sheet.write_string(0, column, name, bold)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(COLUMNS) - 1, 14)
        formats = _Formats(book)
        number = 0
        for chunk in rows(period, now=now, standing=standing, age=age):
            for row in chunk:
                number += 1
                _write(sheet, number, row, formats)


class _Formats:
    """Number formats, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[int, Any] = {}

    def digits(self, count: int) -> Any:
        """Return the format with so many digits after the point."""
        if count not in self._made:
            pattern = f"0.{'0' * count}" if count else "0"
            self._made[count] = self._book.add_format({"num_format": pattern})
        return self._made[count]


_MONEY = range(COLUMNS.index("net"), COLUMNS.index("owed_back") + 1)
_ENERGY = range(COLUMNS.index("meter_start_kwh"), COLUMNS.index("energy_kwh") + 1)


def _write(sheet: Any, number: int, row: Row, formats: _Formats) -> None:
    currency = row[COLUMNS.index("currency")]
    for column, cell in enumerate(row):
        if isinstance(cell, Decimal):
            digits = minor_digits(str(currency)) if column in _MONEY else 3 if column in _ENERGY else None
            sheet.write_number(number, column, cell, None if digits is None else formats.digits(digits))
        elif cell:
            sheet.write_string(number, column, _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", cell))
