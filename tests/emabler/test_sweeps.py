"""The heartbeat of the sweeps, and the sweeps without Celery."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from chargers.tasks import expire_commands
from emabler import sweeps
from emabler.models import SweepRun
from payments.models import Payment
from payments.states import PaymentState
from sessions_app.models import Session
from tests import builders, servers
from tests.emabler.test_portal import staff  # noqa: F401

MONEY_WAITS_FOR = {
    "chargers.tasks.expire_commands",
    "sessions_app.tasks.sweep_sessions",
    "payments.tasks.sweep_payments",
    "payments.tasks.deliver_due",
    "payments.tasks.probe_silent",
}


@pytest.fixture(autouse=True)
def _long_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_started_at", timezone.now() - timedelta(hours=1))
    monkeypatch.setattr(sweeps, "_written", {})


def test_every_sweep_that_money_waits_for_is_watched_and_housekeeping_is_not() -> None:
    assert set(sweeps.watched()) >= MONEY_WAITS_FOR
    assert not {"payments.ocpi.push.tasks.forget_old_messages", "payments.tasks.draw_receipts"} & set(
        sweeps.watched()
    )


@pytest.mark.django_db
def test_a_sweep_that_celery_runs_writes_its_heartbeat() -> None:
    expire_commands.apply()

    assert [run.task for run in SweepRun.objects.all()] == ["chargers.tasks.expire_commands"]
    assert "chargers.tasks.expire_commands" not in sweeps.late(timezone.now())


@pytest.mark.django_db
def test_a_sweep_that_fails_writes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(now: object) -> int:
        raise RuntimeError("broken")

    monkeypatch.setattr("chargers.commands.expire", broken)

    expire_commands.apply()

    assert not SweepRun.objects.exists()
    assert sweeps.run_all()["chargers.tasks.expire_commands"] == "failed: RuntimeError"
    assert sweeps.late(timezone.now()) == ["chargers.tasks.expire_commands"]


@pytest.mark.django_db
def test_a_heartbeat_is_written_once_in_a_while_however_often_the_sweep_runs() -> None:
    first = timezone.now() - timedelta(seconds=3)
    sweeps.note("a", first)
    sweeps.note("a", timezone.now())

    assert SweepRun.objects.get().ran_at == first


@pytest.mark.django_db
def test_a_process_that_has_just_started_gives_them_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(sweeps.late(timezone.now())) >= MONEY_WAITS_FOR
    monkeypatch.setattr(sweeps, "_started_at", timezone.now())

    assert sweeps.late(timezone.now()) == []


@pytest.mark.django_db
def test_the_overview_says_that_sweeps_are_late(staff: Client) -> None:  # noqa: F811
    page = staff.get("/").content.decode()
    assert "Sweeps are late" in page
    sweeps.run_all()

    assert "Sweeps are late" not in staff.get("/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_what_a_lost_celery_left_another_process_finds() -> None:
    """No worker, no broker, no wake-up: rows past their deadline, and `manage.py sweep` in a process of its own."""
    ended = builders.cast().running()
    ended.meter(energy_wh=1_000, after_seconds=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("payments.settlement.settle", lambda *_, **__: None)  # nobody follows the session's end
        ended.end(energy_wh=1_000, after_seconds=60)
    waiting = builders.cast().payment(now=timezone.now() - timedelta(hours=1))

    _sweep_elsewhere()

    assert Payment.objects.get(pk=ended.payment.pk).state == PaymentState.CAPTURING
    assert Session.objects.get(pk=waiting.session_id).state == "REJECTED"  # the start never left
    assert set(SweepRun.objects.values_list("task", flat=True)) >= MONEY_WAITS_FOR
    waiting.refresh_from_db()
    assert waiting.state == PaymentState.RELEASING


def _sweep_elsewhere() -> None:
    place = connection.settings_dict
    url = f"sqlite:///{place['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgres://{place['USER']}@{place['HOST']}:{place['PORT']}/{place['NAME']}"
    env = {
        **servers.system_environment(),
        "DATABASE_URL": url,
        "EMABLER_VAR_DIR": os.environ["EMABLER_VAR_DIR"],
    }
    command = [sys.executable, "manage.py", "sweep"]
    subprocess.run(command, cwd=servers.ROOT, env=env, check=True, capture_output=True)
