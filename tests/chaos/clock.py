"""A clock that every process of the campaign shares: the machine's own, plus hours that the campaign lets pass.

The hours are eight bytes of a file that each process maps, so that all of them jump in the same moment.
"""

import mmap
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

_VARIABLE = "CHAOS_CLOCK"
_SHAPE = struct.Struct("d")


class Clock:
    """Reads and moves the shared clock."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_SHAPE.pack(0.0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SHAPE.size)
        self.environment = {_VARIABLE: str(path)}

    @property
    def offset_seconds(self) -> float:
        """How far it is ahead of the machine's clock."""
        offset: float = _SHAPE.unpack(self._shared[:])[0]
        return offset

    def now(self) -> datetime:
        """Return the time of the campaign, aware, in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass, for everybody at once."""
        self._shared[:] = _SHAPE.pack(self.offset_seconds + seconds)


def clock_of_this_process() -> Clock:
    """Return the clock that the campaign named in the environment."""
    return Clock(Path(os.environ[_VARIABLE]))
