"""The web server inside the process: uvicorn, set up for thousands of chargers on one socket each."""

import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn
from django.conf import settings

BACKLOG = 4096  # after a power cut every charger reconnects within seconds; a short queue drops them
PING_SECONDS = 20.0  # finds a charger that went without a word; its own heartbeat is minutes apart
GRACE_SECONDS = 2  # event streams never end by themselves; their readers reconnect

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class AddressInUse(Exception):
    """Another program listens on the address."""


class WebServer(uvicorn.Server):
    """uvicorn that calls `on_started` once it accepts connections, and returns after a signal.

    uvicorn's own server raises the signal again at its end, which would leave no time to stop the rest.
    """

    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {each: signal.signal(each, self.handle_exit) for each in STOP_SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, not listening yet, so that nobody waits for a server in the making.

    Raises AddressInUse.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as problem:
        listener.close()
        raise AddressInUse(f"cannot listen on {host}:{port}: {problem.strerror}") from problem
    return listener


def serve(listener: socket.socket, *, on_started: Callable[[], None]) -> bool:
    """Serve the product on `listener` until SIGTERM or SIGINT; returns whether it ever accepted connections."""
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    server = WebServer(_config(), on_started=on_started)
    server.run(sockets=[listener])
    return server.started


def _is_news(record: logging.LogRecord) -> bool:
    """Drop one false alarm: uvicorn 0.54 reports every charger that was refused with a status as our error."""
    return record.msg != "ASGI callable returned without completing handshake."


def _config() -> uvicorn.Config:
    return uvicorn.Config(
        "emabler.asgi:application",
        interface="asgi3",
        loop="auto",  # uvloop where it exists
        ws="websockets-sansio",
        ws_max_size=settings.OCPP_MAX_FRAME_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,  # 300 KiB per connection for frames of 200 bytes
        backlog=BACKLOG,
        lifespan="off",
        access_log=False,
        log_config=None,  # Django's LOGGING rules
        log_level="warning",
        proxy_headers=settings.BEHIND_PROXY,
        forwarded_allow_ips="*" if settings.BEHIND_PROXY else None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
