"""A small CPO that does everything right, over real HTTP; faults are planted into it one at a time.

A fault tampers with a reply, with a message that it sends, or gives it a bad habit.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from payments import exact_json
from payments.conformance.rules.language import MOMENT
from payments.simulator.ocpi.wire import (
    Handler,
    NoAnswer,
    OcpiClient,
    Party,
    PeerServer,
    Reply,
    Request,
    not_found,
    parse_time,
    tokens_in,
    utc_text,
)
from tests.payments.conformance import cpo_objects as objects

VERSIONS = ("2.2.1", "2.3.0")
TOKEN_A = "token-a-of-the-scripted-cpo"
MOST = 50  # X-Limit
MAX_BYTES = 256 * 1024
FUNCTIONAL = ("locations", "tariffs", "sessions", "cdrs", "commands", "tokens", "payments")
ROLES = {
    "credentials": "SENDER", "locations": "SENDER", "tariffs": "SENDER", "sessions": "SENDER", "cdrs": "SENDER",
    "commands": "RECEIVER", "tokens": "RECEIVER", "payments": "RECEIVER",
}  # fmt: skip
THREADS = "scripted-cpo"  # how the names of its threads begin
NEEDED = ("sessions", "cdrs")  # a provider without these cannot be told of money

Json = Any
Tamper = Callable[[Request, Reply], Reply]


@dataclass(frozen=True)
class Message:
    """One request that the CPO sends."""

    method: str
    kind: str
    url: str
    body: Json
    headers: dict[str, str | None] = field(default_factory=dict)
    routed: bool = True


Sending = Callable[[Message], Sequence[Message]]


def refusal(message: str, code: int = 2001, http: int = 200) -> Reply:
    return Reply(status_code=code, message=message, http_status=http)


class _Server(PeerServer):
    tampers: list[Tamper]

    def answer(self, request: Request) -> Reply:
        reply = super().answer(request)
        for tamper in self.tampers:
            reply = tamper(request, reply)
        return reply


class ScriptedCpo:
    """Use it as a context; `versions_url` and TOKEN_A are what a provider gets."""

    def __init__(
        self, *, tampers: Sequence[Tamper] = (), sendings: Sequence[Sending] = (), habits: Sequence[str] = ()
    ) -> None:
        self.server = _Server(around=self._door)
        self.server.tampers = list(tampers)
        self.sendings, self.habits = list(sendings), set(habits)
        self.lock = threading.RLock()
        self.locations = objects.locations()
        self.tariffs: dict[str, list[Json]] = {name: objects.tariffs(name) for name in VERSIONS}
        self.sessions: dict[str, list[Json]] = {name: [] for name in VERSIONS}
        self.cdrs: dict[str, list[Json]] = {name: objects.old_cdrs(name) for name in VERSIONS}
        self.stored: dict[str, Json] = {}  # tokens, terminals, confirmations by path
        self.token = ""  # of the registered provider; empty: only token A
        self.dead: set[str] = set()
        self.client_token, self.client_url = "", ""
        self.client_endpoints: dict[str, str] = {}
        self.partner: Party | None = None
        self.version = VERSIONS[0]
        self.minted = 0
        self.closed = threading.Event()
        self.threads: list[threading.Thread] = []  # charges, and ends of charges

    def __enter__(self) -> "ScriptedCpo":
        from tests.payments.conformance.cpo_routes import lay_routes

        lay_routes(self)
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End its threads first: one that goes on knocks at a dead port for the rest of the run."""
        with self.lock:
            self.closed.set()
        while self.threads:
            self.threads.pop().join()
        self.server.stop()

    def begin(self, work: Callable[..., None], *given: object) -> None:
        """Do this in a thread of its own, which ends with the CPO; a closed one begins nothing."""
        thread = threading.Thread(target=work, args=given, daemon=True, name=f"{THREADS} {work.__name__}")
        with self.lock:
            if not self.closed.is_set():
                self.threads.append(thread)
                thread.start()

    @property
    def versions_url(self) -> str:
        return f"{self.server.url}/ocpi/versions"

    def url(self, version: str, module: str) -> str:
        return f"{self.server.url}/ocpi/cpo/{version}/{module}"

    def has(self, habit: str) -> bool:
        return habit in self.habits

    # --- the door -------------------------------------------------------------------------------

    def _door(self, request: Request, handler: Handler) -> Reply:
        module = _module(request.path)
        problem = self._stranger(request, module) or self._unreadable(request)
        if problem is not None:
            return problem
        if module not in FUNCTIONAL:
            return handler(request)
        asked = request.headers.get("OCPI-to-country-code", objects.CPO.country_code)
        if asked.upper() != objects.CPO.country_code and not self.has("serves any party"):
            return refusal("There is no such party.", 2000)
        return self._routed(request, handler(request))

    def _stranger(self, request: Request, module: str) -> Reply | None:
        said = set(tokens_in(request.headers.get("Authorization")))
        known = {self.token} if self.token else set()
        if module in ("versions", "details", "credentials") and not self.token:
            known.add(TOKEN_A)
        if self.token and self.has("keeps token A"):
            known.add(TOKEN_A)
        if self.has("token A opens all"):
            known.add(TOKEN_A)
        if self.has("old tokens live"):
            known |= self.dead
        return None if said & known else refusal("Who are you?", 2000, 401)

    def _unreadable(self, request: Request) -> Reply | None:
        if request.method not in ("POST", "PUT", "PATCH"):
            return None
        kind = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            return refusal("application/json is expected.", 2001, 415)
        if len(request.raw) > MAX_BYTES:
            return refusal("The body is too large.", 2001, 413)
        try:
            body = exact_json.loads(request.raw)
        except exact_json.UnreadableJson as fault:
            return refusal(str(fault), 2001, 400)
        return None if isinstance(body, dict) else refusal("An object is expected.")

    def _routed(self, request: Request, reply: Reply) -> Reply:
        headers = {
            "OCPI-from-country-code": objects.CPO.country_code,
            "OCPI-from-party-id": objects.CPO.party_id,
            "OCPI-to-country-code": request.headers.get("OCPI-from-country-code", ""),
            "OCPI-to-party-id": request.headers.get("OCPI-from-party-id", ""),
        }
        return replace(reply, headers={**headers, **reply.headers})

    # --- pages ----------------------------------------------------------------------------------

    def page(self, request: Request, items: Sequence[Json]) -> Reply:
        try:
            low, high, offset, limit = _window(request.query)
        except ValueError as fault:
            return refusal(str(fault))
        found = [item for item in items if _inside(parse_time(item["last_updated"]), low, high)]
        limit = min(limit, MOST)
        headers = {"X-Total-Count": str(len(found)), "X-Limit": str(MOST)}
        if offset + limit < len(found):
            following = urlencode({**request.query, "offset": offset + limit, "limit": limit})
            headers["Link"] = f'<{self.server.url}{request.path}?{following}>; rel="next"'
        return Reply(found[offset : offset + limit], headers=headers)

    # --- what it sends --------------------------------------------------------------------------

    def send(self, message: Message) -> bool:
        """Send it, through the planted faults; whether the peer took (the last of) it. Once closed, nothing."""
        messages: Sequence[Message] = [message]
        for sending in self.sendings:
            messages = [changed for one in messages for changed in sending(one)]
        taken = [not self.closed.is_set() and self._post(one) for one in messages]
        return all(taken)

    def push(self, method: str, module: str, path: str, body: Json) -> bool:
        return self.send(Message(method, module, f"{self.client_endpoints.get(module, '')}{path}", body))

    def _post(self, message: Message) -> bool:
        partner = self.partner if message.routed else None
        ours = objects.CPO if message.routed else None
        client = OcpiClient(self.client_token, sender=ours, receiver=partner, timeout_seconds=5)
        try:
            return client.call(message.method, message.url, body=message.body, headers=message.headers).ok
        except NoAnswer:
            return False
        finally:
            client.close()

    def touch(self, evse_uid: str, status: str) -> None:
        """Change an EVSE's status, with its stamps, and push it."""
        now, path = utc_text(), f"/{evse_uid}"
        with self.lock:
            for location in self.locations:
                for evse in location["evses"]:
                    if evse["uid"] == evse_uid:
                        evse |= {"status": status, "last_updated": now}
                        location["last_updated"] = now
                        path = (
                            f"/{objects.CPO.country_code}/{objects.CPO.party_id}/{location['id']}/{evse_uid}"
                        )
        self.push("PATCH", "locations", path, {"status": status, "last_updated": now})


