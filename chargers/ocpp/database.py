"""The one way from a socket to the database: a callable, one transaction, a thread with its own connection.

Every charger's message takes at most one such hop. This is the seam where several messages may later share
one commit (group commit); callers would not notice.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.conf import settings
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

T = TypeVar("T")

# SQLite has one writer at a time: a second thread would only wait for its lock.
THREADS_ON_SQLITE = 1
THREADS_ELSEWHERE = 8

_pool: ThreadPoolExecutor | None = None
_connections: list[BaseDatabaseWrapper] = []


async def in_transaction(work: Callable[[], T]) -> T:
    """Run `work` in one database transaction on a database thread; its exceptions come back."""
    return await asyncio.get_running_loop().run_in_executor(_threads(), _in_transaction, work)


def _in_transaction(work: Callable[[], T]) -> T:
    if connection.errors_occurred:
        connection.close_if_unusable_or_obsolete()
    with transaction.atomic():
        return work()


def close() -> None:
    """Let the threads go, and close their connections; the next hop starts new ones."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        pool.shutdown()
    while _connections:
        left = _connections.pop()
        left.inc_thread_sharing()  # its own thread has ended
        left.close()


def _threads() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        on_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
        count = THREADS_ON_SQLITE if on_sqlite else THREADS_ELSEWHERE
        _pool = ThreadPoolExecutor(count, "ocpp-database", initializer=_remember_connection)
    return _pool


def _remember_connection() -> None:
    _connections.append(connections["default"])
