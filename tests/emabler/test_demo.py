"""The demo: its secrets belong to the installation, and its simulators never outlive it."""

import time
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from emabler.running.demo import demo_network
from tests import servers
from tests.conftest import RunningServer

Env = dict[str, str]


def test_the_demo_network_ships_no_secret() -> None:
    shipped = (settings.BASE_DIR / "emabler" / "demo" / "network.json").read_text()

    assert '"password"' not in shipped
    assert '"api_key"' not in shipped
    assert '"webhook_secret"' not in shipped
    assert '"token_a"' not in shipped


def test_every_start_of_one_installation_uses_the_same_generated_secrets() -> None:
    first, second = demo_network(), demo_network()

    assert first.document == second.document
    passwords = [charger.password for charger in first.chargers]
    assert len(set(passwords)) == len(passwords) == 2
    assert all(16 <= len(password.encode()) <= 40 for password in passwords)


@pytest.fixture
def demo_env(sqlite_env: Env) -> Env:
    return {name: value for name, value in sqlite_env.items() if name != "OCPP_SECURITY_PROFILE"}


def test_the_demo_prints_what_to_open(demo_env: Env, running_server: RunningServer) -> None:
    url, _ = running_server(demo_env, "--demo")

    output = servers.output_of(demo_env, url)

    for place in (
        f"{url}/   (user admin)",
        f"Virtual terminal         {url}/terminal/DEMO-T1/",
        f"Virtual terminal (OCPI)  {url}/terminal/DEMO-T2/",
        f"{url}/api/docs/",
        f"{url.replace('http', 'ws')}/ocpp/",
    ):
        assert place in output
    assert "Admin password" in output


def test_simulators_of_a_killed_demo_end_with_it(demo_env: Env, running_server: RunningServer) -> None:
    url, process = running_server(demo_env, "--demo")
    simulators = _wait_for_simulators(url, count=3)

    process.kill()
    process.wait()

    _wait_until_gone(simulators)


def test_a_demo_starts_again_on_what_the_last_one_left(demo_env: Env, running_server: RunningServer) -> None:
    """Both terminals work again: the PTP's process has another address now, and tells it."""
    first, process = running_server(demo_env, "--demo")
    _wait_for_terminals(first)
    servers.stop(process)

    second, _ = running_server(demo_env, "--demo")
    _wait_for_terminals(second)

    assert process.returncode == 0
    assert httpx.get(f"{second}/readyz").status_code == 200
    assert "ended" not in servers.output_of(demo_env, second)


def _wait_for_terminals(url: str) -> None:
    """Wait until both virtual terminals have a connector that can be chosen."""
    deadline = time.monotonic() + 2 * servers.STARTUP_SECONDS
    for terminal_id in ("DEMO-T1", "DEMO-T2"):
        page = f"/terminal/{terminal_id}/start/"
        while f'href="{page}' not in httpx.get(f"{url}{page}", timeout=servers.STARTUP_SECONDS).text:
            assert time.monotonic() < deadline, f"{terminal_id} sells nothing"
            time.sleep(0.2)


def _wait_for_simulators(url: str, *, count: int) -> list[int]:
    """Return the process ids of the simulators that were started for the server at `url`."""
    places = (f"{url.replace('http', 'ws', 1)}/ocpp", f"{url}/ocpi")
    deadline = time.monotonic() + servers.STARTUP_SECONDS
    while time.monotonic() < deadline:
        found = [
            pid
            for pid, words in _processes()
            if "manage.py simulate_" in words and any(place in words for place in places)
        ]
        if len(found) == count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"expected {count} simulators")


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + servers.STARTUP_SECONDS
    while any(pid in pids for pid, words in _processes() if words):
        assert time.monotonic() < deadline, "a simulator outlived its demo"
        time.sleep(0.05)


def _processes() -> list[tuple[int, str]]:
    """Process ids with their command lines; a zombie's is empty."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            found.append((int(directory.name), (directory / "cmdline").read_text().replace("\0", " ")))
        except OSError:
            continue
    return found
