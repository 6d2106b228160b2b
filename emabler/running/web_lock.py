"""One web process per database unless Redis connects several.

Without `REDIS_URL` a wake-up reaches only the process in which it was sent: a command for a charger whose
socket another process holds would wait for that process's sweep. The lock belongs to the process and dies
with it, however it ends, so a restart after `kill -9` finds the way free.
"""

import fcntl
import os
from typing import Any, Protocol

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

ADVISORY_LOCK_KEY = 0x656D61626C6572  # "emabler" in ASCII; any constant that no other program uses
REFUSAL = (
    "another web process already serves this database ({place}). Several web processes need REDIS_URL, "
    "which carries wake-ups between them; without it stop the other one first."
)


class SecondWebProcess(ImproperlyConfigured):
    """Another process serves this database, and no Redis connects the two."""


class _Held(Protocol):
    """Whatever keeps the lock: an open file or an open connection."""

    def close(self) -> None: ...


_held: _Held | None = None


def take_web_lock() -> None:
    """Become the one web process of this database; does nothing when held already or when Redis is there.

    Raises SecondWebProcess.
    """
    global _held
    if _held is not None or not settings.SINGLE_WEB_PROCESS:
        return
    _held = _lock_postgres() if connection.vendor == "postgresql" else _lock_file()


def release_web_lock() -> None:
    """Let another process take over before this one has ended."""
    global _held
    if _held is not None:
        _held.close()
        _held = None


def _lock_file() -> _Held:
    """Lock a file beside the SQLite file; the kernel drops the lock when the process ends."""
    place = f"{connection.settings_dict['NAME']}.web.lock"
    descriptor = open(place, "a+", encoding="utf-8")  # noqa: SIM115  (stays open as long as the process)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        descriptor.seek(0)
        holder = descriptor.read().strip() or "unknown"
        descriptor.close()
        raise SecondWebProcess(REFUSAL.format(place=f"process {holder}, {place}")) from None
    descriptor.truncate(0)
    descriptor.write(str(os.getpid()))
    descriptor.flush()
    return descriptor


def _lock_postgres() -> _Held:
    """Take a session-level advisory lock on a connection that does nothing else.

    The server drops it when the connection ends. Keepalives make sure that it notices a vanished machine
    within about half a minute.
    """
    keepalive: dict[str, Any] = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    parameters = {**connection.get_connection_params(), **keepalive}
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    guard = psycopg.connect(**parameters, autocommit=True)
    row = guard.execute("SELECT pg_try_advisory_lock(%s)", [ADVISORY_LOCK_KEY]).fetchone()
    if row is None or not row[0]:
        guard.close()
        raise SecondWebProcess(REFUSAL.format(place=f"database {parameters.get('dbname')}"))
    return guard
