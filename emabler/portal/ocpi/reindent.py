"""JSON laid out for reading, without being read: every token stays as it was written, whatever is wrong with it."""

import re
from itertools import pairwise
from typing import Final

DEEPEST: Final = 12  # what nests deeper is not indented further, so that a hostile body cannot grow
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def reindented(body: str) -> str:
    """Return JSON with one value a line; also a body that was cut short. Anything else comes back as it is."""
    if body.lstrip()[:1] not in ("{", "["):
        return body
    written: list[str] = []
    depth, tokens = 0, [*_TOKEN.findall(body), ""]
    for part, following in pairwise(tokens):
        if part in ("{", "["):
            depth += 1
            written.append(part + ("" if following in ("}", "]") else _break(depth)))
        elif part in ("}", "]"):
            depth -= 1
            written.append(part if written[-1] in ("{", "[") else _break(depth) + part)
        elif part == ",":
            written.append("," + _break(depth))
        else:
            written.append(": " if part == ":" else part)
    return "".join(written)


def _break(depth: int) -> str:
    return "\n" + "  " * max(0, min(depth, DEEPEST))
