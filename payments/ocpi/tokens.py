"""OCPI Token objects: kept and given back as they came, and the part of them that bills carry (CdrToken).

OCPI 2.3.0 mod_tokens. A terminal's tokens live for one payment; nobody is let in or kept out by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from payments.ocpi.reading import Reader, exact, merged, plain

# OCPI 2.3.0 mod_cdrs, CdrToken: its fields with their greatest lengths. The type is open (TokenType): a
# value that nobody knows yet is copied like the others.
CDR_TOKEN: Final = {"country_code": 2, "party_id": 3, "uid": 36, "type": 36, "contract_id": 36}
# What names a token in a URL (with `?type=`); a patch cannot change it.
_KEY: Final = ("country_code", "party_id", "uid", "type")


class WhitelistType(StrEnum):
    """Whether a charger may let a token in by itself; ours never do."""

    ALWAYS = "ALWAYS"  # its owner need not be asked
    ALLOWED = "ALLOWED"  # its owner may be asked
    ALLOWED_OFFLINE = "ALLOWED_OFFLINE"  # its owner is asked while it can be reached
    NEVER = "NEVER"  # its owner is always asked


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """A token; `document` is the whole of it in plain JSON values, as a database stores it."""

    country_code: str
    party_id: str
    uid: str
    type: str
    contract_id: str
    valid: bool
    updated_at: datetime
    document: dict[str, Any]


def parse_token(obj: object, *, path: str = "") -> TokenEntry:
    """Read a whole Token, as a PUT brings it. Raises `InvalidInput` with every fault."""
    reader = Reader(obj, path)
    names = read_token_names(reader)
    reader.text("issuer", longest=64, required=True)
    reader.choice("whitelist", WhitelistType, required=True)
    reader.text("visual_number", longest=64)
    reader.ci_text("group_id", longest=36)
    reader.text("language", longest=2)
    reader.value("valid", required=True)
    valid, updated_at = reader.flag("valid", default=False), reader.moment("last_updated", required=True)
    reader.require_sound()
    assert updated_at is not None, "a missing time is a fault"
    return TokenEntry(**names, valid=valid, updated_at=updated_at, document=plain(reader.fields))


def patched_token(stored: Mapping[str, Any], patch: object) -> TokenEntry:
    """The stored `document` after a PATCH, which has to carry `last_updated` (OCPI 2.3.0 mod_tokens).

    Raises `InvalidInput`: a faulty field, or one that names another token.
    """
    reader = Reader(patch, "")
    reader.moment("last_updated", required=True)
    for name in _KEY:
        told, known = reader.fields.get(name), stored.get(name)
        # All but the type are CiStrings.
        same = told == known or (name != "type" and str(told).lower() == str(known).lower())
        if told is not None and not same:
            reader.fault(name, "invalid", "A patch cannot change what names the token.")
    reader.require_sound()
    return parse_token(merged(exact(stored), reader.fields))


def token_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Write a stored token as it came, numbers as Decimal."""
    written: dict[str, Any] = exact(document)
    return written


def read_token_names(reader: Reader) -> dict[str, str]:
    """Read a CdrToken out of a Token or a CdrToken; every field of it is required."""
    return {
        name: reader.ci_text(name, longest=longest, required=True) or ""
        for name, longest in CDR_TOKEN.items()
    }


def read_cdr_token(reader: Reader, name: str) -> dict[str, str] | None:
    """Read the CdrToken of a field, which is required."""
    reader.value(name, required=True)
    part = reader.part(name)
    return None if part is None else read_token_names(part)
