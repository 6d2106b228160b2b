"""Small JSON files in the installation's directory: written whole, readable by their owner alone."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_locks: dict[Path, threading.RLock] = {}
_locks_lock = threading.Lock()


@contextmanager
def opened(path: Path) -> Iterator[dict[str, Any]]:
    """Give the file's content to change; it is stored when the block ends well. One thread at a time."""
    with _lock_of(path):
        content = read(path)
        yield content
        _write(path, content)


def read(path: Path) -> dict[str, Any]:
    """Return the file's content, an empty object when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not there yet, or cut off by a full disk
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    # A crash leaves the old file or the new one, never half of one.
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    fresh.replace(path)


def _lock_of(path: Path) -> threading.RLock:
    with _locks_lock:
        return _locks.setdefault(path, threading.RLock())
