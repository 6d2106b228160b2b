"""A PTP's platform for these tests: a real HTTP server that keeps what it is given and answers as told."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from payments import outbox
from payments.models import OcpiConnection, OutboxMessage, Payment
from payments.ocpi import connections
from payments.simulator.ocpi.wire import SUCCESS, Cut, PeerServer, Reply, Request, not_found
from tests import builders
from tests.builders import Cast

LOST = "lost"  # take it, then hang up without an answer
MODULES = ("locations", "tariffs", "sessions", "cdrs")


@dataclass
class Platform:
    """What came, and what it has; `answers` are used up one by one, then every answer is yes."""

    server: PeerServer
    connection: OcpiConnection
    cast: Cast
    answers: list[Reply | str] = field(default_factory=list)
    objects: dict[str, Any] = field(default_factory=dict)

    @property
    def calls(self) -> list[str]:
        """Methods and paths as they came, the paths as far as they differ."""
        return [f"{each.method} {each.path.removeprefix('/ocpi/')}" for each in self.server.received]

    @property
    def methods(self) -> list[str]:
        return [each.method for each in self.server.received]

    @property
    def last(self) -> Request:
        return self.server.received[-1]

    def forget_calls(self) -> None:
        """Look at nothing that came so far."""
        self.server.received.clear()

    def answer(self, request: Request) -> Reply:
        """Keep what came, then say what is next."""
        said = self.answers.pop(0) if self.answers else None
        if isinstance(said, Reply):
            return said
        reply = self._keep(request)
        if said == LOST:
            raise Cut
        return reply

    def _keep(self, request: Request) -> Reply:
        path = request.path.rstrip("/")
        if request.method == "GET":
            return Reply(self.objects[path]) if path in self.objects else not_found()
        if request.method == "POST":
            path = f"{path}/{(request.body or {}).get('id', '')}"
            self.objects[path] = request.body
            return Reply(http_status=201, headers={"Location": f"{self.server.url}{path}"})
        if request.method == "DELETE":
            self.objects.pop(path, None)
        elif request.method == "PUT":
            self.objects[path] = copy.deepcopy(request.body)
        elif path not in self.objects and "/locations/" not in path:
            return not_found()
        else:
            self.objects[path] = self.objects.get(path, {}) | request.body
        return Reply()

    def reload(self) -> None:
        """Read its rows again."""
        self.connection.refresh_from_db()
        self.connection.ptp.refresh_from_db()

    # --- The cast's payments, as they come by this platform

    def payment(self, **fields: Any) -> Payment:
        """A payment that came by OCPI."""
        return self.cast.payment(connection=self.connection, terminal=None, **fields)

    def running(self) -> builders.Running:
        """A session of this platform that charges since half an hour."""
        at = timezone.now() - timedelta(minutes=30)
        return builders.start(self.payment(now=at), at=at)


def reply(status: int = SUCCESS, http_status: int = 200, message: str = "") -> Reply:
    """An answer in OCPI's envelope."""
    return Reply(status_code=status, http_status=http_status, message=message)


@contextmanager
def platform(
    cast: Cast, *, version: str = "2.3.0", payments: bool = False, **fields: Any
) -> Iterator[Platform]:
    """Serve the platform of the cast's PTP until the block ends; with `payments` it has that module too."""
    with PeerServer() as server:
        base = f"{server.url}/ocpi"
        endpoints = {f"{module}:RECEIVER": f"{base}/{module}" for module in MODULES}
        if payments:
            endpoints["payments:SENDER"] = f"{base}/payments"
        connection = registered(
            cast, version=version, endpoints=endpoints, versions_url=f"{base}/versions", **fields
        )
        made = Platform(server, connection, cast)
        for method in ("GET", "PUT", "POST", "PATCH", "DELETE"):
            for depth in range(1, 7):
                pattern = "/ocpi/" + "/".join(f"{{p{n}}}" for n in range(depth))
                server.route(method, pattern, made.answer)
        yield made


def registered(cast: Cast, **fields: Any) -> OcpiConnection:
    """The connection of the cast's PTP, as a handshake leaves it."""
    connection, _ = connections.invite(
        name=cast.ptp.name, country_code="NL", party_id="PTP", our_party=("FI", "EMB"), now=timezone.now()
    )
    connection.state = OcpiConnection.State.REGISTERED
    connections.set_client_token(connection, "what-we-show")
    for name, value in fields.items():
        setattr(connection, name, value)
    connection.save()
    return connection


def message(of: Platform, topic: str, subject: object) -> OutboxMessage:
    """The outbox row of a topic about a subject."""
    return OutboxMessage.objects.get(ptp=of.connection.ptp, topic=topic, subject=str(subject))


def deliver(of: Platform, topic: str, subject: object) -> bool:
    """Deliver as the worker does when the message's time has come."""
    row = message(of, topic, subject)
    return outbox.deliver(row.pk, now=max(timezone.now(), row.next_attempt_at))


def deliver_all(of: Platform) -> int:
    """Deliver everything that is due now; returns how many calls it took."""
    before = len(of.server.received)
    for _ in range(5):
        for pk in outbox.due_ids(timezone.now(), 100):
            outbox.deliver(pk, now=timezone.now())
    return len(of.server.received) - before
