"""Whether this process lives (`/healthz`) and whether it can do its work (`/readyz`)."""

import logging
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from emabler import sweeps
from emabler.running.worker import worker_of_this_process

logger = logging.getLogger(__name__)

REDIS_TIMEOUT_SECONDS = 2


class NotReady(Exception):
    """One part cannot do its work; the message is for the operator and names no secret."""


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process answers at all; a restart is the cure for anything else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when payments can be taken now, else 503; the body names each part."""
    findings = {name: _finding(check) for name, check in CHECKS.items()}
    ready = all(finding == "ok" for finding in findings.values())
    return JsonResponse({"ready": ready, "checks": findings}, status=200 if ready else 503)


def _finding(check: Callable[[], None]) -> str:
    try:
        check()
    except NotReady as problem:
        return str(problem)
    except Exception as problem:  # noqa: BLE001  (a door: whatever fails here means "not ready", never a 500)
        logger.warning("readiness: %s: %s", check.__name__, problem)
        return type(problem).__name__
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


_migrated = False  # migrations are not taken back under a running process, so one look is enough


def _migrations() -> None:
    global _migrated
    if _migrated:
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReady("migrations are waiting; run manage.py migrate")
    _migrated = True


def _wake_ups() -> None:
    """With Redis: it answers. Without: this process works on tasks itself."""
    if settings.REDIS_URL:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=REDIS_TIMEOUT_SECONDS,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        ) as client:
            client.ping()
        return
    worker = worker_of_this_process()
    if worker is None:
        raise NotReady("no worker in this process; start it with manage.py up, or set REDIS_URL")
    if not worker.alive:
        raise NotReady("the worker has stopped")


def _sweeps() -> None:
    """Whatever else fails, the sweeps find it; so they must run, in whichever process."""
    late = sweeps.late(timezone.now())
    if late:
        raise NotReady(f"late: {', '.join(late)}; is a worker running, with its beat?")


CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "migrations": _migrations,
    "wake_ups": _wake_ups,
    "sweeps": _sweeps,
}
