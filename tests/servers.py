"""Real servers for tests: PostgreSQL, Redis and the product itself, each on a free port of the loopback.

PostgreSQL and Redis are started on first use from binaries that the machine has and die with the process
that started them, also when it is killed. `ServerMissing` says which binary was not found.
"""

import atexit
import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import redis

from emabler.journeys.processes import free_port

ROOT = Path(__file__).resolve().parent.parent
STARTUP_SECONDS = 30.0  # generous: a loaded machine with two cores must not turn a slow start into a failure
POSTGRES_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/pgsql-*/bin")
_PR_SET_PDEATHSIG = 1


class ServerMissing(Exception):
    """A server's binary is not on this machine."""


def die_with_parent() -> None:
    """Ask the kernel to kill this child when its parent ends, however it ends (Linux; elsewhere a no-op)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


# --- PostgreSQL -----------------------------------------------------------------------------------


def postgres_binaries() -> Path:
    """Return the directory of `initdb` and `postgres`, the newest version first.

    Raises ServerMissing.
    """
    places = [Path(found).parent for name in ("initdb",) if (found := shutil.which(name))]
    for pattern in POSTGRES_PLACES:
        places += sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise ServerMissing("PostgreSQL (initdb, postgres) was not found in PATH or in /usr/lib/postgresql/*/bin")


def postgres_url() -> str:
    """Return the URL of this run's PostgreSQL server, started on first use.

    pytest-xdist workers find the one that their controller started in the environment.
    """
    if known := os.environ.get("EMABLER_TEST_POSTGRES_URL"):
        return known
    os.environ["EMABLER_TEST_POSTGRES_URL"] = _start_postgres()
    return os.environ["EMABLER_TEST_POSTGRES_URL"]


def _start_postgres() -> str:
    directory = _scratch_directory("emabler-postgres-")
    port = free_port()
    _start(
        postgres_command(directory, port),
        directory=directory,
        user=postgres_user(),
        stop_signal=signal.SIGINT,
    )
    url = f"postgres://tests@127.0.0.1:{port}/postgres"
    _wait_until(
        lambda: psycopg.connect(url, connect_timeout=2).close(), "PostgreSQL", psycopg.OperationalError
    )
    return url


def postgres_command(directory: Path, port: int) -> list[str | Path]:
    """Make a cluster in `directory`, and return the command that serves it, to be run as `postgres_user()`."""
    binaries, user = postgres_binaries(), postgres_user()
    if user:
        shutil.chown(directory, user)
    data = directory / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
        check=True, capture_output=True, cwd=directory, user=user,
    )  # fmt: skip
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "32MB",
        "max_wal_size": "128MB",
        "autovacuum": "off",
        "log_min_messages": "fatal",
    }
    command: list[str | Path] = [binaries / "postgres", "-D", data]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    return command


def postgres_user() -> str | None:
    """Return whom PostgreSQL runs as, None for ourselves; it refuses root.

    Raises ServerMissing.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ServerMissing("PostgreSQL refuses root, and this machine has neither user postgres nor nobody")


def create_postgres_database(name: str, *, template: str = "template0") -> str:
    """Create an empty database (or a copy of `template`) and return its URL."""
    url = postgres_url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                psycopg.sql.Identifier(name), psycopg.sql.Identifier(template)
            )
        )
    return url.rpartition("/")[0] + f"/{name}"


# --- Redis ----------------------------------------------------------------------------------------


def redis_binary() -> str:
    """Return the path of `redis-server`.

    Raises ServerMissing.
    """
    binary = shutil.which("redis-server", path=f"{os.environ.get('PATH', '')}:/usr/local/bin:/usr/bin")
    if binary is None:
        raise ServerMissing("redis-server was not found in PATH")
    return binary


def redis_url() -> str:
    """Return the URL of this run's Redis server, started on first use; it keeps nothing on disk.

    Raises ServerMissing.
    """
    if known := os.environ.get("EMABLER_TEST_REDIS_URL"):
        return known
    port = free_port()
    directory = _scratch_directory("emabler-redis-")
    command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    _start([*command, "--dir", directory], directory=directory)
    client = redis.Redis(port=port)
    _wait_until(client.ping, "Redis", redis.ConnectionError)
    client.close()
    os.environ["EMABLER_TEST_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    return os.environ["EMABLER_TEST_REDIS_URL"]


# --- The product ----------------------------------------------------------------------------------


@contextlib.contextmanager
def running_server(env: dict[str, str], *options: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `manage.py up` on a free port until the block ends; yields its URL and its process when ready.

    `env` is the whole environment beside PATH (see the fixtures `sqlite_env` and `postgres_env`). The
    output is read with `output_of`, and stands in the error when the server does not come up.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = _log_of(env, url)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), *options],
            cwd=ROOT,
            env={**system_environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )
    try:
        wait_until_ready(url, process, log)
        yield url, process
    finally:
        stop(process)


def run_up(env: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    """Run a `manage.py up` that is expected to end by itself, and return how it ended."""
    return subprocess.run(
        [sys.executable, "manage.py", "up", *options],
        cwd=ROOT,
        env={**system_environment(), **env},
        capture_output=True,
        text=True,
        timeout=STARTUP_SECONDS * 2,
    )


def output_of(env: dict[str, str], url: str) -> str:
    """Return what the server at `url` has printed so far."""
    return _log_of(env, url).read_text(encoding="utf-8")


def _log_of(env: dict[str, str], url: str) -> Path:
    return Path(env["EMABLER_VAR_DIR"]) / f"up-{url.rpartition(':')[2]}.log"


def system_environment() -> dict[str, str]:
    """Return what a child needs to start at all, and nothing of the developer's settings."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server says that it is ready.

    Raises RuntimeError with its output when it ends or stays unready.
    """
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}:\n{log.read_text()}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not get ready:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes], *, with_signal: int = signal.SIGTERM) -> None:
    """End a process that we started and wait for it."""
    if process.poll() is not None:
        return
    process.send_signal(with_signal)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# --- Shared ---------------------------------------------------------------------------------------


def _start(
    command: list[str | Path], *, directory: Path, user: str | None = None, stop_signal: int = signal.SIGTERM
) -> None:
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=directory, user=user, stdout=log, stderr=log, preexec_fn=die_with_parent
        )
    atexit.register(stop, process, with_signal=stop_signal)  # runs before the directory is removed


def _scratch_directory(prefix: str) -> Path:
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def _wait_until(probe: Callable[[], object], name: str, *not_yet: type[Exception]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            probe()
            return
        except not_yet as problem:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start within {STARTUP_SECONDS:.0f} s") from problem
            time.sleep(0.05)
