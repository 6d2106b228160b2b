"""Our side of the wire while we check: a provider's endpoints that take everything, write it down, and can
have a bad day when a check asks for it."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, unquote

from payments.conformance.mirror import Mirror
from payments.conformance.registry import VERSIONS
from payments.simulator.ocpi.wire import Handler, Party, PeerServer, Reply, Request, not_found, paged

MODULES: Final = {
    "credentials": "SENDER",
    "locations": "RECEIVER",
    "tariffs": "RECEIVER",
    "sessions": "RECEIVER",
    "cdrs": "RECEIVER",
    "commands": "SENDER",
    "tokens": "SENDER",
    "payments": "SENDER",
}
ANSWERED_WITHIN_SECONDS: Final = 2.0
OBJECTS: Final = ("locations", "tariffs", "sessions")

STRANGER: Final = Reply(status_code=2001, message="Who are you?", http_status=401)
BAD_DAY: Final = Reply(status_code=3000, message="A bad day.", http_status=500)
CHOKED: Final = Reply(status_code=3000, message="A fault of ours.", http_status=500)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request of the CPO and how we answered it."""

    at: float  # monotonic seconds
    kind: str  # versions, details, or the module
    request: Request
    http_status: int
    known_token: bool

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def body(self) -> Any:
        """The JSON that came."""
        return self.request.body

    @property
    def ids(self) -> tuple[str, ...]:
        """The object's path behind the module, segment by segment: owner, id, and what is below."""
        segments = self.request.path.split(f"/{self.kind}/", 1)[-1].strip("/").split("/")
        return tuple(unquote(segment) for segment in segments)

    def __str__(self) -> str:
        return f"{self.method} {self.request.path} (we answered HTTP {self.http_status})"


