"""The paid limit is met to one percent: a corner of the measurement, so that a change that loses it is seen at once."""

import subprocess
import sys

from tests import servers


def test_slow_and_fast_chargers_that_are_known_end_within_one_percent_of_the_hold() -> None:
    corner = ["--powers", "3", "350", "--intervals", "60", "--sessions", "4"]
    command = [sys.executable, "-m", "benchmarks.paid_limit", *corner]

    told = subprocess.run(
        command, cwd=servers.ROOT, env=servers.system_environment(), capture_output=True, text=True
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert "0 outside 1 % | 0 billed above the hold" in told.stdout
