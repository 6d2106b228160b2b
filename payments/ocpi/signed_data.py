"""What a meter signed, as OCPI tells it with a CDR (mod_cdrs, SignedData class): passed on, never verified.

`plain_data` is the text as the meter wrote it, `signed_data` the same in base64. A value that does not fit its
field is left out: a platform that refused the whole CDR would not capture.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from payments.ocpi.reading import given
from sessions_app.signed_data import FIRST, LAST

# OCPI 2.3.0 and 2.2.1 as corrected; earlier prints had 512 for `plain_data` by mistake (note in mod_cdrs).
MAX_TEXT: Final = 5_000
MAX_PUBLIC_KEY: Final = 512
# OCPP 1.6 §7.29: no value of a configuration key is longer; one that is as long may have been cut.
_LONGEST_KEY_TOLD: Final = 500
_NATURES: Final = {FIRST: "Start", LAST: "End"}
# The names in OCPI's table (mod_cdrs) by how the text begins.
_METHODS: Final = {"OCMF|": "OCMF", "AP;": "Alfen Eichrecht"}
# XML of the transparency software names its encoding itself.
_XML_METHOD: Final = re.compile(r"""\bencodingMethod\s*=\s*["']([ !#-&(-~]{1,36})["']""")
UNKNOWN: Final = "UNKNOWN"  # `encoding_method` is required, and not every text names its own
_LINE_BREAKS: Final = str.maketrans("\t\r\n", "   ")


def signed_data_document(signed: Mapping[str, Any]) -> dict[str, Any]:
    """Write the SignedData of a CDR's `signed_data`; empty where nothing can be told.

    There is one encoding for all values: that of the first; a meter does not change its own.
    """
    values = signed.get("values") or []
    if not values:
        return {}
    method = encoding_method(values[0]["text"])
    written = [_value(value) for value in values if encoding_method(value["text"]) == method]
    told = [value for value in written if value]
    if not told:
        return {}
    return given(
        {
            "encoding_method": method,
            "public_key": public_key(signed.get("public_key", "")),
            "signed_values": told,
        }
    )


def encoding_method(text: str) -> str:
    """Return OCPI's name of an encoding: by how the text begins, or as XML says of itself; else UNKNOWN."""
    start = text.lstrip()
    for beginning, method in _METHODS.items():
        if start.startswith(beginning):
            return method
    named = _XML_METHOD.search(start[:MAX_TEXT]) if start.startswith("<") else None
    return (named[1].strip() if named else "") or UNKNOWN


def public_key(told: str) -> str:
    """Return a public key in base64, as OCPI has it, from the hex or base64 that chargers tell; else nothing."""
    key = "".join(told.split())
    if not key or len(told) >= _LONGEST_KEY_TOLD:
        return ""
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", key):
        key = base64.b64encode(bytes.fromhex(key)).decode()
    try:
        base64.b64decode(key, validate=True)
    except ValueError:  # no base64; letters beyond ASCII raise it as it is, without the subclass for base64
        return ""
    return key if len(key) <= MAX_PUBLIC_KEY else ""


def _value(value: Mapping[str, str]) -> dict[str, str]:
    """Write a SignedValue, or nothing where it does not fit. OCPI strings have no line breaks or tabs."""
    plain = value["text"].translate(_LINE_BREAKS)
    signed = base64.b64encode(value["text"].encode()).decode()
    if len(signed) > MAX_TEXT or not plain.isprintable():
        return {}
    return {
        "nature": _NATURES.get(value["context"], "Intermediate"),
        "plain_data": plain,
        "signed_data": signed,
    }
