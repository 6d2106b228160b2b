"""Settlement files as people's systems write them: everything sound is read, everything else told by its line."""

import csv
import io
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.reconciliation.settlement_csv import COLUMNS, MAX_BYTES, MAX_ROWS, Fault, Line, Unreadable, read

HEADER = "reference,amount,currency,fee,captured_at,payout_id\n"
OURS = {column: column for column in COLUMNS}


def faults(raw: bytes | str) -> list[Fault]:
    with pytest.raises(Unreadable) as refused:
        read(raw.encode() if isinstance(raw, str) else raw, OURS)
    return refused.value.faults


def one(row: str) -> Line:
    (line,) = read((HEADER + row).encode(), OURS)
    return line


def test_a_line_with_everything_is_read() -> None:
    line = one("auth-1,12.30,EUR,0.25,2026-01-31T12:00:00+02:00,PO-7")

    assert line == Line(2, "auth-1", 1230, "EUR", 25, datetime(2026, 1, 31, 10, tzinfo=UTC), "PO-7")


def test_only_three_columns_are_needed_in_any_order_and_case() -> None:
    (line,) = read(b"Currency;AMOUNT;Whatever;Reference\r\neur;-1,50;x;auth-1\r\n", OURS)

    assert (line.reference, line.amount_minor, line.currency) == ("auth-1", -150, "EUR")
    assert (line.fee_minor, line.captured_at, line.payout_id) == (None, None, "")


def test_a_ptp_may_name_its_columns_in_its_own_way() -> None:
    columns = {**OURS, "reference": "Händlerreferenz", "amount": "Betrag", "currency": "Währung"}
    raw = "Händlerreferenz;Betrag;Währung\nauth-1;5,00;EUR\n"

    for encoded in (raw.encode(), raw.encode("latin-1"), raw.encode("utf-8-sig")):
        assert read(encoded, columns)[0].amount_minor == 500


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("5", "EUR", 500), ("5,5", "EUR", 550), ("500", "JPY", 500), ("1.234", "KWD", 1234), ("\u22125.00", "EUR", -500)],
)  # fmt: skip
def test_amounts_have_the_digits_of_their_currency(amount: str, currency: str, minor: int) -> None:
    (line,) = read(f"reference;amount;currency\na;{amount};{currency}".encode(), OURS)

    assert line.amount_minor == minor


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (",1,EUR", "reference is empty"),
        ("a,,EUR", "amount is empty"),
        ("a,1", "currency is empty"),
        ("a,1.234,EUR", "digits after the point"),
        ('a,"1.234,50",EUR', "amount 1.234,50"),
        ("a,1e3,EUR", "amount 1e3"),
        ("a,--1,EUR", "amount --1"),
        ("a,99999999999,EUR", "more than 9 digits"),
        ("a,NaN,EUR", "amount NaN"),
        ("a,1,XXX", "no currency"),
        ("a,1,EUR,abc", "fee abc"),
        ("a,1,EUR,,31.01.2026", "captured_at 31.01.2026"),
        ("a,1,EUR,,0001-01-01T00:00:00+14:00", "date"),
        (f"{'a' * 65},1,EUR", "longer than 64"),
        ("a\x1b[2J,1,EUR", "control characters"),
        ('"a\nb",1,EUR', "control characters"),
    ],
)
def test_a_fault_is_told_with_its_line(row: str, word: str) -> None:
    (fault,) = faults(f"{HEADER}good,1,EUR\n{row}\n")

    assert fault.line == 3
    assert word in fault.message


def test_all_faults_are_told_at_once_and_no_line_is_taken() -> None:
    found = faults(HEADER + "a,x,EUR\nb,1,EUR\nc,1,Z\n")

    assert [fault.line for fault in found] == [2, 4]


def test_a_thousand_faults_are_not_all_told() -> None:
    with pytest.raises(Unreadable) as refused:
        read((HEADER + "a,x,EUR\n" * 1000).encode(), OURS)

    assert (len(refused.value.faults), refused.value.hidden) == (50, 950)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (HEADER.encode(), "no line below"),
        (b"a,b,c\n1,2,3\n", "reference) is missing"),
        (b"reference,amount,amount,currency\n", "2 times"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (HEADER.encode("utf-16"), "Save it as CSV"),
        (b'reference,amount,currency\n"a,1,EUR\n', "cannot be read"),
        (HEADER.encode() + b"a,1,EUR\0\n", "Save it as CSV"),
        (b"x" * (MAX_BYTES + 1), "larger than 5 MB"),
    ],
)
def test_what_is_no_such_file_is_refused_as_a_whole(raw: bytes, word: str) -> None:
    assert word in faults(raw)[0].message


def test_a_file_may_have_so_many_lines_and_no_more() -> None:
    raw = HEADER + "a,1,EUR\n" * MAX_ROWS

    assert len(read(raw.encode(), OURS)) == MAX_ROWS
    assert "more than 20000 lines" in faults(raw + "a,1,EUR\n")[0].message


def test_empty_lines_count_for_nothing_and_keep_the_numbers_right() -> None:
    assert one("\n\n,,,\na,1,EUR").number == 5


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=64))
def test_any_reference_that_a_csv_writer_writes_is_read_back_as_text(reference: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["reference", "amount", "currency"], [reference, "1.00", "EUR"]])

    if reference.strip():
        assert [line.reference for line in read(out.getvalue().encode(), OURS)] == [reference.strip()]
    else:
        assert "reference is empty" in faults(out.getvalue())[0].message


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail_otherwise(raw: bytes) -> None:
    with suppress(Unreadable):
        assert read(HEADER.encode() + raw, OURS)
