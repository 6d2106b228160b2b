"""Read the text of a PDF back, as a reader's program does: by each font's ToUnicode map."""

import re
import zlib

_OBJECT = re.compile(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)
_OPERATOR = re.compile(rb"/(F\d+) [\d.]+ Tf|((?<!\\)\((?:\\.|[^\\)])*\)|\[.*?\]) ?T[jJ]", re.DOTALL)
_STRING = re.compile(rb"\(((?:\\.|[^\\)])*)\)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def text_of(pdf: bytes) -> str:
    """Return the text of all pages, one line per piece of text as it was set."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    maps = _font_maps(objects)
    pieces: list[str] = []
    for body in objects.values():
        content = _stream(body)
        if content is None or b" Tf" not in content:
            continue
        letters: dict[int, str] = {}
        for font, shown in _OPERATOR.findall(content):
            if font:
                letters = maps[font]
            else:
                raw = b"".join(_unescape(part) for part in _STRING.findall(shown))
                codes = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
                pieces.append("".join(letters[code] for code in codes))
    return "\n".join(pieces)


def _font_maps(objects: dict[int, bytes]) -> dict[bytes, dict[int, str]]:
    maps = {}
    for body in objects.values():
        for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", body):
            found = re.search(rb"/ToUnicode (\d+) 0 R", objects[int(number)])
            assert found, "a font without a map cannot be read or searched"
            content = _stream(objects[int(found[1])])
            assert content is not None
            maps[name] = _map(content)
    return maps


def _map(content: bytes) -> dict[int, str]:
    pairs = re.findall(rb"^<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4,8})>$", content, re.MULTILINE)
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in pairs}


def _stream(body: bytes) -> bytes | None:
    found = _STREAM.search(body)
    if not found:
        return None
    return zlib.decompress(found[1]) if b"/FlateDecode" in body else found[1]


def _unescape(raw: bytes) -> bytes:
    return re.sub(rb"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), raw, flags=re.DOTALL)
