"""The beat table, made as a worker makes it: while Celery reads its configuration."""

import pytest
from celery import Celery

from emabler.celery import _plan_sweeps


def test_no_sweep_is_worked_on_after_the_next_one_is_due(caplog: pytest.LogCaptureFixture) -> None:
    fresh = Celery("fresh", set_as_current=False)
    fresh.on_configure.connect(_plan_sweeps)

    planned = fresh.conf.beat_schedule.values()

    assert planned
    assert all(each["options"]["expires"] == each["schedule"] for each in planned)
    paper_work = {each["task"] for each in planned if each["options"]["priority"]}
    assert paper_work == {"payments.tasks.draw_receipts", "payments.tasks.compare_files"}
    # Celery logs what a receiver of its signals raises, and goes on without it.
    assert not caplog.records
