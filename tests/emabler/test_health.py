"""The probes tell an orchestrator the truth."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from emabler import health, sweeps
from emabler.models import SweepRun
from emabler.running import worker
from tests.servers import free_port


class _Worker:
    def __init__(self, *, alive: bool) -> None:
        self.alive = alive


@pytest.fixture
def _working(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_of_this_process", _Worker(alive=True))


@pytest.fixture(autouse=True)
def _just_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweeps of a process that has just started are not late yet."""
    monkeypatch.setattr(sweeps, "_started_at", timezone.now())


def _checks(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


def test_a_process_that_answers_is_alive(client: Client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
@pytest.mark.usefixtures("_working")
def test_ready_when_database_migrations_and_worker_are(client: Client) -> None:
    parts = {"database": "ok", "migrations": "ok", "wake_ups": "ok", "sweeps": "ok"}
    assert _checks(client) == (200, parts)


@pytest.mark.django_db
def test_not_ready_without_anyone_to_work_on_tasks(client: Client) -> None:
    status, checks = _checks(client)

    assert status == 503
    assert "no worker in this process" in checks["wake_ups"]


@pytest.mark.django_db
def test_not_ready_when_the_worker_has_stopped(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_of_this_process", _Worker(alive=False))

    status, checks = _checks(client)

    assert (status, checks["wake_ups"]) == (503, "the worker has stopped")


@pytest.mark.django_db
@pytest.mark.usefixtures("_working")
def test_not_ready_while_migrations_wait(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: ["0002"])

    status, checks = _checks(client)

    assert status == 503
    assert "migrations are waiting" in checks["migrations"]


@pytest.mark.django_db
@pytest.mark.usefixtures("_working")
def test_not_ready_when_no_sweep_has_run_for_long(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_started_at", timezone.now() - timedelta(hours=1))
    for task in sweeps.watched():
        SweepRun.objects.create(task=task, ran_at=timezone.now())
    assert _checks(client)[0] == 200
    long_ago = timezone.now() - timedelta(minutes=10)
    SweepRun.objects.filter(task="sessions_app.tasks.sweep_sessions").update(ran_at=long_ago)

    status, checks = _checks(client)

    assert status == 503
    assert "late: sessions_app.tasks.sweep_sessions;" in checks["sweeps"]


@pytest.mark.django_db
def test_not_ready_when_redis_does_not_answer(client: Client, settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"

    status, checks = _checks(client)

    assert status == 503
    assert checks["wake_ups"] == "ConnectionError"
    assert settings.REDIS_URL not in str(checks)


@pytest.mark.django_db
@pytest.mark.redis
def test_ready_when_redis_answers(client: Client, settings: Any, redis_env: dict[str, str]) -> None:
    settings.REDIS_URL = redis_env["REDIS_URL"]

    assert _checks(client)[0] == 200


def test_a_database_that_is_gone_is_a_503_and_no_traceback(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise OSError("connection refused")

    monkeypatch.setitem(health.CHECKS, "database", gone)
    monkeypatch.setitem(health.CHECKS, "migrations", gone)

    assert _checks(client)[0] == 503
