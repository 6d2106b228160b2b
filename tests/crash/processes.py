"""What a child of the zygote becomes: a server as `manage.py up` runs it, or a second sweeper beside it."""

import contextlib
import gc
import socket
import time
from collections.abc import Callable
from functools import partial

from django.conf import settings

from tests.crash.board import Board

LOCK_SECONDS = 10.0  # PostgreSQL may need a moment to notice that its client was killed
SWEEP_PAUSE_SECONDS = 0.02
# Each thread's connection is a process of PostgreSQL that starts and ends with the server: most of what a life costs.
OCPP_THREADS, WORKER_THREADS = 2, 2
CLAIM_SECONDS = 2
MOST_BETWEEN_ATTEMPTS_SECONDS = 5.0  # at a message; a PTP that often fails would make the calm long
LATE_MODULES = (
    "anyio.abc",
    "anyio._backends._asyncio",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.events.receiver",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.serializers",
    "emabler.urls",
    "encodings.idna",
    "httpcore._backends.anyio",
    "kombu.transport.memory",
    "psycopg_pool",
    "uvicorn.lifespan.off",
    "uvicorn.loops.auto",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvloop",
)


def warm_up() -> None:
    """Import and build all that a start needs, but no thread and no connection."""
    settings.SINGLE_WEB_PROCESS = False  # importing the ASGI application takes the lock, on a connection
    import emabler.asgi  # noqa: F401
    from emabler.celery import app

    settings.SINGLE_WEB_PROCESS = True
    app.finalize()
    app.set_default()
    app.loader.import_default_modules()
    app.loader.import_default_modules = lambda: ()  # and check every model: once is enough
    _import_what_is_imported_late()
    _read_what_is_read_late()
    _shorten_waits_and_lives()
    _draw_nothing()
    gc.collect()
    gc.freeze()


def _import_what_is_imported_late() -> None:
    """Modules that the first request, task or socket would import, in every child again."""
    import asyncio
    import importlib

    for name in LATE_MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    asyncio.run(asyncio.sleep(0))


def _read_what_is_read_late() -> None:
    """Files that the first message or call would read, in every child again."""
    import importlib.metadata

    import celery.utils.imports
    from ocpp.v16.enums import Action

    from chargers.ocpp import schemas
    from payments import outbound

    outbound._trust()
    for action in Action:
        with contextlib.suppress(FileNotFoundError):
            schemas._validator(str(action))
    known = importlib.metadata.entry_points()
    celery.utils.imports.entry_points = lambda group: known.select(group=group)


def _shorten_waits_and_lives() -> None:
    """How long what a killed worker had stays untouched: longer than any delivery here, short for a campaign."""
    from chargers.ocpp import database
    from emabler.running import worker
    from payments import outbox

    database.THREADS_ELSEWHERE, worker.CONCURRENCY = OCPP_THREADS, WORKER_THREADS
    outbox.CLAIM_SECONDS, outbox.MAX_RETRY_SECONDS = CLAIM_SECONDS, MOST_BETWEEN_ATTEMPTS_SECONDS


def _draw_nothing() -> None:
    """A PDF is a pure function of a frozen document; drawing them would take half of the campaign's time."""
    from payments.receipts import drawing

    drawing.render = lambda receipt: b"%PDF-1.7 not drawn"


def roles(board: Board, listener: socket.socket) -> dict[str, Callable[[], None]]:
    """Return what a child may become."""
    return {"server": partial(_serve, board, listener), "sweeper": partial(_sweep, board)}


def _serve(board: Board, listener: socket.socket) -> None:
    """Be the product in one process, as `manage.py up` puts it together, without its migrations."""
    from chargers.ocpp.presence import single_process_start
    from emabler.running.web import serve
    from emabler.running.worker import start_worker

    settings.FAILPOINTS = board.server_failpoints()
    _lose_hints_when_deaf(board)
    _take_web_lock()
    single_process_start()
    start_worker()
    serve(listener, on_started=lambda: None)


def _take_web_lock() -> None:
    """Whoever supervises a process starts it again when the lock of the killed one is still held."""
    from emabler.running.web_lock import SecondWebProcess, take_web_lock

    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            take_web_lock()
            return
        except SecondWebProcess:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _lose_hints_when_deaf(board: Board) -> None:
    """Lose every wake-up while the board says so, as a broker that forgot them would."""
    from sessions_app import wakeups

    send = wakeups._send
    wakeups._send = lambda *hint: None if board.deaf else send(*hint)


def _sweep(board: Board) -> None:
    """Run every sweep again and again beside those of the server, as `manage.py sweep --every` does."""
    from emabler import sweeps

    settings.FAILPOINTS = board.sweeper_failpoints()
    while True:
        sweeps.run_all()
        time.sleep(SWEEP_PAUSE_SECONDS)
