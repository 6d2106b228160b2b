"""The table of crash points is that of the code, and a process dies where it is told to."""

import os
import re
import signal

import pytest

from chargers.failpoints import FAILPOINTS
from tests.crash.board import Board
from tests.crash.points import NAMES, NUMBERS, POINTS, number_of
from tests.servers import ROOT

PRODUCT = ("emabler", "payments", "sessions_app", "chargers", "tariffs")
NAME = re.compile(r'"(F\d\d_[a-z_]+)"')


def _named_in_the_code() -> set[str]:
    files = [file for room in PRODUCT for file in (ROOT / room).rglob("*.py")]
    return {
        name
        for file in files
        if file.name != "failpoints.py"  # a list of names is no place where one can die
        for name in NAME.findall(file.read_text(encoding="utf-8"))
    }


def test_every_point_of_the_table_is_in_the_code_and_the_other_way_round() -> None:
    assert _named_in_the_code() == set(NAMES)
    assert {name for name, _ in FAILPOINTS} <= set(NAMES)


def test_the_table_has_28_points_in_order() -> None:
    assert tuple(f"F{number:02}" for number in range(1, 29)) == NUMBERS
    assert all(number_of(name) == point.number for point in POINTS for name in point.names)


def test_the_documentation_lists_every_point() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")

    missing = [point.number for point in POINTS if f"| {point.number} | {point.where} |" not in text]

    assert not missing


@pytest.mark.parametrize(("armed", "arrivals", "survives"), [(3, 2, True), (3, 3, False), (0, 9, True)])
def test_a_process_dies_at_the_arrival_that_was_armed(armed: int, arrivals: int, survives: bool) -> None:
    board = Board()
    board.arm({NAMES[5]: armed})

    pid = os.fork()
    if pid == 0:
        for _ in range(arrivals):
            board.server_failpoints()[NAMES[5]]()
        os._exit(0)
    _, status = os.waitpid(pid, 0)

    assert os.WIFEXITED(status) == survives
    assert survives or os.WTERMSIG(status) == signal.SIGKILL
    assert board.died_at() == ("" if survives else NAMES[5])
