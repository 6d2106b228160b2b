"""The product's Celery application with a task for the test of its worker (`celery -A tests.emabler.slow_worker`)."""

import time
from pathlib import Path

from emabler.celery import app


@app.task(name="tests.take_a_second")
def take_a_second(sign: str) -> None:
    """Leave a sign, then be busy."""
    Path(sign).touch()
    time.sleep(1.0)
