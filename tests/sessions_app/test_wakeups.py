"""A wake-up is a hint: a broker that is gone costs its caller nothing, and the sweep finds what was not said."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from celery import current_app

from sessions_app import wakeups
from tests.servers import ROOT, free_port, system_environment

# What kombu would sleep between its attempts; the transaction's caller waits for each of them.
SEND_WITHOUT_SLEEP = """
import django; django.setup()
import kombu.utils.functional
def sleep(seconds): raise SystemExit(f"would wait {seconds} s")
kombu.utils.functional.sleep = sleep
from sessions_app import wakeups
wakeups._send("tests.nothing", ())
assert wakeups._silent_until, "the loss went unnoticed"
"""


@pytest.fixture(autouse=True)
def _heard_again() -> Iterator[None]:
    wakeups._silent_until = 0.0
    yield
    wakeups._silent_until = 0.0


def test_a_caller_does_not_wait_for_a_broker_that_is_gone(sqlite_env: dict[str, str]) -> None:
    place = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "DJANGO_SETTINGS_MODULE": "emabler.settings"}

    done = subprocess.run(
        [sys.executable, "-c", SEND_WITHOUT_SLEEP],
        cwd=ROOT,
        env={**system_environment(), **sqlite_env, **place},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr


def test_a_broker_that_failed_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def hang(name: str, **_: object) -> None:
        asked.append(name)
        raise OSError("timed out")

    monkeypatch.setattr(current_app, "send_task", hang)

    wakeups._send("tests.first", ())
    wakeups._send("tests.second", ())

    assert asked == ["tests.first"]


def test_a_broker_is_asked_again_after_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(wakeups, "PAUSE_SECONDS", 0.0)

    def fail_once(name: str, **_: object) -> None:
        asked.append(name)
        if len(asked) == 1:
            raise OSError("timed out")

    monkeypatch.setattr(current_app, "send_task", fail_once)

    wakeups._send("tests.first", ())
    wakeups._send("tests.second", ())

    assert asked == ["tests.first", "tests.second"]
