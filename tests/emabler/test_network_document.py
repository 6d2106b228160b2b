"""A network file's bytes: whatever they are, the answer is a document or a typed fault with a path."""

from decimal import Decimal
from pathlib import Path

import pytest

from emabler.network import document
from emabler.network.document import MAX_BYTES, MAX_DEPTH, read_bytes, read_file
from tariffs.engine.errors import InvalidInput


def faults(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        read_bytes(content)
    return [(error.path, error.code) for error in refused.value.errors]


def test_decimals_are_read_digit_by_digit() -> None:
    assert read_bytes(b'{"price": 0.10, "byte order mark": false}')["price"] == Decimal("0.10")
    assert read_bytes(b'\xef\xbb\xbf{"bom": 1}') == {"bom": 1}


def test_a_file_over_the_limit_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "_decode", lambda _text: pytest.fail("parsed"))
    file = tmp_path / "large.json"
    file.write_bytes(b" " * (MAX_BYTES + 1))

    with pytest.raises(InvalidInput) as refused:
        read_file(file)

    assert [error.code for error in refused.value.errors] == ["too_large"]


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(InvalidInput) as refused:
            read_file(path)
        assert [error.code for error in refused.value.errors] == ["unreadable"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": }', b"{'a': 1}", b'{"a": 1} tail', b'{"a": "\n"}'])
def test_what_is_not_json_is_refused(content: bytes) -> None:
    assert faults(content) == [("", "invalid_json")]


def test_text_in_another_encoding_is_refused() -> None:
    assert faults('{"name": "Åbo"}'.encode("latin-1")) == [("", "invalid_encoding")]


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400000", "1e-400000", "1e99999999999999999999", "9" * 5000]
)
def test_a_number_beyond_json_or_reason_is_refused_where_it_stands(number: str) -> None:
    assert faults(f'{{"tariffs": [{{"price": {number}}}]}}'.encode()) == [
        ("tariffs[0].price", "invalid_number")
    ]


def test_a_field_named_twice_is_refused_where_it_stands() -> None:
    assert faults(b'{"ptps": [{"name": "A", "name": "B"}]}') == [("ptps[0].name", "duplicate_name")]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    assert [code for _, code in faults(b"[" * depth + b"]" * depth)] == ["too_deep"]
    assert [code for _, code in faults(b'{"a":' * depth + b"1" + b"}" * depth)] == ["too_deep"]


@pytest.mark.parametrize("text", [r"\u0000", r"\ud800"])
def test_text_that_no_database_stores_is_refused(text: str) -> None:
    assert faults(f'{{"name": "{text}"}}'.encode()) == [("name", "invalid_text")]
    assert faults(f'{{"{text}": 1}}'.encode()) == [("", "invalid_text")]


def test_all_faults_are_told_in_the_order_of_the_file() -> None:
    content = b'{"a": NaN, "b": [1, {"c": 1, "c": 2}], "d": "\\u0000"}'

    assert faults(content) == [
        ("a", "invalid_number"),
        ("b[1].c", "duplicate_name"),
        ("d", "invalid_text"),
    ]
