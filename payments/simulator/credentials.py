"""API keys of the demo's virtual terminals, in a file that only this installation's user reads."""

import json
import os
from pathlib import Path

from django.conf import settings

MODE = 0o600


def save(terminal_id: str, api_key: str) -> None:
    """Keep the key under which a terminal speaks; an older one is replaced."""
    _write({**_read(), terminal_id: api_key})


def find(terminal_id: str) -> str | None:
    """Return the key of a terminal, None for one that is not of the demo."""
    return _read().get(terminal_id)


def _file() -> Path:
    return Path(settings.VAR_DIR) / "demo.json"


def _read() -> dict[str, str]:
    try:
        keys = json.loads(_file().read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # not there yet, or cut off: the next start of the demo saves it
        return {}
    return keys if isinstance(keys, dict) else {}


def _write(keys: dict[str, str]) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    beside = _file().with_suffix(".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(keys, file)
    beside.replace(_file())
