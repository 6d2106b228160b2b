"""The product under measurement: a seeded database, `manage.py up` as a real process, and the reference."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.charge_point import Sale
from benchmarks.fleet import Target
from benchmarks.readings import parent_of, read_cpu
from benchmarks.seeding import PASSWORD, Plan
from tests import servers

SQLITE, POSTGRES = "sqlite", "postgres"
HOUR = "3600"
# A process of PostgreSQL that lives as long as the server: a connection's own is gone before /proc is read.
CHECKPOINTER = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"


@dataclass(frozen=True)
class Seeded:
    """A database that holds stations and paid sessions, and the environment of processes that use it."""

    engine: str
    env: dict[str, str]
    sales: dict[str, list[Sale]]
    key: str
    terminal_id: str

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from the database itself, past the product."""
        url = self.env["DATABASE_URL"]
        if self.engine == POSTGRES:
            with psycopg.connect(url) as connection:
                return list(connection.execute(sql).fetchall())  # type: ignore[call-overload]
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return file.execute(sql).fetchall()


@dataclass(frozen=True)
class Running:
    """The product, up."""

    url: str
    process: "subprocess.Popen[bytes]"
    seeded: Seeded
    target: Target


@contextlib.contextmanager
def seeded(engine: str, plan: Plan) -> Iterator[Seeded]:
    """Make, migrate and seed a throw-away database."""
    directory = Path(tempfile.mkdtemp(prefix="emabler-benchmark-"))
    try:
        env = _environment(engine, directory)
        _manage(env, "manage.py", "migrate", "--verbosity", "0")
        told = json.loads(_manage(env, "-m", "benchmarks.seeding", json.dumps(asdict(plan))))
        if engine == POSTGRES:
            with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
                connection.execute("ANALYZE")  # the tests' server has no autovacuum
        sales = {identity: [Sale(*sale) for sale in sold] for identity, sold in told["sales"].items()}
        yield Seeded(engine, env, sales, told["key"], told["terminal_id"])
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _environment(engine: str, directory: Path) -> dict[str, str]:
    if engine == POSTGRES:
        url = servers.create_postgres_database(f"b_{uuid.uuid4().hex}")
    else:
        url = f"sqlite:///{directory / 'emabler.sqlite3'}"
    return {
        "EMABLER_VAR_DIR": str(directory),
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "OCPP_SECURITY_PROFILE": "1",
        "LOG_LEVEL": "WARNING",
        # Load comes from few peers that talk without pause; these guards are not what is measured.
        "OCPP_FRAMES_PER_SECOND": "1000000",
        "PTP_REQUESTS_PER_MINUTE": "1000000",
        # What was sold waits for its turn.
        "START_TIMEOUT_PLUGGED_SECONDS": HOUR,
        "START_TIMEOUT_UNPLUGGED_SECONDS": HOUR,
        "COMMAND_TIMEOUT_SECONDS": HOUR,
    }


def _manage(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=servers.ROOT,
        env={**servers.system_environment(), **env},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


@contextlib.contextmanager
def up(database: Seeded, *, worker: bool = True) -> Iterator[Running]:
    """Run the product on the database.

    Without a worker it is the web process of a larger installation: tasks go to Redis, where nobody takes them.
    """
    env = database.env if worker else database.env | {"REDIS_URL": servers.redis_url()}
    with servers.running_server(env) as (url, process):
        groups = {"app": process.pid}
        if database.engine == POSTGRES:
            groups["database"] = parent_of(database.query(CHECKPOINTER)[0][0])
        target = Target(
            f"{url.replace('http', 'ws', 1)}/ocpp/{{id}}", lambda: read_cpu(groups), PASSWORD, database.sales
        )
        yield Running(url, process, database, target)


@contextlib.contextmanager
def bare() -> Iterator[tuple[Target, int]]:
    """Run the reference; yields its target and process id."""
    port = servers.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_ocpp", str(port)],
        cwd=servers.ROOT,
        preexec_fn=servers.die_with_parent,
    )
    try:
        _wait_for_port(port)
        yield Target(f"ws://127.0.0.1:{port}/{{id}}", lambda: read_cpu({"app": process.pid})), process.pid
    finally:
        servers.stop(process)


def _wait_for_port(port: int) -> None:
    import socket

    deadline = time.monotonic() + servers.STARTUP_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the reference did not start")
        time.sleep(0.05)
