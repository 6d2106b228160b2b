"""Shared memory between the lane and the processes that it lets die: where to die, and where one died."""

import mmap
import os
import signal
from collections.abc import Callable, Mapping
from functools import partial

from tests.crash.points import NAMES

_CELL_BYTES = 4
_DIED_AT, _DEAF, _SWEEPER = range(3)
_FIRST_POINT = 3
NOWHERE = -1


class Board:
    """Make it before forking; every process of the lane then sees the same cells."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, (_FIRST_POINT + len(NAMES)) * _CELL_BYTES)
        self._cells = memoryview(self._memory).cast("i")
        self.disarm()

    # --- The lane's side --------------------------------------------------------------------------

    def arm(self, wanted: Mapping[str, int]) -> None:
        """Let the server die at the n-th arrival at any of these points, whichever comes first."""
        for name, arrivals in wanted.items():
            self._cells[_FIRST_POINT + NAMES.index(name)] = arrivals

    def arm_sweeper(self, arrivals: int) -> None:
        """Let the second sweeper die at the n-th point that it reaches, whichever that is."""
        self._cells[_SWEEPER] = arrivals

    def disarm(self) -> None:
        """Nobody dies any more, and where one died is forgotten."""
        for cell in range(_SWEEPER, len(self._cells)):
            self._cells[cell] = 0
        self._cells[_DIED_AT] = NOWHERE

    def died_at(self) -> str:
        """Return the name of the point where a process killed itself since the last arming, empty for none."""
        index = self._cells[_DIED_AT]
        return "" if index == NOWHERE else NAMES[index]

    @property
    def deaf(self) -> bool:
        """Whether every wake-up is lost, so that only sweeps find work."""
        return bool(self._cells[_DEAF])

    @deaf.setter
    def deaf(self, deaf: bool) -> None:
        self._cells[_DEAF] = deaf

    # --- The side of those that die ---------------------------------------------------------------

    def server_failpoints(self) -> dict[str, Callable[[], None]]:
        """What a server puts under settings.FAILPOINTS."""
        return {name: partial(self._reached, index, _FIRST_POINT + index) for index, name in enumerate(NAMES)}

    def sweeper_failpoints(self) -> dict[str, Callable[[], None]]:
        """What the second sweeper puts there."""
        return {name: partial(self._reached, index, _SWEEPER) for index, name in enumerate(NAMES)}

    def _reached(self, index: int, cell: int) -> None:
        left = self._cells[cell]
        if left > 0:
            self._cells[cell] = left - 1
            if left == 1:
                self._cells[_DIED_AT] = index
                os.kill(os.getpid(), signal.SIGKILL)
