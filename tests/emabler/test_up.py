"""`manage.py up` as an operator meets it: real processes, real ports, real signals."""

import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests import servers
from tests.conftest import RunningServer

Env = dict[str, str]


def _printed_password(env: Env, url: str) -> str | None:
    found = re.search(r"Admin password +(\S+)", servers.output_of(env, url))
    return found.group(1) if found else None


def _may_sign_in(url: str, password: str) -> bool:
    with httpx.Client(base_url=url) as browser:
        browser.get("/admin/login/")
        form = {
            "username": "admin",
            "password": password,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        return browser.post("/admin/login/", data={**form, "next": "/admin/"}).status_code == 302


def test_the_first_start_makes_an_admin_and_later_ones_keep_it(
    sqlite_env: Env, running_server: RunningServer
) -> None:
    url, process = running_server(sqlite_env)
    password = _printed_password(sqlite_env, url)
    assert password is not None
    assert _may_sign_in(url, password)
    servers.stop(process)

    url, _ = running_server(sqlite_env)

    assert _printed_password(sqlite_env, url) is None
    assert _may_sign_in(url, password)


def test_reset_admin_makes_a_new_password_and_the_old_one_ends(
    sqlite_env: Env, running_server: RunningServer
) -> None:
    url, process = running_server(sqlite_env)
    old = _printed_password(sqlite_env, url)
    servers.stop(process)

    url, _ = running_server(sqlite_env, "--reset-admin")

    new = _printed_password(sqlite_env, url)
    assert old is not None
    assert new is not None
    assert _may_sign_in(url, new)
    assert not _may_sign_in(url, old)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(
    how: signal.Signals, sqlite_env: Env, running_server: RunningServer
) -> None:
    _, process = running_server(sqlite_env)

    servers.stop(process, with_signal=how)

    assert process.returncode == 0


def test_a_busy_port_is_refused_before_anything_is_changed(sqlite_env: Env) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        ended = servers.run_up(sqlite_env, "--port", str(port))

    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_static_files_are_served_without_a_word_of_warning(
    sqlite_env: Env, running_server: RunningServer
) -> None:
    url, _ = running_server(sqlite_env)

    answer = httpx.get(f"{url}/static/admin/css/base.css")

    assert answer.status_code == 200
    assert "Warning" not in servers.output_of(sqlite_env, url)


def test_a_second_web_process_on_the_same_database_is_refused(
    sqlite_env: Env, running_server: RunningServer
) -> None:
    running_server(sqlite_env)

    ended = servers.run_up(sqlite_env, "--port", str(servers.free_port()))

    assert ended.returncode == 2
    assert "REDIS_URL" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_any_other_asgi_server_is_refused_too(sqlite_env: Env, running_server: RunningServer) -> None:
    running_server(sqlite_env)

    ended = subprocess.run(
        [sys.executable, "-c", "import emabler.asgi"],
        cwd=servers.ROOT, env={**servers.system_environment(), **sqlite_env}, capture_output=True, text=True,
    )  # fmt: skip

    assert ended.returncode != 0
    assert "another web process already serves this database" in ended.stderr


def test_after_kill_9_the_next_start_finds_the_way_free(
    sqlite_env: Env, running_server: RunningServer
) -> None:
    _, process = running_server(sqlite_env)
    process.kill()
    process.wait()

    url, _ = running_server(sqlite_env)

    assert httpx.get(f"{url}/readyz").status_code == 200


@pytest.mark.postgres
def test_on_postgresql_a_second_web_process_is_refused_until_the_first_is_killed(
    postgres_env: Env, running_server: RunningServer
) -> None:
    _, process = running_server(postgres_env)

    refused = servers.run_up(postgres_env, "--port", str(servers.free_port()))
    process.kill()
    process.wait()
    url, _ = running_server(postgres_env)

    assert refused.returncode == 2
    assert "REDIS_URL" in refused.stderr
    assert httpx.get(f"{url}/readyz").status_code == 200


@pytest.mark.postgres
@pytest.mark.redis
def test_with_redis_several_web_processes_serve_one_database(
    postgres_env: Env, redis_env: Env, running_server: RunningServer
) -> None:
    env = {**postgres_env, **redis_env}

    first, _ = running_server(env, "--with-worker")
    second, _ = running_server(env)

    assert httpx.get(f"{first}/readyz").status_code == 200
    assert httpx.get(f"{second}/readyz").status_code == 200
