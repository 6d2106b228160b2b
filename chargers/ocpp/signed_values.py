"""What a meter signed, out of OCPP 1.6 `meterValue` lists: taken as text, never as a number (OCPP 1.6 §7.43). Pure.

Nothing here is verified. What cannot be kept is told with its reason: a signature never costs a plain value.
"""

import hashlib
import re
from datetime import datetime
from typing import Any

from chargers.facts import SignedReading
from chargers.ocpp.numbers import read_time

LONGEST_BYTES = 16_384  # OCMF takes one or two thousand; the longest XML with a whole EDL40 record some six
MOST_OF_A_MESSAGE = 100  # a frame of 64 KiB does not hold more honest ones
TOO_LONG = f"longer than {LONGEST_BYTES} bytes"
NO_TEXT = "characters that are no text"
_OCMF = "OCMF|"
_DEFAULT_CONTEXT, _DEFAULT_MEASURAND = "Sample.Periodic", "Energy.Active.Import.Register"
# Control characters, and what the frame guard puts in the place of what no database takes.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")


def is_signed(sample: dict[str, Any]) -> bool:
    """Whether a sampled value is signed data; some chargers forget to say so of OCMF."""
    value = sample.get("value")
    return sample.get("format") == "SignedData" or (isinstance(value, str) and value.startswith(_OCMF))


def read_signed_values(meter_values: Any, received_at: datetime) -> tuple[SignedReading, ...]:
    """Return each signed value in the order sent; one without a text is no value."""
    found: list[SignedReading] = []
    for meter_value in meter_values if isinstance(meter_values, list) else []:
        samples = meter_value.get("sampledValue") if isinstance(meter_value, dict) else None
        for sample in samples if isinstance(samples, list) else []:
            if isinstance(sample, dict) and is_signed(sample) and len(found) < MOST_OF_A_MESSAGE:
                found.extend(_read(sample, meter_value.get("timestamp"), received_at))
    return tuple(found)


def _read(sample: dict[str, Any], timestamp: Any, received_at: datetime) -> list[SignedReading]:
    text = sample.get("value")
    if not isinstance(text, str) or not text.strip():
        return []
    raw = text.encode("utf-8", "surrogatepass")
    problem = TOO_LONG if len(raw) > LONGEST_BYTES else NO_TEXT if _NOT_TEXT.search(text) else ""
    sampled_at, _ = read_time(timestamp, received_at)
    return [
        SignedReading(
            sampled_at=sampled_at,
            received_at=received_at,
            text="" if problem else text,
            digest=hashlib.sha256(raw).hexdigest(),
            context=_word(sample, "context", _DEFAULT_CONTEXT),
            measurand=_word(sample, "measurand", _DEFAULT_MEASURAND),
            problem=problem,
        )
    ]


def _word(sample: dict[str, Any], key: str, default: str) -> str:
    word = sample.get(key)
    return _NOT_TEXT.sub("", word)[:40] if isinstance(word, str) and word else default
