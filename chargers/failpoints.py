"""Named points at which a test may kill the process, to prove that nothing is lost there.

Production settings arm none: a failpoint is then one dict lookup. The numbers are those of the crash table
in docs/reliability (tap to receipt, F01–F28); those of the upper rooms are named where they are used.
"""

from collections.abc import Callable

from django.conf import settings

# The points of this room: name and what has happened when they are reached.
FAILPOINTS: tuple[tuple[str, str], ...] = (
    ("F04_start_claimed", "a start command is marked as sent, no byte has left"),
    ("F05_before_hint", "a command row is committed, its socket has not been woken"),
    ("F06_start_sent", "RemoteStartTransaction has left, its answer was not read"),
    ("F07_start_answered", "its answer was read, not committed"),
    ("F08_start_before_tx", "StartTransaction was read, nothing is stored"),
    ("F09_start_in_tx", "the transaction and its session are written, not committed"),
    ("F10_start_after_tx", "StartTransaction is committed, not answered"),
    ("F12_meter_in_tx", "meter values are applied, not committed"),
    ("F13_meter_after_tx", "meter values are committed, not answered"),
    ("F14_stop_claimed", "a stop command is marked as sent, no byte has left"),
    ("F14_stop_sent", "RemoteStopTransaction has left, its answer was not read"),
    ("F14_stop_answered", "its answer was read, not committed"),
    ("F15_stop_before_tx", "StopTransaction was read, nothing is stored"),
    ("F16_stop_in_tx", "the end is written, not committed"),
    ("F17_stop_after_tx", "StopTransaction is committed, not answered"),
)


def failpoint(name: str) -> None:
    """Run what the test armed under `name`; nothing in production."""
    armed: dict[str, Callable[[], None]] = getattr(settings, "FAILPOINTS", _NONE)
    action = armed.get(name)
    if action is not None:
        action()


_NONE: dict[str, Callable[[], None]] = {}
