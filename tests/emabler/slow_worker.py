"""The product's Celery application with a task for the test of its worker (`celery -A tests.emabler.slow_worker`)."""

import time
from pathlib import Path

from django.db import connection

from emabler.celery import app


@app.task(name="tests.take_a_second")
def take_a_second(sign: str) -> None:
    """Leave a sign, then be busy."""
    Path(sign).touch()
    time.sleep(1.0)


@app.task(name="tests.say_who_serves")
def say_who_serves(page: str) -> None:
    """Add the process of PostgreSQL that serves this task to a page."""
    with connection.cursor() as cursor, Path(page).open("a", encoding="ascii") as file:
        cursor.execute("SELECT pg_backend_pid()")
        print(cursor.fetchone()[0], file=file)
