"""A small HTTP server for a peer's side: routes, envelopes, pages; it can hang up and refuse connections."""

import logging
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import httpx

from payments import exact_json
from payments.simulator.ocpi.wire.words import (
    CLIENT_ERROR,
    INVALID_PARAMETERS,
    SERVER_ERROR,
    SUCCESS,
    Json,
    NotOcpi,
    envelope,
    parse_time,
    read_json,
    tokens_in,
)

MAX_BODY_BYTES: Final = 16 * 1024 * 1024  # nothing honest is larger
REQUESTS_REMEMBERED: Final = 2_000
log = logging.getLogger(__name__)
ECHOED: Final = ("X-Request-ID", "X-Correlation-ID")


class Cut(Exception):
    """Raised by a handler: hang up without an answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; `parts` are the path's segments that the route named."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]  # names in any case
    body: Json
    raw: bytes
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def tokens(self) -> tuple[str, ...]:
        """What its Authorization header may mean."""
        return tokens_in(self.headers.get("Authorization"))


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer: an envelope, or `raw` bytes in its place."""

    data: Json = None
    status_code: int = SUCCESS
    message: str = ""
    http_status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


Handler = Callable[[Request], Reply]
Around = Callable[[Request, Handler], Reply]


def not_found(status_code: int = INVALID_PARAMETERS, message: str = "There is no such object.") -> Reply:
    """GET of an object that is not there."""
    return Reply(status_code=status_code, message=message, http_status=404)


def paged(items: Sequence[Json], request: Request, *, url: str, most: int = 100) -> Reply:
    """One page of `items` (OCPI transport_and_format, pagination): `date_from` inclusive, `date_to` exclusive."""
    try:
        bounds = {name: parse_time(text) for name, text in request.query.items() if name.startswith("date_")}
        offset, limit = (
            int(request.query.get(name, default)) for name, default in (("offset", 0), ("limit", most))
        )
    except ValueError:
        return Reply(status_code=INVALID_PARAMETERS, message="A parameter of the page cannot be read.")
    low, high = bounds.get("date_from", datetime.min.replace(tzinfo=UTC)), bounds.get("date_to")
    stamped = [(parse_time(item["last_updated"]), item) for item in items]
    found = [item for at, item in stamped if at >= low and (high is None or at < high)]
    offset, limit = max(0, offset), max(1, min(limit, most))
    headers = {"X-Total-Count": str(len(found)), "X-Limit": str(most)}
    if offset + limit < len(found):
        following = urlencode({**request.query, "offset": offset + limit, "limit": limit})
        headers["Link"] = f'<{url}?{following}>; rel="next"'
    return Reply(found[offset : offset + limit], headers=headers)


class _Listener(ThreadingHTTPServer):
    """One socket's worth of a PeerServer."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], peer: "PeerServer") -> None:
        self.peer = peer
        self.wires: set[socket.socket] = set()
        super().__init__(address, _Connection)

    def hang_up(self) -> None:
        """End the connections that are open."""
        for wire in list(self.wires):
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is not our trouble."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # of a connection that says nothing
    disable_nagle_algorithm = True

    @property
    def _listener(self) -> _Listener:
        assert isinstance(self.server, _Listener)
        return self.server

    def setup(self) -> None:
        super().setup()
        self._listener.wires.add(self.connection)

    def finish(self) -> None:
        self._listener.wires.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def _serve(self) -> None:
        try:
            reply = self._reply()
        except Cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = reply.raw
        if body is None:
            said = envelope(reply.data, reply.status_code, reply.message)
            body = exact_json.dumps(said).encode()
        self.send_response(reply.http_status)
        ids = {name: self.headers[name] for name in ECHOED if name in self.headers}
        fixed = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**fixed, **ids, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _reply(self) -> Reply:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return Reply(status_code=CLIENT_ERROR, message="Content-Length is needed.", http_status=411)
        raw = self.rfile.read(int(length))
        if len(raw) < int(length):
            raise Cut  # the caller died before its body was out: it has asked for nothing
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        try:
            body = read_json(raw) if raw else None
        except NotOcpi as fault:
            return Reply(status_code=INVALID_PARAMETERS, message=str(fault), http_status=400)
        headers = httpx.Headers(self.headers.items())
        request = Request(self.command, address.path, query, headers, body, raw)
        return self._listener.peer.answer(request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Keep quiet; `received` knows."""


class PeerServer:
    """A threaded HTTP/1.1 server on the loopback; use it as a context, or `start` and `stop`.

    `route("GET", "/ocpi/versions", handler)`, with `{name}` for a segment; a trailing slash is the same path.
    `around(request, handler)` is called in the handler's place for every request, for authentication and
    failures. `received` holds what came, oldest first.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, around: Around | None = None) -> None:
        self.host, self.port = host, port
        self.received: deque[Request] = deque(maxlen=REQUESTS_REMEMBERED)
        self._around = around
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []
        self._server: _Listener | None = None
        self._serving = False
        self._bind()  # the port is known before the first request can come

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash."""
        return f"http://{self.host}:{self.port}"

    def route(self, method: str, pattern: str, handler: Handler) -> None:
        """Answer `method` on paths like `pattern` with `handler`."""
        escaped = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
        self._routes.append((method, re.compile(escaped + "/?"), handler))

    def start(self) -> None:
        """Listen, also again after `stop`, on the same port."""
        server, self._serving = self._server or self._bind(), True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on, and hang up on those that are open."""
        server, self._server = self._server, None
        if server is None:
            return
        if self._serving:  # to shut down what never ran would wait for ever
            server.shutdown()
        self._serving = False
        server.server_close()
        server.hang_up()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def answer(self, request: Request) -> Reply:
        """Find the handler and call it. A handler may raise Cut."""
        try:
            return self._routed(request)
        except Cut:
            raise
        except Exception:  # the door: the peer gets a typed answer, the log the trace
            log.exception("%s %s", request.method, request.path)
            return Reply(status_code=SERVER_ERROR, message="A fault of ours.", http_status=500)

    def _routed(self, request: Request) -> Reply:
        self.received.append(request)
        found = [(verb, handler, match) for verb, pattern, handler in self._routes
                 if (match := pattern.fullmatch(request.path))]  # fmt: skip
        for verb, handler, match in found:
            if verb == request.method:
                request = replace(request, parts={k: unquote(v) for k, v in match.groupdict().items()})
                return self._around(request, handler) if self._around else handler(request)
        status = 405 if found else 404
        return Reply(status_code=CLIENT_ERROR, message="Nothing answers that here.", http_status=status)

    def _bind(self) -> _Listener:
        self._server = _Listener((self.host, self.port), self)
        self.port = self._server.server_address[1]
        return self._server
