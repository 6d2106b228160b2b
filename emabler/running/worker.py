"""A Celery worker and its beat as threads of the web process, for deployments without Redis.

Tasks are wake-ups for rows, so a worker that dies with the process loses nothing: the sweeps of the next
start find every row that still waits.
"""

import logging
import threading

from celery import signals
from celery.beat import EmbeddedService, Scheduler
from celery.worker import WorkController, state

from emabler.celery import app

logger = logging.getLogger(__name__)

CONCURRENCY = 4  # deliveries wait for other people's servers; the database is never the limit here
RESTART_AFTER_SECONDS = 1.0


class _Controller(WorkController):  # type: ignore[misc]  # Celery ships no types
    """A worker without the signal handlers and the banner of the command line's."""

    def on_after_init(self, **_: object) -> None:
        # Celery's Django support hangs on this signal: it closes stale database connections around tasks.
        signals.worker_init.send(sender=self, instance=self, conf=self.app.conf)


class EmbeddedWorker:
    """Runs tasks and the beat table in threads until it is stopped."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, name="celery-worker", daemon=True)
        self._beat = EmbeddedService(app, thread=True, scheduler_cls=Scheduler)

    def start(self) -> None:
        """Start both threads."""
        app.finalize()
        app.set_default()
        app.loader.import_default_modules()
        state.should_stop = None
        self._worker.start()
        self._beat.start()

    @property
    def alive(self) -> bool:
        """Whether tasks are being worked on and sweeps are being planned."""
        return self._worker.is_alive() and self._beat.is_alive()

    def stop(self, *, timeout_seconds: float) -> bool:
        """End both threads; returns False when a task is still busy after `timeout_seconds`."""
        self._stopping.set()
        state.should_stop = 0
        self._beat.service.stop()
        self._worker.join(timeout_seconds)
        return not self._worker.is_alive()

    def _work(self) -> None:
        app.set_current()
        while not self._stopping.is_set():
            try:
                _controller().start()
            except Exception:
                logger.exception("the embedded worker broke down and is started again")
            self._stopping.wait(RESTART_AFTER_SECONDS)


def _controller() -> WorkController:
    return _Controller(
        app=app,
        pool="threads",
        concurrency=CONCURRENCY,
        hostname="embedded@localhost",
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )


_of_this_process: EmbeddedWorker | None = None


def start_worker() -> EmbeddedWorker:
    """Start the worker of this process; /readyz looks at it."""
    global _of_this_process
    _of_this_process = EmbeddedWorker()
    _of_this_process.start()
    return _of_this_process


def worker_of_this_process() -> EmbeddedWorker | None:
    """Return the embedded worker, or None when tasks are another process's business."""
    return _of_this_process
