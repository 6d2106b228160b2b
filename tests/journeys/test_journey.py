"""Complete payments against a running server. `make journey` plays every scenario; here are the telling ones."""

import itertools
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emabler.journeys import processes
from emabler.journeys.errors import ServerTrouble
from emabler.journeys.report import Outcome, Report
from emabler.journeys.scenarios import SCENARIOS
from emabler.journeys.server import Server
from emabler.journeys.stage import Stage
from tests import servers

RESULT_FIELDS = {
    "scenario", "step", "at", "ok", "session_status", "payment_status", "authorized", "captured", "currency",
    "energy_wh", "duration_seconds", "remote_starts", "receipt_url",
}  # fmt: skip
TEN = {
    "terminal-stop", "unplug", "paid-limit", "battery-full", "charger-reboot", "double-tap", "no-cable",
    "charger-offline", "start-rejected", "declined",
}  # fmt: skip

Lines = list[str]


def run_journey(tmp_path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "journey", *options],
        cwd=servers.ROOT,
        env={**servers.system_environment(), "EMABLER_VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def played(stage: Stage, scenario: str) -> tuple[Outcome, Lines]:
    lines: Lines = []
    outcome = stage.play(scenario, Report(scenario, lines.append, as_json=True))
    return outcome, lines


def test_every_scenario_of_the_promise_can_be_played() -> None:
    assert set(SCENARIOS) >= TEN


def test_an_unknown_scenario_is_a_usage_error(tmp_path: Path) -> None:
    assert run_journey(tmp_path, "--scenario", "nowhere").returncode == 2


def test_a_journey_tells_every_step_and_its_result_as_json(tmp_path: Path) -> None:
    ended = run_journey(tmp_path, "--scenario", "terminal-stop", "--json")

    lines: list[dict[str, Any]] = [json.loads(line) for line in ended.stdout.splitlines()]
    result = lines[-1]
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert all({"scenario", "step", "at"} <= set(line) for line in lines)
    assert set(result) == RESULT_FIELDS
    assert (result["ok"], result["session_status"], result["payment_status"]) == (True, "ENDED", "CAPTURED")
    assert (result["authorized"], result["currency"], result["remote_starts"]) == ("60.00", "EUR", 1)
    assert 0 < float(result["captured"]) <= 60
    assert result["energy_wh"] > 0
    assert result["duration_seconds"] > 0
    assert result["receipt_url"].startswith("http")


def test_a_server_that_does_not_come_up_says_why() -> None:
    server = Server({"SWEEP_INTERVAL_SECONDS": "soon"})

    with pytest.raises(ServerTrouble, match="SWEEP_INTERVAL_SECONDS"):
        server.__enter__()

    assert not server.directory.exists()


def test_taps_are_doubled_and_servers_killed_and_each_payment_is_captured_once() -> None:
    names = ["double-tap", "declined", "server-killed"]
    with Server() as server:
        stage = Stage(server, names)
        outcomes = {name: played(stage, name) for name in names}

    for name, (outcome, lines) in outcomes.items():
        assert outcome.ok, f"{name}:\n" + "\n".join(lines)
    assert outcomes["double-tap"][0].remote_starts == 1
    declined = outcomes["declined"][0]
    assert (declined.session_status, declined.payment_status, declined.captured) == (None, None, None)


def test_a_port_is_dealt_out_that_nobody_has_and_the_kernel_gives_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "_draws", itertools.count())
    taken = processes.free_port()
    monkeypatch.setattr(processes, "_draws", itertools.count(taken - processes.FIRST_PORT))

    with socket.create_server(("127.0.0.1", taken)):
        assert taken < processes.free_port() < 32_768


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Server() as server:
        url, directory = server.url, server.directory

    assert not directory.exists()
    words = [_command_line(path) for path in Path("/proc").glob("[0-9]*")]
    port = url.rpartition(":")[2].encode()
    assert not [line for line in words if b"\0up\0" in line and port in line]


def _command_line(process: Path) -> bytes:
    """How a process was called; nothing of one that ends while we look."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.postgres
@pytest.mark.redis
def test_a_payment_on_postgresql_and_redis_with_a_worker_of_its_own(
    postgres_env: dict[str, str], redis_env: dict[str, str], tmp_path: Path
) -> None:
    places = {"DATABASE_URL": postgres_env["DATABASE_URL"], **redis_env}
    with Server(places) as server:
        beat = str(tmp_path / "beat")
        command = [sys.executable, "-m", "celery", "-A", "emabler", "worker", "-B", "-s", beat, "-c", "2"]
        worker = processes.start(command, env=server.env, output=tmp_path / "worker.log")
        try:
            stage = Stage(server, ["unplug"])
            outcome, lines = played(stage, "unplug")
        finally:
            processes.end(worker)

    assert outcome.ok, "\n".join([*lines, (tmp_path / "worker.log").read_text()])
