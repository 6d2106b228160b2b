"""Where secrets come from: the environment, a `*_FILE`, or a file of generated values that git ignores.

No secret has a usable default; a fresh checkout generates its own once and keeps them.
"""

import contextlib
import os
import secrets
from pathlib import Path

SECRET_LENGTH_BYTES = 48  # 384 bits; longer than any use of these keys needs.


def read_secret(name: str, *, store: Path) -> str:
    """Return the secret `name` from `$name`, from the file named by `$name_FILE`, or from `store`.

    A value missing everywhere is generated and appended to `store` (mode 0600), so that a restart keeps it.
    """
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text(encoding="utf-8").strip()
    return _stored_secret(name, store)


def _stored_secret(name: str, store: Path) -> str:
    known = _read_store(store)
    if name not in known:
        _append(name, secrets.token_urlsafe(SECRET_LENGTH_BYTES), store)
        known = _read_store(store)
    return known[name]


def _read_store(store: Path) -> dict[str, str]:
    """Read `NAME=value` lines; the first value of a name counts, so two starting processes agree."""
    known: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in store.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            known.setdefault(name, value)
    return known


def _append(name: str, value: str, store: Path) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(store, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, f"{name}={value}\n".encode())
    finally:
        os.close(descriptor)
