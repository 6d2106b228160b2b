"""Segments of a path that name an object: whatever cannot be an id names nothing."""

from typing import Final

LONGEST_ID: Final = 36


def may_be_id(text: str, *, longest: int = LONGEST_ID) -> bool:
    """Whether a segment can be an id at all: printable ASCII of an id's length, as a database can look up."""
    return 0 < len(text) <= longest and text.isascii() and text.isprintable()
