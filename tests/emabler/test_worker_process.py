"""A worker of its own outlives the Redis that it listens to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from celery import Celery
from django.conf import settings

from emabler.celery import FIRST
from sessions_app import wakeups
from tests.chaos.stores import Redis
from tests.servers import ROOT, die_with_parent, system_environment

pytestmark = pytest.mark.redis

WAIT_SECONDS = 60  # an upper bound for a loaded machine, not a measure


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def worker(redis: Redis, sqlite_env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with running_worker({**sqlite_env, "REDIS_URL": redis.url}) as process:
        yield process


@contextmanager
def running_worker(env: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    command = ["-m", "celery", "-A", "tests.emabler.slow_worker", "worker", "--concurrency", "1"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**system_environment(), **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def send(redis: Redis, sign: Path, *, task: str = "tests.take_a_second") -> None:
    with Celery(broker=redis.url, set_as_current=False) as client:
        client.send_task(task, args=[str(sign)], ignore_result=True)


def seen(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.1)
    return happened()


def test_a_worker_with_work_in_its_hands_survives_the_loss_of_redis(
    redis: Redis, worker: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for _ in range(2):  # one runs, the other is taken and waits; the worker goes on listening
        send(redis, before)
    assert seen(before.exists)

    redis.kill()
    time.sleep(1.5)  # so that a task ends while nobody can be told
    redis.start()
    send(redis, after)

    assert seen(after.exists)
    assert worker.poll() is None


@pytest.mark.postgres
def test_a_worker_keeps_its_connections_from_task_to_task_and_replaces_broken_ones(
    redis: Redis, postgres_env: dict[str, str], tmp_path: Path
) -> None:
    page = tmp_path / "served by"

    def served(tasks: int) -> list[int]:
        for _ in range(tasks):
            send(redis, page, task="tests.say_who_serves")
        wanted = tasks + len(known)
        assert seen(lambda: page.exists() and len(page.read_text().splitlines()) == wanted)
        return [int(line) for line in page.read_text().splitlines()][len(known) :]

    known: list[int] = []
    with running_worker({**postgres_env, "REDIS_URL": redis.url}):
        known += served(6)
        assert len(set(known)) < 3  # the pool opens a second one while the first has yet to answer

        with psycopg.connect(postgres_env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [known])

        assert not set(served(2)) & set(known)


def test_sweeps_are_taken_first_and_the_pages_of_receipts_last(redis: Redis) -> None:
    with Celery(broker=redis.url, set_as_current=False) as client:
        client.conf.task_routes = settings.CELERY_TASK_ROUTES
        client.send_task("payments.tasks.draw_receipts", ignore_result=True)
        client.send_task("payments.tasks.deliver_one", ignore_result=True)
        client.send_task("payments.tasks.deliver_due", ignore_result=True, **FIRST)

        with client.connection_for_read() as connection:
            queue = connection.SimpleQueue(client.conf.task_default_queue)
            taken = [queue.get(timeout=WAIT_SECONDS).headers["task"] for _ in range(3)]

    assert [name.rpartition(".")[2] for name in taken] == ["deliver_due", "deliver_one", "draw_receipts"]


def test_a_later_wake_up_comes_later(
    redis: Redis, worker: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up, later = tmp_path / "up", tmp_path / "later"
    send(redis, up)
    assert seen(up.exists)

    sent_at = time.time()
    with Celery(broker=redis.url, set_as_current=False) as client:
        monkeypatch.setattr(wakeups, "current_app", client)
        wakeups._send("tests.take_a_second", (str(later),), 2.0)

    assert seen(later.exists)
    assert later.stat().st_mtime >= sent_at + 1.9  # files are stamped by a coarser clock
