"""The 28 crash points, tap to receipt: where the process dies, and what must hold after its restart.

`make crash` kills at each of them; the table stands in docs/reliability.md too.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Point:
    """One row of the table. `names` are those of `failpoint(...)` in the code; F28 has none of its own."""

    number: str
    names: tuple[str, ...]
    where: str
    must_hold: str


SWEEPERS: Final = "F28"  # two sweepers at once; the second one dies at whichever point it reaches

_SAME_SESSION = "the PTP's retry gets the same answer; one session per hold"
_ONE_EFFECT = "sent again under the same id; one effect at the PTP"

POINTS: Final = (
    Point("F01", ("F01_open_before_tx",), "start: before the transaction", _SAME_SESSION),
    Point(
        "F02",
        ("F02_open_in_tx",),
        "start: payment, session and command written, not committed",
        _SAME_SESSION,
    ),
    Point("F03", ("F03_open_after_tx",), "start: written, not answered", _SAME_SESSION),
    Point(
        "F04",
        ("F04_start_claimed",),
        "start command marked as sent, no byte has left",
        "it is not sent again",
    ),
    Point(
        "F05",
        ("F05_before_hint",),
        "command committed, its socket not woken",
        "the queue is looked at anyway",
    ),
    Point("F06", ("F06_start_sent",), "start command left, answer not read", "it is not sent again"),
    Point(
        "F07",
        ("F07_start_answered",),
        "its answer read, not committed",
        "the transaction or the deadline tells",
    ),
    Point("F08", ("F08_start_before_tx",), "StartTransaction read, nothing stored", "the repeat opens it"),
    Point("F09", ("F09_start_in_tx",), "StartTransaction written, not committed", "the repeat opens it"),
    Point(
        "F10",
        ("F10_start_after_tx",),
        "StartTransaction committed, not answered",
        "the repeat gets the same id",
    ),
    Point(
        "F11",
        ("F11_result_before_http", "F11_result_after_http"),
        "CommandResult over OCPI: before or after the POST",
        "the PTP learns by it, by the Session or by the CDR",
    ),
    Point("F12", ("F12_meter_in_tx",), "meter values applied, not committed", "a repeat counts once"),
    Point("F13", ("F13_meter_after_tx",), "meter values committed, not answered", "a repeat counts once"),
    Point(
        "F14",
        ("F14_stop_claimed", "F14_stop_sent", "F14_stop_answered"),
        "stop command: marked as sent, sent, answered",
        "it is sent again until the stop is seen",
    ),
    Point(
        "F15", ("F15_stop_before_tx",), "StopTransaction read, nothing stored", "the repeat ends the session"
    ),
    Point(
        "F16",
        ("F16_books_in_tx", "F16_stop_in_tx"),
        "end, price and CDR written, not committed",
        "the repeat ends the session; one CDR",
    ),
    Point(
        "F17", ("F17_stop_after_tx",), "StopTransaction committed, not answered", "the repeat changes nothing"
    ),
    Point(
        "F18", ("F18_delivery_claimed",), "a message to the PTP is claimed", "the claim ends; " + _ONE_EFFECT
    ),
    Point("F19", ("F19_delivery_before_http",), "before its HTTP call", _ONE_EFFECT),
    Point(
        "F20", ("F20_delivery_after_http",), "after its HTTP call, before the result is noted", _ONE_EFFECT
    ),
    Point("F21", ("F21_delivery_in_tx",), "its result written, not committed", _ONE_EFFECT),
    Point("F22", ("F22_delivery_after_tx",), "its result committed", "nothing is sent again"),
    Point(
        "F23", ("F23_confirmation_in_tx",), "confirmation written, not committed", "its repeat is booked once"
    ),
    Point(
        "F24",
        ("F24_confirmation_after_tx",),
        "confirmation booked, not answered",
        "its repeat is booked once",
    ),
    Point(
        "F25", ("F25_receipt_in_tx",), "receipt numbered, not committed", "no number is lost or used twice"
    ),
    Point("F26", ("F26_receipt_rendered",), "PDF rendered, not stored", "it is rendered again"),
    Point(
        "F27",
        ("F27_sweep_mid_batch",),
        "a sweep in the middle of its batch",
        "each row is its own transaction",
    ),
    Point(SWEEPERS, (), "one of two sweepers that work at once", "each row is worked on once"),
)

NAMES: Final = tuple(name for point in POINTS for name in point.names)
NUMBERS: Final = tuple(point.number for point in POINTS)


def number_of(name: str) -> str:
    """Return the point that a name in the code belongs to."""
    return name.partition("_")[0]
