"""The demo: its secrets belong to the installation, and its chargers never outlive it."""

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
        f"{url}/terminal/",
        f"{url}/api/docs/",
        f"{url.replace('http', 'ws')}/ocpp/",
    ):
        assert place in output
    assert "Admin password" in output


def test_chargers_of_a_killed_demo_end_with_it(demo_env: Env, running_server: RunningServer) -> None:
    url, process = running_server(demo_env, "--demo")
    chargers = _wait_for_chargers(url, count=2)

    process.kill()
    process.wait()

    _wait_until_gone(chargers)


def test_a_demo_starts_again_on_what_the_last_one_left(demo_env: Env, running_server: RunningServer) -> None:
    _, process = running_server(demo_env, "--demo")
    servers.stop(process)

    url, _ = running_server(demo_env, "--demo")

    assert process.returncode == 0
    assert httpx.get(f"{url}/readyz").status_code == 200


def _wait_for_chargers(url: str, *, count: int) -> list[int]:
    """Return the process ids of the simulated chargers that were started for the server at `url`."""
    port = url.rpartition(":")[2]
    deadline = time.monotonic() + servers.STARTUP_SECONDS
    while time.monotonic() < deadline:
        found = [
            pid for pid, words in _processes() if "simulate_charger" in words and f":{port}/ocpp" in words
        ]
        if len(found) == count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"expected {count} simulated chargers")


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + servers.STARTUP_SECONDS
    while any(pid in pids for pid, words in _processes() if words):
        assert time.monotonic() < deadline, "a simulated charger outlived its demo"
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