def _module(path: str) -> str:
    parts = path.strip("/").split("/")
    if parts[-1] in ("versions", "details"):
        return parts[-1]
    return parts[3] if len(parts) > 3 else ""


def _window(query: dict[str, str]) -> tuple[datetime | None, datetime | None, int, int]:
    for name in ("date_from", "date_to"):
        if name in query and not MOMENT.fullmatch(query[name]):
            raise ValueError(f"{name} is no DateTime.")
    numbers = {name: query.get(name, default) for name, default in (("offset", "0"), ("limit", str(MOST)))}
    if not all(number.isdigit() for number in numbers.values()):
        raise ValueError("offset and limit are numbers from 0.")
    low, high = (parse_time(query[n]) if n in query else None for n in ("date_from", "date_to"))
    return low, high, int(numbers["offset"]), int(numbers["limit"])


def _inside(at: datetime, low: datetime | None, high: datetime | None) -> bool:
    return (low is None or at >= low) and (high is None or at < high)


def same_host(url: Json, registered: str) -> bool:
    """Whether a response_url is at the provider's own host, with TLS or on the loopback."""
    try:
        one, other = urlsplit(url if isinstance(url, str) else ""), urlsplit(registered)
        port, hosts = one.port, (one.hostname, other.hostname)
    except ValueError:
        return False
    fit = one.scheme == "https" or (one.scheme == "http" and one.hostname == "127.0.0.1")
    return fit and hosts[0] == hosts[1] and port == other.port and "@" not in one.netloc and len(url) <= 255


__all__ = ["THREADS", "TOKEN_A", "VERSIONS", "Message", "ScriptedCpo", "not_found", "refusal", "same_host"]
