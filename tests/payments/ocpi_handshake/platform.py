"""A PTP's platform as these tests use it: real HTTP, versions and credentials, wrong in whatever way is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from payments.simulator.ocpi.wire import Handler, OcpiClient, PeerServer, Reply, Request

Json = Any

TOKEN_A = "token-a-of-the-platform"  # it opens the platform before we are registered
ITS_TOKEN = "what-the-cpo-shows-the-platform"  # what it gives us in credentials


@dataclass
class Platform:
    """A peer; `accepts` are the tokens that open it, `replies` stand in for its answers to credentials."""

    server: PeerServer = field(init=False)
    versions: list[str] = field(default_factory=lambda: ["2.1.1", "2.2.1", "2.3.0"])
    modules: dict[str, str] = field(
        default_factory=lambda: {"credentials": "SENDER", "locations": "RECEIVER", "payments": "SENDER"}
    )
    roles: list[Json] = field(default_factory=lambda: [role("PTP", "NL", "PTP")])
    accepts: set[str] = field(default_factory=lambda: {TOKEN_A, ITS_TOKEN})
    gives: str = ITS_TOKEN
    during: Callable[[Request], Reply | None] = lambda _request: None  # before it answers credentials
    got: list[Json] = field(default_factory=list)  # the credentials that we sent

    def __post_init__(self) -> None:
        self.server = PeerServer(around=self._known)
        self.server.route("GET", "/ocpi/versions", self._versions)
        self.server.route("GET", "/ocpi/{version}", self._details)
        for method in ("POST", "PUT"):
            self.server.route(method, "/ocpi/{version}/credentials", self._credentials)
        self.server.route("DELETE", "/ocpi/{version}/credentials", lambda _: Reply())

    @property
    def versions_url(self) -> str:
        return f"{self.server.url}/ocpi/versions"

    def credentials(self, **changes: Json) -> Json:
        """Its Credentials, changed; what is None is left out."""
        said = {"token": self.gives, "url": self.versions_url, "roles": self.roles} | changes
        return {name: value for name, value in said.items() if value is not None}

    def requests(self) -> list[tuple[str, str]]:
        return [(request.method, request.path) for request in self.server.received]

    def _known(self, request: Request, handler: Handler) -> Reply:
        if not self.accepts & set(request.tokens):
            return Reply(status_code=2001, message="unknown token", http_status=401)
        return handler(request)

    def _versions(self, _request: Request) -> Reply:
        return Reply([{"version": each, "url": f"{self.server.url}/ocpi/{each}"} for each in self.versions])

    def _details(self, request: Request) -> Reply:
        version = request.parts["version"]
        base = f"{self.server.url}/ocpi/{version}"
        listed = [
            {"identifier": name, "url": f"{base}/{name}"} | ({"role": as_role} if as_role else {})
            for name, as_role in self.modules.items()
        ]
        return Reply({"version": version, "endpoints": listed})

    def _credentials(self, request: Request) -> Reply:
        self.got.append(request.body)
        return self.during(request) or Reply(self.credentials())


def role(name: str, country_code: str, party_id: str) -> Json:
    return {
        "role": name,
        "country_code": country_code,
        "party_id": party_id,
        "business_details": {"name": "A Platform"},
    }


def looks_back(request: Request) -> None:
    """Do what a platform does before it answers credentials: read our versions and endpoints."""
    mine = OcpiClient(request.body["token"])
    try:
        offered = mine.get(request.body["url"], routed=False)
        assert offered.ok, offered
        url = next(each["url"] for each in offered.data if each["version"] == request.parts["version"])
        details = mine.get(url, routed=False)
        assert details.ok, details
    finally:
        mine.close()