class PtpSide:
    """A provider's HTTP side. Use it as a context."""

    def __init__(self, *, host: str, port: int, public_url: str, party: Party, role: str) -> None:
        self.server = PeerServer(host=host, port=port, around=self._door)
        self.base = public_url.rstrip("/") or self.server.url
        self.party, self.role = party, role
        self.tokens: set[str] = set()
        self.journal: list[Delivery] = []
        self.mirror = Mirror()
        self.refuse_next: Counter[str] = Counter()  # how many of "POST cdrs" get HTTP 500 first
        self._news = threading.Condition()
        self._lay_routes()

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.stop()

    @property
    def versions_url(self) -> str:
        """Where the CPO finds us."""
        return f"{self.base}/ocpi/versions"

    @property
    def strange_versions_url(self) -> str:
        """A platform that speaks OCPI 2.1.1 only."""
        return f"{self.base}/strange/versions"

    @property
    def bare_versions_url(self) -> str:
        """A platform that has charging profiles and nothing else, not even credentials."""
        return f"{self.base}/bare/versions"

    @property
    def dead_versions_url(self) -> str:
        """The same host, a port where nobody listens."""
        with socket.socket() as probe:
            probe.bind((self.server.host, 0))
            return f"http://{self.server.host}:{probe.getsockname()[1]}/ocpi/versions"

    def new_token(self) -> str:
        """Mint a token that the CPO may use from now on."""
        token = f"ptc-{secrets.token_urlsafe(24)}"
        self.tokens.add(token)
        return token

    def credentials(self, token: str, *, url: str | None = None) -> dict[str, Any]:
        """Return our credentials object (OCPI credentials)."""
        role = {
            "role": self.role,
            "business_details": {"name": "PTP conformance kit"},
            "party_id": self.party.party_id,
            "country_code": self.party.country_code,
        }
        return {"token": token, "url": url or self.versions_url, "roles": [role]}

    def response_url(self, command: str) -> str:
        """Return a fresh URL for one CommandResult."""
        return f"{self.base}/ocpi/ptp/commands/{command}/{secrets.token_hex(8)}"

    def mirrored(self, version: str, location: dict[str, Any]) -> dict[str, Any] | None:
        """Return a Location as the CPO's pushes have it; one that was never pushed, as it was read."""
        path = self._location_path(version, location)
        if self.mirror.get(path) is None:
            self.mirror.put(path, location)
        known = self.mirror.get(path)
        return known if isinstance(known, dict) else None

    def mark(self) -> int:
        """Return a place in the journal, for `since`."""
        with self._news:
            return len(self.journal)

    def since(self, mark: int, *kinds: str) -> list[Delivery]:
        """Return what came after `mark`, of these kinds only where some are named."""
        with self._news:
            return [found for found in self.journal[mark:] if not kinds or found.kind in kinds]

    def wait(self, met: Callable[[Delivery], bool], *, mark: int, seconds: float) -> Delivery | None:
        """Return the first delivery after `mark` that is `met`; None when none came within `seconds`."""
        until = time.monotonic() + seconds
        with self._news:
            while True:
                for found in self.journal[mark:]:
                    if met(found):
                        return found
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self._news.wait(left)

    def stray(self) -> list[str]:
        """Requests for what we do not offer: such a peer makes up its URLs.

        What we are answering stands in the journal a moment after it came.
        """
        asked = [(request.method, request.path) for request in list(self.server.received)]
        until = time.monotonic() + ANSWERED_WITHIN_SECONDS
        with self._news:
            while True:
                known = {(found.request.method, found.request.path) for found in self.journal}
                strange = [f"{method} {path}" for method, path in asked if (method, path) not in known]
                left = until - time.monotonic()
                if not strange or left <= 0:
                    return strange
                self._news.wait(left)

    def _door(self, request: Request, handler: Handler) -> Reply:
        kind = _kind(request.path)
        known = bool(self.tokens & set(request.tokens))
        reply = CHOKED if known else STRANGER
        try:
            if known and self.refuse_next[f"{request.method} {kind}"] > 0:
                self.refuse_next[f"{request.method} {kind}"] -= 1
                reply = BAD_DAY
            elif known:
                reply = handler(request)
        finally:  # what we choke on, the checks must see
            with self._news:
                self.journal.append(Delivery(time.monotonic(), kind, request, reply.http_status, known))
                self._news.notify_all()
        return reply

    def _lay_routes(self) -> None:
        route = self.server.route
        route("GET", "/ocpi/versions", lambda _: Reply(self._versions("ocpi", VERSIONS)))
        route("GET", "/ocpi/{version}/details", lambda asked: self._details(asked, "ocpi", list(MODULES)))
        route("GET", "/strange/versions", lambda _: Reply(self._versions("strange", ("2.1.1",))))
        route("GET", "/strange/{version}/details", lambda asked: self._details(asked, "strange", []))
        route("GET", "/bare/versions", lambda _: Reply(self._versions("bare", VERSIONS)))
        route(
            "GET", "/bare/{version}/details", lambda asked: self._details(asked, "bare", ["chargingprofiles"])
        )
        route("POST", "/ocpi/ptp/commands/{command}/{uid}", lambda _: Reply())
        for base in (f"/ocpi/ptp/{version}" for version in VERSIONS):
            for module in OBJECTS:
                for depth in ("/{a}/{b}/{c}", "/{a}/{b}/{c}/{d}", "/{a}/{b}/{c}/{d}/{e}"):
                    self._lay_object(f"{base}/{module}{depth}")
            route("POST", f"{base}/cdrs", self._take_cdr)
            route("GET", f"{base}/cdrs/{{id}}", self._give)
            route("GET", f"{base}/tokens", lambda asked: paged([], asked, url=self.base + asked.path))
            route("POST", f"{base}/tokens/{{uid}}/authorize", lambda _: not_found(2004))
            for family in ("terminals", "financial-advice-confirmations"):
                place = f"{base}/payments/{family}"
                route("GET", place, lambda asked: paged([], asked, url=self.base + asked.path))
                route("GET", f"{place}/{{id}}", lambda _: not_found())
                route("PUT", f"{place}/{{id}}", lambda _: Reply())
                route("PATCH", f"{place}/{{id}}", lambda _: Reply())
                route("POST", f"{place}/{{id}}", lambda _: Reply())
                route("POST", f"{place}/{{id}}/deactivate", lambda _: Reply())

    def _lay_object(self, pattern: str) -> None:
        self.server.route("GET", pattern, self._give)
        self.server.route("PUT", pattern, self._put)
        self.server.route("PATCH", pattern, self._patch)
        self.server.route("DELETE", pattern, lambda _: Reply())

    def _versions(self, prefix: str, versions: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"version": name, "url": f"{self.base}/{prefix}/{name}/details"} for name in versions]

    def _details(self, asked: Request, prefix: str, modules: list[str]) -> Reply:
        version = asked.parts["version"]
        base = f"{self.base}/{prefix}/ptp/{version}"
        endpoints = [
            {"identifier": name, "role": MODULES.get(name, "SENDER"), "url": f"{base}/{name}"}
            for name in modules
        ]
        return Reply({"version": version, "endpoints": endpoints})

    def _location_path(self, version: str, location: dict[str, Any]) -> str:
        ids = (str(location.get(name, "")) for name in ("country_code", "party_id", "id"))
        return f"/ocpi/ptp/{version}/locations/" + "/".join(quote(part, safe="") for part in ids)

    def _give(self, asked: Request) -> Reply:
        found = self.mirror.get(_place(asked.path))
        return not_found() if found is None else Reply(found)

    def _put(self, asked: Request) -> Reply:
        new = self.mirror.put(_place(asked.path), asked.body)
        return Reply(http_status=201 if new else 200)

    def _patch(self, asked: Request) -> Reply:
        if self.mirror.patch(_place(asked.path), asked.body):
            return Reply()
        return Reply(status_code=2001, message="There is nothing to patch.", http_status=200)

    def _take_cdr(self, asked: Request) -> Reply:
        name = str(asked.body.get("id", "")) if isinstance(asked.body, dict) else ""
        place = f"{_place(asked.path)}/{quote(name, safe='')}"
        self.mirror.put(place, asked.body)
        return Reply(http_status=201, headers={"Location": self.base + place})


def of_kind(kind: str, method: str = "") -> Callable[[Delivery], bool]:
    """What to wait for: a delivery of this kind, by this method where one is named."""
    return lambda found: found.kind == kind and method in ("", found.method)


def _place(path: str) -> str:
    return path.rstrip("/")


def _kind(path: str) -> str:
    parts = path.strip("/").split("/")
    if parts[-1] == "versions":
        return "versions"
    if parts[-1] == "details":
        return "details"
    if len(parts) > 2 and parts[2] == "commands":
        return "commands"
    return parts[3] if len(parts) > 3 else path
