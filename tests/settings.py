"""Settings of the test suite: the product's own, on throw-away storage, with failpoints that tests may arm.

Nothing is read from the developer's environment or database: every run (and every pytest-xdist worker) has
a directory of its own. `TEST_DATABASE=postgres` runs the same suite on a PostgreSQL server that is started
for it; the default is a SQLite file, which threads and live servers can share as they do in production.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests import forward_clock
from tests.servers import ServerMissing, postgres_url

forward_clock.install()

_scratch = Path(tempfile.mkdtemp(prefix="emabler-tests-"))
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)

_database_url = f"sqlite:///{_scratch / 'unused.sqlite3'}"
ON_POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"
if ON_POSTGRES:
    try:
        _database_url = postgres_url()
    except ServerMissing:  # the tests that need it say so, see conftest
        ON_POSTGRES = False
for _name, _value in {
    "EMABLER_VAR_DIR": str(_scratch),
    "DATABASE_URL": _database_url,
    "REDIS_URL": "",
    "EMABLER_DEMO": "1",
    "DEBUG": "0",
    "HTTPS": "0",
    "PUBLIC_URL": "http://testserver",
    "LOG_LEVEL": "WARNING",
}.items():
    os.environ[_name] = _value

from emabler.settings import *  # noqa: E402, F403  (the environment above must be in place first)
from emabler.settings import ALLOWED_HOSTS, DATABASES  # noqa: E402

ALLOWED_HOSTS = [*ALLOWED_HOSTS, "testserver"]
if ON_POSTGRES:
    # A thread of a test closes its own connection; a pool would keep it open past the test's database.
    DATABASES["default"]["OPTIONS"].pop("pool", None)
else:
    DATABASES["default"]["TEST"] = {"NAME": str(_scratch / "test.sqlite3")}

# The pytest process itself serves nothing that a second one could collide with.
SINGLE_WEB_PROCESS = False

# Points of the crash table that a test may arm: name -> what to do there.
FAILPOINTS: dict[str, Callable[[], None]] = {}

# A slow hash protects stored passwords; in a test it only costs time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
