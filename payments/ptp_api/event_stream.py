"""GET sessions/{id}/events: a session as server-sent events (WHATWG HTML §9.2).

A plain async view: hundreds of open streams cost a task each, not a thread each. The row is the truth; the
session's bell only makes a stream look sooner. Between two looks a stream holds no database connection.
"""

import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone

from payments import exact_json
from payments.models import Payment
from payments.ptp_api import problems
from payments.ptp_api.authentication import Caller, caller_of
from payments.ptp_api.bell import Bell
from payments.ptp_api.lookup import payment_of
from payments.ptp_api.problems import Problem
from payments.ptp_api.throttling import seconds_to_wait
from payments.statements import is_final, session_statement

LOOK_EVERY_SECONDS = 1.0
PING_EVERY_SECONDS = 15.0  # below the idle time-out of every proxy we know of
LONGEST_STREAM_SECONDS = 3600.0  # then the terminal connects again, and a revoked key ends here
STREAMS_PER_KEY = 100  # in one process; a PTP follows its sessions, it does not hoard them
RETRY_MS = 2000
TICKING = ("duration_seconds",)  # changes by itself and is no news

_open_streams: Counter[int] = Counter()
R = TypeVar("R")


async def events(request: HttpRequest, session_id: uuid.UUID) -> HttpResponseBase:
    """Answer with the stream, or with a problem document."""
    try:
        if request.method != "GET":
            raise Problem("method_not_allowed", headers={"Allow": "GET"})
        caller = await _off_loop(_admit, request, session_id)
    except Exception as error:  # noqa: BLE001  (a door: whatever it is becomes a problem document)
        return problems.answer(problems.as_problem(error))
    response = StreamingHttpResponse(_counted(caller, session_id), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would collect the events otherwise
    return response


def _admit(request: HttpRequest, session_id: uuid.UUID) -> Caller:
    """Return who calls. Raises Problem unauthorized, rate_limited, not_found."""
    caller = caller_of(request)
    if caller is None:
        raise Problem("unauthorized", headers={"WWW-Authenticate": 'Bearer realm="ptp"'})
    wait_seconds = seconds_to_wait(caller.key.pk)
    if wait_seconds or _open_streams[caller.key.pk] >= STREAMS_PER_KEY:
        raise Problem("rate_limited", headers={"Retry-After": str(max(1, round(wait_seconds)))})
    payment_of(caller, session_id)
    return caller


async def _counted(caller: Caller, session_id: uuid.UUID) -> AsyncIterator[bytes]:
    _open_streams[caller.key.pk] += 1
    try:
        with Bell(session_id) as bell:
            async with aclosing(_stream(caller, session_id, bell)) as chunks:
                async for chunk in chunks:
                    yield chunk
    finally:
        _open_streams[caller.key.pk] -= 1


async def _stream(caller: Caller, session_id: uuid.UUID, bell: Bell) -> AsyncGenerator[bytes, None]:
    """Yield an event per change, a ping when it is quiet, `end` when all is done."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    started = spoken = time.monotonic()
    told = ""
    while time.monotonic() - started < LONGEST_STREAM_SECONDS:
        news, text, final = await _off_loop(_look, caller, session_id)
        if final or news != told:
            yield _event("end" if final else "session", text)
            spoken, told = time.monotonic(), news
        elif time.monotonic() - spoken >= PING_EVERY_SECONDS:
            yield b": ping\n\n"
            spoken = time.monotonic()
        if final:
            return
        await bell.wait(LOOK_EVERY_SECONDS)


def _look(caller: Caller, session_id: uuid.UUID) -> tuple[str, str, bool]:
    """Return what would be news, the session as JSON, and whether it is final."""
    payment: Payment = payment_of(caller, session_id)
    statement = session_statement(payment, now=timezone.now())
    lasting = {name: value for name, value in statement.items() if name not in TICKING}
    return exact_json.dumps(lasting), exact_json.dumps(statement), is_final(payment)


def _event(name: str, text: str) -> bytes:
    return f"event: {name}\ndata: {text}\n\n".encode()


async def _off_loop(read: Callable[..., R], *arguments: object) -> R:
    """Run a database read in a pool thread, which gives its connection back when it is done."""

    def run() -> R:
        try:
            return read(*arguments)
        finally:
            if not connection.in_atomic_block:
                connection.close()

    return await sync_to_async(run, thread_sensitive=False)()
