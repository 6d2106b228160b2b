"""Fixtures for every test: throw-away databases, real servers, a browser; and when each may be missing.

A test that needs a server carries its mark: `postgres`, `redis`, `browser`. Without the binary it is skipped
with the reason; with `EMABLER_REQUIRE_SERVERS=1` (CI) it fails, so that nothing is skipped unseen.
"""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests import servers

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM_PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
CHROMIUM_FLAGS = (
    "--no-sandbox",  # as root the sandbox cannot be set up
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

RunningServer = Callable[..., tuple[str, "subprocess.Popen[bytes]"]]

# A loaded machine is slow, which is no fault. The same cases each time: a change must not be refused for a case
# that failed before it too and was just never drawn. `--hypothesis-profile=default` draws new ones.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("suite")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, a test whose server this machine lacks; see the marks in pyproject.toml."""
    for mark, look in _NEEDS.items():
        if item.get_closest_marker(mark) is None:
            continue
        try:
            look()
        except servers.ServerMissing as missing:
            if os.environ.get("EMABLER_REQUIRE_SERVERS") == "1":
                pytest.fail(f"needs a server that must be here: {missing}", pytrace=False)
            pytest.skip(str(missing))
    if item.get_closest_marker("postgres") and os.environ.get("TEST_DATABASE") != "postgres":
        pytest.skip("runs on PostgreSQL: TEST_DATABASE=postgres pytest -m postgres (make test does it)")


def chromium() -> str:
    """Return the path of a Chromium.

    Raises ServerMissing.
    """
    for place in CHROMIUM_PLACES:
        if Path(place).exists():
            return place
    raise servers.ServerMissing("Chromium was not found (Debian: package chromium)")


_NEEDS: dict[str, Callable[[], object]] = {
    "postgres": servers.postgres_binaries,
    "redis": servers.redis_binary,
    "browser": chromium,
}


# --- Databases ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Let a test that commits be cleaned up on SQLite, where that is a DELETE that sealed tables refuse.

    Changes stay refused here, and PostgreSQL keeps everything; what a fresh SQLite database refuses is tested
    on one (tests/payments/test_append_only.py).
    """
    from django.db import connection

    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                found = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%_no_delete'"
                for (name,) in cursor.execute(found).fetchall():
                    cursor.execute(f"DROP TRIGGER {name}")


# --- Databases for processes of their own ---------------------------------------------------------


@pytest.fixture
def sqlite_env(tmp_path: Path, _migrated_sqlite: Path) -> dict[str, str]:
    """Environment of a process of its own on a fresh, migrated SQLite file."""
    database = tmp_path / "emabler.sqlite3"
    shutil.copy(_migrated_sqlite, database)
    return _process_env(tmp_path, f"sqlite:///{database}")


@pytest.fixture
def postgres_env(tmp_path: Path, _migrated_postgres: str) -> dict[str, str]:
    """Environment of processes of their own on a fresh, migrated PostgreSQL database (mark: postgres)."""
    url = servers.create_postgres_database(f"t_{uuid.uuid4().hex}", template=_migrated_postgres)
    return _process_env(tmp_path, url)


@pytest.fixture
def redis_env() -> dict[str, str]:
    """`REDIS_URL` of this run's Redis, to be merged into another environment (mark: redis)."""
    return {"REDIS_URL": servers.redis_url()}


@pytest.fixture
def running_server() -> Iterator[RunningServer]:
    """Start `manage.py up` with an environment and options; every server started ends with the test."""
    with ExitStack() as stack:

        def start(env: dict[str, str], *options: str) -> tuple[str, "subprocess.Popen[bytes]"]:
            server: AbstractContextManager[tuple[str, subprocess.Popen[bytes]]]
            server = servers.running_server(env, *options)
            return stack.enter_context(server)

        yield start


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("migrated")
    database = directory / "emabler.sqlite3"
    _migrate(_process_env(directory, f"sqlite:///{database}"))
    return database


@pytest.fixture(scope="session")
def _migrated_postgres(tmp_path_factory: pytest.TempPathFactory) -> str:
    name = f"template_{uuid.uuid4().hex}"
    url = servers.create_postgres_database(name)
    _migrate(_process_env(tmp_path_factory.mktemp("migrated"), url))
    return name


def _process_env(directory: Path, database_url: str) -> dict[str, str]:
    return {
        "EMABLER_VAR_DIR": str(directory),
        "DATABASE_URL": database_url,
        "REDIS_URL": "",
        "DEBUG": "0",
        "HTTPS": "0",
        "OCPP_SECURITY_PROFILE": "1",
    }


def _migrate(env: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=servers.ROOT,
        env={**servers.system_environment(), **env},
        check=True,
    )


# --- Browser --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A headless Chromium (mark: browser).

    Playwright keeps an event loop running in this thread for as long as it lives, in which Django's ORM and
    `asyncio.run` refuse to work: it must not outlive the module that asked for it.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_FLAGS)) as running:
            yield running
