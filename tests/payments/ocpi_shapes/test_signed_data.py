"""SignedData as OCPI has it: natures, base64, the public key, and nothing that would spoil a CDR."""

import base64
from typing import Any

import pytest

from payments.ocpi.signed_data import MAX_TEXT, encoding_method, public_key, signed_data_document

OCMF = 'OCMF|{"FV":"1.0","RD":[{"RV":1.5,"ID":"Jyväskylä"}]}|{"SD":"3045"}'


def signed(*texts: str, key: str = "", context: str = "Transaction.Begin") -> dict[str, Any]:
    return {"public_key": key, "values": [{"context": context, "text": text} for text in texts]}


def told(*texts: str, **fields: str) -> list[dict[str, str]]:
    values: list[dict[str, str]] = signed_data_document(signed(*texts, **fields)).get("signed_values", [])
    return values


@pytest.mark.parametrize(
    ("context", "nature"),
    [
        ("Transaction.Begin", "Start"),
        ("Transaction.End", "End"),
        ("Sample.Periodic", "Intermediate"),
        ("Trigger", "Intermediate"),
        ("of a vendor", "Intermediate"),
    ],
)
def test_a_value_is_told_as_text_and_in_base64(context: str, nature: str) -> None:
    document = signed_data_document(signed(OCMF, context=context))

    (value,) = document.pop("signed_values")
    assert document == {"encoding_method": "OCMF"}
    assert (value["nature"], value["plain_data"]) == (nature, OCMF)
    assert base64.b64decode(value["signed_data"]).decode() == OCMF


def test_nothing_signed_is_no_signed_data() -> None:
    assert signed_data_document({}) == {}
    assert signed_data_document(signed(key="3059")) == {}


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (OCMF, "OCMF"),
        ("\n" + OCMF, "OCMF"),
        ("AP;0;3;ALCV3ABBDAB;", "Alfen Eichrecht"),
        ('<?xml version="1.0"?><v encodingMethod="EDL40 Mennekes" encoding="hex"/>', "EDL40 Mennekes"),
        ("<v encodingMethod = 'EDL40'/>", "EDL40"),
        ("<v encodingMethod='  '/>", "UNKNOWN"),
        ("<signedMeterValue/>", "UNKNOWN"),
        ('<v encodingMethod="' + "x" * 37 + '"/>', "UNKNOWN"),
        ('<v encodingMethod=" äö"/>', "UNKNOWN"),
        ("1B1B1B1B01010101", "UNKNOWN"),
    ],
)
def test_the_encoding_is_told_by_the_text(text: str, method: str) -> None:
    assert encoding_method(text) == method


def test_there_is_one_encoding_that_of_the_first_value() -> None:
    assert [value["plain_data"] for value in told(OCMF, "AP;0;", OCMF + " ")] == [OCMF, OCMF + " "]


def test_the_longest_text_that_fits_is_told_and_a_longer_one_left_out() -> None:
    fits = "OCMF|".ljust(MAX_TEXT * 3 // 4, "x")

    (value,) = told(fits, fits + "x")

    assert value["plain_data"] == fits
    assert len(value["signed_data"]) <= MAX_TEXT
    assert told(fits + "x") == []


def test_lines_are_told_as_one_and_signed_as_they_were() -> None:
    (value,) = told("<v>\r\n\t1\n</v>")

    assert value["plain_data"] == "<v>   1 </v>"
    assert base64.b64decode(value["signed_data"]) == b"<v>\r\n\t1\n</v>"


def test_what_cannot_be_printed_is_left_out() -> None:
    assert told("OCMF|\u202e|\u2028") == []


@pytest.mark.parametrize(
    ("key", "as_told"),
    [
        ("3059", "MFk="),
        ("30 59\n", "MFk="),
        ("MFkwEwYHKoZIzj0CAQ==", "MFkwEwYHKoZIzj0CAQ=="),
        ("", ""),
        ("no key!", ""),
        ("MFk", ""),
        ("MFkwEwYHKoZIzj0CAQ\u00fc=", ""),
        ("\u2013 none \u2013", ""),
        ("30" * 250, ""),  # as long as a configuration value can be: its end may be missing
    ],
)
def test_a_public_key_is_told_in_base64_or_not_at_all(key: str, as_told: str) -> None:
    assert public_key(key) == as_told
    assert signed_data_document(signed(OCMF, key=key)).get("public_key", "") == as_told
