"""CPU and memory of process trees, read from /proc (Linux)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class CpuReading:
    """CPU seconds spent so far by named groups of processes, and by the whole machine."""

    seconds: Mapping[str, float]
    machine_seconds: float

    def __sub__(self, earlier: "CpuReading") -> "CpuReading":
        return CpuReading(
            {name: spent - earlier.seconds[name] for name, spent in self.seconds.items()},
            self.machine_seconds - earlier.machine_seconds,
        )


def read_cpu(groups: Mapping[str, int]) -> CpuReading:
    """Read the trees below the given process ids, children that have ended included."""
    return CpuReading({name: _cpu_seconds(pid) for name, pid in groups.items()}, _machine_seconds())


def resident_bytes(pid: int) -> int:
    """Return the resident memory of one process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def parent_of(pid: int) -> int:
    """Return the parent's process id."""
    return int(_stat(pid)[1])


def _cpu_seconds(root: int) -> float:
    total = 0
    for pid in _tree(root):
        try:
            total += sum(map(int, _stat(pid)[11:15]))  # utime, stime, and those of reaped children
        except OSError:
            continue  # it ended between two looks; its parent has its figures
    return total / TICKS


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _tree(root: int) -> list[int]:
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                queue += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _machine_seconds() -> float:
    fields = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
    return (sum(fields) - fields[3] - fields[4]) / TICKS  # all but idle and iowait
