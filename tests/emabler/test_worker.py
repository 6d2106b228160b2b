"""The worker inside the web process works on tasks, and stops when it is told to."""

import threading
import time
from collections.abc import Iterator

import pytest

from emabler.celery import app
from emabler.running.worker import EmbeddedWorker
from sessions_app import wakeups

WAIT_SECONDS = 20  # an upper bound for a loaded machine, not a measure


begun, release = threading.Event(), threading.Event()
threads: list[str] = []


@app.task(name="tests.note_thread")
def note_thread() -> None:
    threads.append(threading.current_thread().name)
    begun.set()


@app.task(name="tests.hold_on")
def hold_on() -> None:
    begun.set()
    release.wait(WAIT_SECONDS)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedWorker]:
    begun.clear()
    release.clear()
    app.finalize()
    monkeypatch.setattr(wakeups, "_silent_until", 0.0)
    app.control.purge()  # what thousands of tests before have woken in this process
    monkeypatch.setattr(app.conf, "beat_schedule", {})  # the sweeps have tests of their own
    running = EmbeddedWorker()
    running.start()
    yield running
    release.set()
    running.stop(timeout_seconds=WAIT_SECONDS)


def test_a_task_sent_in_this_process_is_worked_on_in_another_thread(worker: EmbeddedWorker) -> None:
    note_thread.delay()

    assert begun.wait(WAIT_SECONDS)
    assert threads != [threading.current_thread().name]


def test_a_later_wake_up_comes_later(worker: EmbeddedWorker) -> None:
    sent_at = time.monotonic()

    wakeups._send("tests.note_thread", (), 1.0)

    assert begun.wait(WAIT_SECONDS)
    assert time.monotonic() >= sent_at + 0.9  # the worker waits by the calendar's clock, which may run apart


def test_a_stopped_worker_is_not_alive(worker: EmbeddedWorker) -> None:
    assert worker.alive

    assert worker.stop(timeout_seconds=WAIT_SECONDS)

    assert not worker.alive


def test_a_busy_task_does_not_hold_up_the_stop(worker: EmbeddedWorker) -> None:
    hold_on.delay()
    assert begun.wait(WAIT_SECONDS)

    rested = worker.stop(timeout_seconds=0.2)

    assert rested is False
